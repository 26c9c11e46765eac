/* The catalogue: whether Redis has a hash for each ticket of MySQL. */

#ifndef PERSISTER_CATALOGUE_H
#define PERSISTER_CATALOGUE_H

#include <stdbool.h>
#include "db.h"
#include "rds.h"

/*
 * When `catalogue` is not this server's master_replid, Redis is new or has
 * forgotten: waiting rooms are put back, every ticket goes to `tickets` and
 * `tickets:recover`, those without a hash get one, which is closed, and
 * `catalogue` is written last.
 * `sql` is scratch.  false: a server is away, or refused it.
 */
bool catalogue_keep(struct db *db, struct rds *rds, struct sql *sql);

#endif
