/*
 * Dead letters to the DLQ topic: a thread of each persister, of which one at a
 * time publishes.  At least once; a row is marked after its delivery report.
 */

#ifndef PERSISTER_DLQ_H
#define PERSISTER_DLQ_H

#include "conf.h"

struct dlq;

/* NULL: could not be started, logged.  Only with Kafka and a DLQ topic. */
struct dlq *dlq_start(const struct conf *conf);
void dlq_stop(struct dlq *dlq);
void dlq_join(struct dlq *dlq);

#endif
