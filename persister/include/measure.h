/* How many rows a second MySQL takes by the persister's own statements. */

#ifndef PERSISTER_MEASURE_H
#define PERSISTER_MEASURE_H

#include <stdbool.h>
#include <stdint.h>
#include "db.h"

/* scratch tables, made LIKE those they stand for */
#define MEASURE_PURCHASES "benchmark_purchases"
#define MEASURE_PROGRESS  "benchmark_progress"

enum measured {
    MEASURED,
    MEASURE_STOPPED,            /* SIGTERM or SIGINT */
    MEASURE_FAILED              /* MySQL refused or is gone; logged */
};

/*
 * `sessions` sessions at once, each storing one lane, from number `first` on,
 * for `seconds`: batches of batch_events bookings, each of a new user, in
 * transactions of fence, upsert and COMMIT.  The lanes need their rows in
 * MEASURE_PROGRESS (ticket 'benchmark', epoch 1, nothing applied).  SIGTERM and
 * SIGINT have to be blocked; `db` is a session that is kept alive meanwhile.
 * *rate: rows a second, at least 1.
 */
enum measured measure(const struct conf *conf, struct db *db, uint32_t first,
    int sessions, int seconds, uint64_t *rate);

#endif
