/*
 * The recoverer thread: brings back tickets that were open before, after Redis
 * was restarted, failed over, emptied, or closed one of them.
 */

#ifndef PERSISTER_RECOVER_H
#define PERSISTER_RECOVER_H

#include "conf.h"

struct recoverer;

/* NULL: could not be started, logged */
struct recoverer *recoverer_start(const struct conf *conf);
void recoverer_stop(struct recoverer *recoverer);
void recoverer_join(struct recoverer *recoverer);

/* there is something in tickets:recover */
void recoverer_wake(struct recoverer *recoverer);

#endif
