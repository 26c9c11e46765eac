/* Reading both sides of a ticket. */

#include "view.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 5000       /* rows of one query */

/* columns and fields are in the same order on both sides, epoch first */
static const char columns[] = "epoch, capacity, per_user, lanes, state, "
    "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', opens_at) DIV 1000, "
    "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', closes_at) DIV 1000";

static const char *const fields[] = {
    "epoch", "capacity", "per_user", "lanes", "state", "opens_at", "closes_at",
    "remaining", "history"
};

enum { FIELD_REMAINING = 7, FIELD_HISTORY, FIELDS };

static uint64_t
number(const char *text)
{
    return text != NULL ? strtoull(text, NULL, 10) : 0;
}

static void
set_definition(struct definition *definition, const char *const *text)
{
    definition->there = true;
    definition->epoch = number(text[0]);
    definition->capacity = number(text[1]);
    definition->per_user = number(text[2]);
    definition->lanes = number(text[3]);
    snprintf(definition->state, sizeof definition->state, "%s",
        text[4] != NULL ? text[4] : "");
    definition->opens_at = text[5] != NULL && text[5][0] != '\0'
        ? (int64_t) number(text[5]) : -1;
    definition->closes_at = text[6] != NULL && text[6][0] != '\0'
        ? (int64_t) number(text[6]) : -1;
}

static bool
read_mysql(struct view *view, struct db *db, ticket_slice_t ticket,
    uint64_t *applied)
{
    struct sql sql = { 0 };
    MYSQL_RES *res = NULL;
    MYSQL_ROW row;

    sql_addf(&sql, "SELECT %s FROM tickets WHERE name = ", columns);
    sql_quote(&sql, db, ticket.data, ticket.len);
    bool ok = !sql.failed && db_query(db, sql.data, sql.len, &res) == DB_OK;
    if (ok && (row = mysql_fetch_row(res)) != NULL)
        set_definition(&view->mysql, (const char *const *) row);
    mysql_free_result(res);
    res = NULL;

    sql_reset(&sql);
    sql_addf(&sql, "SELECT lane, applied_seq FROM lane_progress "
        "WHERE epoch = %" PRIu64 " AND ticket_name = ", view->mysql.epoch);
    sql_quote(&sql, db, ticket.data, ticket.len);
    ok = ok && !sql.failed && db_query(db, sql.data, sql.len, &res) == DB_OK;
    while (ok && (row = mysql_fetch_row(res)) != NULL) {
        if (number(row[0]) < TICKET_LANES_MAX)
            applied[number(row[0])] = number(row[1]);
    }
    mysql_free_result(res);
    sql_free(&sql);
    return ok;
}

static bool
read_redis(struct view *view, struct rds *rds, ticket_slice_t ticket)
{
    char key[RDS_KEY_MAX], names[TICKET_LANES_MAX][12], replid[41];
    const char *argv[2 + FIELDS + TICKET_LANES_MAX] = { "HMGET", key };
    int argc = 2;

    rds_key(key, ticket, NULL);
    for (size_t i = 0; i < FIELDS; i++)
        argv[argc++] = fields[i];
    for (size_t i = 0; i < TICKET_LANES_MAX; i++) {
        snprintf(names[i], sizeof names[i], "seq:%zu", i);
        argv[argc++] = names[i];
    }
    redisReply *reply = rds_command(rds, argc, argv, NULL);
    if (reply == NULL)
        return false;
    if (reply->type != REDIS_REPLY_ARRAY
        || reply->elements != (size_t) argc - 2)
    {
        snprintf(rds->message, sizeof rds->message, "HMGET: %s",
            reply->type == REDIS_REPLY_ERROR ? reply->str : "odd answer");
        freeReplyObject(reply);
        return false;
    }

    const char *text[FIELDS + TICKET_LANES_MAX];
    bool any = false;
    for (size_t i = 0; i < reply->elements; i++) {
        text[i] = reply->element[i]->str;       /* NULL: no such field */
        any = any || text[i] != NULL;
    }
    if (any) {
        set_definition(&view->redis, text);
        view->remaining = number(text[FIELD_REMAINING]);
        for (size_t i = 0; i < TICKET_LANES_MAX; i++)
            view->seq[i] = number(text[FIELDS + i]);
    }
    bool has_history = text[FIELD_HISTORY] != NULL;
    char history[41] = "";
    if (has_history)
        snprintf(history, sizeof history, "%s", text[FIELD_HISTORY]);
    freeReplyObject(reply);

    if (!has_history)
        return true;
    if (!rds_replid(rds, replid))
        return rds->redis != NULL;              /* a replica: not current */
    view->current = strcmp(history, replid) == 0;
    return true;
}

bool
view_read(struct view *view, struct db *db, struct rds *rds,
    ticket_slice_t ticket)
{
    uint64_t applied[TICKET_LANES_MAX] = { 0 };

    memset(view, 0, sizeof *view);
    if (!read_mysql(view, db, ticket, applied)
        || !read_redis(view, rds, ticket))
    {
        return false;
    }
    for (size_t i = 0; i < TICKET_LANES_MAX; i++) {
        if (view->seq[i] > applied[i])
            view->lag += view->seq[i] - applied[i];
    }
    return true;
}

bool
view_same(const struct view *a, const struct view *b)
{
    return a->current == b->current && a->lag == b->lag
        && a->mysql.there == b->mysql.there
        && a->redis.there == b->redis.there
        && a->mysql.epoch == b->mysql.epoch
        && a->redis.epoch == b->redis.epoch
        && memcmp(a->seq, b->seq, sizeof a->seq) == 0;
}

static int
by_user(const void *a, const void *b)
{
    const struct buyer *left = a, *right = b;

    return strcmp(left->user, right->user);
}

/* user and the value "<quantity> <ms> <booking_id>", in one piece of memory */
static bool
add_buyer(struct buyers *buyers, const redisReply *user,
    const redisReply *value)
{
    if (buyers->count == buyers->room) {
        size_t room = buyers->room != 0 ? buyers->room * 2 : 256;
        struct buyer *list = realloc(buyers->list, room * sizeof *list);
        if (list == NULL)
            return false;
        buyers->list = list;
        buyers->room = room;
    }
    size_t user_len = strlen(user->str);
    char *text = malloc(user_len + strlen(value->str) + 2);
    if (text == NULL)
        return false;
    memcpy(text, user->str, user_len + 1);
    strcpy(text + user_len + 1, value->str);

    struct buyer *buyer = &buyers->list[buyers->count++];
    buyer->user = text;
    buyer->quantity = number(value->str);
    const char *id = strrchr(text + user_len + 1, ' ');
    buyer->booking_id = text + (id != NULL ? (size_t) (id - text) + 1 : user_len);
    buyer->seen = false;
    return true;
}

/* HSCAN may hand out a field twice */
static void
sort(struct buyers *buyers)
{
    size_t kept = 0;

    if (buyers->count > 0)
        qsort(buyers->list, buyers->count, sizeof *buyers->list, by_user);
    for (size_t i = 0; i < buyers->count; i++) {
        struct buyer *buyer = &buyers->list[i];
        if (kept > 0 && by_user(buyer, &buyers->list[kept - 1]) == 0) {
            free(buyer->user);
            continue;
        }
        buyers->list[kept++] = *buyer;
        buyers->held += buyer->quantity;
    }
    buyers->count = kept;
}

static bool
take_page(struct buyers *buyers, struct rds *rds, const redisReply *reply,
    char *cursor, size_t size)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2
        || reply->element[1]->type != REDIS_REPLY_ARRAY)
    {
        snprintf(rds->message, sizeof rds->message, "HSCAN: %s",
            reply->type == REDIS_REPLY_ERROR ? reply->str : "odd answer");
        return false;
    }
    snprintf(cursor, size, "%s", reply->element[0]->str);
    const redisReply *pairs = reply->element[1];
    for (size_t i = 0; i + 1 < pairs->elements; i += 2) {
        if (!add_buyer(buyers, pairs->element[i], pairs->element[i + 1])) {
            snprintf(rds->message, sizeof rds->message, "no memory");
            return false;
        }
    }
    return true;
}

bool
view_redis_buyers(struct buyers *buyers, struct rds *rds,
    ticket_slice_t ticket)
{
    char key[RDS_KEY_MAX], cursor[24] = "0";
    const char *argv[] = { "HSCAN", key, cursor, "COUNT", "1000" };

    memset(buyers, 0, sizeof *buyers);
    rds_key(key, ticket, "buyers");
    do {
        redisReply *reply = rds_command(rds, 5, argv, NULL);
        bool ok = reply != NULL
            && take_page(buyers, rds, reply, cursor, sizeof cursor);
        freeReplyObject(reply);
        if (!ok) {
            buyers_free(buyers);
            return false;
        }
    } while (strcmp(cursor, "0") != 0);
    sort(buyers);
    return true;
}

struct buyer *
buyers_find(const struct buyers *buyers, const char *user)
{
    struct buyer key = { .user = (char *) (uintptr_t) user };

    return buyers->count == 0 ? NULL
        : bsearch(&key, buyers->list, buyers->count, sizeof key, by_user);
}

void
buyers_free(struct buyers *buyers)
{
    for (size_t i = 0; i < buyers->count; i++)
        free(buyers->list[i].user);
    free(buyers->list);
    memset(buyers, 0, sizeof *buyers);
}

MYSQL_RES *
view_mysql_rows(struct db *db, ticket_slice_t ticket, struct row_mark *last)
{
    struct sql sql = { 0 };
    MYSQL_RES *res = NULL;

    /* in the order of ix_ticket, so that a page costs its rows only */
    sql_add(&sql, "SELECT user_id, quantity, booking_id, created_at, id "
        "FROM purchases WHERE ticket_name = ");
    sql_quote(&sql, db, ticket.data, ticket.len);
    if (last->id != 0)
        sql_addf(&sql, " AND created_at >= '%s' AND (created_at > '%s' "
            "OR id > %" PRIu64 ")", last->created_at, last->created_at,
            last->id);
    sql_addf(&sql, " ORDER BY created_at, id LIMIT %d", PAGE);
    if (!sql.failed)
        db_query(db, sql.data, sql.len, &res);
    sql_free(&sql);

    if (res != NULL && mysql_num_rows(res) > 0) {
        mysql_data_seek(res, mysql_num_rows(res) - 1);
        MYSQL_ROW row = mysql_fetch_row(res);
        snprintf(last->created_at, sizeof last->created_at, "%s", row[3]);
        last->id = number(row[4]);
        mysql_data_seek(res, 0);
    }
    return res;
}
