/* Redis' side of a ticket, made from MySQL's, and switched on. */

#ifndef PERSISTER_REBUILD_H
#define PERSISTER_REBUILD_H

#include "definition.h"
#include "open.h"

/* what an attempt to open a ticket found and was given */
struct opening {
    struct db        *db;
    struct rds       *rds;
    ticket_slice_t    ticket;
    struct definition definition;
    uint64_t          epoch;            /* of this attempt */
    uint64_t          buyers;           /* put into Redis */
    char              replid[41];
    char              token[96];
};

enum opened rebuild(struct opening *opening);

#endif
