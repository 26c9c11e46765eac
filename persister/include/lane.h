/*
 * A lane as one worker sees it: how far it is stored, what is held back, and
 * which messages its offsets must not pass yet.  All of it is a cache of MySQL,
 * Redis and Kafka, and may be dropped at any time.
 */

#ifndef PERSISTER_LANE_H
#define PERSISTER_LANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include "breaker.h"
#include "record.h"

/* the lowest offset of one partition that is not done; INT64_MAX: none */
struct low {
    int32_t partition;
    int64_t held;
    int64_t dropped;            /* of events that found no room */
};

struct past {
    uint64_t epoch;
    uint64_t number;            /* stored up to here, or the number skipped */
};

struct picture {
    uint64_t     epoch;         /* 0: MySQL does not know the lane */
    uint64_t     applied;
    struct past *past;          /* epochs before this one, rising */
    struct past *skipped;       /* numbers a drain passed over, rising */
    size_t       npast, nskipped;
    bool         owes;          /* has dead letters that are pending */
};

struct lane {
    struct lane    *next;       /* of the same hash */
    TAILQ_ENTRY(lane) busy;
    size_t          index;      /* in lanes.all */
    uint32_t        hash;
    uint32_t        number;

    struct picture  picture;
    struct picture *fresh;      /* while MySQL is being read */
    uint64_t        known;      /* Redis has given numbers up to here */
    uint64_t        persisted;  /* Redis knows to be stored up to here */
    uint64_t        lag;        /* our part of the gauge */

    struct record **ring;       /* seq & (size - 1) → event, above applied */
    uint32_t        size;
    uint32_t        held;
    uint64_t        top;        /* the highest number held; 0: none */
    struct low     *lows;
    size_t          nlows;
    uint64_t        dropped_max;

    bool            mine;       /* else here only for a message we were given */
    bool            deleted;    /* a tombstone in MySQL */
    bool            is_busy;
    bool            stale;      /* MySQL has to be read again */
    bool            alone;      /* stored in a transaction of its own */
    bool            stopped;
    bool            by_outbox;  /* Kafka brings nothing: no waiting for it */
    uint8_t         look;       /* enum look: what Redis said last */
    unsigned        failures;
    struct breaker  breaker;
    int64_t         moved_at;   /* ms: last sign of life */
    int64_t         behind_at;  /* ms: Kafka has brought nothing since; 0: nor
                                 * is anything missing */
    uint64_t        mark;       /* the highest number held at mark_at */
    int64_t         mark_at;
    uint64_t        due;        /* up to here the outbox may be asked */
    int64_t         verify_at;  /* Redis could not say: not before this */
    int64_t         fill_at;    /* the outbox is not asked before this */
    int64_t         retry_at;   /* failed or stopped: not before this */
    int64_t         alarm_at;   /* no alarm before this */

    /* only while a ticket is drained */
    uint64_t        gaps_until; /* numbers up to here that are not held are
                                 * nobody's, and are passed over */
    uint64_t        skipped_from;       /* the first one passed over; 0: none */
    uint64_t        wanting;    /* the lowest that found no room; 0: none */
    uint64_t        newest;     /* the largest epoch met */
    bool            undrained;  /* something in its outbox cannot be read */

    ticket_slice_t  ticket;
    char            name[];
};

enum hold { HOLD_KEPT, HOLD_TWICE, HOLD_FULL };

enum known { KNOWN_NEXT, KNOWN_STORED, KNOWN_LATE };

struct lane *lane_new(ticket_slice_t ticket, uint32_t number);
void lane_free(struct lane *lane);

/* is not tried again for a minute, and counted until it goes on; the caller
 * says why */
void lane_stop(struct lane *lane);

/* true once a minute */
bool lane_may_alarm(struct lane *lane);

/* of ticket and number, for tables that outlive lanes; never 0 */
uint64_t lane_key(const struct lane *lane);

/* what a number of this or a past epoch is */
enum known lane_knows(const struct lane *lane, uint64_t epoch, uint64_t seq);

/* keeps an event above applied; with KEPT the record belongs to the lane */
enum hold lane_hold(struct lane *lane, struct record *record, uint32_t max);

/* a message whose event found no room; its offset is not passed */
void lane_drop(struct lane *lane, struct place place, uint64_t seq);
void lane_drop_all(struct lane *lane);

struct record *lane_at(const struct lane *lane, uint64_t seq);

/* how many events follow applied without a hole, but for those of gaps_until,
 * and are known to Redis */
uint32_t lane_run(const struct lane *lane, uint32_t max);

/* n events are stored */
void lane_advance(struct lane *lane, uint64_t n);

/* takes out an event, NULL when it is not held; lane_settle() afterwards */
struct record *lane_take(struct lane *lane, uint64_t seq);

/* counts lows, top and lag anew */
void lane_settle(struct lane *lane);

/* messages of this partition are somebody else's now (-1: all) */
void lane_forget(struct lane *lane, int32_t partition);

/* nothing held, dropped or known to be missing */
bool lane_idle(const struct lane *lane);

void picture_free(struct picture *picture);

#endif
