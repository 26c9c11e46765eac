/* Opening of a ticket: DESIGN §10. */

#ifndef PERSISTER_OPEN_H
#define PERSISTER_OPEN_H

#include <stdbool.h>
#include "db.h"
#include "rds.h"

enum opened {
    OPEN_DONE,                  /* it is open: by us, or by somebody else */
    OPEN_NONE,                  /* there is no such ticket */
    OPEN_BUSY,                  /* somebody else is at it, or it changed */
    OPEN_RECOVERY,              /* it was open before: has to be drained */
    OPEN_FAILED                 /* a server did not do its part */
};

enum opened open_ticket(struct db *db, struct rds *rds, ticket_slice_t ticket);

#endif
