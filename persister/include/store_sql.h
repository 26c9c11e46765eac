/* The statements of one transaction over several lanes. */

#ifndef PERSISTER_STORE_SQL_H
#define PERSISTER_STORE_SQL_H

#include "work.h"

#define STORE_FENCES 64         /* lanes in one statement */

/* progress of the items, sorted by ticket and lane; *held is false when a row
 * is not what we knew */
enum db_result store_fence(struct worker *w, const struct item *items,
    size_t n, bool *held);

/* the last definition of each lane 0 */
enum db_result store_definitions(struct worker *w, const struct item *items,
    size_t n);

/* rows after the last event of each user; counts what was written */
enum db_result store_rows(struct worker *w, const struct item *items,
    size_t n, size_t *upserts, size_t *deletes);

#endif
