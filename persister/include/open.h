/* Opening of a ticket. */

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
    OPEN_UNKNOWN,               /* it was open, and MySQL does not know it */
    OPEN_FAILED                 /* a server did not do its part */
};

/* a new ticket; with RECOVERY it is the recoverer's */
enum opened open_ticket(struct db *db, struct rds *rds, ticket_slice_t ticket);

struct opening;

/* what MySQL and Redis have of a ticket before anything is done */
struct found {
    bool     row, locked;
    uint64_t row_epoch;
    bool     tombstone;

    bool     hash;
    uint64_t hash_epoch;                /* 0: never opened */
    bool     current;                   /* open */
    bool     hash_deleted;
    bool     claimed_new;               /* by an attempt that found it new */
};

/* needs o->db, o->rds, o->ticket and o->replid; o->definition is MySQL's.
 * BUSY: it is new, and open_ticket() would open it */
enum opened open_peek(struct opening *o, struct found *f);

/* the named lock that keeps recoverers apart; false: somebody else has it */
bool open_lock(struct opening *o, bool take);

/* Step 1: from here no older attempt can finish; f->hash_epoch is what Redis
 * says then.  `kind` begins the token.  false: *opened says why not. */
bool open_claim(struct opening *o, struct found *f, const char *kind,
    enum opened *opened);

#endif
