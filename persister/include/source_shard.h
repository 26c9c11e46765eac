/* Without Kafka: shards of all tickets, owned by MySQL locks. */

#ifndef PERSISTER_SOURCE_SHARD_H
#define PERSISTER_SOURCE_SHARD_H

#include "work.h"

struct source_shard *source_shard_new(struct worker *w);
void source_shard_free(struct source_shard *shard);

/* the locks died with the session */
void source_shard_lost(struct worker *w);

/* takes what is free, from time to time; true: something is new */
bool source_shard_take(struct worker *w);

/* asks Redis about every lane, poll_ms after the last time */
void source_shard_poll(struct worker *w);

bool source_shard_owns(const struct worker *w, ticket_slice_t ticket);

#endif
