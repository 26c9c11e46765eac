/*
 * Messages that are no event, or carry a number nobody was given.  They are
 * kept in dead_letters under the place they lie at, and only then may their
 * offsets go on.
 */

#ifndef PERSISTER_UNUSABLE_H
#define PERSISTER_UNUSABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "record.h"
#include "tick.h"

#define UNUSABLE_BYTES 65536    /* of a message that are kept */

struct worker;
struct unusable_row;

/* in the order of M_UNUSABLE_… of metrics.h */
enum unusable_why {
    UNUSABLE_TOO_LARGE,         /* longer than [kafka] max_event_bytes */
    UNUSABLE_UNREADABLE,        /* no JSON, or not of the schema */
    UNUSABLE_UNKNOWN_TYPE,
    UNUSABLE_UNKNOWN_TICKET,    /* no such ticket, or it has no such lane */
    UNUSABLE_NEVER_GIVEN,       /* Redis never gave this number or epoch */
    UNUSABLE_CONTRADICTED,      /* the outbox has another event there */
    UNUSABLE_WHYS
};

struct unusable_message {
    struct place      place;    /* of a message of Kafka */
    enum unusable_why why;
    const char       *text;     /* a constant sentence without user data */
    ticket_slice_t    ticket;   /* len 0: it does not say */
    uint32_t          lane;
    ticket_slice_t    value;    /* as it came; what is too long is cut */
};

/* those that wait for MySQL; all zeroes is an empty one */
struct unusable {
    struct unusable_row *first, *last;
    size_t               count, bytes;
    struct backoff       wait;
};

/* one more may be added; bounded in number and in bytes */
bool unusable_room(const struct unusable *unusable);

/* takes a copy; false: no room, or no memory: the message has to come again */
bool unusable_add(struct worker *w, const struct unusable_message *message);

/* inserts what waits; what fails is tried again by a later call */
void unusable_store(struct worker *w);

/* lowers lows[partition], n of them, to the first offset not stored */
void unusable_lows(const struct unusable *unusable, int64_t *lows, int32_t n);

/* messages of this partition are somebody else's now (-1: all) */
void unusable_forget(struct unusable *unusable, int32_t partition);

#endif
