/*
 * Two different events under one number: one of them was forged, and the
 * outbox knows which.  That is found while the first one waits for its turn; a
 * forged one that is stored before the other comes is believed.
 */

#ifndef PERSISTER_CONTEST_H
#define PERSISTER_CONTEST_H

#include "work.h"

/* A message under a number that is held already.  The record is taken over;
 * returns what sort_event() does. */
bool contest_message(struct worker *w, struct lane *lane,
    const ticket_event_t *ev, struct record *record, ticket_slice_t value);

/* the same for an entry of the outbox, which is right */
void contest_entry(struct worker *w, struct lane *lane,
    struct record *record);

#endif
