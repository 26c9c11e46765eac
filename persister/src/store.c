/* Lanes to rows. */

#include "store.h"

#include <inttypes.h>
#include <mysqld_error.h>
#include <stdlib.h>
#include <string.h>
#include "alone.h"
#include "batch.h"
#include "log.h"
#include "tick.h"

#define ALONE_MS 3000           /* spent on lanes taken alone, then others */

bool
store_init(struct store *store, uint32_t batch)
{
    store->progress = "lane_progress";
    store->purchases = "purchases";
    store->table_size = 16;
    while (store->table_size < 2 * (size_t) batch)
        store->table_size *= 2;
    store->items = calloc(batch, sizeof *store->items);
    store->rows = calloc(batch, sizeof *store->rows);
    store->table = calloc(store->table_size, sizeof *store->table);
    return store->items != NULL && store->rows != NULL && store->table != NULL;
}

void
store_free(struct store *store)
{
    free(store->items);
    free(store->rows);
    free(store->table);
    sql_free(&store->sql);
}

static bool
is_ready(const struct lane *lane, int64_t now)
{
    return !lane->stale && now >= lane->retry_at && lane_run(lane, 1) > 0;
}

static int
by_lane(const void *left, const void *right)
{
    const struct lane *a = ((const struct item *) left)->lane;
    const struct lane *b = ((const struct item *) right)->lane;
    size_t len = a->ticket.len < b->ticket.len ? a->ticket.len : b->ticket.len;
    int order = memcmp(a->ticket.data, b->ticket.data, len);

    if (order == 0)
        order = (a->ticket.len > b->ticket.len)
            - (a->ticket.len < b->ticket.len);
    return order != 0 ? order : (a->number > b->number)
        - (a->number < b->number);
}

/* whoever waits longest comes first, as the busy list is turned */
static size_t
pick(struct worker *w, struct item *items)
{
    uint32_t left = (uint32_t) w->conf->persister.batch_events;
    struct lane *lane, *next;
    int64_t now = tick_ms();
    size_t n = 0;

    for (lane = TAILQ_FIRST(&w->lanes.busy); lane != NULL && left > 0;
        lane = next)
    {
        next = TAILQ_NEXT(lane, busy);
        if (lane->alone || lane->stopped || !is_ready(lane, now))
            continue;
        items[n].lane = lane;
        items[n].n = lane_run(lane, left);
        left -= items[n].n;
        n++;
    }
    for (size_t i = 0; i < n; i++) {
        TAILQ_REMOVE(&w->lanes.busy, items[i].lane, busy);
        TAILQ_INSERT_TAIL(&w->lanes.busy, items[i].lane, busy);
    }
    qsort(items, n, sizeof *items, by_lane);
    return n;
}

static void
failed(struct worker *w, struct item *items, size_t n, bool permanent)
{
    if (!permanent) {
        backoff_fail(&w->store_wait, &w->seed);
        /* the other one of a deadlock goes on, so may we */
        if (w->db.error == ER_LOCK_DEADLOCK && w->store_wait.failures == 1)
            w->store_wait.retry_at = 0;
        log_warn("worker %d: batch of %zu lanes could not be stored (%s, error"
            " %u), again in %" PRId64 " ms", w->number, n, w->db.sqlstate,
            w->db.error, w->store_wait.retry_at > 0
            ? w->store_wait.retry_at - tick_ms() : 0);
        if (w->store_wait.failures < 2)
            return;
    }
    /* one locked row, or one bad event, holds one lane */
    for (size_t i = 0; i < n; i++)
        items[i].lane->alone = true;
    w->store_wait = (struct backoff) { 0, 0 };
}

static void
store_troubled(struct worker *w)
{
    int64_t began = tick_ms();
    struct lane *lane, *next;

    for (lane = TAILQ_FIRST(&w->lanes.busy); lane != NULL; lane = next) {
        next = TAILQ_NEXT(lane, busy);
        int64_t now = tick_ms();
        if (w->db.mysql == NULL || now - began > ALONE_MS)
            break;
        if ((lane->alone || lane->stopped) && is_ready(lane, now))
            alone_store(w, lane);
    }
}

void
store_round(struct worker *w)
{
    struct item *items = w->store.items;
    size_t n = pick(w, items);

    if (n > 0) {
        batch_impatient(w, false);
        w->store.overlap = true;
        enum db_result r = batch_store(w, items, n, NULL);
        w->store.overlap = false;
        if (r == DB_OK)
            w->store_wait = (struct backoff) { 0, 0 };
        else
            failed(w, items, n, r == DB_PERMANENT);
    }
    if (w->db.mysql != NULL)
        store_troubled(w);
}

bool
store_ready(struct worker *w)
{
    int64_t now = tick_ms();
    struct lane *lane;

    TAILQ_FOREACH(lane, &w->lanes.busy, busy)
        if (is_ready(lane, now))
            return true;
    return false;
}

int
store_waiting(struct worker *w)
{
    uint32_t max = (uint32_t) w->conf->persister.batch_events, n = 0;
    int64_t now = tick_ms();
    struct lane *lane;

    TAILQ_FOREACH(lane, &w->lanes.busy, busy) {
        if (!lane->alone && !lane->stopped && is_ready(lane, now))
            n += lane_run(lane, max - n);
        if (n >= max)
            break;
    }
    return (int) n;
}
