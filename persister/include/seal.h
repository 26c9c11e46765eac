/* Step 3 of recovery: the old epoch is closed, a new one begins. */

#ifndef PERSISTER_SEAL_H
#define PERSISTER_SEAL_H

#include "rebuild.h"

/* One transaction: the lanes of epoch `old` are sealed, o->epoch is given out;
 * what is held above capacity becomes late events.  o->definition is read.
 * BUSY: somebody else was faster. */
enum opened seal(struct opening *o, uint64_t old);

#endif
