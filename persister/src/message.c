/* A message of the topic. */

#include "message.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void
message_place(const struct conf *conf, struct place place, char *buf,
    size_t size)
{
    if (place.offset < 0)
        snprintf(buf, size, "an outbox entry");
    else
        snprintf(buf, size, "%s[%" PRId32 "]@%" PRId64, conf->kafka.topic,
            place.partition, place.offset);
}

void
message_origin(const struct conf *conf, struct place place, char *buf,
    size_t size)
{
    snprintf(buf, size, "%s/%" PRId32 "@%" PRId64, conf->kafka.topic,
        place.partition, place.offset);
}

static void
read_key(const rd_kafka_message_t *msg, struct unusable_message *unusable)
{
    const char *slash = msg->key_len > 0
        ? memrchr(msg->key, '/', msg->key_len) : NULL;
    uint64_t lane;

    if (slash == NULL)
        return;
    size_t len = (size_t) (slash - (const char *) msg->key);
    ticket_slice_t ticket = { msg->key, len };
    ticket_slice_t number = { slash + 1, msg->key_len - len - 1 };
    if (ticket_name_valid(ticket)
        && ticket_number_parse(number, TICKET_LANES_MAX - 1, &lane) == 0)
    {
        unusable->ticket = ticket;
        unusable->lane = (uint32_t) lane;
    }
}

bool
message_read(const struct conf *conf, const rd_kafka_message_t *msg,
    char *storage, ticket_event_t *ev, struct unusable_message *unusable)
{
    *unusable = (struct unusable_message) {
        .place = { msg->partition, msg->offset },
        .why = UNUSABLE_TOO_LARGE, .text = "it is too large",
        .value = { msg->payload != NULL ? msg->payload : "", msg->len }
    };
    if (msg->len <= (size_t) conf->kafka.max_event_bytes) {
        if (ticket_event_decode(unusable->value.data, msg->len, ev, storage,
                &unusable->text) == 0)
            return true;
        unusable->why = strstr(unusable->text, "unknown type") != NULL
            ? UNUSABLE_UNKNOWN_TYPE : UNUSABLE_UNREADABLE;
    }
    read_key(msg, unusable);
    return false;
}
