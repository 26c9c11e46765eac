/* One transaction: events of any lanes, behind the fence. */

#ifndef PERSISTER_BATCH_H
#define PERSISTER_BATCH_H

#include "dead_letter.h"
#include "work.h"

/*
 * The items, sorted by ticket and lane; lanes somebody else has moved are left
 * out.  After COMMIT the lanes have advanced and Redis is told.  With a
 * refusal the items are a single event, which becomes a dead letter.
 */
enum db_result batch_store(struct worker *w, struct item *items, size_t n,
    const struct refusal *refusal);

/* waits 1 s for a lock instead of 5 */
void batch_impatient(struct worker *w, bool impatient);

#endif
