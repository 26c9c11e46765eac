/* The definition of a waiting room, between its hash in Redis and its row in
 * MySQL: texts in one canonical form, '' for none. */

#ifndef PERSISTER_ROOM_H
#define PERSISTER_ROOM_H

#include "db.h"
#include "rds.h"

enum room_field {
    ROOM_CAPACITY, ROOM_RATE, ROOM_SHARE, ROOM_PASS_TTL, ROOM_STATE,
    ROOM_TICKETS, ROOM_MAX_LAG, ROOM_OPENS_AT, ROOM_DRAW, ROOM_SEED,
    ROOM_DRAW_HASH, ROOM_ORIGIN, ROOM_DRAWN, ROOM_CHANGED_BY, ROOM_CHANGED_AT,
    ROOM_FIELDS
};

/* points into the reply or the row it was made of */
struct room {
    ticket_slice_t name;
    ticket_slice_t field[ROOM_FIELDS];
};

/* a ticket's name without '@' */
bool room_name_valid(ticket_slice_t name);

bool room_equal(const struct room *a, const struct room *b);
bool room_deleted(const struct room *room);

/*
 * HMGET of a room's hash, appended: ROOM_FIELDS fields and then rows_per_s.
 * room_reply() judges the reply to it.
 */
bool room_append(struct rds *rds, ticket_slice_t name);

enum room_found {
    ROOM_THERE,
    ROOM_NONE,                  /* no hash, or one that is no room */
    ROOM_BROKEN                 /* a key of another type, or no such numbers */
};

enum room_found room_reply(struct room *room, const redisReply *reply);

/* makes the room where Redis has none, with its origin (queue_define.lua).
 * NULL: Redis is gone */
redisReply *room_define(struct rds *rds, const struct room *room);

/* what the database takes, for queue_enter.lua and queue_advance.lua; false:
 * Redis is gone */
bool room_rows_per_s(struct rds *rds, ticket_slice_t name, const char *rows);

/* the columns room_row() expects, in its order */
extern const char room_columns[];
void room_row(struct room *room, MYSQL_ROW row, const unsigned long *lens);

/* "capacity=…, rate=…, …": all but the name */
void room_set(struct sql *sql, struct db *db, const struct room *room);

#endif
