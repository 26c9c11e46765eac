/* A message of the topic: where it lies, and what it says. */

#ifndef PERSISTER_MESSAGE_H
#define PERSISTER_MESSAGE_H

#include <librdkafka/rdkafka.h>
#include "conf.h"
#include "unusable.h"

/* "topic[partition]@offset", for the log */
void message_place(const struct conf *conf, struct place place, char *buf,
    size_t size);

/* "topic/partition@offset", of at most TICKET_EVENT_ID_MAX bytes: its name in
 * dead_letters */
void message_origin(const struct conf *conf, struct place place, char *buf,
    size_t size);

/* true: the event.  false: why it is none, and what it is about, as its key
 * "<ticket>/<lane>" says.  `unusable` has place and value in either case;
 * storage: [kafka] max_event_bytes. */
bool message_read(const struct conf *conf, const rd_kafka_message_t *msg,
    char *storage, ticket_event_t *ev, struct unusable_message *unusable);

#endif
