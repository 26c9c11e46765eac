/* A lane in transactions of its own: bisected down to the event MySQL
 * refuses, which becomes a dead letter or stops the lane. */

#ifndef PERSISTER_ALONE_H
#define PERSISTER_ALONE_H

#include "work.h"

void alone_store(struct worker *w, struct lane *lane);

#endif
