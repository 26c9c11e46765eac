/*
 * Too much of a lane is refused: that is a broken schema, not bad messages.
 * Too much is more than 10 in a row, or within the last minute more than 10 and
 * more than 1 % of the events.
 */

#ifndef PERSISTER_BREAKER_H
#define PERSISTER_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

#define BREAKER_SLICES 12               /* of 5 s each: the last minute */

/* of one lane; begins as zeros */
struct breaker {
    int64_t  slice;                     /* the newest one counted */
    uint32_t events[BREAKER_SLICES];    /* dead ones are among them */
    uint32_t dead[BREAKER_SLICES];
    uint32_t run;                       /* dead since a row was written */
};

/* events are stored, at `now` in ms; rows: at least one of them left its user
 * something.  What takes away does not count as a success: each dead letter
 * brings a ticket.rejected after it. */
void breaker_stored(struct breaker *breaker, int64_t now, uint32_t events,
    bool rows);

/* another one is dead */
void breaker_dead(struct breaker *breaker, int64_t now);

/* would one more be too many? */
bool breaker_trips(struct breaker *breaker, int64_t now);

/*
 * Lanes that were stopped so, by name: what a worker knows of a lane ends with
 * its ownership and with each round of a recovery, and another ten would be
 * let through each time.  A row that is stored ends it, or the process.
 */
void breaker_latch(uint64_t lane);
void breaker_unlatch(uint64_t lane);
bool breaker_latched(uint64_t lane);

#endif
