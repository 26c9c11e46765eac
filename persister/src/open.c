/*
 * Opening of a ticket.  Two locks keep recoverers apart: a named one for as
 * long as an attempt takes, and that of the ticket's row up to the new epoch;
 * both die with the session.  What stops one that was paused and does not know
 * it is the token.
 *
 * A token "new:<replid>:..." also says: when it was written, nothing of this
 * ticket needed to be drained.  While the server is the same and the hash has
 * no epoch, nothing was sold since, so whoever finds it may begin anew.
 */

#include "open.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <zlib.h>
#include "log.h"
#include "rebuild.h"
#include "tick.h"
#include "ticket_scripts.h"

bool
open_lock(struct opening *o, bool take)
{
    const char *call = take ? "GET_LOCK" : "RELEASE_LOCK";
    struct sql sql = { 0 };
    MYSQL_RES *res;
    char name[64];
    const char *database = o->db->conf->mysql.database;
    uLong a = crc32(0, (const Bytef *) database, (uInt) strlen(database));
    uLong b = crc32(a, (const Bytef *) o->ticket.data, (uInt) o->ticket.len);
    uLong c = adler32(1, (const Bytef *) o->ticket.data,
        (uInt) o->ticket.len);

    snprintf(name, sizeof name, "ticket-open-%08lx-%08lx-%08lx", a, b, c);
    sql_addf(&sql, "SELECT %s('%s'%s)", call, name,
        take ? ",0" : "");
    bool good = !sql.failed
        && db_query(o->db, sql.data, sql.len, &res) == DB_OK;
    sql_free(&sql);
    if (!good)
        return false;
    MYSQL_ROW row = mysql_fetch_row(res);
    good = row != NULL && row[0] != NULL && row[0][0] == '1';
    mysql_free_result(res);
    return good;
}

static enum db_result
select_row(struct opening *o, const char *tail, struct found *f)
{
    struct sql sql = { 0 };
    MYSQL_RES *res;
    MYSQL_ROW row;

    sql_add(&sql, "SELECT " DEFINITION_COLUMNS ", epoch FROM tickets"
        " WHERE name=");
    sql_quote(&sql, o->db, o->ticket.data, o->ticket.len);
    sql_add(&sql, tail);
    enum db_result r = sql.failed ? DB_TRANSIENT
        : db_query(o->db, sql.data, sql.len, &res);
    sql_free(&sql);
    if (r != DB_OK)
        return r;
    f->row = (row = mysql_fetch_row(res)) != NULL;
    if (f->row) {
        f->row_epoch = strtoull(row[6], NULL, 10);
        if (!definition_row(&o->definition, row))
            r = DB_PERMANENT;
        f->tombstone = strcmp(o->definition.state, "deleted") == 0;
    }
    mysql_free_result(res);
    return r;
}

/* the row, locked until COMMIT; one that is locked already is not ours */
static enum db_result
find_row(struct opening *o, struct found *f)
{
    enum db_result r = select_row(o, " FOR UPDATE SKIP LOCKED", f);

    f->locked = f->row;
    if (r == DB_OK && !f->row)
        r = select_row(o, "", f);
    return r;
}

static bool
find_hash(struct opening *o, struct found *f)
{
    char key[RDS_KEY_MAX], prefix[48];
    const char *argv[] = { "HMGET", key, "epoch", "history", "claim", "state",
        "capacity" };
    size_t lens[7];

    rds_key(key, o->ticket, NULL);
    for (size_t i = 0; i < 7; i++)
        lens[i] = strlen(argv[i]);
    redisReply *reply = rds_command(o->rds, 7, argv, lens);
    bool good = reply != NULL && reply->type == REDIS_REPLY_ARRAY
        && reply->elements == 5;
    if (good) {
        redisReply **field = reply->element;
        int len = snprintf(prefix, sizeof prefix, "new:%s:", o->replid);
        for (size_t i = 0; i < 5; i++)
            f->hash |= field[i]->type == REDIS_REPLY_STRING;
        if (field[0]->type == REDIS_REPLY_STRING)
            f->hash_epoch = strtoull(field[0]->str, NULL, 10);
        f->current = field[1]->type == REDIS_REPLY_STRING
            && strcmp(field[1]->str, o->replid) == 0;
        f->claimed_new = field[2]->type == REDIS_REPLY_STRING
            && strncmp(field[2]->str, prefix, (size_t) len) == 0;
        f->hash_deleted = field[3]->type == REDIS_REPLY_STRING
            && strcmp(field[3]->str, "deleted") == 0;
    }
    if (reply != NULL)
        freeReplyObject(reply);
    return good;
}

/* nothing can be in Redis, in Kafka or on its way that MySQL does not have */
static bool
is_new(const struct found *f)
{
    if (!f->row || f->row_epoch == 0)
        return f->hash_epoch == 0;
    if (f->tombstone && (f->hash_epoch == 0 || f->hash_deleted))
        return true;
    return f->claimed_new && f->hash_epoch == 0;
}

/* what no lane has stored is in its outbox, if it is anywhere in Redis */
static bool
outboxes_drained(struct opening *o, const struct found *f)
{
    char key[RDS_KEY_MAX], suffix[32], from[48];
    bool drained = true;

    for (uint32_t i = 0; i < TICKET_LANES_MAX && drained; i++) {
        struct sql sql = { 0 };
        MYSQL_RES *res;
        MYSQL_ROW row;
        sql_add(&sql, "SELECT applied_seq FROM lane_progress"
            " WHERE ticket_name=");
        sql_quote(&sql, o->db, o->ticket.data, o->ticket.len);
        sql_addf(&sql, " AND lane=%" PRIu32 " AND epoch=%" PRIu64, i,
            f->row_epoch);
        drained = db_query(o->db, sql.data, sql.len, &res) == DB_OK;
        sql_free(&sql);
        if (!drained)
            break;
        row = mysql_fetch_row(res);
        snprintf(from, sizeof from, "%" PRIu64 "-%" PRIu64, f->row_epoch,
            row != NULL ? (uint64_t) strtoull(row[0], NULL, 10) + 1 : 1);
        bool lane = row != NULL;
        mysql_free_result(res);
        if (!lane && i >= o->definition.lanes)
            break;

        snprintf(suffix, sizeof suffix, "outbox:%" PRIu32, i);
        const char *argv[] = { "XRANGE", key, from, "+", "COUNT", "1" };
        size_t lens[] = { 6, rds_key(key, o->ticket, suffix), strlen(from), 1,
            5, 1 };
        redisReply *reply = rds_command(o->rds, 6, argv, lens);
        drained = reply != NULL && reply->type == REDIS_REPLY_ARRAY
            && reply->elements == 0;
        if (reply != NULL)
            freeReplyObject(reply);
    }
    return drained;
}

static void
make_token(struct opening *o, const char *kind)
{
    uint64_t random = 0;

    if (getrandom(&random, sizeof random, 0) != sizeof random)
        random = (uint64_t) tick_ms() ^ (uintptr_t) o;
    snprintf(o->token, sizeof o->token, "%s:%s:%016" PRIx64, kind, o->replid,
        random);
}

bool
open_claim(struct opening *o, struct found *f, const char *kind,
    enum opened *opened)
{
    char key[RDS_KEY_MAX];
    bool ours = false;

    make_token(o, kind);
    const char *argv[] = { key, o->ticket.data, o->token };
    size_t lens[] = { rds_key(key, o->ticket, NULL), o->ticket.len,
        strlen(o->token) };
    redisReply *reply = rds_eval(o->rds, RDS_CLAIM, 1, 3, argv, lens);
    *opened = OPEN_FAILED;
    if (reply == NULL)
        return false;
    if (reply->type == REDIS_REPLY_ERROR) {
        log_warn("keeper: claim was refused: %.60s", reply->str);
    } else if (reply->type == REDIS_REPLY_ARRAY && reply->elements > 0
        && reply->element[0]->type == REDIS_REPLY_INTEGER)
    {
        redisReply **field = reply->element;
        if (field[0]->integer == TICKET_CODE_ALREADY_OPEN)
            *opened = OPEN_DONE;
        else if (field[0]->integer != TICKET_CODE_OK || reply->elements < 10
            || field[2]->type != REDIS_REPLY_STRING
            || strcmp(field[2]->str, o->replid) != 0)
            *opened = OPEN_BUSY;
        else if (f->row && !f->tombstone)
            ours = true;                /* MySQL's definition wins */
        else if (!(ours = definition_reply(&o->definition, field + 4)))
            *opened = OPEN_NONE;
    }
    if (ours && reply->element[3]->type == REDIS_REPLY_INTEGER
        && (uint64_t) reply->element[3]->integer > f->hash_epoch)
        f->hash_epoch = (uint64_t) reply->element[3]->integer;
    freeReplyObject(reply);
    return ours;
}

static bool
put_row(struct opening *o, const struct found *f)
{
    struct sql sql = { 0 };

    sql_add(&sql, f->row ? "UPDATE tickets SET " : "INSERT INTO tickets SET ");
    if (!f->row || f->tombstone) {
        definition_set(&sql, o->db, &o->definition);
        sql_addf(&sql, ",lanes=%" PRIu32 ",", o->definition.lanes);
    }
    sql_addf(&sql, "epoch=%" PRIu64 "%s", o->epoch,
        f->row ? " WHERE name=" : ",name=");
    sql_quote(&sql, o->db, o->ticket.data, o->ticket.len);
    bool good = !sql.failed
        && db_exec(o->db, sql.data, sql.len, NULL) == DB_OK;
    sql_free(&sql);
    return good;
}

static bool
put_lanes(struct opening *o)
{
    struct sql sql = { 0 };

    sql_add(&sql, "UPDATE lane_progress SET sealed=1 WHERE ticket_name=");
    sql_quote(&sql, o->db, o->ticket.data, o->ticket.len);
    sql_addf(&sql, " AND epoch<%" PRIu64 " AND sealed=0", o->epoch);
    bool good = !sql.failed
        && db_exec(o->db, sql.data, sql.len, NULL) == DB_OK;

    sql_reset(&sql);
    sql_add(&sql, "INSERT INTO lane_progress (ticket_name, lane, epoch)"
        " VALUES ");
    for (uint32_t i = 0; i < o->definition.lanes; i++) {
        sql_add(&sql, i == 0 ? "(" : ",(");
        sql_quote(&sql, o->db, o->ticket.data, o->ticket.len);
        sql_addf(&sql, ",%" PRIu32 ",%" PRIu64 ")", i, o->epoch);
    }
    good = good && !sql.failed
        && db_exec(o->db, sql.data, sql.len, NULL) == DB_OK;
    sql_free(&sql);
    return good;
}

enum opened
open_peek(struct opening *o, struct found *f)
{
    if (select_row(o, "", f) != DB_OK || !find_hash(o, f))
        return OPEN_FAILED;
    if (f->current)
        return OPEN_DONE;
    if (!f->hash && (!f->row || f->tombstone))
        return OPEN_NONE;
    if (is_new(f))
        return OPEN_BUSY;
    return f->row ? OPEN_RECOVERY : OPEN_UNKNOWN;
}

/* steps 1 to 3 in one transaction; DONE: go on with step 4 in o->epoch */
static enum opened
new_epoch(struct opening *o, struct found *f, bool *go_on)
{
    enum opened opened;

    if (find_row(o, f) != DB_OK || !find_hash(o, f))
        return OPEN_FAILED;
    if (f->row && !f->locked)
        return OPEN_BUSY;
    if (f->current) {
        if (f->hash_epoch > f->row_epoch)
            log_error("keeper: ticket %.*s is open in epoch %" PRIu64
                ", which MySQL does not know: it has forgotten",
                (int) o->ticket.len, o->ticket.data, f->hash_epoch);
        return OPEN_DONE;
    }
    if (!f->row && !f->hash)
        return OPEN_NONE;
    if (f->tombstone && !f->hash)
        return OPEN_NONE;
    if (!is_new(f) || !outboxes_drained(o, f))
        return OPEN_RECOVERY;
    if (!open_claim(o, f, "new", &opened))
        return opened;

    o->epoch = 1 + (f->row_epoch > f->hash_epoch ? f->row_epoch
        : f->hash_epoch);
    if (!put_row(o, f) || !put_lanes(o) || db_commit(o->db) != DB_OK)
        return OPEN_FAILED;
    *go_on = true;
    return OPEN_DONE;
}

enum opened
open_ticket(struct db *db, struct rds *rds, ticket_slice_t ticket)
{
    struct opening o = { .db = db, .rds = rds, .ticket = ticket };
    struct found f = { .row = false };
    int64_t began = tick_ms();
    bool go_on = false;

    if (!rds_replid(rds, o.replid))
        return OPEN_FAILED;
    enum opened opened = open_peek(&o, &f);
    if (opened != OPEN_BUSY || !open_lock(&o, true))
        return opened;
    f = (struct found) { .row = false };
    opened = db_begin(db) == DB_OK ? new_epoch(&o, &f, &go_on) : OPEN_FAILED;
    if (!go_on)
        db_rollback(db);
    else if ((opened = rebuild(&o)) == OPEN_DONE)
        log_info("keeper: ticket %.*s is open in epoch %" PRIu64 " after %"
            PRId64 " ms", (int) ticket.len, ticket.data, o.epoch,
            tick_ms() - began);
    if (db->mysql != NULL)
        open_lock(&o, false);
    return opened;
}
