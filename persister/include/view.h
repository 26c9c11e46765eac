/* What MySQL and Redis say about one ticket, for whoever compares them. */

#ifndef PERSISTER_VIEW_H
#define PERSISTER_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "db.h"
#include "rds.h"

struct definition {
    bool     there;
    uint64_t epoch;
    uint64_t capacity;
    uint64_t per_user;
    uint64_t lanes;
    char     state[17];
    int64_t  opens_at;          /* ms, -1: none */
    int64_t  closes_at;
};

struct view {
    struct definition mysql;
    struct definition redis;
    bool     current;           /* Redis may sell it: history is its own */
    uint64_t remaining;         /* Redis' */
    uint64_t lag;               /* events decided and not stored */
    uint64_t seq[TICKET_LANES_MAX];
};

/* a row of purchases, or a field of K:buyers */
struct buyer {
    char    *user;
    char    *booking_id;
    uint64_t quantity;
    bool     seen;              /* by the side it is compared with */
};

struct buyers {
    struct buyer *list;
    size_t        count, room;
    uint64_t      held;         /* the sum of quantities */
};

/* MySQL first, then Redis: lag 0 means that at the second look nothing was
 * unsaved.  false: a server is away (db->message or rds->message says). */
bool view_read(struct view *view, struct db *db, struct rds *rds,
    ticket_slice_t ticket);

/* nothing happened between two views */
bool view_same(const struct view *a, const struct view *b);

/* every buyer of Redis, sorted by user, each once */
bool view_redis_buyers(struct buyers *buyers, struct rds *rds,
    ticket_slice_t ticket);
struct buyer *buyers_find(const struct buyers *buyers, const char *user);
void buyers_free(struct buyers *buyers);

/* the next rows of purchases after `last` (start with all zeroes), at most a
 * few thousand; an empty result is the end.  NULL: MySQL is away. */
struct row_mark {
    char     created_at[32];
    uint64_t id;
};

/* columns: user_id, quantity, booking_id; the mark is moved on */
MYSQL_RES *view_mysql_rows(struct db *db, ticket_slice_t ticket,
    struct row_mark *last);

#endif
