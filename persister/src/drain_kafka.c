/*
 * One pass over the topic, by a consumer that never joins the group: it only
 * asks for the group's offsets.
 */

#include "drain.h"

#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "kafka_conf.h"
#include "log.h"
#include "metrics.h"

#define ASK_MS    10000
#define SILENT_MS 30000         /* nothing comes, and it is not the end */

struct pass {
    struct drain     *d;
    rd_kafka_t       *rk;
    rd_kafka_topic_t *topic;
    int64_t          *ends;             /* by partition; 0: nothing to read */
    int               count, left;
    char             *storage;
};

static bool
failed(const char *what, const char *why)
{
    metric_add(M_KAFKA_ERRORS, 1);
    log_warn("recovery: kafka: %s: %s", what, why);
    return false;
}

static bool
open_consumer(struct pass *p)
{
    const struct conf *conf = p->d->w->conf;
    const char *own[][2] = {
        { "group.id", conf->kafka.group }, { "enable.auto.commit", "false" },
        { "enable.auto.offset.store", "false" },
        { "enable.partition.eof", "true" }, { "auto.offset.reset", "earliest" },
        { "fetch.wait.max.ms", "50" },
    };
    char error[512];
    rd_kafka_conf_t *settings = kafka_conf_new(conf, error, sizeof error);

    if (settings == NULL)
        return failed("settings", error);
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        if (rd_kafka_conf_set(settings, own[i][0], own[i][1], error,
                sizeof error) != RD_KAFKA_CONF_OK)
        {
            rd_kafka_conf_destroy(settings);
            return failed("settings", error);
        }
    p->rk = rd_kafka_new(RD_KAFKA_CONSUMER, settings, error, sizeof error);
    if (p->rk == NULL) {
        rd_kafka_conf_destroy(settings);
        return failed("consumer", error);
    }
    rd_kafka_poll_set_consumer(p->rk);
    p->topic = rd_kafka_topic_new(p->rk, conf->kafka.topic, NULL);
    p->storage = malloc((size_t) conf->kafka.max_event_bytes + 1);
    return p->topic != NULL && p->storage != NULL;
}

static bool
count_partitions(struct pass *p)
{
    const struct rd_kafka_metadata *metadata;
    rd_kafka_resp_err_t err = rd_kafka_metadata(p->rk, 0, p->topic, &metadata,
        ASK_MS);

    if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
        return failed("metadata", rd_kafka_err2str(err));
    if (metadata->topic_cnt == 1) {
        err = metadata->topics[0].err;
        p->count = metadata->topics[0].partition_cnt;
    }
    rd_kafka_metadata_destroy(metadata);
    /* nothing was ever sent to a topic that is not there */
    if (err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
        return true;
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR || p->count == 0)
        return failed("metadata", rd_kafka_err2str(err));
    p->ends = calloc((size_t) p->count, sizeof *p->ends);
    return p->ends != NULL;
}

/* from the group's offset to the end, where there is something between */
static rd_kafka_topic_partition_list_t *
find_ends(struct pass *p)
{
    const char *topic = p->d->w->conf->kafka.topic;
    rd_kafka_topic_partition_list_t *from =
        rd_kafka_topic_partition_list_new(p->count);

    for (int32_t i = 0; i < p->count; i++)
        rd_kafka_topic_partition_list_add(from, topic, i);
    rd_kafka_resp_err_t err = rd_kafka_committed(p->rk, from, ASK_MS);
    for (int i = from->cnt - 1; i >= 0 && err == RD_KAFKA_RESP_ERR_NO_ERROR;
        i--)
    {
        rd_kafka_topic_partition_t *part = &from->elems[i];
        int64_t low, high;
        err = part->err != RD_KAFKA_RESP_ERR_NO_ERROR ? part->err
            : rd_kafka_query_watermark_offsets(p->rk, topic, part->partition,
                &low, &high, ASK_MS);
        if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
            break;
        if (part->offset < low)
            part->offset = low;         /* also: the group has none yet */
        if (part->offset < high) {
            p->ends[part->partition] = high;
            p->left++;
        } else {
            rd_kafka_topic_partition_list_del_by_idx(from, i);
        }
    }
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR)
        return from;
    failed("offsets", rd_kafka_err2str(err));
    rd_kafka_topic_partition_list_destroy(from);
    return NULL;
}

/* by its key, "<ticket>/<lane>", most messages need not be looked at */
static bool
is_wanted(const struct pass *p, const rd_kafka_message_t *msg)
{
    const char *key = msg->key, *slash;
    uint64_t lane;

    if (key == NULL || msg->key_len == 0)
        return true;
    slash = memrchr(key, '/', msg->key_len);
    if (slash == NULL || ticket_number_parse((ticket_slice_t) { slash + 1,
            msg->key_len - (size_t) (slash + 1 - key) }, TICKET_LANES_MAX,
            &lane) != 0)
        return true;
    return lanes_find(&p->d->w->lanes, (ticket_slice_t) { key,
        (size_t) (slash - key) }, (uint32_t) lane) != NULL;
}

/* what is no event is the workers' to complain about */
static bool
take(struct pass *p, const rd_kafka_message_t *msg)
{
    const char *why;
    ticket_event_t ev;

    if (!is_wanted(p, msg) || msg->payload == NULL
        || msg->len > (size_t) p->d->w->conf->kafka.max_event_bytes
        || ticket_event_decode(msg->payload, msg->len, &ev, p->storage, &why)
           != 0)
        return true;
    return drain_take(p->d, &ev, false);
}

static void
at_end(struct pass *p, int32_t partition)
{
    if (partition < 0 || partition >= p->count || p->ends[partition] == 0)
        return;
    p->ends[partition] = 0;
    p->left--;
}

static bool
handle(struct pass *p, const rd_kafka_message_t *msg)
{
    if (msg->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        at_end(p, msg->partition);
        return true;
    }
    if (msg->err != RD_KAFKA_RESP_ERR_NO_ERROR)
        return failed("reading", rd_kafka_err2str(msg->err));
    if (msg->partition >= p->count || p->ends[msg->partition] == 0)
        return true;                    /* after the end */
    bool good = msg->offset >= p->ends[msg->partition] || take(p, msg);
    if (msg->offset + 1 >= p->ends[msg->partition])
        at_end(p, msg->partition);
    return good;
}

static bool
read_all(struct pass *p)
{
    int64_t silent_at = tick_ms() + SILENT_MS;
    bool good = true;

    while (good && p->left > 0) {
        rd_kafka_message_t *msg = rd_kafka_consumer_poll(p->rk, 200);
        if (!drain_alive(p->d))
            good = false;
        else if (msg == NULL && tick_ms() > silent_at)
            good = failed("reading", "nothing comes");
        if (msg == NULL)
            continue;
        silent_at = tick_ms() + SILENT_MS;
        good = good && handle(p, msg);
        rd_kafka_message_destroy(msg);
    }
    return good;
}

bool
drain_kafka(struct drain *d)
{
    struct pass pass = { .d = d }, *p = &pass;
    rd_kafka_topic_partition_list_t *from = NULL;
    const struct timespec some = { .tv_nsec = 20000000 };
    bool good = open_consumer(p) && count_partitions(p);

    /* what the edges' producers still linger over */
    while (good && tick_ms() < d->kafka_at && (good = drain_alive(d)))
        nanosleep(&some, NULL);
    if (good && p->count > 0)
        good = (from = find_ends(p)) != NULL;
    if (good && p->left > 0)
        good = rd_kafka_assign(p->rk, from) == RD_KAFKA_RESP_ERR_NO_ERROR
            && read_all(p);
    if (from != NULL)
        rd_kafka_topic_partition_list_destroy(from);
    if (p->topic != NULL)
        rd_kafka_topic_destroy(p->topic);
    if (p->rk != NULL) {
        rd_kafka_assign(p->rk, NULL);
        rd_kafka_destroy_flags(p->rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    }
    free(p->ends);
    free(p->storage);
    return good;
}
