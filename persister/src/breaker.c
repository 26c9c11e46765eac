/* Too much of a lane is refused. */

#include "breaker.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#define SLICE_MS 5000
#define FEW      10
#define LATCHES  256            /* the oldest gives way */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t        latches[LATCHES];        /* 0: free */
static size_t          next_latch;
static atomic_uint     latched;

/* slices that are over are emptied; returns the newest */
static size_t
turn(struct breaker *b, int64_t now)
{
    int64_t slice = now / SLICE_MS;

    if (slice - b->slice >= BREAKER_SLICES) {
        memset(b->events, 0, sizeof b->events);
        memset(b->dead, 0, sizeof b->dead);
        b->slice = slice;
    }
    while (b->slice < slice) {
        b->slice++;
        b->events[b->slice % BREAKER_SLICES] = 0;
        b->dead[b->slice % BREAKER_SLICES] = 0;
    }
    return (size_t) (slice % BREAKER_SLICES);
}

void
breaker_stored(struct breaker *b, int64_t now, uint32_t events, bool rows)
{
    b->events[turn(b, now)] += events;
    if (rows)
        b->run = 0;
}

void
breaker_dead(struct breaker *b, int64_t now)
{
    size_t slice = turn(b, now);

    b->events[slice]++;
    b->dead[slice]++;
    b->run++;
}

bool
breaker_trips(struct breaker *b, int64_t now)
{
    uint64_t events = 1, dead = 1;

    turn(b, now);
    for (size_t i = 0; i < BREAKER_SLICES; i++) {
        events += b->events[i];
        dead += b->dead[i];
    }
    return b->run + 1 > FEW || (dead > FEW && dead * 100 > events);
}

static uint64_t *
find(uint64_t lane)
{
    for (size_t i = 0; i < LATCHES; i++)
        if (latches[i] == lane)
            return &latches[i];
    return NULL;
}

void
breaker_latch(uint64_t lane)
{
    pthread_mutex_lock(&lock);
    if (find(lane) == NULL) {
        uint64_t *free_one = find(0);
        if (free_one == NULL)
            free_one = &latches[next_latch++ % LATCHES];
        else
            atomic_fetch_add(&latched, 1);
        *free_one = lane;
    }
    pthread_mutex_unlock(&lock);
}

void
breaker_unlatch(uint64_t lane)
{
    uint64_t *one;

    if (atomic_load(&latched) == 0)
        return;
    pthread_mutex_lock(&lock);
    if ((one = find(lane)) != NULL) {
        *one = 0;
        atomic_fetch_sub(&latched, 1);
    }
    pthread_mutex_unlock(&lock);
}

bool
breaker_latched(uint64_t lane)
{
    bool there;

    if (atomic_load(&latched) == 0)
        return false;
    pthread_mutex_lock(&lock);
    there = find(lane) != NULL;
    pthread_mutex_unlock(&lock);
    return there;
}
