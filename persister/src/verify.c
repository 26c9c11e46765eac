/* Asks Redis which numbers it has given. */

#include "verify.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "log.h"
#include "metrics.h"
#include "sort.h"
#include "tick.h"

#define WAIT_MS  250            /* before a closed ticket is asked again */

bool
look_replid(const redisReply *reply, char replid[41])
{
    static const char field[] = "\nmaster_replid:";

    if (reply->type != REDIS_REPLY_STRING
        || strstr(reply->str, "\nrole:master") == NULL)
        return false;
    const char *p = strstr(reply->str, field);
    if (p == NULL || strcspn(p + sizeof field - 1, "\r\n") != 40)
        return false;
    memcpy(replid, p + sizeof field - 1, 40);
    replid[40] = '\0';
    return true;
}

bool
look_info(struct worker *w)
{
    const char *argv[] = { "INFO", "replication" };

    return rds_append(&w->rds, 2, argv, NULL);
}

bool
look_ask(struct worker *w, const struct lane *lane)
{
    char key[RDS_KEY_MAX], seq[24], persisted[24];
    const char *argv[] = { "HMGET", key, "epoch", "history", seq, persisted };
    size_t lens[6];

    rds_key(key, lane->ticket, NULL);
    snprintf(seq, sizeof seq, "seq:%" PRIu32, lane->number);
    snprintf(persisted, sizeof persisted, "persisted:%" PRIu32, lane->number);
    for (size_t i = 0; i < 6; i++)
        lens[i] = strlen(argv[i]);
    return rds_append(&w->rds, 6, argv, lens);
}

static uint64_t
number(const redisReply *reply)
{
    ticket_slice_t text = { reply->str, (size_t) reply->len };
    uint64_t n = 0;

    if (reply->type != REDIS_REPLY_STRING
        || ticket_number_parse(text, TICKET_EVENT_NUMBER_MAX, &n) != 0)
        return 0;
    return n;
}

/* "<epoch>-<seq>" of this epoch */
static uint64_t
persisted(const redisReply *reply, uint64_t epoch)
{
    uint64_t e, n;

    if (reply->type != REDIS_REPLY_STRING
        || sscanf(reply->str, "%" SCNu64 "-%" SCNu64, &e, &n) != 2)
        return 0;
    return e == epoch ? n : 0;
}

/* without room for them they are held, and asked about, a while longer */
static void
never_given(struct worker *w, struct lane *lane)
{
    const ticket_slice_t none = { NULL, 0 };
    uint64_t top = lane->top;

    for (uint64_t seq = lane->known + 1; seq <= top; seq++) {
        struct record *record = lane_at(lane, seq);
        ticket_event_t ev;
        if (record == NULL)
            continue;
        record_event(record, lane->ticket, lane->number, lane->picture.epoch,
            &ev);
        if (!unusable_room(&w->unusable)
            || !sort_unusable_event(w, &ev, record->place, none,
                UNUSABLE_NEVER_GIVEN, "its number was never given"))
        {
            lane->verify_at = tick_ms() + WAIT_MS;
            break;
        }
        record_free(lane_take(lane, seq));
    }
    if (lane->dropped_max > lane->known)
        sort_dropped(w, lane);
    if (lane->dropped_max > lane->known)
        lane->verify_at = tick_ms() + WAIT_MS;
}

static void
alarm_gone_back(struct worker *w, struct lane *lane, uint64_t seq)
{
    if (!lane_may_alarm(lane))
        return;
    log_error("worker %d: lane %s/%" PRIu32 ": MySQL has stored up to number"
        " %" PRIu64 ", Redis has given %" PRIu64 " only", w->number,
        lane->name, lane->number, lane->picture.applied, seq);
}

static enum look
current(struct worker *w, struct lane *lane, redisReply **field)
{
    uint64_t seq = number(field[2]);
    int64_t now = tick_ms();

    if (seq < lane->picture.applied)
        alarm_gone_back(w, lane, seq);
    if (seq > lane->known) {
        lane->known = seq;
        if (seq > lane->picture.applied) {
            lane->moved_at = now;
            if (lane->behind_at == 0)
                lane->behind_at = now;
        }
    }
    lane->persisted = persisted(field[3], lane->picture.epoch);
    lane->verify_at = 0;
    if (lane->top > lane->known || lane->dropped_max > lane->known)
        never_given(w, lane);
    lane_settle(lane);
    return LOOK_CURRENT;
}

enum look
look_take(struct worker *w, struct lane *lane, const char *replid,
    const redisReply *reply)
{
    enum look look = LOOK_WAIT;

    lane->verify_at = tick_ms() + WAIT_MS;
    lane->look = LOOK_WAIT;
    if (replid == NULL || reply->type != REDIS_REPLY_ARRAY
        || reply->elements != 4)
        return LOOK_WAIT;

    redisReply **field = reply->element;
    const redisReply *history = field[1];
    uint64_t epoch = number(field[0]);
    if (field[0]->type == REDIS_REPLY_NIL && history->type == REDIS_REPLY_NIL) {
        look = LOOK_MISSING;
    } else if (history->type == REDIS_REPLY_STRING
        && strcmp(history->str, replid) == 0)
    {
        if (epoch == lane->picture.epoch) {
            look = current(w, lane, field);
        } else if (epoch > lane->picture.epoch) {
            lane->stale = true;
            look = LOOK_NEWER;
        }
    } else {
        look = LOOK_CLOSED;
    }
    lane->look = (uint8_t) look;
    lanes_note(&w->lanes, lane);
    return look;
}

static bool
verify_some(struct worker *w, struct lane **lanes, size_t n, look_fn fn,
    void *data)
{
    char buf[41], *replid = NULL;
    redisReply *reply;
    bool sent = look_info(w);

    for (size_t i = 0; i < n && sent; i++)
        sent = look_ask(w, lanes[i]);
    if (!sent || (reply = rds_reply(&w->rds)) == NULL)
        return false;
    if (look_replid(reply, buf))
        replid = buf;
    freeReplyObject(reply);

    for (size_t i = 0; i < n; i++) {
        if ((reply = rds_reply(&w->rds)) == NULL)
            return false;
        enum look look = look_take(w, lanes[i], replid, reply);
        freeReplyObject(reply);
        if (fn != NULL)
            fn(w, lanes[i], look, data);
    }
    return true;
}

bool
verify_lanes(struct worker *w, struct lane **lanes, size_t n, look_fn fn,
    void *data)
{
    for (size_t i = 0; i < n; i += PIPELINE) {
        size_t some = n - i < PIPELINE ? n - i : PIPELINE;
        if (w->rds.redis == NULL
            || !verify_some(w, lanes + i, some, fn, data))
            return false;
    }
    return true;
}

void
verify_busy(struct worker *w)
{
    struct lane *some[PIPELINE], *lane;
    int64_t now = tick_ms();
    size_t n = 0;

    TAILQ_FOREACH(lane, &w->lanes.busy, busy) {
        if (lane->stale || now < lane->verify_at
            || (lane->top <= lane->known && lane->dropped_max <= lane->known))
            continue;
        some[n++] = lane;
        if (n == PIPELINE)
            break;
    }
    if (n > 0)
        verify_lanes(w, some, n, NULL, NULL);
}
