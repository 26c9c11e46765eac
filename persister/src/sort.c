/* What a message is. */

#include "sort.h"

#include <stdio.h>
#include "contest.h"
#include "log.h"
#include "message.h"
#include "metrics.h"
#include "picture.h"
#include "source_kafka.h"
#include "tick.h"
#include "verify.h"

static void
count(struct worker *w, struct place place, const char *text)
{
    char where[400];

    metric_add(M_MALFORMED, 1);
    if (!worker_may_warn(w))
        return;
    message_place(w->conf, place, where, sizeof where);
    log_warn("worker %d: %s is passed over: %s", w->number, where, text);
}

bool
sort_unusable(struct worker *w, const struct unusable_message *message)
{
    if (!unusable_room(&w->unusable)) {
        source_kafka_hold(w, message->place);
        return true;
    }
    if (!unusable_add(w, message))
        return false;
    count(w, message->place, message->text);
    return true;
}

bool
sort_unusable_event(struct worker *w, const ticket_event_t *ev,
    struct place place, ticket_slice_t value, enum unusable_why why,
    const char *text)
{
    char json[TICKET_EVENT_JSON_MAX];

    if (place.offset < 0) {
        count(w, place, text);
        return true;
    }
    if (value.len == 0)
        value = (ticket_slice_t) {
            json, ticket_event_encode(json, sizeof json, ev)
        };
    return sort_unusable(w, &(struct unusable_message) {
        .place = place, .why = why, .text = text, .ticket = ev->ticket,
        .lane = ev->lane, .value = value
    });
}

bool
sort_late(struct worker *w, const ticket_event_t *ev, struct place place)
{
    /* what caused these is still pending and makes them again */
    if (ev->origin.len > 0 || ev->type == TICKET_EVENT_REJECTED) {
        metric_add(M_DUPLICATES, 1);
        return true;
    }
    /* one that no message brings cannot wait for its turn */
    if (place.offset >= 0 && !late_room(&w->late)) {
        source_kafka_hold(w, place);
        return true;
    }
    return late_add(w, ev, place);
}

static void
note_look(struct worker *w, struct lane *lane, enum look look, void *data)
{
    (void) w;
    (void) lane;
    *(enum look *) data = look;
}

/* above all Redis was known to have given, and no room: ask at once, so that
 * a number never given is not taken for one that can be had again */
static bool
was_given(struct worker *w, struct lane *lane, uint64_t seq)
{
    enum look look = LOOK_WAIT;

    if (seq <= lane->known)
        return true;
    verify_lanes(w, &lane, 1, note_look, &look);
    return seq <= lane->known || look != LOOK_CURRENT;
}

void
sort_dropped(struct worker *w, struct lane *lane)
{
    bool all = true;

    for (size_t i = 0; i < lane->nlows; i++) {
        struct low *low = &lane->lows[i];
        struct place place = { low->partition, low->dropped };
        if (low->dropped == INT64_MAX)
            continue;
        if (w->kafka == NULL || source_kafka_rewind(w, place))
            low->dropped = INT64_MAX;
        else
            all = false;
    }
    /* what could not be rewound to holds its offset until it can be */
    lane->dropped_max = all ? 0 : UINT64_MAX;
}

static bool
keep(struct worker *w, struct lane *lane, const ticket_event_t *ev,
    struct place place, ticket_slice_t value)
{
    struct record *record = record_new(ev, place);
    enum hold hold = HOLD_FULL;
    bool kept = true;

    lane->moved_at = tick_ms();
    if (record != NULL)
        hold = lane_hold(lane, record, (uint32_t) w->conf->persister.held_max);
    if (hold == HOLD_KEPT) {
        lanes_note(&w->lanes, lane);
        return true;
    }
    if (hold == HOLD_TWICE) {
        kept = contest_message(w, lane, ev, record, value);
        lanes_note(&w->lanes, lane);
        return kept;
    }
    record_free(record);
    if (was_given(w, lane, ev->seq)) {
        lane_drop(lane, place, ev->seq);
        metric_add(M_HELD_DROPPED, 1);
    } else {
        kept = sort_unusable_event(w, ev, place, value, UNUSABLE_NEVER_GIVEN,
            "its number was never given");
    }
    lanes_note(&w->lanes, lane);
    return kept;
}

/* Kafka brings something for this lane: the outbox is not asked yet */
static void
sign_of_life(struct lane *lane)
{
    lane->by_outbox = false;
    if (lane->behind_at != 0)
        lane->behind_at = tick_ms();
}

bool
sort_event(struct worker *w, const ticket_event_t *ev, struct place place,
    ticket_slice_t value)
{
    struct lane *lane = lanes_find(&w->lanes, ev->ticket, ev->lane);

    if (lane == NULL
        && picture_lane(w, ev->ticket, ev->lane, &lane) != DB_OK)
        return false;
    if (lane == NULL)
        return sort_unusable_event(w, ev, place, value,
            UNUSABLE_UNKNOWN_TICKET, "no such ticket or lane");
    if ((lane->stale || ev->epoch > lane->picture.epoch)
        && picture_read(w, &lane, 1) != DB_OK)
        return false;
    if (ev->epoch > lane->picture.epoch)
        return sort_unusable_event(w, ev, place, value, UNUSABLE_NEVER_GIVEN,
            "its epoch was never given");
    switch (lane_knows(lane, ev->epoch, ev->seq)) {
    case KNOWN_STORED:
        metric_add(M_DUPLICATES, 1);
        sign_of_life(lane);
        return true;
    case KNOWN_LATE:
        lane->moved_at = tick_ms();     /* by what will be made of it */
        return sort_late(w, ev, place);
    case KNOWN_NEXT:
        break;
    }
    sign_of_life(lane);
    return keep(w, lane, ev, place, value);
}
