/* What became of late events. */

#ifndef PERSISTER_OUTCOME_H
#define PERSISTER_OUTCOME_H

#include "work.h"

/* in the transaction that applies the events made from late ones; dead: MySQL
 * refuses them, so that who was to be booked is rejected */
enum db_result outcome_store(struct worker *w, const struct item *items,
    size_t n, bool dead);

#endif
