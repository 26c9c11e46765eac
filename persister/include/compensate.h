/* Tells Redis what is stored, and takes back there what MySQL refused. */

#ifndef PERSISTER_COMPENSATE_H
#define PERSISTER_COMPENSATE_H

#include "work.h"

/*
 * ack_lanes(); a lane that owes is told of with its pending dead letters or
 * not at all, so that `persisted` does not pass them.  They move on to
 * 'rejected' (taken back) or 'gone' (the user did not hold it any more).
 * What fails, or waits for a closed ticket, is repeated by the sweep.
 */
void compensate_lanes(struct worker *w, struct lane **lanes, size_t n);

#endif
