/* A lane whose outbox begins too late is copied from Redis. */

#ifndef PERSISTER_RESYNC_H
#define PERSISTER_RESYNC_H

#include "work.h"

/* false: not done, to be tried again */
bool resync_lane(struct worker *w, struct lane *lane);

#endif
