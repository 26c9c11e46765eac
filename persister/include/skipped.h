/* Numbers a drain passes over, as nobody has them. */

#ifndef PERSISTER_SKIPPED_H
#define PERSISTER_SKIPPED_H

#include "work.h"

/* in the transaction that moves the lanes past them */
enum db_result skipped_store(struct worker *w, const struct item *items,
    size_t n);

#endif
