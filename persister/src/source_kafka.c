/* A worker's member of the consumer group. */

#include "source_kafka.h"

#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "kafka_conf.h"
#include "log.h"
#include "message.h"
#include "metrics.h"
#include "sort.h"
#include "tick.h"

#define RECOUNT_MS 30000
#define ALONE_MS   2000         /* without an assignment, after the start */
#define CLOSE_MS   15000        /* for leaving the group */
#define COUNT_MS   1000         /* for the number of partitions */
#define SEEK_MS    5000

struct part {
    bool    assigned;
    bool    home;               /* lanes of this partition are ours */
    int64_t next;               /* after the last message; -1: none came yet */
    int64_t stored;
    int64_t rests_at;           /* no room for what lies here; -1: it goes on */
};

struct source_kafka {
    rd_kafka_t         *rk;
    rd_kafka_topic_t   *topic;
    rd_kafka_message_t *parked; /* MySQL has to be asked about it first */
    struct part        *parts;
    int32_t             nparts;
    int32_t             count;  /* partitions of the topic; 0: not known */
    bool                idle;
    bool                joined;         /* the group has assigned something */
    int64_t             started_at, recount_at;
    char               *storage;        /* of the event being decoded */
};

static struct part *
part_of(struct source_kafka *k, int32_t partition)
{
    if (partition < 0)
        return NULL;
    if (partition >= k->nparts) {
        struct part *parts = realloc(k->parts,
            ((size_t) partition + 1) * sizeof *parts);
        if (parts == NULL)
            return NULL;
        for (int32_t i = k->nparts; i <= partition; i++)
            parts[i] = (struct part) { false, false, -1, -1, -1 };
        k->parts = parts;
        k->nparts = partition + 1;
    }
    return &k->parts[partition];
}

/* ------------------------------------------------------- whose is what --- */

static void
on_assigned(struct worker *w, rd_kafka_topic_partition_list_t *list,
    bool whole)
{
    struct source_kafka *k = w->kafka;

    for (int32_t i = 0; i < k->nparts && whole; i++)
        k->parts[i].home = k->parts[i].assigned = false;
    for (int i = 0; i < list->cnt; i++) {
        struct part *part = part_of(k, list->elems[i].partition);
        if (part != NULL)
            *part = (struct part) { true, true, -1, -1, -1 };
    }
    k->idle = false;
    k->joined = true;
    k->recount_at = w->list_at = 0;
    metric_add(M_REBALANCES, 1);
    log_info("worker %d: %d partitions are ours now", w->number, list->cnt);
}

static void
rest(struct worker *w, int32_t partition, bool rests)
{
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new(1);

    rd_kafka_topic_partition_list_add(list, w->conf->kafka.topic, partition);
    if (rests)
        rd_kafka_pause_partitions(w->kafka->rk, list);
    else
        rd_kafka_resume_partitions(w->kafka->rk, list);
    rd_kafka_topic_partition_list_destroy(list);
}

/* Lanes stay ours until the next assignment says otherwise: while Kafka is
 * away the outbox is still followed, and two appliers are harmless. */
static void
on_revoked(struct worker *w, rd_kafka_topic_partition_list_t *list,
    bool whole)
{
    struct source_kafka *k = w->kafka;

    for (int i = 0; i < list->cnt; i++) {
        int32_t partition = list->elems[i].partition;
        struct part *part = part_of(k, partition);
        if (part == NULL)
            continue;
        part->assigned = false;
        part->home &= whole;
        if (part->rests_at >= 0)
            rest(w, partition, false);
        part->next = part->stored = part->rests_at = -1;
        late_forget(&w->late, partition);
        unusable_forget(&w->unusable, partition);
        for (size_t n = 0; n < w->lanes.count; n++) {
            struct lane *lane = w->lanes.all[n];
            if (lane->nlows == 0)
                continue;
            lane_forget(lane, partition);
            lanes_note(&w->lanes, lane);
        }
        if (k->parked != NULL && k->parked->partition == partition) {
            rd_kafka_message_destroy(k->parked);
            k->parked = NULL;
        }
    }
}

static void
on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t err,
    rd_kafka_topic_partition_list_t *list, void *opaque)
{
    struct worker *w = opaque;
    const char *protocol = rd_kafka_rebalance_protocol(rk);
    bool whole = protocol == NULL || strcmp(protocol, "COOPERATIVE") != 0;

    /* what is stored, librdkafka commits before it lets go */
    if (err == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        on_assigned(w, list, whole);
        if (whole)
            rd_kafka_assign(rk, list);
        else
            rd_kafka_error_destroy(rd_kafka_incremental_assign(rk, list));
    } else {
        on_revoked(w, list, whole);
        if (whole)
            rd_kafka_assign(rk, NULL);
        else
            rd_kafka_error_destroy(rd_kafka_incremental_unassign(rk, list));
    }
}

/* Until the group has given us anything (it is waiting for a member that died,
 * or Kafka is away) this process follows the outbox of every lane: whoever else
 * does so meanwhile, the fence makes it harmless. */
bool
source_kafka_owns(const struct worker *w, ticket_slice_t ticket, uint32_t lane)
{
    const struct source_kafka *k = w->kafka;
    char key[TICKET_ID_MAX + 16];

    if (ticket.len > TICKET_ID_MAX)
        return false;
    int len = snprintf(key, sizeof key, "%.*s/%" PRIu32, (int) ticket.len,
        ticket.data, lane);
    ticket_slice_t text = { key, (size_t) len };
    if (!k->joined)
        return tick_ms() - k->started_at >= ALONE_MS
            && ticket_event_lane(text, (uint32_t) w->conf->persister.threads)
            == (uint32_t) w->number;
    /* CRC-32 mod count, as librdkafka's partitioner `consistent` */
    int32_t partition = (int32_t) ticket_event_lane(text,
        (uint32_t) k->count);
    return k->count > 0 && partition < k->nparts
        && k->parts[partition].home;
}

bool
source_kafka_joined(const struct worker *w)
{
    return w->kafka->joined;
}

void
source_kafka_recount(struct worker *w)
{
    struct source_kafka *k = w->kafka;
    const struct rd_kafka_metadata *metadata;
    int64_t now = tick_ms();

    if (now < k->recount_at)
        return;
    k->recount_at = now + RECOUNT_MS;
    if (rd_kafka_metadata(k->rk, 0, k->topic, &metadata, COUNT_MS)
        != RD_KAFKA_RESP_ERR_NO_ERROR)
        return;
    if (metadata->topic_cnt == 1
        && metadata->topics[0].err == RD_KAFKA_RESP_ERR_NO_ERROR
        && metadata->topics[0].partition_cnt != k->count)
    {
        k->count = metadata->topics[0].partition_cnt;
        w->list_at = 0;
        log_info("worker %d: topic %s has %" PRId32 " partitions", w->number,
            w->conf->kafka.topic, k->count);
    }
    rd_kafka_metadata_destroy(metadata);
}

/* ------------------------------------------------------------ messages --- */

/* false: it has to come again */
static bool
take(struct worker *w, const rd_kafka_message_t *msg)
{
    struct unusable_message unusable;
    ticket_event_t ev;

    if (message_read(w->conf, msg, w->kafka->storage, &ev, &unusable))
        return sort_event(w, &ev, unusable.place, unusable.value);
    return sort_unusable(w, &unusable);
}

static void
on_error(struct worker *w, const rd_kafka_message_t *msg)
{
    metric_add(M_KAFKA_ERRORS, 1);
    if (worker_may_warn(w))
        log_warn("worker %d: kafka: %s", w->number,
            rd_kafka_err2str(msg->err));
}

/* false: no more for now */
static bool
handle(struct worker *w, rd_kafka_message_t *msg)
{
    struct source_kafka *k = w->kafka;
    struct part *part;

    if (msg->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        on_error(w, msg);
    } else if ((part = part_of(k, msg->partition)) != NULL && part->assigned
        && part->rests_at >= 0)
    {
        /* it was on its way, and comes again */
        if (msg->offset < part->rests_at)
            part->rests_at = part->next = msg->offset;
    } else if (part != NULL && part->assigned) {
        /* before the rest, which may rewind */
        part->next = msg->offset + 1;
        if (!take(w, msg)) {
            if (part_of(k, msg->partition)->next > msg->offset)
                k->parked = msg;
            else                        /* rewound meanwhile: it comes again */
                rd_kafka_message_destroy(msg);
            return false;
        }
        metric_add(M_MESSAGES, 1);
    }
    rd_kafka_message_destroy(msg);
    return true;
}

/* ------------------------------------------------------------ resting --- */

/* false: it does so already, or is not ours */
static bool
hold(struct worker *w, struct place place)
{
    struct part *part = part_of(w->kafka, place.partition);

    if (part == NULL || !part->assigned)
        return false;
    bool rests = part->rests_at >= 0;
    if (part->next < 0 || place.offset < part->next)
        part->next = place.offset;
    part->rests_at = part->next;
    if (!rests)
        rest(w, place.partition, true);
    return !rests;
}

void
source_kafka_hold(struct worker *w, struct place place)
{
    if (hold(w, place))
        log_warn("worker %d: partition %" PRId32 " rests at offset %" PRId64
            ": too many messages wait for MySQL", w->number, place.partition,
            place.offset);
}

/* those that rest go on where they stopped, once there is room */
static void
wake(struct worker *w)
{
    struct source_kafka *k = w->kafka;

    for (int32_t i = 0; i < k->nparts; i++) {
        struct place place = { i, k->parts[i].rests_at };
        if (place.offset < 0 || w->unusable.first != NULL
            || w->late.first != NULL)
            continue;
        k->parts[i].rests_at = -1;
        rest(w, i, false);
        if (!source_kafka_rewind(w, place)) {
            k->parts[i].rests_at = place.offset;
            rest(w, i, true);
        }
    }
}

static void
set_idle(struct worker *w, bool idle)
{
    struct source_kafka *k = w->kafka;
    rd_kafka_topic_partition_list_t *list;

    if (k->idle == idle
        || rd_kafka_assignment(k->rk, &list) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return;
    if (idle)
        rd_kafka_pause_partitions(k->rk, list);
    else
        rd_kafka_resume_partitions(k->rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    k->idle = idle;
    for (int32_t i = 0; i < k->nparts && !idle; i++)
        if (k->parts[i].rests_at >= 0)
            rest(w, i, true);
}

void
source_kafka_gather(struct worker *w, int timeout_ms, int max)
{
    struct source_kafka *k = w->kafka;
    int64_t until = tick_ms() + timeout_ms;
    rd_kafka_message_t *msg;

    set_idle(w, false);
    wake(w);
    for (int n = 0; n < max; n++) {
        int64_t left = until - tick_ms();
        if ((msg = k->parked) != NULL)
            k->parked = NULL;
        else
            msg = rd_kafka_consumer_poll(k->rk, left > 0 ? (int) left : 0);
        if (msg == NULL || !handle(w, msg))
            return;
        /* the first one opens the batch */
        if (n == 0 && timeout_ms > 0)
            until = tick_ms() + w->conf->persister.batch_ms;
    }
}

void
source_kafka_idle(struct worker *w, int timeout_ms)
{
    struct source_kafka *k = w->kafka;
    int64_t until = tick_ms() + timeout_ms, left;

    set_idle(w, true);
    while ((left = until - tick_ms()) > 0) {
        rd_kafka_message_t *msg = rd_kafka_consumer_poll(k->rk, (int) left);
        if (msg == NULL)
            continue;
        if (msg->err == RD_KAFKA_RESP_ERR_NO_ERROR && k->parked == NULL)
            k->parked = msg;
        else if (msg->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            /* it was on its way already: it comes again */
            struct place place = { msg->partition, msg->offset };
            if (!source_kafka_rewind(w, place))
                hold(w, place);
            rd_kafka_message_destroy(msg);
        } else {
            on_error(w, msg);
            rd_kafka_message_destroy(msg);
        }
    }
}

bool
source_kafka_rewind(struct worker *w, struct place place)
{
    struct source_kafka *k = w->kafka;
    struct part *part = part_of(k, place.partition);

    if (part == NULL || !part->assigned)
        return true;
    if (part->rests_at >= 0) {          /* it will wake there, or before */
        if (place.offset < part->rests_at)
            part->rests_at = part->next = place.offset;
        return true;
    }
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, w->conf->kafka.topic,
        place.partition)->offset = place.offset;
    rd_kafka_error_t *error = rd_kafka_seek_partitions(k->rk, list, SEEK_MS);
    bool done = error == NULL
        && list->elems[0].err == RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_error_destroy(error);
    rd_kafka_topic_partition_list_destroy(list);
    if (done && part->next > place.offset)
        part->next = place.offset;
    /* it comes again, and must not raise `next` before */
    if (done && k->parked != NULL && k->parked->partition == place.partition
        && k->parked->offset >= place.offset)
    {
        rd_kafka_message_destroy(k->parked);
        k->parked = NULL;
    }
    log_info("worker %d: partition %" PRId32 " is read again from offset %"
        PRId64 "%s", w->number, place.partition, place.offset,
        done ? "" : ": not now");
    return done;
}

/* ------------------------------------------------------------- offsets --- */

static int64_t
done_up_to(struct worker *w, int32_t partition, const int64_t *lows)
{
    struct source_kafka *k = w->kafka;
    int64_t low = lows[partition];

    late_low(&w->late, partition, &low);
    if (k->parked != NULL && k->parked->partition == partition
        && k->parked->offset < low)
        low = k->parked->offset;
    return low;
}

void
source_kafka_store(struct worker *w)
{
    struct source_kafka *k = w->kafka;
    int64_t *lows = calloc((size_t) k->nparts + 1, sizeof *lows);
    struct lane *lane;

    if (lows == NULL)
        return;
    for (int32_t i = 0; i < k->nparts; i++)
        lows[i] = k->parts[i].assigned ? k->parts[i].next : -1;
    unusable_lows(&w->unusable, lows, k->nparts);
    TAILQ_FOREACH(lane, &w->lanes.busy, busy)
        for (size_t i = 0; i < lane->nlows; i++) {
            struct low *low = &lane->lows[i];
            int64_t offset = low->held < low->dropped ? low->held
                : low->dropped;
            if (low->partition < k->nparts && offset < lows[low->partition])
                lows[low->partition] = offset;
        }

    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new(k->nparts + 1);
    for (int32_t i = 0; i < k->nparts; i++) {
        int64_t low = done_up_to(w, i, lows);
        if (low < 0 || low == k->parts[i].stored)
            continue;
        rd_kafka_topic_partition_list_add(list, w->conf->kafka.topic,
            i)->offset = low;
        k->parts[i].stored = low;
    }
    /* a partition that was taken from us meanwhile is an error of no matter */
    if (list->cnt > 0)
        rd_kafka_offsets_store(k->rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    free(lows);
}

/* --------------------------------------------------------------- birth --- */

static bool
join(struct worker *w, char *error, size_t size)
{
    struct source_kafka *k = w->kafka;
    rd_kafka_conf_t *conf = kafka_conf_member(w->conf, error, size);

    if (conf == NULL)
        return false;
    rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
    rd_kafka_conf_set_opaque(conf, w);
    k->rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, error, size);
    if (k->rk == NULL) {
        rd_kafka_conf_destroy(conf);
        return false;
    }
    rd_kafka_poll_set_consumer(k->rk);
    k->topic = rd_kafka_topic_new(k->rk, w->conf->kafka.topic, NULL);

    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, w->conf->kafka.topic,
        RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t err = rd_kafka_subscribe(k->rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR || k->topic == NULL) {
        snprintf(error, size, "%s", rd_kafka_err2str(err));
        return false;
    }
    return true;
}

struct source_kafka *
source_kafka_new(struct worker *w)
{
    struct source_kafka *k = calloc(1, sizeof *k);
    char error[512] = "no memory";

    w->kafka = k;
    if (k != NULL) {
        k->started_at = tick_ms();
        k->storage = malloc((size_t) w->conf->kafka.max_event_bytes + 1);
    }
    if (k != NULL && k->storage != NULL && join(w, error, sizeof error))
        return k;
    log_error("worker %d: kafka: %s", w->number, error);
    if (k != NULL)
        source_kafka_free(w);
    return NULL;
}

/* what consumer_close does, but not for ever when no broker answers */
static bool
leave(struct worker *w)
{
    struct source_kafka *k = w->kafka;
    rd_kafka_queue_t *queue = rd_kafka_queue_new(k->rk);
    int64_t until = tick_ms() + CLOSE_MS;

    rd_kafka_error_t *error = rd_kafka_consumer_close_queue(k->rk, queue);
    bool closing = error == NULL;
    rd_kafka_error_destroy(error);
    while (closing && !rd_kafka_consumer_closed(k->rk) && tick_ms() < until) {
        rd_kafka_event_t *event = rd_kafka_queue_poll(queue, 100);
        if (event == NULL)
            continue;
        if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_REBALANCE)
            on_rebalance(k->rk, rd_kafka_event_error(event),
                rd_kafka_event_topic_partition_list(event), w);
        rd_kafka_event_destroy(event);
    }
    rd_kafka_queue_destroy(queue);
    return rd_kafka_consumer_closed(k->rk);
}

void
source_kafka_free(struct worker *w)
{
    struct source_kafka *k = w->kafka;

    if (k->parked != NULL)
        rd_kafka_message_destroy(k->parked);
    k->parked = NULL;
    if (k->topic != NULL)
        rd_kafka_topic_destroy(k->topic);
    /* to destroy one that is still at it would wait without end */
    if (k->rk != NULL && leave(w))
        rd_kafka_destroy_flags(k->rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    else if (k->rk != NULL)
        log_warn("worker %d: kafka does not answer, the group was not left",
            w->number);
    free(k->parts);
    free(k->storage);
    free(k);
    w->kafka = NULL;
}
