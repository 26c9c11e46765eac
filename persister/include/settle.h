/* Settles late events. */

#ifndef PERSISTER_SETTLE_H
#define PERSISTER_SETTLE_H

#include <stdbool.h>
#include "db.h"
#include "rds.h"

/* where the last round ended: they are taken in turns */
struct settle {
    struct sql sql;
    char       ticket[TICKET_ID_MAX * 4 + 1], event[TICKET_EVENT_ID_MAX * 4 + 1];
    bool       more;            /* this round was full: do not wait */
};

/* hands some of the pending ones to takeover.lua; false: a server is away */
bool settle_some(struct settle *settle, struct db *db, struct rds *rds);

#endif
