/* A worker's member of the consumer group, and which lanes it makes ours. */

#ifndef PERSISTER_SOURCE_KAFKA_H
#define PERSISTER_SOURCE_KAFKA_H

#include "work.h"

/* NULL: logged */
struct source_kafka *source_kafka_new(struct worker *w);
/* leaves the group, its offsets committed */
void source_kafka_free(struct worker *w);

/* takes up to max messages, until the time of a batch is over; without a
 * timeout those that are here */
void source_kafka_gather(struct worker *w, int timeout_ms, int max);

/* nothing is fetched meanwhile, but the group is told that we live */
void source_kafka_idle(struct worker *w, int timeout_ms);

/* offsets of what is done are stored; librdkafka commits them */
void source_kafka_store(struct worker *w);

/* the number of partitions, every 30 s */
void source_kafka_recount(struct worker *w);

bool source_kafka_owns(const struct worker *w, ticket_slice_t ticket,
    uint32_t lane);

/* false: the group has assigned nothing since the start */
bool source_kafka_joined(const struct worker *w);

/* there is no room for this message: its partition rests, and goes on with it
 * when there is */
void source_kafka_hold(struct worker *w, struct place place);

/* messages from this place on come again; false: not now */
bool source_kafka_rewind(struct worker *w, struct place place);

#endif
