/* What a message is: DESIGN §3. */

#ifndef PERSISTER_SORT_H
#define PERSISTER_SORT_H

#include "work.h"

/* false: MySQL was needed and is not there; the message has to come again */
bool sort_event(struct worker *w, const ticket_event_t *ev,
    struct place place);

/* an event of a past epoch that nobody stored */
bool sort_late(struct worker *w, const ticket_event_t *ev,
    struct place place);

/* messages dropped unseen are wanted once more */
void sort_dropped(struct worker *w, struct lane *lane);

/* counted, logged and passed over */
void sort_malformed(struct worker *w, struct place place, const char *why);

#endif
