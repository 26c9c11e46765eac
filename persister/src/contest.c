/* Two different events under one number. */

#include "contest.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "log.h"
#include "metrics.h"
#include "outbox.h"
#include "sort.h"
#include "source_kafka.h"

static const char text[] = "the outbox has another event under its number";

static void
alarm_forged(struct worker *w, struct lane *lane, uint64_t seq)
{
    if (!lane_may_alarm(lane))
        return;
    log_error("worker %d: lane %s/%" PRIu32 ": different messages carry number"
        " %" PRIu64 " of epoch %" PRIu64 ": who else writes to the topic?",
        w->number, lane->name, lane->number, seq, lane->picture.epoch);
}

/* the entry of this number; NULL: Redis is away, or it is trimmed */
static struct record *
read_entry(struct worker *w, const struct lane *lane, uint64_t seq)
{
    char key[RDS_KEY_MAX], outbox[32], id[48];
    const char *argv[] = { "XRANGE", key, id, id };
    struct record *record = NULL;
    ticket_event_t ev;
    const char *why;

    snprintf(outbox, sizeof outbox, "outbox:%" PRIu32, lane->number);
    size_t key_len = rds_key(key, lane->ticket, outbox);
    size_t id_len = (size_t) snprintf(id, sizeof id, "%" PRIu64 "-%" PRIu64,
        lane->picture.epoch, seq);
    size_t lens[] = { 6, key_len, id_len, id_len };
    redisReply *reply = rds_command(&w->rds, 4, argv, lens);
    if (reply == NULL)
        return NULL;
    if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 1
        && outbox_entry(lane, reply->element[0], &ev, &why) == 0
        && (record = record_new(&ev, (struct place) { -1, -1 })) != NULL)
        record->from_outbox = true;
    freeReplyObject(reply);
    return record;
}

/* what is held was forged: the other takes its place */
static void
replace(struct worker *w, struct lane *lane, struct record *winner)
{
    struct record *held = lane_take(lane, winner->seq);
    const ticket_slice_t none = { NULL, 0 };
    ticket_event_t ev;

    record_event(held, lane->ticket, lane->number, lane->picture.epoch, &ev);
    /* without memory it comes again, and loses again */
    if (!sort_unusable_event(w, &ev, held->place, none, UNUSABLE_CONTRADICTED,
            text))
        source_kafka_hold(w, held->place);
    record_free(held);
    if (lane_hold(lane, winner, (uint32_t) w->conf->persister.held_max)
        != HOLD_KEPT)
        record_free(winner);
    lane_settle(lane);
}

bool
contest_message(struct worker *w, struct lane *lane, const ticket_event_t *ev,
    struct record *record, ticket_slice_t value)
{
    const struct record *held = lane_at(lane, record->seq);
    struct record *entry = NULL;
    struct place place = record->place;

    if (record_same(held, record)) {
        metric_add(M_DUPLICATES, 1);
        record_free(record);
        return true;
    }
    alarm_forged(w, lane, record->seq);
    /* what is held may be on its way to MySQL: it comes again after that */
    if (w->db_busy) {
        record_free(record);
        return false;
    }
    if (!held->from_outbox)
        entry = read_entry(w, lane, record->seq);
    if (!held->from_outbox && entry == NULL) {
        /* nobody can say: the first one stays */
        metric_add(M_DUPLICATES, 1);
        record_free(record);
        return true;
    }
    if (entry != NULL && record_same(entry, record)) {
        replace(w, lane, record);
        record_free(entry);
        return true;
    }
    if (entry != NULL && !record_same(entry, held))
        replace(w, lane, entry);
    else
        record_free(entry);
    record_free(record);
    return sort_unusable_event(w, ev, place, value, UNUSABLE_CONTRADICTED,
        text);
}

void
contest_entry(struct worker *w, struct lane *lane, struct record *record)
{
    if (record_same(lane_at(lane, record->seq), record)) {
        record_free(record);
        return;
    }
    alarm_forged(w, lane, record->seq);
    replace(w, lane, record);
}
