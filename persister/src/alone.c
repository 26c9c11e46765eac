/* A lane in transactions of its own. */

#include "alone.h"

#include <inttypes.h>
#include <stdio.h>
#include "batch.h"
#include "log.h"
#include "metrics.h"
#include "tick.h"

/* until somebody has done something about it */
static void
stop(struct worker *w, struct lane *lane, const char *why)
{
    lane_stop(lane);
    log_error("worker %d: lane %s/%" PRIu32 " is stopped: MySQL refuses number"
        " %" PRIu64 " of epoch %" PRIu64 " (SQLSTATE %s, error %u), %s",
        w->number, lane->name, lane->number, lane->picture.applied + 1,
        lane->picture.epoch, w->db.sqlstate, w->db.error, why);
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
again_later(struct worker *w, struct lane *lane)
{
    lane->failures++;
    lane->retry_at = tick_ms() + tick_backoff(lane->failures, &w->seed);
    log_warn("worker %d: lane %s/%" PRIu32 " could not be stored (%s, error"
        " %u), the others go on", w->number, lane->name, lane->number,
        w->db.sqlstate, w->db.error);
}

/* why the event refused just now is no dead letter; NULL: it is one */
static const char *
must_stop(struct lane *lane, const struct record *record)
{
    if (!dead_letter_possible(record))
        return "which leaves its user nothing that could be taken back: it is"
            " the schema that is broken";
    if (breaker_latched(lane_key(lane))
        || breaker_trips(&lane->breaker, tick_ms()))
    {
        if (!breaker_latched(lane_key(lane)))
            metric_add(M_BREAKER, 1);
        breaker_latch(lane_key(lane));
        return "as too many before it: it is the schema that is broken";
    }
    return NULL;
}

/* the event refused just now becomes a dead letter; false: the lane waits */
static bool
bury(struct worker *w, struct lane *lane)
{
    struct item item = { .lane = lane, .n = 1 };
    uint64_t seq = lane->picture.applied + 1;
    struct refusal refusal = { .error = w->db.error };
    const char *why = must_stop(lane, lane_at(lane, seq));

    if (why != NULL) {
        stop(w, lane, why);
        return false;
    }
    snprintf(refusal.sqlstate, sizeof refusal.sqlstate, "%s", w->db.sqlstate);
    snprintf(refusal.message, sizeof refusal.message, "%s", w->db.message);
    switch (batch_store(w, &item, 1, &refusal)) {
    case DB_OK:
        /* events of it are counted unless somebody else was ahead of us */
        if (item.events > 0 && worker_may_warn(w))
            log_error("worker %d: lane %s/%" PRIu32 ": MySQL refuses number %"
                PRIu64 " (SQLSTATE %s, error %u): it is a dead letter, and its"
                " booking is taken back", w->number, lane->name, lane->number,
                seq, refusal.sqlstate, refusal.error);
        recovered(w, lane);
        return true;
    case DB_PERMANENT:
        stop(w, lane, "and its dead letter");
        return false;
    case DB_TRANSIENT:
        break;
    }
    again_later(w, lane);
    return false;
}

void
alone_store(struct worker *w, struct lane *lane)
{
    uint32_t max = (uint32_t) w->conf->persister.batch_events, n;
    uint32_t bad = 0;           /* one of so many is refused; 0: none known */

    batch_impatient(w, true);
    for (;;) {
        n = lane_run(lane, bad == 0 ? max : bad > 1 ? bad / 2 : 1);
        if (n == 0 || lane->stale)
            return;
        struct item item = { .lane = lane, .n = n };
        switch (batch_store(w, &item, 1, NULL)) {
        case DB_OK:
            recovered(w, lane);
            bad = bad > n ? bad - n : 0;
            break;
        case DB_PERMANENT:
            if (n == 1 && !bury(w, lane))
                return;
            bad = n == 1 ? 0 : n;
            break;
        case DB_TRANSIENT:
            again_later(w, lane);
            return;
        }
    }
}
