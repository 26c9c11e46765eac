/* A lane as one worker sees it. */

#include "lane.h"

#include <stdlib.h>
#include <string.h>
#include "metrics.h"
#include "tick.h"

#define RING_MIN 16
#define STOP_MS  60000
#define ALARM_MS 60000

struct lane *
lane_new(ticket_slice_t ticket, uint32_t number)
{
    struct lane *lane = calloc(1, sizeof *lane + ticket.len + 1);

    if (lane == NULL)
        return NULL;
    memcpy(lane->name, ticket.data, ticket.len);
    lane->ticket = (ticket_slice_t) { lane->name, ticket.len };
    lane->number = number;
    metric_add(M_LANES, 1);
    return lane;
}

void
picture_free(struct picture *picture)
{
    free(picture->past);
    free(picture->skipped);
    memset(picture, 0, sizeof *picture);
}

void
lane_free(struct lane *lane)
{
    for (uint32_t i = 0; i < lane->size; i++)
        record_free(lane->ring[i]);
    free(lane->ring);
    free(lane->lows);
    picture_free(&lane->picture);
    metric_add(M_LANES, -1);
    metric_add(M_LAG_EVENTS, -(int64_t) lane->lag);
    if (lane->stopped)
        metric_add(M_LANES_STOPPED, -1);
    free(lane);
}

void
lane_stop(struct lane *lane)
{
    if (!lane->stopped)
        metric_add(M_LANES_STOPPED, 1);
    lane->stopped = true;
    lane->retry_at = tick_ms() + STOP_MS;
}

bool
lane_may_alarm(struct lane *lane)
{
    int64_t now = tick_ms();

    if (now < lane->alarm_at)
        return false;
    lane->alarm_at = now + ALARM_MS;
    return true;
}

/* FNV-1a */
uint64_t
lane_key(const struct lane *lane)
{
    uint64_t hash = UINT64_C(14695981039346656037) ^ lane->number;

    for (size_t i = 0; i < lane->ticket.len; i++)
        hash = (hash ^ (unsigned char) lane->ticket.data[i])
            * UINT64_C(1099511628211);
    return hash | 1;
}

/* a drain may have passed over very many */
static bool
is_skipped(const struct picture *p, uint64_t epoch, uint64_t seq)
{
    size_t low = 0, high = p->nskipped;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct past *at = &p->skipped[middle];
        if (at->epoch == epoch && at->number == seq)
            return true;
        if (at->epoch < epoch || (at->epoch == epoch && at->number < seq))
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

enum known
lane_knows(const struct lane *lane, uint64_t epoch, uint64_t seq)
{
    const struct picture *p = &lane->picture;

    if (is_skipped(p, epoch, seq))
        return KNOWN_LATE;
    if (epoch == p->epoch)
        return seq <= p->applied ? KNOWN_STORED : KNOWN_NEXT;
    for (size_t i = 0; i < p->npast; i++)
        if (p->past[i].epoch == epoch)
            return seq <= p->past[i].number ? KNOWN_STORED : KNOWN_LATE;
    return KNOWN_LATE;
}

static struct record **
slot(const struct lane *lane, uint64_t seq)
{
    return &lane->ring[seq & (lane->size - 1)];
}

struct record *
lane_at(const struct lane *lane, uint64_t seq)
{
    if (seq - lane->picture.applied - 1 >= lane->size)
        return NULL;
    return *slot(lane, seq);
}

static bool
grow(struct lane *lane, uint64_t need)
{
    uint32_t size = lane->size > 0 ? lane->size : RING_MIN;

    while (size < need)
        size *= 2;
    struct record **ring = calloc(size, sizeof *ring);
    if (ring == NULL)
        return false;
    for (uint32_t i = 0; i < lane->size; i++)
        if (lane->ring[i] != NULL)
            ring[lane->ring[i]->seq & (size - 1)] = lane->ring[i];
    free(lane->ring);
    lane->ring = ring;
    lane->size = size;
    return true;
}

/* NULL: no memory */
static struct low *
low_of(struct lane *lane, int32_t partition)
{
    for (size_t i = 0; i < lane->nlows; i++)
        if (lane->lows[i].partition == partition)
            return &lane->lows[i];

    struct low *lows = realloc(lane->lows, (lane->nlows + 1) * sizeof *lows);
    if (lows == NULL)
        return NULL;
    lane->lows = lows;
    lows[lane->nlows] = (struct low) { partition, INT64_MAX, INT64_MAX };
    return &lows[lane->nlows++];
}

static bool
low_held(struct lane *lane, struct place place)
{
    if (place.offset < 0)
        return true;
    struct low *low = low_of(lane, place.partition);
    if (low == NULL)
        return false;
    if (place.offset < low->held)
        low->held = place.offset;
    return true;
}

enum hold
lane_hold(struct lane *lane, struct record *record, uint32_t max)
{
    uint64_t ahead = record->seq - lane->picture.applied;
    int64_t now = tick_ms();

    lane->moved_at = now;
    if (lane->behind_at == 0)
        lane->behind_at = now;
    if (ahead > max || (ahead > lane->size && !grow(lane, ahead)))
        return HOLD_FULL;

    struct record **p = slot(lane, record->seq);
    if (*p != NULL) {
        /* an event of the outbox whose message has come after all */
        if ((*p)->place.offset < 0 && low_held(lane, record->place))
            (*p)->place = record->place;
        return HOLD_TWICE;
    }
    if (!low_held(lane, record->place))
        return HOLD_FULL;
    *p = record;
    lane->held++;
    if (record->seq > lane->top)
        lane->top = record->seq;
    return HOLD_KEPT;
}

void
lane_drop(struct lane *lane, struct place place, uint64_t seq)
{
    if (seq > lane->dropped_max)
        lane->dropped_max = seq;
    if (place.offset < 0)
        return;
    struct low *low = low_of(lane, place.partition);
    if (low != NULL && place.offset < low->dropped)
        low->dropped = place.offset;
}

void
lane_drop_all(struct lane *lane)
{
    for (uint32_t i = 0; i < lane->size && lane->held > 0; i++) {
        struct record *r = lane->ring[i];
        if (r == NULL)
            continue;
        lane_drop(lane, r->place, r->seq);
        record_free(r);
        lane->ring[i] = NULL;
        lane->held--;
        metric_add(M_HELD_DROPPED, 1);
    }
    lane_settle(lane);
}

uint32_t
lane_run(const struct lane *lane, uint32_t max)
{
    uint64_t first = lane->picture.applied + 1;
    uint32_t n = 0;

    if (lane->known < first || lane->held == 0)
        return 0;
    if (max > lane->size)
        max = lane->size;
    if (lane->known - first + 1 < max)
        max = (uint32_t) (lane->known - first + 1);
    while (n < max && (*slot(lane, first + n) != NULL
        || first + n <= lane->gaps_until))
        n++;
    return n;
}

void
lane_advance(struct lane *lane, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        uint64_t seq = lane->picture.applied + 1;
        if (lane->held > 0 && lane_at(lane, seq) != NULL) {
            record_free(*slot(lane, seq));
            *slot(lane, seq) = NULL;
            lane->held--;
        } else if (lane->held == 0) {
            lane->picture.applied += n - i;
            break;
        }
        lane->picture.applied = seq;
    }
    lane_settle(lane);
}

struct record *
lane_take(struct lane *lane, uint64_t seq)
{
    struct record *r = lane_at(lane, seq);

    if (r != NULL) {
        *slot(lane, seq) = NULL;
        lane->held--;
    }
    return r;
}

static void
settle_lows(struct lane *lane)
{
    size_t n = 0;

    for (size_t i = 0; i < lane->nlows; i++)
        lane->lows[i].held = INT64_MAX;
    for (uint32_t i = 0; i < lane->size && lane->held > 0; i++)
        if (lane->ring[i] != NULL)
            low_held(lane, lane->ring[i]->place);
    if (lane->dropped_max <= lane->picture.applied) {
        lane->dropped_max = 0;
        for (size_t i = 0; i < lane->nlows; i++)
            lane->lows[i].dropped = INT64_MAX;
    }
    for (size_t i = 0; i < lane->nlows; i++)
        if (lane->lows[i].held != INT64_MAX
            || lane->lows[i].dropped != INT64_MAX)
            lane->lows[n++] = lane->lows[i];
    lane->nlows = n;
}

void
lane_settle(struct lane *lane)
{
    uint64_t lag = lane->known > lane->picture.applied
        ? lane->known - lane->picture.applied : 0;

    metric_add(M_LAG_EVENTS, (int64_t) lag - (int64_t) lane->lag);
    lane->lag = lag;

    lane->top = 0;
    if (lane->held > 0)
        for (uint32_t i = 0; i < lane->size; i++)
            if (lane->ring[i] != NULL && lane->ring[i]->seq > lane->top)
                lane->top = lane->ring[i]->seq;
    settle_lows(lane);
    if (lane_idle(lane))
        lane->behind_at = 0;
}

void
lane_forget(struct lane *lane, int32_t partition)
{
    for (uint32_t i = 0; i < lane->size && lane->held > 0; i++) {
        struct record *r = lane->ring[i];
        if (r == NULL || (partition >= 0
            && (r->place.offset < 0 || r->place.partition != partition)))
            continue;
        record_free(r);
        lane->ring[i] = NULL;
        lane->held--;
    }
    for (size_t i = 0; i < lane->nlows; i++)
        if (partition < 0 || lane->lows[i].partition == partition)
            lane->lows[i].dropped = INT64_MAX;
    lane_settle(lane);
}

bool
lane_idle(const struct lane *lane)
{
    return lane->held == 0 && lane->nlows == 0
        && lane->known <= lane->picture.applied;
}
