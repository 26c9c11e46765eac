/* dlq replay: bookings MySQL refused are booked anew, through Redis. */

#ifndef PERSISTER_REPLAY_H
#define PERSISTER_REPLAY_H

#include "command.h"
#include "db.h"

/* One line for each to stdout: id, what came of it, a sentence.  Safe to be
 * killed and repeated: each books once.  Returns the exit code. */
int replay(const struct conf *conf, struct db *db,
    const struct dlq_arguments *args);

#endif
