/*
 * Late events: confirmed in a past epoch and not drained.  They are kept in
 * late_events until they are settled, and only then may their offsets go on.
 */

#ifndef PERSISTER_LATE_H
#define PERSISTER_LATE_H

#include "record.h"
#include "tick.h"

struct worker;
struct late_event;

struct late {
    struct late_event *first, **last;
    size_t             count;
    struct backoff     wait;
};

void late_init(struct late *late);
void late_free(struct late *late);

bool late_room(const struct late *late);

/* takes a copy, room or not; false: no memory */
bool late_add(struct worker *w, const ticket_event_t *ev, struct place place);

/* one transaction; what fails is tried again by the next call */
void late_store(struct worker *w);

/* lowers *low to the first offset of the partition that is not stored */
void late_low(const struct late *late, int32_t partition, int64_t *low);

/* messages of this partition are somebody else's now (-1: all) */
void late_forget(struct late *late, int32_t partition);

#endif
