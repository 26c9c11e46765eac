/* Lanes to rows: what is ready, in batches of many lanes. */

#ifndef PERSISTER_STORE_H
#define PERSISTER_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "db.h"

struct worker;
struct lane;
struct record;

struct item {
    struct lane *lane;
    uint32_t     n;             /* events after applied */
    uint32_t     events;        /* without numbers that are passed over */
    bool         rows;          /* one of them leaves its user something */
};

struct row {
    const struct lane   *lane;
    const struct record *record;
};

struct store {
    struct item *items;         /* batch_events of each */
    struct row  *rows;
    uint32_t    *table;         /* hash of user and lane → row + 1 */
    size_t       table_size;
    const char  *progress;      /* tables: others where it is only measured */
    const char  *purchases;
    struct sql   sql;
    bool         overlap;       /* messages are taken while MySQL works */
    bool         impatient;     /* waits 1 s for a lock instead of 5 */
};

bool store_init(struct store *store, uint32_t batch_events);
void store_free(struct store *store);

/* stores what is ready, one batch, and the lanes that had to be taken alone */
void store_round(struct worker *w);

/* anything store_round would store now */
bool store_ready(struct worker *w);

/* events that wait for the next batch, up to what one holds */
int store_waiting(struct worker *w);

#endif
