/* Without Kafka: shards of all tickets, owned by MySQL locks. */

#include "source_shard.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include "log.h"
#include "metrics.h"
#include "tick.h"
#include "verify.h"

#define SHARDS  64
#define TAKE_MS 2000            /* before locks of others are tried again */

struct source_shard {
    bool    owned[SHARDS];
    int64_t take_at, poll_at;
    char    prefix[56];         /* a lock's name has 64 characters at most */
};

struct source_shard *
source_shard_new(struct worker *w)
{
    struct source_shard *s = calloc(1, sizeof *s);
    const char *database = w->conf->mysql.database;

    if (s == NULL)
        return NULL;
    if (strlen(database) <= 40)
        snprintf(s->prefix, sizeof s->prefix, "ticket-shard-%s", database);
    else
        snprintf(s->prefix, sizeof s->prefix, "ticket-shard-%08lx",
            crc32(0, (const Bytef *) database, (uInt) strlen(database)));
    return s;
}

void
source_shard_free(struct source_shard *shard)
{
    free(shard);
}

void
source_shard_lost(struct worker *w)
{
    memset(w->shards->owned, 0, sizeof w->shards->owned);
    w->shards->take_at = 0;
    lanes_clear(&w->lanes);
}

static bool
ask_locks(struct worker *w, const int *shards, int n, MYSQL_RES **res)
{
    struct sql *sql = &w->sql;
    char name[80];

    sql_reset(sql);
    sql_add(sql, "SELECT ");
    for (int i = 0; i < n; i++) {
        int len = snprintf(name, sizeof name, "%s-%d", w->shards->prefix,
            shards[i]);
        sql_add(sql, i == 0 ? "GET_LOCK(" : ",GET_LOCK(");
        sql_quote(sql, &w->db, name, (size_t) len);
        sql_add(sql, ",0)");
    }
    return !sql->failed && db_query(&w->db, sql->data, sql->len, res) == DB_OK;
}

bool
source_shard_take(struct worker *w)
{
    struct source_shard *s = w->shards;
    int shards[SHARDS], n = 0, taken = 0;
    int64_t now = tick_ms();
    MYSQL_RES *res;

    if (now < s->take_at)
        return false;
    s->take_at = now + TAKE_MS;
    for (int k = w->number; k < SHARDS; k += w->conf->persister.threads)
        if (!s->owned[k])
            shards[n++] = k;
    if (n == 0 || !ask_locks(w, shards, n, &res))
        return false;

    MYSQL_ROW row = mysql_fetch_row(res);
    for (int i = 0; row != NULL && i < n; i++)
        if (row[i] != NULL && row[i][0] == '1') {
            s->owned[shards[i]] = true;
            taken++;
        }
    mysql_free_result(res);
    if (taken > 0) {
        metric_add(M_REBALANCES, 1);
        log_info("worker %d: %d shards are ours now", w->number, taken);
    }
    return taken > 0;
}

void
source_shard_poll(struct worker *w)
{
    struct lane *some[PIPELINE];
    int64_t now = tick_ms();
    size_t n = 0;

    if (now < w->shards->poll_at)
        return;
    w->shards->poll_at = now + w->conf->persister.poll_ms;
    for (size_t i = 0; i < w->lanes.count; i++) {
        if (w->lanes.all[i]->mine && !w->lanes.all[i]->stale)
            some[n++] = w->lanes.all[i];
        if (n == PIPELINE || (n > 0 && i + 1 == w->lanes.count)) {
            if (!verify_lanes(w, some, n, NULL, NULL))
                return;
            n = 0;
        }
    }
}

bool
source_shard_owns(const struct worker *w, ticket_slice_t ticket)
{
    return w->shards->owned[ticket_event_lane(ticket, SHARDS)];
}
