/*
 * A lane whose outbox begins too late is copied from Redis.  Every transaction
 * begins with the lane's row, locked and found where we know it: so nobody
 * has gone on meanwhile, and what was read after noting seq may be written.
 */

#include "resync.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "definition.h"
#include "log.h"
#include "metrics.h"
#include "picture.h"
#include "rows.h"
#include "verify.h"

struct resync {
    struct worker    *w;
    struct lane      *lane;
    struct definition definition;
    uint64_t          noted;            /* seq in Redis before all else */
    size_t            upserted, deleted;
    char              buyers[RDS_KEY_MAX];
    size_t            buyers_len;
};

static void
where(struct sql *sql, struct db *db, const struct lane *lane)
{
    sql_add(sql, " WHERE ticket_name=");
    sql_quote(sql, db, lane->ticket.data, lane->ticket.len);
    sql_addf(sql, " AND lane=%" PRIu32 " AND epoch=%" PRIu64
        " AND applied_seq=%" PRIu64 " AND sealed=0", lane->number,
        lane->picture.epoch, lane->picture.applied);
}

/* one fenced transaction around a statement; its own number moves to `to` */
static bool
commit(struct resync *s, const struct sql *statement, uint64_t to)
{
    struct db *db = &s->w->db;
    struct sql *sql = &s->w->sql;
    uint64_t matched = 0;

    sql_reset(sql);
    sql_addf(sql, "UPDATE lane_progress SET updated_at=CURRENT_TIMESTAMP(3),"
        "applied_seq=%" PRIu64, to);
    where(sql, db, s->lane);
    bool good = !sql->failed && !statement->failed && db_begin(db) == DB_OK
        && db_exec(db, sql->data, sql->len, &matched) == DB_OK && matched == 1
        && (statement->len == 0
            || db_exec(db, statement->data, statement->len, NULL) == DB_OK)
        && db_commit(db) == DB_OK;
    if (!good)
        db_rollback(db);
    return good;
}

/* "<quantity> <booked_at ms> <booking_id>" */
static bool
add_buyer(struct resync *s, struct sql *sql, const redisReply *user,
    const redisReply *value)
{
    ticket_slice_t id = { user->str, (size_t) user->len };
    uint64_t quantity;
    int64_t ms;
    int at = 0;

    if (ticket_event_lane(id, s->definition.lanes) != s->lane->number)
        return false;
    if (sscanf(value->str, "%" SCNu64 " %" SCNd64 " %n", &quantity, &ms, &at)
        < 2 || at <= 0)
        return false;
    sql_add(sql, sql->len == 0 ? "INSERT INTO purchases"
        " (user_id,ticket_name,quantity,booking_id,created_at) VALUES ("
        : ",(");
    sql_quote(sql, &s->w->db, id.data, id.len);
    sql_add(sql, ",");
    sql_quote(sql, &s->w->db, s->lane->ticket.data, s->lane->ticket.len);
    sql_addf(sql, ",%" PRIu64 ",", quantity);
    sql_quote(sql, &s->w->db, value->str + at, (size_t) (value->len - at));
    sql_add(sql, ",");
    sql_time(sql, ms);
    sql_add(sql, ")");
    return true;
}

static bool
upsert_page(struct resync *s, redisReply *pairs, struct sql *sql)
{
    size_t n = 0;

    sql_reset(sql);
    for (size_t i = 0; i + 1 < pairs->elements; i += 2)
        n += add_buyer(s, sql, pairs->element[i], pairs->element[i + 1]);
    if (n == 0)
        return true;
    sql_add(sql, " ON DUPLICATE KEY UPDATE quantity=VALUES(quantity),"
        "booking_id=VALUES(booking_id),created_at=VALUES(created_at)");
    s->upserted += n;
    return commit(s, sql, s->lane->picture.applied);
}

static bool
upsert_buyers(struct resync *s)
{
    char cursor[32] = "0";
    struct sql sql = { 0 };
    bool good = true;

    do {
        const char *argv[] = { "HSCAN", s->buyers, cursor, "COUNT", "500" };
        size_t lens[] = { 5, s->buyers_len, strlen(cursor), 5, 3 };
        redisReply *reply = rds_command(&s->w->rds, 5, argv, lens);
        good = reply != NULL && reply->type == REDIS_REPLY_ARRAY
            && reply->elements == 2
            && reply->element[1]->type == REDIS_REPLY_ARRAY
            && upsert_page(s, reply->element[1], &sql);
        if (good)
            snprintf(cursor, sizeof cursor, "%s", reply->element[0]->str);
        if (reply != NULL)
            freeReplyObject(reply);
    } while (good && strcmp(cursor, "0") != 0);
    sql_free(&sql);
    return good;
}

/* rows of this lane whose user holds nothing in Redis */
static bool
delete_page(struct resync *s, MYSQL_RES *res, struct sql *sql)
{
    const char *argv[2 + ROWS_PAGE] = { "HMGET", s->buyers };
    size_t lens[2 + ROWS_PAGE] = { 5, s->buyers_len };
    const char *ids[ROWS_PAGE];
    MYSQL_ROW row;
    int n = 0;

    while ((row = mysql_fetch_row(res)) != NULL) {
        size_t len = mysql_fetch_lengths(res)[ROW_USER];
        if (ticket_event_lane((ticket_slice_t) { row[ROW_USER], len },
                s->definition.lanes) != s->lane->number)
            continue;
        argv[2 + n] = row[ROW_USER];
        lens[2 + n] = len;
        ids[n++] = row[ROW_ID];
    }
    if (n == 0)
        return true;
    redisReply *reply = rds_command(&s->w->rds, 2 + n, argv, lens);
    bool good = reply != NULL && reply->type == REDIS_REPLY_ARRAY
        && reply->elements == (size_t) n;
    sql_reset(sql);
    for (int i = 0; i < n && good; i++)
        if (reply->element[i]->type == REDIS_REPLY_NIL) {
            sql_add(sql, sql->len == 0
                ? "DELETE FROM purchases WHERE id IN (" : ",");
            sql_add(sql, ids[i]);
            s->deleted++;
        }
    if (reply != NULL)
        freeReplyObject(reply);
    if (!good || sql->len == 0)
        return good;
    sql_add(sql, ")");
    return commit(s, sql, s->lane->picture.applied);
}

static bool
delete_strangers(struct resync *s)
{
    struct sql sql = { 0 };
    struct rows rows;
    bool good = true, more = true;

    rows_init(&rows, &s->w->db, s->lane->ticket);
    while (good && more) {
        MYSQL_RES *res;
        good = rows_next(&rows, &res) == DB_OK;
        if (!good)
            break;
        more = mysql_num_rows(res) > 0;
        good = delete_page(s, res, &sql);
        mysql_free_result(res);
    }
    rows_free(&rows);
    sql_free(&sql);
    return good;
}

static bool
read_definition(struct resync *s)
{
    char key[RDS_KEY_MAX];
    const char *argv[] = { "HMGET", key, "capacity", "per_user", "lanes",
        "state", "opens_at", "closes_at" };
    size_t lens[8];

    rds_key(key, s->lane->ticket, NULL);
    for (size_t i = 0; i < 8; i++)
        lens[i] = strlen(argv[i]);
    redisReply *reply = rds_command(&s->w->rds, 8, argv, lens);
    bool good = reply != NULL && reply->type == REDIS_REPLY_ARRAY
        && reply->elements == 6
        && definition_reply(&s->definition, reply->element);
    if (reply != NULL)
        freeReplyObject(reply);
    return good;
}

/* from here the lane is where Redis was when we began */
static bool
finish(struct resync *s)
{
    struct sql sql = { 0 };

    if (s->lane->number == 0) {
        sql_add(&sql, "UPDATE tickets SET ");
        definition_set(&sql, &s->w->db, &s->definition);
        sql_add(&sql, " WHERE name=");
        sql_quote(&sql, &s->w->db, s->lane->ticket.data, s->lane->ticket.len);
    }
    bool good = commit(s, &sql, s->noted);
    sql_free(&sql);
    return good;
}

static void
note(struct worker *w, struct lane *lane, enum look look, void *data)
{
    (void) w;
    *(uint64_t *) data = look == LOOK_CURRENT ? lane->known : 0;
}

bool
resync_lane(struct worker *w, struct lane *lane)
{
    struct resync s = { .w = w, .lane = lane };
    uint64_t applied = lane->picture.applied;

    if (!verify_lanes(w, &lane, 1, note, &s.noted) || s.noted <= applied)
        return false;
    log_error("worker %d: lane %s/%" PRIu32 ": MySQL knows number %" PRIu64
        ", the outbox begins later and Redis has given %" PRIu64
        ": MySQL has forgotten; the lane is copied from Redis", w->number,
        lane->name, lane->number, applied, s.noted);
    s.buyers_len = rds_key(s.buyers, lane->ticket, "buyers");
    if (!read_definition(&s) || !upsert_buyers(&s) || !delete_strangers(&s)
        || !finish(&s))
    {
        log_error("worker %d: lane %s/%" PRIu32 " could not be copied"
            " (SQLSTATE %s), again soon", w->number, lane->name, lane->number,
            w->db.sqlstate);
        lane->stale = true;
        return false;
    }
    metric_add(M_RESYNCED, 1);
    log_error("worker %d: lane %s/%" PRIu32 " is copied: %zu rows written,"
        " %zu deleted, it goes on after number %" PRIu64, w->number,
        lane->name, lane->number, s.upserted, s.deleted, s.noted);
    lane->stale = true;
    return picture_read(w, &lane, 1) == DB_OK;
}
