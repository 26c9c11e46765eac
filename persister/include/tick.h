/* Time that only goes forward, and how long to wait after the n-th failure. */

#ifndef PERSISTER_TICK_H
#define PERSISTER_TICK_H

#include <stdint.h>
#include <stdlib.h>
#include <time.h>

static inline int64_t
tick_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static inline double
tick_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double) now.tv_sec + (double) now.tv_nsec / 1e9;
}

/* ms: 1, 2, 4 ... 30 s, each up to a quarter shorter, so that not everybody
 * comes back in the same instant; failures counts from 1 */
static inline int64_t
tick_backoff(unsigned failures, unsigned *seed)
{
    int64_t ms = failures > 5 ? 30000 : INT64_C(1000) << (failures - 1);

    return ms - (int64_t) rand_r(seed) % (ms / 4);
}

struct backoff {
    unsigned failures;
    int64_t  retry_at;
};

/* one more failure: when to try again */
static inline void
backoff_fail(struct backoff *backoff, unsigned *seed)
{
    backoff->failures++;
    backoff->retry_at = tick_ms() + tick_backoff(backoff->failures, seed);
}

#endif
