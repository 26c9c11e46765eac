/* Fills gaps from the outbox. */

#ifndef PERSISTER_OUTBOX_H
#define PERSISTER_OUTBOX_H

#include "work.h"

/* the busy lanes whose next event does not come by Kafka */
void outbox_fill(struct worker *w);

/* an entry of XRANGE to an event, whose strings point into it: as
 * ticket_event_unpack() */
int outbox_entry(const struct lane *lane, const redisReply *entry,
    ticket_event_t *ev, const char **why);

#endif
