/* Fills gaps from the outbox. */

#ifndef PERSISTER_OUTBOX_H
#define PERSISTER_OUTBOX_H

#include "work.h"

/* the busy lanes whose next event does not come by Kafka */
void outbox_fill(struct worker *w);

#endif
