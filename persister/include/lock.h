/* What only one persister of a database does at a time: MySQL's named locks,
 * which end with their session. */

#ifndef PERSISTER_LOCK_H
#define PERSISTER_LOCK_H

#include "db.h"

/* the lock of this purpose, waited for so many seconds; *taken false: another
 * session has it */
enum db_result lock_take(struct db *db, const char *purpose, unsigned seconds,
    bool *taken);
enum db_result lock_release(struct db *db, const char *purpose);

#endif
