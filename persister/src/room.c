/* A waiting room, between Redis and MySQL. */

#include "room.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_MAX (TICKET_ID_MAX + 32)
#define NUMBER_MAX UINT64_C(999999999999999999)

enum kind { NUMBER, TIME, TEXT };

static const struct {
    const char *name;           /* of the field and of the column */
    enum kind   kind;
    bool        optional;       /* '' is NULL; of a text: it is '' */
} fields[ROOM_FIELDS] = {
    [ROOM_CAPACITY] = { "capacity", NUMBER, false },
    [ROOM_RATE] = { "rate", NUMBER, true },
    [ROOM_SHARE] = { "share", NUMBER, true },
    [ROOM_PASS_TTL] = { "pass_ttl", NUMBER, false },
    [ROOM_STATE] = { "state", TEXT, false },
    [ROOM_TICKETS] = { "tickets", TEXT, true },
    [ROOM_MAX_LAG] = { "max_lag", NUMBER, false },
    [ROOM_OPENS_AT] = { "opens_at", TIME, true },
    [ROOM_DRAW] = { "draw", NUMBER, false },
    [ROOM_SEED] = { "seed", TEXT, true },
    [ROOM_DRAW_HASH] = { "draw_hash", TEXT, true },
    [ROOM_ORIGIN] = { "origin", NUMBER, false },
    [ROOM_DRAWN] = { "drawn", NUMBER, false },
    [ROOM_CHANGED_BY] = { "changed_by", TEXT, true },
    [ROOM_CHANGED_AT] = { "changed_at", TIME, true },
};

#define MS_OF(column) "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', " column      \
    ") DIV 1000"

const char room_columns[] = "capacity, rate, share, pass_ttl, state, tickets,"
    " max_lag, " MS_OF("opens_at") ", draw, seed, draw_hash, origin, drawn,"
    " changed_by, " MS_OF("changed_at");

bool
room_name_valid(ticket_slice_t name)
{
    return ticket_name_valid(name) && memchr(name.data, '@', name.len) == NULL;
}

bool
room_equal(const struct room *a, const struct room *b)
{
    for (size_t i = 0; i < ROOM_FIELDS; i++)
        if (!ticket_slice_eq(a->field[i], b->field[i]))
            return false;
    return true;
}

bool
room_deleted(const struct room *room)
{
    return ticket_slice_is(room->field[ROOM_STATE], "deleted");
}

/* --------------------------------------------------------------- Redis --- */

static size_t
key(char *buf, const char *prefix, ticket_slice_t name)
{
    return (size_t) snprintf(buf, KEY_MAX, "%s{%.*s}", prefix, (int) name.len,
        name.data);
}

bool
room_append(struct rds *rds, ticket_slice_t name)
{
    char hash[KEY_MAX];
    const char *argv[3 + ROOM_FIELDS] = { "HMGET", hash };
    size_t lens[3 + ROOM_FIELDS] = { 5, key(hash, "queue:room:", name) };
    int argc = 2;

    for (size_t i = 0; i < ROOM_FIELDS; i++) {
        argv[argc] = fields[i].name;
        lens[argc++] = strlen(fields[i].name);
    }
    argv[argc] = "rows_per_s";
    lens[argc++] = 10;
    return rds_append(rds, argc, argv, lens);
}

static bool
good(size_t i, ticket_slice_t value)
{
    uint64_t number;

    if (value.len == 0)
        return fields[i].optional;
    if (fields[i].kind == TEXT)
        return true;
    return ticket_number_parse(value, fields[i].kind == TIME ? TICKET_TIME_MAX
            : NUMBER_MAX, &number) == 0;
}

enum room_found
room_reply(struct room *room, const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_ARRAY
        || reply->elements != ROOM_FIELDS + 1)
        return ROOM_BROKEN;
    /* it is the state that makes a room, for the scripts as well */
    if (reply->element[ROOM_STATE]->type != REDIS_REPLY_STRING)
        return ROOM_NONE;
    for (size_t i = 0; i < ROOM_FIELDS; i++) {
        const redisReply *value = reply->element[i];
        room->field[i] = value->type == REDIS_REPLY_STRING
            ? (ticket_slice_t) { value->str, (size_t) value->len }
            : (ticket_slice_t) { "", 0 };
        if (!good(i, room->field[i]))
            return ROOM_BROKEN;
    }
    return ROOM_THERE;
}

redisReply *
room_define(struct rds *rds, const struct room *room)
{
    /* in the order of queue_define.lua, after S, who, create, replid */
    static const enum room_field order[] = {
        ROOM_CAPACITY, ROOM_RATE, ROOM_SHARE, ROOM_PASS_TTL, ROOM_STATE,
        ROOM_TICKETS, ROOM_MAX_LAG, ROOM_OPENS_AT, ROOM_DRAW, ROOM_SEED,
        ROOM_DRAW_HASH, ROOM_ORIGIN, ROOM_DRAWN, ROOM_CHANGED_AT
    };
    enum { KEYS = 3, HEAD = KEYS + 4, ORDER = sizeof order / sizeof order[0],
        ARGC = HEAD + ORDER + 1 };
    char keys[KEYS][KEY_MAX];
    ticket_slice_t who = room->field[ROOM_CHANGED_BY];
    const char *argv[ARGC] = { keys[0], keys[1], keys[2],
        room->name.data, who.data, "1", "" };
    size_t lens[ARGC] = { key(keys[0], "queue:room:", room->name),
        key(keys[1], "queue:", room->name),
        key(keys[2], "queue:pass:z:", room->name), room->name.len, who.len, 1,
        0 };

    for (size_t i = 0; i < ORDER; i++) {
        argv[HEAD + i] = room->field[order[i]].data;
        lens[HEAD + i] = room->field[order[i]].len;
    }
    argv[ARGC - 1] = "";               /* a loss has no deadline */
    return rds_eval(rds, RDS_QUEUE_DEFINE, KEYS, ARGC, argv, lens);
}

bool
room_rows_per_s(struct rds *rds, ticket_slice_t name, const char *rows)
{
    char hash[KEY_MAX];
    const char *argv[] = { "HSET", hash, "rows_per_s", rows };
    size_t lens[] = { 4, key(hash, "queue:room:", name), 10, strlen(rows) };
    redisReply *reply = rds_command(rds, 4, argv, lens);

    if (reply == NULL)
        return false;
    rds_done(reply, "keeper");
    return true;
}

/* --------------------------------------------------------------- MySQL --- */

void
room_row(struct room *room, MYSQL_ROW row, const unsigned long *lens)
{
    for (size_t i = 0; i < ROOM_FIELDS; i++)
        room->field[i] = row[i] != NULL ? (ticket_slice_t) { row[i], lens[i] }
            : (ticket_slice_t) { "", 0 };
}

void
room_set(struct sql *sql, struct db *db, const struct room *room)
{
    for (size_t i = 0; i < ROOM_FIELDS; i++) {
        ticket_slice_t value = room->field[i];
        sql_addf(sql, "%s%s=", i > 0 ? "," : "", fields[i].name);
        if (fields[i].kind == TEXT)
            sql_quote(sql, db, value.data, value.len);
        else if (value.len == 0)
            sql_add(sql, "NULL");
        else if (fields[i].kind == TIME)
            sql_time(sql, strtoll(value.data, NULL, 10));
        else
            sql_number(sql, strtoull(value.data, NULL, 10));
    }
}
