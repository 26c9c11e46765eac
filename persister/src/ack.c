/* Tells Redis what is stored. */

#include "ack.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "log.h"
#include "metrics.h"
#include "ticket_scripts.h"

#define TRIM_MAX 1000           /* entries one call removes at most */
#define TURNS    20
#define REASON   "refused"

static bool
ask(struct worker *w, const struct lane *lane, uint64_t upto,
    const struct ack_dead *dead, size_t n)
{
    char keys[4][RDS_KEY_MAX], outbox[32], lane_no[12], epoch[24], applied[24];
    const char *argv[8 + 3 * ACK_DEAD_MAX];
    size_t lens[8 + 3 * ACK_DEAD_MAX];
    int argc = 8;

    snprintf(outbox, sizeof outbox, "outbox:%" PRIu32, lane->number);
    const char *suffixes[] = { NULL, "buyers", "rejected", outbox };
    for (size_t i = 0; i < 4; i++) {
        lens[i] = rds_key(keys[i], lane->ticket, suffixes[i]);
        argv[i] = keys[i];
    }
    argv[4] = lane->ticket.data;
    lens[4] = lane->ticket.len;
    argv[5] = lane_no;
    lens[5] = (size_t) snprintf(lane_no, sizeof lane_no, "%" PRIu32,
        lane->number);
    argv[6] = epoch;
    lens[6] = (size_t) snprintf(epoch, sizeof epoch, "%" PRIu64,
        lane->picture.epoch);
    argv[7] = applied;
    lens[7] = (size_t) snprintf(applied, sizeof applied, "%" PRIu64,
        upto);
    for (size_t i = 0; i < n; i++) {
        argv[argc] = dead[i].user.data;
        lens[argc++] = dead[i].user.len;
        argv[argc] = dead[i].booking.data;
        lens[argc++] = dead[i].booking.len;
        argv[argc] = REASON;
        lens[argc++] = sizeof REASON - 1;
    }
    return rds_append_eval(&w->rds, RDS_ACK, 4, argc, argv, lens);
}

static bool
is_done(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_ARRAY && reply->elements >= 3
        && reply->element[0]->type == REDIS_REPLY_INTEGER
        && reply->element[0]->integer == TICKET_CODE_OK;
}

/* true: the outbox is long, and was trimmed in part */
static bool
take(struct worker *w, struct lane *lane, uint64_t upto,
    const redisReply *reply)
{
    if (is_done(reply)) {
        lane->persisted = upto;
        metric_add(M_ACKS, 1);
        return reply->element[2]->type == REDIS_REPLY_INTEGER
            && reply->element[2]->integer >= TRIM_MAX;
    }
    if (reply->type == REDIS_REPLY_ERROR && worker_may_warn(w))
        log_warn("worker %d: ack of lane %s/%" PRIu32 " was refused: %.60s",
            w->number, lane->name, lane->number, reply->str);
    return false;
}

bool
ack_dead(struct worker *w, struct lane *lane, uint64_t upto,
    struct ack_dead *dead, size_t n)
{
    redisReply *reply;
    bool good;

    if (!ask(w, lane, upto, dead, n)
        || (reply = rds_reply(&w->rds)) == NULL)
        return false;
    take(w, lane, upto, reply);
    good = is_done(reply) && reply->elements == 3 + n;
    for (size_t i = 0; i < n && good; i++)
        dead[i].taken = reply->element[3 + i]->type == REDIS_REPLY_INTEGER
            && reply->element[3 + i]->integer != 0;
    freeReplyObject(reply);
    return good;
}

/* how many have to be asked again, these first */
static size_t
ack_some(struct worker *w, struct lane **lanes, size_t n)
{
    bool sent = true;
    size_t again = 0;

    for (size_t i = 0; i < n && sent; i++)
        sent = ask(w, lanes[i], lanes[i]->picture.applied, NULL, 0);
    for (size_t i = 0; i < n && sent; i++) {
        redisReply *reply = rds_reply(&w->rds);
        if (reply == NULL)
            return 0;
        if (take(w, lanes[i], lanes[i]->picture.applied, reply))
            lanes[again++] = lanes[i];
        freeReplyObject(reply);
    }
    return again;
}

void
ack_lanes(struct worker *w, struct lane **lanes, size_t n)
{
    for (size_t i = 0; i < n; i += PIPELINE) {
        size_t some = n - i < PIPELINE ? n - i : PIPELINE;
        for (int turn = 0; turn < TURNS && some > 0; turn++) {
            if (w->rds.redis == NULL)
                return;
            some = ack_some(w, lanes + i, some);
        }
    }
}
