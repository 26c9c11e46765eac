/* Fills gaps from the outbox. */

#include "outbox.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "contest.h"
#include "log.h"
#include "metrics.h"
#include "picture.h"
#include "resync.h"
#include "tick.h"
#include "verify.h"

#define TOGETHER  16            /* lanes in one round trip */
#define ENTRIES   1000          /* of a lane in one round trip */
#define AGAIN_MS  1000          /* before a refused question is put again */

/* Kafka is given gap_ms before the outbox is asked */
static bool
is_due(const struct worker *w, struct lane *lane, int64_t now)
{
    uint64_t applied = lane->picture.applied;
    int64_t gap = w->conf->persister.gap_ms;

    if (lane->stale || now < lane->retry_at || now < lane->fill_at
        || lane_at(lane, applied + 1) != NULL)
        return false;
    if (w->kafka == NULL) {
        lane->due = lane->known;
    } else if (lane->top > applied) {
        /* Kafka has brought what comes after a hole */
        if (lane->mark <= applied) {
            lane->mark = lane->top;
            lane->mark_at = now;
        } else if (now - lane->mark_at >= gap) {
            lane->due = lane->mark;
            lane->mark = lane->top;
            lane->mark_at = now;
        }
    } else if (lane->known > applied) {
        if (lane->behind_at == 0)
            lane->behind_at = now;
        if (now - lane->behind_at >= gap)
            lane->by_outbox = true;
        if (lane->by_outbox)
            lane->due = lane->known;
    }
    return lane->due > applied && lane->known > applied;
}

static uint64_t
wanted(const struct lane *lane)
{
    uint64_t n = lane->due - lane->picture.applied;

    return n < ENTRIES ? n : ENTRIES;
}

static bool
ask(struct worker *w, const struct lane *lane)
{
    char key[RDS_KEY_MAX], outbox[32], from[48], to[48], count[24];
    const char *argv[] = { "XRANGE", key, from, to, "COUNT", count };

    snprintf(outbox, sizeof outbox, "outbox:%" PRIu32, lane->number);
    size_t key_len = rds_key(key, lane->ticket, outbox);
    snprintf(from, sizeof from, "%" PRIu64 "-%" PRIu64, lane->picture.epoch,
        lane->picture.applied + 1);
    snprintf(to, sizeof to, "%" PRIu64 "-%" PRIu64, lane->picture.epoch,
        lane->due);
    snprintf(count, sizeof count, "%" PRIu64, wanted(lane));
    size_t lens[] = { 6, key_len, strlen(from), strlen(to), 5,
        strlen(count) };
    return rds_append(&w->rds, 6, argv, lens);
}

/* until somebody has done something about it, or the persister is upgraded */
static void
stop(struct worker *w, struct lane *lane, const char *why)
{
    lane_stop(lane);
    log_error("worker %d: lane %s/%" PRIu32 " is stopped after number %"
        PRIu64 ": %s", w->number, lane->name, lane->number,
        lane->picture.applied, why);
}

int
outbox_entry(const struct lane *lane, const redisReply *entry,
    ticket_event_t *ev, const char **why)
{
    if (entry->type == REDIS_REPLY_ARRAY && entry->elements == 2
        && entry->element[0]->type == REDIS_REPLY_STRING
        && entry->element[1]->type == REDIS_REPLY_ARRAY
        && entry->element[1]->elements >= 2)
    {
        redisReply *id = entry->element[0], **pair = entry->element[1]->element;
        return ticket_event_unpack(lane->ticket, lane->number,
            (ticket_slice_t) { id->str, (size_t) id->len },
            (ticket_slice_t) { pair[0]->str, (size_t) pair[0]->len },
            (ticket_slice_t) { pair[1]->str, (size_t) pair[1]->len }, ev,
            why);
    }
    *why = "an outbox entry is malformed";
    return -1;
}

/* false: the lane is stopped */
static bool
take_entry(struct worker *w, struct lane *lane, const redisReply *entry)
{
    ticket_event_t ev;
    const char *why = "an outbox entry is malformed";
    int rc = outbox_entry(lane, entry, &ev, &why);

    if (rc != 0) {
        stop(w, lane, rc == -2 ? "an outbox entry is of a newer format than"
            " this program knows: upgrade it" : why);
        return false;
    }
    if (ev.seq <= lane->picture.applied)
        return true;

    struct record *record = record_new(&ev, (struct place) { -1, -1 });
    if (record == NULL)
        return false;
    record->from_outbox = true;
    switch (lane_hold(lane, record, (uint32_t) w->conf->persister.held_max)) {
    case HOLD_KEPT:
        break;
    case HOLD_TWICE:
        contest_entry(w, lane, record);
        break;
    case HOLD_FULL:
        record_free(record);
        break;
    }
    return true;
}

/* the outbox begins after the number we need */
static void
begins_too_late(struct worker *w, struct lane *lane)
{
    uint64_t epoch = lane->picture.epoch, applied = lane->picture.applied;

    lane->fill_at = tick_ms() + AGAIN_MS;
    if (picture_read(w, &lane, 1) != DB_OK) {
        lane->stale = true;
        return;
    }
    if (lane->picture.epoch != epoch || lane->picture.applied != applied) {
        lane->fill_at = 0;      /* another applier has stored it */
        return;
    }
    if (resync_lane(w, lane))
        lane->fill_at = 0;
    lanes_note(&w->lanes, lane);
}

static void
take(struct worker *w, struct lane *lane, const redisReply *reply)
{
    uint64_t next = lane->picture.applied + 1, held = lane->held;
    bool good = true;

    if (reply->type != REDIS_REPLY_ARRAY) {
        lane->fill_at = tick_ms() + AGAIN_MS;
        if (worker_may_warn(w))
            log_warn("worker %d: the outbox of lane %s/%" PRIu32
                " cannot be read: %.40s", w->number, lane->name, lane->number,
                reply->type == REDIS_REPLY_ERROR ? reply->str : "");
        return;
    }
    for (size_t i = 0; i < reply->elements && good; i++)
        good = take_entry(w, lane, reply->element[i]);
    if (good && lane_at(lane, next) == NULL)
        begins_too_late(w, lane);
    else if (w->kafka != NULL && lane->held > held)
        metric_add(M_GAPS_FILLED, 1);
}

static void
fill_some(struct worker *w, struct lane **lanes, size_t n)
{
    char buf[41], *replid = NULL;
    redisReply *seen, *entries;
    bool sent = look_info(w);

    for (size_t i = 0; i < n && sent; i++)
        sent = look_ask(w, lanes[i]) && ask(w, lanes[i]);
    if (!sent || (seen = rds_reply(&w->rds)) == NULL)
        return;
    if (look_replid(seen, buf))
        replid = buf;
    freeReplyObject(seen);

    /* a resync uses the connection: all replies are read first */
    redisReply *replies[TOGETHER] = { NULL };
    enum look looks[TOGETHER];
    for (size_t i = 0; i < n; i++) {
        looks[i] = LOOK_WAIT;
        if ((seen = rds_reply(&w->rds)) == NULL)
            break;
        looks[i] = look_take(w, lanes[i], replid, seen);
        freeReplyObject(seen);
        if ((entries = rds_reply(&w->rds)) == NULL)
            break;
        replies[i] = entries;
    }
    for (size_t i = 0; i < n; i++) {
        if (replies[i] == NULL)
            continue;
        if (looks[i] == LOOK_CURRENT)
            take(w, lanes[i], replies[i]);
        else
            lanes[i]->fill_at = tick_ms() + AGAIN_MS / 4;
        lanes_note(&w->lanes, lanes[i]);
        freeReplyObject(replies[i]);
    }
}

void
outbox_fill(struct worker *w)
{
    struct lane *some[TOGETHER], *lane;
    int64_t now = tick_ms();
    uint64_t events = 0;
    size_t n = 0;

    TAILQ_FOREACH(lane, &w->lanes.busy, busy) {
        if (n == TOGETHER || events >= 4 * ENTRIES)
            break;
        if (!is_due(w, lane, now))
            continue;
        events += wanted(lane);
        some[n++] = lane;
    }
    if (n > 0 && w->rds.redis != NULL)
        fill_some(w, some, n);
}
