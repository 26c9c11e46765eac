/* What is looked at from time to time: the list of tickets, lanes that moved
 * lately, and all of them. */

#ifndef PERSISTER_SWEEP_H
#define PERSISTER_SWEEP_H

#include "work.h"

/* the tickets of MySQL: lanes that are ours and not here yet are added */
bool sweep_list(struct worker *w);

/* lanes that moved within the last minute */
void sweep_tail(struct worker *w);

/* every lane: lost acks, missing tickets, numbers nobody brought, lag */
void sweep_all(struct worker *w);

#endif
