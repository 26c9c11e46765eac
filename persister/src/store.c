/* Lanes to rows. */

#include "store.h"

#include <inttypes.h>
#include <mysqld_error.h>
#include <stdlib.h>
#include <string.h>
#include "ack.h"
#include "log.h"
#include "metrics.h"
#include "outcome.h"
#include "pause.h"
#include "picture.h"
#include "skipped.h"
#include "store_sql.h"
#include "tick.h"

#define ALONE_MS 3000           /* spent on lanes taken alone, then others */
#define STOP_MS  60000

bool
store_init(struct store *store, uint32_t batch)
{
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

/* somebody was ahead of us: his lanes leave the batch */
static enum db_result
leave_out(struct worker *w, struct item *items, size_t *n)
{
    struct lane **lanes = calloc(*n, sizeof *lanes);
    uint64_t (*was)[2] = calloc(*n, sizeof *was);
    enum db_result r = DB_TRANSIENT;
    size_t left = 0;

    if (lanes != NULL && was != NULL) {
        for (size_t i = 0; i < *n; i++) {
            lanes[i] = items[i].lane;
            was[i][0] = lanes[i]->picture.epoch;
            was[i][1] = lanes[i]->picture.applied;
        }
        r = picture_read(w, lanes, *n);
    }
    for (size_t i = 0; r == DB_OK && i < *n; i++) {
        if (lanes[i]->picture.epoch == was[i][0]
            && lanes[i]->picture.applied == was[i][1])
            items[left++] = items[i];
        else
            metric_add(M_FENCED, 1);
    }
    /* nobody was: a row is sealed, or it moved to and fro */
    if (r == DB_OK && left == *n)
        r = DB_TRANSIENT;
    else
        *n = left;
    free(lanes);
    free(was);
    return r;
}

struct tally {
    int64_t events, kafka;
};

static struct tally
tally(const struct item *items, size_t n)
{
    struct tally t = { 0, 0 };

    for (size_t i = 0; i < n; i++) {
        const struct lane *lane = items[i].lane;
        for (uint32_t k = 1; k <= items[i].n; k++) {
            const struct record *r = lane_at(lane, lane->picture.applied + k);
            t.events += r != NULL;
            t.kafka += r != NULL && !r->from_outbox;
        }
    }
    return t;
}

static void
count(struct worker *w, struct tally t, size_t n, double seconds)
{
    metric_add(M_APPLIED_KAFKA, t.kafka);
    metric_add(M_APPLIED_OUTBOX, t.events - t.kafka);
    metric_add(M_BATCHES, 1);
    histogram_observe(H_BATCH_EVENTS, (double) t.events);
    histogram_observe(H_COMMIT, seconds);
    log_debug("worker %d: %" PRId64 " events of %zu lanes in %.1f ms",
        w->number, t.events, n, seconds * 1000);
}

/* after COMMIT */
static void
advance(struct worker *w, const struct item *items, size_t n)
{
    struct lane *stored[PIPELINE];
    int64_t now = tick_ms();
    size_t some = 0;

    for (size_t i = 0; i < n; i++) {
        struct lane *lane = items[i].lane;
        lane_advance(lane, items[i].n);
        lane->moved_at = now;
        lane->behind_at = lane_idle(lane) ? 0 : now;
        lanes_note(&w->lanes, lane);
        /* Redis cannot be told while the ticket is closed */
        if (w->drains)
            continue;
        stored[some++] = lane;
        if (some == PIPELINE || i + 1 == n) {
            ack_lanes(w, stored, some);
            some = 0;
        }
    }
}

static enum db_result
write_batch(struct worker *w, struct item *items, size_t *n, struct tally *t,
    size_t *upserts, size_t *deletes)
{
    enum db_result r;
    bool held;

    for (;;) {
        if ((r = db_begin(&w->db)) != DB_OK
            || (r = store_fence(w, items, *n, &held)) != DB_OK)
            return r;
        if (held)
            break;
        db_rollback(&w->db);
        if ((r = leave_out(w, items, n)) != DB_OK || *n == 0)
            return r;
    }
    *t = tally(items, *n);
    if ((r = store_definitions(w, items, *n)) != DB_OK
        || (r = outcome_store(w, items, *n)) != DB_OK
        || (w->drains && (r = skipped_store(w, items, *n)) != DB_OK)
        /* last, as messages that come meanwhile may move what is held */
        || (r = store_rows(w, items, *n, upserts, deletes)) != DB_OK)
        return r;
    pause_point("commit");
    return db_commit(&w->db);
}

/* one transaction; lanes somebody else has moved are left out of it */
static enum db_result
store_batch(struct worker *w, struct item *items, size_t n)
{
    pause_point("store");
    double began = tick_seconds();
    size_t upserts = 0, deletes = 0;
    size_t all = n;
    struct tally t = { 0, 0 };
    enum db_result r = write_batch(w, items, &n, &t, &upserts, &deletes);

    if (r != DB_OK) {
        log_debug("worker %d: batch of %zu lanes: %u %s %s", w->number, n,
            w->db.error, w->db.sqlstate, w->db.message);
        db_rollback(&w->db);
        /* a COMMIT without an answer may have been one */
        for (size_t i = 0; i < all && r == DB_TRANSIENT; i++) {
            items[i].lane->stale = true;
            lanes_note(&w->lanes, items[i].lane);
        }
        return r;
    }
    if (n > 0) {
        metric_add(M_ROWS_UPSERTED, (int64_t) upserts);
        metric_add(M_ROWS_DELETED, (int64_t) deletes);
        count(w, t, n, tick_seconds() - began);
        advance(w, items, n);
    }
    return DB_OK;
}

static void
set_patience(struct worker *w, bool impatient)
{
    if (w->store.impatient == impatient)
        return;
    if (db_execf(&w->db, NULL, "SET SESSION innodb_lock_wait_timeout=%d",
            impatient ? 1 : 5) == DB_OK)
        w->store.impatient = impatient;
}

/* MySQL refuses one event for good: its lane waits for somebody to look */
static void
stop(struct worker *w, struct lane *lane)
{
    if (!lane->stopped)
        metric_add(M_LANES_STOPPED, 1);
    lane->stopped = true;
    lane->retry_at = tick_ms() + STOP_MS;
    log_error("worker %d: lane %s/%" PRIu32 " is stopped: MySQL refuses number"
        " %" PRIu64 " of epoch %" PRIu64 " (SQLSTATE %s, error %u)",
        w->number, lane->name, lane->number, lane->picture.applied + 1,
        lane->picture.epoch, w->db.sqlstate, w->db.error);
}

static void
recovered(struct worker *w, struct lane *lane)
{
    if (lane->stopped) {
        metric_add(M_LANES_STOPPED, -1);
        log_info("worker %d: lane %s/%" PRIu32 " goes on", w->number,
            lane->name, lane->number);
    }
    lane->stopped = lane->alone = false;
    lane->failures = 0;
    lane->retry_at = 0;
}

static void
store_alone(struct worker *w, struct lane *lane)
{
    uint32_t max = (uint32_t) w->conf->persister.batch_events;
    uint32_t n = lane_run(lane, max);

    set_patience(w, true);
    while (n > 0 && !lane->stale) {
        struct item item = { lane, n };
        switch (store_batch(w, &item, 1)) {
        case DB_OK:
            recovered(w, lane);
            n = lane_run(lane, n);
            break;
        case DB_PERMANENT:
            if (n == 1) {
                stop(w, lane);
                return;
            }
            n /= 2;
            break;
        case DB_TRANSIENT:
            lane->failures++;
            lane->retry_at = tick_ms() + tick_backoff(lane->failures,
                &w->seed);
            log_warn("worker %d: lane %s/%" PRIu32 " could not be stored"
                " (%s, error %u), the others go on", w->number, lane->name,
                lane->number, w->db.sqlstate, w->db.error);
            return;
        }
    }
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
            store_alone(w, lane);
    }
}

void
store_round(struct worker *w)
{
    struct item *items = w->store.items;
    size_t n = pick(w, items);

    if (n > 0) {
        set_patience(w, false);
        w->store.overlap = true;
        enum db_result r = store_batch(w, items, n);
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
