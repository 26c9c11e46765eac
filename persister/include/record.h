/* An event that waits for its turn: what storing it needs, and no more. */

#ifndef PERSISTER_RECORD_H
#define PERSISTER_RECORD_H

#include <stdbool.h>
#include <stdint.h>
#include "ticket_event.h"

/* where a Kafka message lies; offset -1: the event did not come by Kafka */
struct place {
    int32_t partition;
    int64_t offset;
};

struct record {
    uint64_t     seq;
    int64_t      time;
    struct place place;
    uint8_t      type;
    bool         from_outbox;
    uint16_t     user_len, booking_len, holding_len, origin_len;

    union {
        struct {
            uint64_t quantity;
            uint64_t holding;
        };
        struct {
            uint64_t capacity;
            uint64_t per_user;
            int64_t  opens_at, closes_at;
            uint32_t lanes;
            uint8_t  state_len;
            char     state[15];
        };
    };

    char         text[];        /* user, booking_id, holding_id, origin */
};

/* NULL: no memory */
struct record *record_new(const ticket_event_t *ev, struct place place);
void record_free(struct record *record);

/* two of one number say the same, wherever they come from */
bool record_same(const struct record *a, const struct record *b);

/* back to the event; its strings point into ticket and record */
void record_event(const struct record *record, ticket_slice_t ticket,
    uint32_t lane, uint64_t epoch, ticket_event_t *ev);

static inline ticket_slice_t
record_user(const struct record *record)
{
    return (ticket_slice_t) { record->text, record->user_len };
}

static inline ticket_slice_t
record_booking_id(const struct record *record)
{
    return (ticket_slice_t) {
        record->text + record->user_len, record->booking_len
    };
}

static inline ticket_slice_t
record_origin(const struct record *record)
{
    return (ticket_slice_t) {
        record->text + record->user_len + record->booking_len
            + record->holding_len, record->origin_len
    };
}

static inline ticket_slice_t
record_holding_id(const struct record *record)
{
    return (ticket_slice_t) {
        record->text + record->user_len + record->booking_len,
        record->holding_len
    };
}

#endif
