/*
 * The catalogue.  An edge answers 404 to a ticket without a hash while it is
 * there, so it is only written when each ticket has one again; the same goes for
 * waiting rooms.
 */

#include "catalogue.h"

#include <string.h>
#include "log.h"
#include "rooms.h"

#define CHUNK 500

static bool
queue_names(struct rds *rds, const char *key, MYSQL_RES *res)
{
    const char *argv[2 + CHUNK] = { "SADD", key };
    size_t lens[2 + CHUNK] = { 4, strlen(key) };
    MYSQL_ROW row;
    int argc = 2;

    mysql_data_seek(res, 0);
    while ((row = mysql_fetch_row(res)) != NULL) {
        argv[argc] = row[0];
        lens[argc++] = mysql_fetch_lengths(res)[0];
    }
    return argc == 2 || rds_done(rds_command(rds, argc, argv, lens), "keeper");
}

/* a hash without history is closed, whatever else is in it; the claim of who
 * recovers it takes the place of this one */
static bool
close_missing(struct rds *rds, MYSQL_RES *res)
{
    char key[RDS_KEY_MAX];
    const char *argv[] = { "HSETNX", key, "claim", "catalogue" };
    size_t lens[] = { 6, 0, 5, 9 }, sent = 0;
    bool good = true;
    MYSQL_ROW row;

    mysql_data_seek(res, 0);
    while (good && (row = mysql_fetch_row(res)) != NULL) {
        lens[1] = rds_key(key, (ticket_slice_t) { row[0],
            mysql_fetch_lengths(res)[0] }, NULL);
        good = rds_append(rds, 4, argv, lens);
        sent += good;
    }
    for (; sent > 0; sent--) {
        redisReply *reply = rds_reply(rds);
        if (reply == NULL)
            return false;
        /* a key of another type is there, too: only that ticket is broken */
        if (reply->type == REDIS_REPLY_ERROR
            && strncmp(reply->str, "WRONGTYPE", 9) == 0)
            freeReplyObject(reply);
        else
            good = rds_done(reply, "keeper") && good;
    }
    return good;
}

static bool
queue_all(struct db *db, struct rds *rds, struct sql *sql)
{
    char last[TICKET_ID_MAX * 4 + 1] = "";
    size_t len = 0;

    for (;;) {
        MYSQL_RES *res;
        sql_reset(sql);
        sql_add(sql, "SELECT name FROM tickets WHERE state <> 'deleted'"
            " AND name > ");
        sql_quote(sql, db, last, len);
        sql_addf(sql, " ORDER BY name LIMIT %d", CHUNK);
        if (sql->failed || db_query(db, sql->data, sql->len, &res) != DB_OK)
            return false;
        my_ulonglong n = mysql_num_rows(res);
        bool good = queue_names(rds, "tickets", res)
            && queue_names(rds, "tickets:recover", res)
            && close_missing(rds, res);
        if (good && n > 0) {
            mysql_data_seek(res, n - 1);
            MYSQL_ROW row = mysql_fetch_row(res);
            len = mysql_fetch_lengths(res)[0];
            memcpy(last, row[0], len);
        }
        mysql_free_result(res);
        if (!good || n < CHUNK)
            return good;
    }
}

bool
catalogue_keep(struct db *db, struct rds *rds, struct sql *sql)
{
    const char *get[] = { "GET", "catalogue" };
    char replid[41];

    if (!rds_replid(rds, replid))
        return rds->redis != NULL;      /* not a master: nothing to do */
    redisReply *reply = rds_command(rds, 2, get, NULL);
    bool same = reply != NULL && reply->type == REDIS_REPLY_STRING
        && strcmp(reply->str, replid) == 0;
    if (!rds_done(reply, "keeper"))
        return false;
    if (same)
        return true;

    log_info("keeper: Redis is new, or has forgotten: all tickets are queued");
    const char *set[] = { "SET", "catalogue", replid };
    return rooms_restore(db, rds, sql) && queue_all(db, rds, sql)
        && rds_done(rds_command(rds, 3, set, NULL), "keeper");
}
