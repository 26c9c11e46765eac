/*
 * A worker thread: its own Kafka consumer (or shards), MySQL session and Redis
 * connection, its own lanes.  Nothing is shared with other workers.
 */

#ifndef PERSISTER_WORKER_H
#define PERSISTER_WORKER_H

#include <stdbool.h>
#include "conf.h"

struct worker;
struct keeper;

/* NULL: could not be started, logged */
struct worker *worker_start(const struct conf *conf, int number);

/* asks it to finish: batch committed, acks sent, offsets stored, group left */
void worker_stop(struct worker *worker);

/* waits for its end and frees it */
void worker_join(struct worker *worker);

/* The keeper thread: catalogue, tickets:recover, opening of tickets. */
struct keeper *keeper_start(const struct conf *conf);
void keeper_stop(struct keeper *keeper);
void keeper_join(struct keeper *keeper);

/* rises whenever the keeper of this process opened a ticket: workers then
 * reread the list of tickets at once instead of at the next sweep */
unsigned keeper_generation(void);
void keeper_opened(void);

#endif
