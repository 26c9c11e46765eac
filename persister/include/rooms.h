/* Waiting rooms: those of Redis are kept in MySQL, and put back from there. */

#ifndef PERSISTER_ROOMS_H
#define PERSISTER_ROOMS_H

#include <stdint.h>
#include "db.h"
#include "rds.h"

/* what one keeper remembers between rounds; all zero at first */
struct rooms {
    char     cursor[32];        /* of SSCAN; "": from the beginning */
    unsigned live, broken;      /* met since the cursor was at the beginning */
    int64_t  alarm_at;
    char     rows_per_s[24];    /* of the newest benchmark; "": none */
};

/*
 * One round, to be called each second: some pages of `queues`, each room's row
 * written when it is different, rows_per_s of the newest benchmark set where it
 * is another, a room that Redis has lost put back.  A room that is broken is
 * passed over, with a line in the log once a minute.  `sql` is scratch.
 * false: a server is away, or refused it.
 */
bool rooms_keep(struct rooms *rooms, struct db *db, struct rds *rds,
    struct sql *sql);

/*
 * All rooms of MySQL that are not deleted and that Redis does not have are made
 * there again, with their origin; their names go to `queues` first.
 */
bool rooms_restore(struct db *db, struct rds *rds, struct sql *sql);

#endif
