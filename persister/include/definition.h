/* The definition of a ticket, from MySQL and from a script's reply. */

#ifndef PERSISTER_DEFINITION_H
#define PERSISTER_DEFINITION_H

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include "db.h"
#include "ticket_event.h"

struct definition {
    uint64_t capacity;
    uint64_t per_user;
    uint32_t lanes;
    char     state[16];
    int64_t  opens_at, closes_at;       /* ms; -1: none */
};

/* the columns definition_row() expects, in its order */
#define DEFINITION_COLUMNS                                                    \
    "capacity, per_user, lanes, state,"                                       \
    " TIMESTAMPDIFF(MICROSECOND, '1970-01-01', opens_at) DIV 1000,"           \
    " TIMESTAMPDIFF(MICROSECOND, '1970-01-01', closes_at) DIV 1000"

bool definition_row(struct definition *d, MYSQL_ROW row);

/* six elements of a reply, in the same order; false: not all there */
bool definition_reply(struct definition *d, redisReply **element);

/* "capacity=…, per_user=…, state=…, opens_at=…, closes_at=…" */
void definition_set(struct sql *sql, struct db *db,
    const struct definition *d);

#endif
