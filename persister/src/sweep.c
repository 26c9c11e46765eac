/* What is looked at from time to time. */

#include "sweep.h"

#include <stdlib.h>
#include <string.h>
#include "compensate.h"
#include "log.h"
#include "metrics.h"
#include "picture.h"
#include "source_kafka.h"
#include "source_shard.h"
#include "tick.h"
#include "verify.h"

#define MOVED_MS 60000

static bool
owns(const struct worker *w, ticket_slice_t ticket, uint32_t lane)
{
    return w->kafka != NULL ? source_kafka_owns(w, ticket, lane)
        : source_shard_owns(w, ticket);
}

/* a ticket of MySQL: its lanes that are ours are known from now on */
static bool
take_ticket(struct worker *w, ticket_slice_t ticket, uint32_t count,
    uint64_t epoch, bool deleted)
{
    for (uint32_t i = 0; i < count && i < TICKET_LANES_MAX; i++) {
        struct lane *lane = lanes_find(&w->lanes, ticket, i);
        if (lane == NULL) {
            if (!owns(w, ticket, i))
                continue;
            if ((lane = lanes_add(&w->lanes, ticket, i)) == NULL)
                return false;
            lane->moved_at = tick_ms();
        }
        lane->deleted = deleted;
        if (lane->picture.epoch != epoch)
            lane->stale = true;
        lanes_note(&w->lanes, lane);
    }
    return true;
}

static void
drop_strangers(struct worker *w)
{
    for (size_t i = w->lanes.count; i > 0; i--) {
        struct lane *lane = w->lanes.all[i - 1];
        lane->mine = owns(w, lane->ticket, lane->number);
        /* but not before the messages we were given are stored */
        if (!lane->mine && lane->nlows == 0)
            lanes_remove(&w->lanes, lane);
    }
}

bool
sweep_list(struct worker *w)
{
    static const char query[] = "SELECT name, lanes, epoch, state = 'deleted'"
        " FROM tickets WHERE epoch > 0";
    MYSQL_RES *res;
    MYSQL_ROW row;
    bool whole = true;

    if (db_query(&w->db, query, sizeof query - 1, &res) != DB_OK)
        return false;
    while (whole && (row = mysql_fetch_row(res)) != NULL) {
        unsigned long *len = mysql_fetch_lengths(res);
        whole = take_ticket(w, (ticket_slice_t) { row[0], len[0] },
            (uint32_t) strtoul(row[1], NULL, 10), strtoull(row[2], NULL, 10),
            row[3][0] == '1');
    }
    mysql_free_result(res);
    if (picture_refresh(w) != DB_OK)
        return false;
    drop_strangers(w);
    return whole;
}

/* acks that got lost, and dead letters that wait */
static void
ack_again(struct worker *w, struct lane **lanes, size_t n)
{
    struct lane *some[PIPELINE];
    size_t k = 0;

    for (size_t i = 0; i < n; i++) {
        struct lane *lane = lanes[i];
        if (lane->look == LOOK_CURRENT && !lane->stale
            && (lane->persisted < lane->picture.applied
                || lane->picture.owes))
            some[k++] = lane;
        if (k == PIPELINE || (k > 0 && i + 1 == n)) {
            compensate_lanes(w, some, k);
            k = 0;
        }
    }
}

static bool
shut(const struct lane *lane)
{
    return lane->mine && lane->number == 0 && !lane->deleted
        && (lane->look == LOOK_MISSING || lane->look == LOOK_CLOSED);
}

/* tickets that are missing in Redis, or closed themselves */
static void
recover(struct worker *w)
{
    const char *argv[2 + PIPELINE] = { "SADD", "tickets:recover" };
    size_t lens[2 + PIPELINE] = { 4, 15 };

    for (size_t i = 0; i < w->lanes.count && w->rds.redis != NULL; ) {
        int argc = 2;
        for (; i < w->lanes.count && argc < 2 + PIPELINE; i++) {
            struct lane *lane = w->lanes.all[i];
            if (!shut(lane))
                continue;
            argv[argc] = lane->ticket.data;
            lens[argc++] = lane->ticket.len;
        }
        if (argc == 2)
            return;
        redisReply *reply = rds_command(&w->rds, argc, argv, lens);
        if (reply != NULL)
            freeReplyObject(reply);
    }
}

static void
look(struct worker *w, bool (*wanted)(const struct lane *, int64_t))
{
    struct lane *some[PIPELINE];
    int64_t now = tick_ms();
    size_t k = 0;

    for (size_t i = 0; i < w->lanes.count; i++) {
        if (wanted(w->lanes.all[i], now))
            some[k++] = w->lanes.all[i];
        if (k == PIPELINE || (k > 0 && i + 1 == w->lanes.count)) {
            if (!verify_lanes(w, some, k, NULL, NULL))
                return;
            ack_again(w, some, k);
            k = 0;
        }
    }
}

static bool
moved(const struct lane *lane, int64_t now)
{
    return now - lane->moved_at < MOVED_MS && lane->picture.epoch != 0;
}

static bool
any(const struct lane *lane, int64_t now)
{
    (void) now;
    return lane->mine && lane->picture.epoch != 0;
}

void
sweep_tail(struct worker *w)
{
    look(w, moved);
}

void
sweep_all(struct worker *w)
{
    look(w, any);
    recover(w);
    metric_add(M_SWEEPS, 1);
}
