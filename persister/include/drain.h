/*
 * Step 2 of recovery, for any number of tickets at once: whatever outboxes and
 * Kafka still hold of their lanes is stored, and numbers nobody has are passed
 * over.
 */

#ifndef PERSISTER_DRAIN_H
#define PERSISTER_DRAIN_H

#include "work.h"

struct drain {
    struct worker     *w;               /* its lanes are those to be drained */
    const atomic_bool *stop;
    int64_t            kafka_at;        /* its end is looked at after this */
    size_t             held;            /* events in all lanes */
    size_t             taken;           /* since the last time some were stored */
    bool               again;           /* some found no room: once more */
};

/* false: a server is away, or it is time to stop; nothing can be said about
 * any lane then.  A lane that could not be drained is left undrained, stale
 * or with events held. */
bool drain_run(struct drain *drain);

/* is all of this lane stored? */
bool drain_done(const struct lane *lane);

/* an event of whatever source and epoch; false: no memory, or the above */
bool drain_take(struct drain *drain, const ticket_event_t *ev,
    bool from_outbox);

/* drain_kafka.c: one pass from the group's offsets to the topic's end */
bool drain_kafka(struct drain *drain);

/* the session stays alive while somebody else is waited for */
bool drain_alive(struct drain *drain);

#endif
