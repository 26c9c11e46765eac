/* One transaction. */

#include "batch.h"

#include <inttypes.h>
#include <stdlib.h>
#include "compensate.h"
#include "log.h"
#include "metrics.h"
#include "outcome.h"
#include "pause.h"
#include "picture.h"
#include "skipped.h"
#include "store_sql.h"
#include "tick.h"

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
tally(struct item *items, size_t n)
{
    struct tally t = { 0, 0 };

    for (size_t i = 0; i < n; i++) {
        const struct lane *lane = items[i].lane;
        items[i].events = 0;
        items[i].rows = false;
        for (uint32_t k = 1; k <= items[i].n; k++) {
            const struct record *r = lane_at(lane, lane->picture.applied + k);
            if (r == NULL)
                continue;
            items[i].events++;
            items[i].rows |= dead_letter_possible(r);
            t.kafka += !r->from_outbox;
        }
        t.events += items[i].events;
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

/* what the breaker is told, and the compensation later */
static void
note(struct lane *lane, const struct item *item, bool dead, int64_t now)
{
    if (dead) {
        lane->picture.owes = true;
        breaker_dead(&lane->breaker, now);
        metric_add(M_DEAD_LETTERS, 1);
        return;
    }
    breaker_stored(&lane->breaker, now, item->events, item->rows);
    if (item->rows)
        breaker_unlatch(lane_key(lane));
}

/* after COMMIT */
static void
advance(struct worker *w, const struct item *items, size_t n, bool dead)
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
        note(lane, &items[i], dead, now);
        /* Redis cannot be told while the ticket is closed */
        if (w->drains)
            continue;
        stored[some++] = lane;
        if (some == PIPELINE || i + 1 == n) {
            compensate_lanes(w, stored, some);
            some = 0;
        }
    }
}

static enum db_result
write_batch(struct worker *w, struct item *items, size_t *n,
    const struct refusal *refusal, struct tally *t, size_t *upserts,
    size_t *deletes)
{
    const struct lane *lane = items[0].lane;
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
        || (r = outcome_store(w, items, *n, refusal != NULL)) != DB_OK
        || (w->drains && (r = skipped_store(w, items, *n)) != DB_OK))
        return r;
    /* last, as messages that come meanwhile may move what is held */
    r = refusal != NULL ? dead_letter_write(w, lane,
            lane_at(lane, lane->picture.applied + 1), refusal)
        : store_rows(w, items, *n, upserts, deletes);
    if (r != DB_OK)
        return r;
    pause_point("commit");
    return db_commit(&w->db);
}

enum db_result
batch_store(struct worker *w, struct item *items, size_t n,
    const struct refusal *refusal)
{
    pause_point("store");
    double began = tick_seconds();
    size_t upserts = 0, deletes = 0;
    size_t all = n;
    struct tally t = { 0, 0 };
    enum db_result r = write_batch(w, items, &n, refusal, &t, &upserts,
        &deletes);

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
        advance(w, items, n, refusal != NULL);
    }
    return DB_OK;
}

void
batch_impatient(struct worker *w, bool impatient)
{
    if (w->store.impatient == impatient)
        return;
    if (db_execf(&w->db, NULL, "SET SESSION innodb_lock_wait_timeout=%d",
            impatient ? 1 : 5) == DB_OK)
        w->store.impatient = impatient;
}
