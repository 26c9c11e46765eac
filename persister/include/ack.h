/* Tells Redis what is stored. */

#ifndef PERSISTER_ACK_H
#define PERSISTER_ACK_H

#include "work.h"

/* a booking MySQL refused */
struct ack_dead {
    ticket_slice_t user, booking;
    bool           taken;       /* taken back, now or before */
};

#define ACK_DEAD_MAX 200        /* in one call */

/* one lane, stored up to `upto`, with dead letters of it; false: nothing is
 * known of them */
bool ack_dead(struct worker *w, struct lane *lane, uint64_t upto,
    struct ack_dead *dead, size_t n);

/* not an error when it fails: the sweep repeats it */
void ack_lanes(struct worker *w, struct lane **lanes, size_t n);

#endif
