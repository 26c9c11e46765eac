/*
 * Drains the outboxes of lanes, and what Kafka brings of them.  The lanes
 * belong to a worker without a source, so events go the way all events go:
 * held until their turn, stored in batches behind the fence.
 */

#include "drain.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "log.h"
#include "metrics.h"
#include "outbox.h"
#include "picture.h"
#include "sort.h"

#define TOGETHER  50            /* lanes in one round trip */
#define ENTRIES   "1000"        /* of a lane in one round trip */
#define HELD_MAX  400000        /* events in memory, of all lanes */
#define GAP_MAX   (1 << 20)     /* numbers between two events of a lane */
#define EPOCH_MAX 1000000       /* an epoch this far ahead is no epoch */
#define SOME      5000          /* events taken before some are stored */
#define PATIENCE  15000         /* ms for a batch that cannot be stored */

static void
pause_some(void)
{
    const struct timespec some = { .tv_nsec = 50000000 };

    nanosleep(&some, NULL);
}

bool
drain_alive(struct drain *d)
{
    if (tick_ms() - d->w->db.used_at > 3000)
        db_ping(&d->w->db);
    return d->w->db.mysql != NULL && !atomic_load(d->stop);
}

/* ---------------------------------------------------------------- store --- */

static void
count_held(struct drain *d)
{
    struct lane *lane;

    d->held = 0;
    TAILQ_FOREACH(lane, &d->w->lanes.busy, busy)
        d->held += lane->held;
}

static bool
waiting(struct worker *w)
{
    int64_t now = tick_ms();
    struct lane *lane;

    if (w->late.first != NULL || now < w->store_wait.retry_at)
        return true;
    TAILQ_FOREACH(lane, &w->lanes.busy, busy)
        if (lane->stale || (now < lane->retry_at && !lane->stopped))
            return true;
    return false;
}

/* what can be stored; lanes that MySQL refuses stay as they are */
static bool
store(struct drain *d)
{
    int64_t until = tick_ms() + PATIENCE;
    struct worker *w = d->w;

    d->taken = 0;
    for (;;) {
        late_store(w);
        if (!drain_alive(d) || picture_refresh(w) != DB_OK)
            return false;
        bool ready = store_ready(w) && tick_ms() >= w->store_wait.retry_at;
        if (ready)
            store_round(w);
        else if (!waiting(w))
            break;
        else if (tick_ms() > until)
            return w->late.first == NULL;
        else
            pause_some();
        if (w->db.mysql == NULL)
            return false;
    }
    count_held(d);
    return true;
}

/* ----------------------------------------------------------------- take --- */

static void
hold(struct drain *d, struct lane *lane, struct record *record)
{
    uint64_t seq = record->seq;

    if (seq > lane->known)
        lane->known = seq;
    switch (d->held < HELD_MAX ? lane_hold(lane, record, GAP_MAX) : HOLD_FULL) {
    case HOLD_KEPT:
        d->held++;
        d->taken++;
        break;
    case HOLD_TWICE:
        record_free(record);
        break;
    case HOLD_FULL:
        record_free(record);
        if (lane->wanting == 0 || seq < lane->wanting)
            lane->wanting = seq;
        d->again = true;
        break;
    }
    lanes_note(&d->w->lanes, lane);
}

static void
newer_epoch(struct drain *d, struct lane *lane, uint64_t epoch)
{
    if (epoch - lane->picture.epoch > EPOCH_MAX) {
        metric_add(M_MALFORMED, 1);
        return;
    }
    if (epoch > lane->newest)
        log_error("worker %d: lane %s/%" PRIu32 ": there are events of epoch %"
            PRIu64 ", which MySQL has not given: it has forgotten",
            d->w->number, lane->name, lane->number, epoch);
    if (epoch > lane->newest)
        lane->newest = epoch;
}

bool
drain_take(struct drain *d, const ticket_event_t *ev, bool from_outbox)
{
    struct lane *lane = lanes_find(&d->w->lanes, ev->ticket, ev->lane);
    struct place nowhere = { -1, -1 };

    if (lane == NULL)
        return true;
    if (ev->epoch > lane->picture.epoch) {
        newer_epoch(d, lane, ev->epoch);
        return true;
    }
    switch (lane_knows(lane, ev->epoch, ev->seq)) {
    case KNOWN_STORED:
        return true;
    case KNOWN_LATE:
        d->taken++;
        if (!sort_late(d->w, ev, nowhere))
            return false;
        break;
    case KNOWN_NEXT: {
        struct record *record = record_new(ev, nowhere);
        if (record == NULL)
            return false;
        record->from_outbox = from_outbox;
        hold(d, lane, record);
        break;
    }
    }
    return d->taken < SOME || store(d);
}

/* ------------------------------------------------------------- outboxes --- */

struct reading {
    struct lane *lane;
    char         from[48];
    bool         done;
};

static bool
ask(struct drain *d, struct reading *r)
{
    char key[RDS_KEY_MAX], suffix[32];
    const char *argv[] = { "XRANGE", key, r->from, "+", "COUNT", ENTRIES };
    size_t lens[] = { 6, 0, strlen(r->from), 1, 5, sizeof ENTRIES - 1 };

    snprintf(suffix, sizeof suffix, "outbox:%" PRIu32, r->lane->number);
    lens[1] = rds_key(key, r->lane->ticket, suffix);
    return rds_append(&d->w->rds, 6, argv, lens);
}

static bool
take_entry(struct drain *d, struct reading *r, const redisReply *entry)
{
    struct lane *lane = r->lane;
    const char *why = "an outbox entry is malformed";
    ticket_event_t ev;
    int rc = outbox_entry(lane, entry, &ev, &why);

    if (rc == -2) {
        lane->undrained = true;
        log_error("worker %d: lane %s/%" PRIu32 " cannot be drained: an outbox"
            " entry is of a newer format than this program knows: upgrade it",
            d->w->number, lane->name, lane->number);
    } else if (rc != 0) {
        metric_add(M_MALFORMED, 1);
        log_error("worker %d: lane %s/%" PRIu32 ": %s", d->w->number,
            lane->name, lane->number, why);
    }
    return rc != 0 || drain_take(d, &ev, true);
}

/* the next page begins after the last entry of this one */
static void
move_on(struct reading *r, const redisReply *last)
{
    uint64_t epoch, seq;

    if (last->type != REDIS_REPLY_ARRAY || last->elements < 1
        || last->element[0]->type != REDIS_REPLY_STRING
        || sscanf(last->element[0]->str, "%" SCNu64 "-%" SCNu64, &epoch, &seq)
           != 2)
    {
        r->done = true;
        return;
    }
    if (seq == UINT64_MAX)
        epoch++;
    snprintf(r->from, sizeof r->from, "%" PRIu64 "-%" PRIu64, epoch, seq + 1);
}

static bool
take_page(struct drain *d, struct reading *r, const redisReply *reply)
{
    bool good = true;

    if (reply->type != REDIS_REPLY_ARRAY) {
        r->done = r->lane->undrained = true;
        log_error("worker %d: the outbox of lane %s/%" PRIu32 " cannot be"
            " read: %.40s", d->w->number, r->lane->name, r->lane->number,
            reply->type == REDIS_REPLY_ERROR ? reply->str : "");
        return true;
    }
    for (size_t i = 0; i < reply->elements && good; i++)
        good = take_entry(d, r, reply->element[i]);
    if (reply->elements == 0)
        r->done = true;
    else
        move_on(r, reply->element[reply->elements - 1]);
    return good;
}

/* true: all of them are read */
static bool
read_some(struct drain *d, struct reading *some, size_t n, bool *good)
{
    size_t asked[TOGETHER], k = 0;
    redisReply *replies[TOGETHER];

    for (size_t i = 0; i < n && *good; i++)
        if (!some[i].done) {
            asked[k++] = i;
            *good = ask(d, &some[i]);
        }
    for (size_t i = 0; i < k; i++)
        replies[i] = *good ? rds_reply(&d->w->rds) : NULL;
    for (size_t i = 0; i < k; i++) {
        if (replies[i] == NULL) {
            *good = false;
            continue;
        }
        if (*good)
            *good = take_page(d, &some[asked[i]], replies[i]);
        freeReplyObject(replies[i]);
    }
    return k == 0;
}

static bool
outboxes(struct drain *d)
{
    struct lanes *lanes = &d->w->lanes;
    struct reading some[TOGETHER];
    bool good = true;

    for (size_t i = 0; i < lanes->count && good; i += TOGETHER) {
        size_t n = lanes->count - i < TOGETHER ? lanes->count - i : TOGETHER;
        for (size_t k = 0; k < n; k++)
            some[k] = (struct reading) { lanes->all[i + k], "-", false };
        while (good && !read_some(d, some, n, &good))
            good = good && drain_alive(d);
    }
    return good && store(d);
}

/* --------------------------------------------------------------- the end --- */

/* all there is has been seen: what is missing below what was found is nobody's */
static bool
finish(struct drain *d)
{
    struct lanes *lanes = &d->w->lanes;

    for (size_t i = 0; i < lanes->count; i++) {
        struct lane *lane = lanes->all[i];
        if (lane->held == 0)
            continue;
        uint64_t seq = lane->picture.applied + lane->size;
        while (seq > lane->picture.applied && (lane_at(lane, seq) == NULL
            || (lane->wanting != 0 && seq > lane->wanting)))
            seq--;
        lane->gaps_until = seq;
    }
    return store(d);
}

static uint64_t
applied(const struct drain *d)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < d->w->lanes.count; i++)
        sum += d->w->lanes.all[i]->picture.applied;
    return sum;
}

/* a number that far ahead was never given, or lost with all before it */
static void
give_up_wanting(struct drain *d)
{
    for (size_t i = 0; i < d->w->lanes.count; i++) {
        struct lane *lane = d->w->lanes.all[i];
        if (lane->wanting == 0)
            continue;
        metric_add(M_MALFORMED, 1);
        log_error("worker %d: lane %s/%" PRIu32 ": number %" PRIu64 " is too"
            " far ahead of %" PRIu64 " to be one", d->w->number, lane->name,
            lane->number, lane->wanting, lane->picture.applied);
        lane->wanting = 0;
        lane->known = lane->picture.applied;
        lane_settle(lane);
        lanes_note(&d->w->lanes, lane);
    }
}

bool
drain_done(const struct lane *lane)
{
    return !lane->undrained && !lane->stale && !lane->stopped
        && lane->held == 0 && lane->wanting == 0;
}

bool
drain_run(struct drain *d)
{
    uint64_t before;

    do {
        before = applied(d);
        d->again = false;
        for (size_t i = 0; i < d->w->lanes.count; i++)
            d->w->lanes.all[i]->wanting = 0;
        if (!outboxes(d)
            || (d->w->conf->kafka.enabled && !drain_kafka(d)) || !finish(d))
            return false;
    } while (d->again && applied(d) > before);
    give_up_wanting(d);
    return true;
}
