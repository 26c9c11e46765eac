/* All lanes of a worker. */

#include "lanes.h"

#include <stdlib.h>
#include <string.h>

#define TABLE_MIN 256

bool
lanes_init(struct lanes *lanes)
{
    memset(lanes, 0, sizeof *lanes);
    TAILQ_INIT(&lanes->busy);
    lanes->size = TABLE_MIN;
    lanes->table = calloc(lanes->size, sizeof *lanes->table);
    return lanes->table != NULL;
}

void
lanes_free(struct lanes *lanes)
{
    lanes_clear(lanes);
    free(lanes->table);
    free(lanes->all);
}

/* FNV-1a */
static uint32_t
hash_of(ticket_slice_t ticket, uint32_t number)
{
    uint32_t hash = 2166136261u;

    for (size_t i = 0; i < ticket.len; i++)
        hash = (hash ^ (unsigned char) ticket.data[i]) * 16777619u;
    return (hash ^ number) * 16777619u;
}

struct lane *
lanes_find(const struct lanes *lanes, ticket_slice_t ticket, uint32_t number)
{
    uint32_t hash = hash_of(ticket, number);
    struct lane *lane = lanes->table[hash & (lanes->size - 1)];

    while (lane != NULL && (lane->hash != hash || lane->number != number
        || !ticket_slice_eq(lane->ticket, ticket)))
        lane = lane->next;
    return lane;
}

/* a table that could not grow is only slower */
static void
grow(struct lanes *lanes)
{
    size_t size = lanes->size * 2;
    struct lane **table = calloc(size, sizeof *table);

    if (table == NULL)
        return;
    for (size_t i = 0; i < lanes->count; i++) {
        struct lane *lane = lanes->all[i];
        lane->next = table[lane->hash & (size - 1)];
        table[lane->hash & (size - 1)] = lane;
    }
    free(lanes->table);
    lanes->table = table;
    lanes->size = size;
}

struct lane *
lanes_add(struct lanes *lanes, ticket_slice_t ticket, uint32_t number)
{
    if (lanes->count == lanes->room) {
        size_t room = lanes->room > 0 ? lanes->room * 2 : 64;
        struct lane **all = realloc(lanes->all, room * sizeof *all);
        if (all == NULL)
            return NULL;
        lanes->all = all;
        lanes->room = room;
    }
    struct lane *lane = lane_new(ticket, number);
    if (lane == NULL)
        return NULL;
    lane->hash = hash_of(ticket, number);
    lane->index = lanes->count;
    lanes->all[lanes->count++] = lane;
    lane->next = lanes->table[lane->hash & (lanes->size - 1)];
    lanes->table[lane->hash & (lanes->size - 1)] = lane;
    if (lanes->count > lanes->size)
        grow(lanes);
    return lane;
}

void
lanes_remove(struct lanes *lanes, struct lane *lane)
{
    struct lane **p = &lanes->table[lane->hash & (lanes->size - 1)];

    while (*p != lane)
        p = &(*p)->next;
    *p = lane->next;
    if (lane->is_busy)
        TAILQ_REMOVE(&lanes->busy, lane, busy);
    lanes->all[lane->index] = lanes->all[--lanes->count];
    lanes->all[lane->index]->index = lane->index;
    lane_free(lane);
}

void
lanes_clear(struct lanes *lanes)
{
    while (lanes->count > 0)
        lanes_remove(lanes, lanes->all[lanes->count - 1]);
}

void
lanes_note(struct lanes *lanes, struct lane *lane)
{
    bool busy = !lane_idle(lane) || lane->stale;

    if (busy == lane->is_busy)
        return;
    if (busy)
        TAILQ_INSERT_TAIL(&lanes->busy, lane, busy);
    else
        TAILQ_REMOVE(&lanes->busy, lane, busy);
    lane->is_busy = busy;
}
