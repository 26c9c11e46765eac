/* All lanes of a worker, by ticket and number. */

#ifndef PERSISTER_LANES_H
#define PERSISTER_LANES_H

#include "lane.h"

struct lanes {
    struct lane  **table;
    size_t         size;        /* power of two */
    struct lane  **all;
    size_t         count, room;
    TAILQ_HEAD(busy_lanes, lane) busy;  /* those with something to do */
};

bool lanes_init(struct lanes *lanes);
void lanes_free(struct lanes *lanes);

struct lane *lanes_find(const struct lanes *lanes, ticket_slice_t ticket,
    uint32_t number);

/* NULL: no memory */
struct lane *lanes_add(struct lanes *lanes, ticket_slice_t ticket,
    uint32_t number);
void lanes_remove(struct lanes *lanes, struct lane *lane);
void lanes_clear(struct lanes *lanes);

/* puts the lane on the busy list, or takes it off */
void lanes_note(struct lanes *lanes, struct lane *lane);

#endif
