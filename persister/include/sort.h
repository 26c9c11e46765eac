/* What a message is. */

#ifndef PERSISTER_SORT_H
#define PERSISTER_SORT_H

#include "work.h"

/* `value` is the message.  false: MySQL was needed and is not there, or there
 * is no memory; the message has to come again */
bool sort_event(struct worker *w, const ticket_event_t *ev,
    struct place place, ticket_slice_t value);

/* an event of a past epoch that nobody stored */
bool sort_late(struct worker *w, const ticket_event_t *ev,
    struct place place);

/* messages dropped unseen are wanted once more */
void sort_dropped(struct worker *w, struct lane *lane);

/* counted, logged, and kept for dead_letters; false: the message has to come
 * again.  Without room for it the partition rests until there is. */
bool sort_unusable(struct worker *w, const struct unusable_message *message);

/* the same for an event, whose message is not at hand any more when the value
 * is empty; what came by the outbox lies nowhere and is not kept */
bool sort_unusable_event(struct worker *w, const ticket_event_t *ev,
    struct place place, ticket_slice_t value, enum unusable_why why,
    const char *text);

#endif
