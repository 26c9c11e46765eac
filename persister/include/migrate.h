/* The tables, brought up to date; the statements are compiled in from sql/. */

#ifndef PERSISTER_MIGRATE_H
#define PERSISTER_MIGRATE_H

#include "db.h"

enum migrated {
    MIGRATED,
    MIGRATE_LATER,      /* MySQL is away, refuses, or another one is at it */
    MIGRATE_NEVER       /* a migration was changed after it was run here */
};

/* Safe to run again, and by several at once.  What it did, or why it could
 * not, is logged. */
enum migrated migrate(struct db *db);

/* how many are still to be run; nothing is changed */
enum migrated migrate_pending(struct db *db, int *pending);

#endif
