/*
 * What happened to a ticket, in its three forms: the structure, the packed
 * outbox entry that the scripts write, and the CloudEvents 1.0 JSON that goes
 * to Kafka (ticket_event.schema.json).  Shared by the edge and the persister;
 * the JSON of an event is the same byte for byte whichever of the two made it.
 *
 * Strings are slices of somebody else's memory and never NUL-terminated.
 */

#ifndef TICKET_EVENT_H_INCLUDED
#define TICKET_EVENT_H_INCLUDED

#include "ticket_text.h"

/* the format of outbox entries this code writes and reads: the field name */
#define TICKET_EVENT_FORMAT       "1"

#define TICKET_EVENT_ID_MAX       320     /* bytes of an event or booking id */
#define TICKET_LANES_MAX          64
#define TICKET_EVENT_JSON_MAX     8192    /* no event is longer */
#define TICKET_EVENT_NUMBER_MAX   INT64_MAX         /* epoch, seq */
#define TICKET_QUANTITY_MAX       1000000           /* also per_user */
#define TICKET_CAPACITY_MAX       1000000000000     /* 10^12 */

#define TICKET_EVENT_SOURCE       "/ticket-office"
#define TICKET_EVENT_TYPE_PREFIX  "ticket."

typedef enum {
    TICKET_EVENT_BOOKED = 1,
    TICKET_EVENT_CANCELLED,
    TICKET_EVENT_REJECTED,
    TICKET_EVENT_DEFINED
} ticket_event_type_t;

typedef struct {
    ticket_event_type_t  type;
    int64_t              time;          /* ms since 1970, UTC, Redis' clock */
    ticket_slice_t       ticket;
    uint32_t             lane;
    uint64_t             epoch;
    uint64_t             seq;

    /* booked, cancelled, rejected */
    ticket_slice_t       user;
    uint64_t             quantity;
    ticket_slice_t       booking_id;    /* what the event is about */
    uint64_t             holding;       /* what the user has after it */
    ticket_slice_t       holding_id;    /* len 0: nothing */
    ticket_slice_t       origin;        /* len 0: none; an event id */

    /* defined */
    uint64_t             capacity;
    uint64_t             per_user;
    uint32_t             lanes;
    ticket_slice_t       state;         /* open paused closed deleted */
    int64_t              opens_at;      /* ms, -1: none */
    int64_t              closes_at;     /* ms, -1: none */

    /* room for ids that are put together while decoding */
    char                 own_id[TICKET_EVENT_ID_MAX];
} ticket_event_t;

/* <ticket>:<lane>:<epoch>-<seq>; returns its length, or 0 when `size` is too
 * small.  Not NUL-terminated. */
size_t ticket_event_id(char *buf, size_t size, ticket_slice_t ticket,
    uint32_t lane, uint64_t epoch, uint64_t seq);

/* Splits an event id; 0, or -1 when it is not one.  `ticket` points into id. */
int ticket_event_id_parse(ticket_slice_t id, ticket_slice_t *ticket,
    uint32_t *lane, uint64_t *epoch, uint64_t *seq);

/* "<epoch>-<seq>", as a stream id and the end of an event id; 0, or -1. */
int ticket_event_position_parse(ticket_slice_t id, uint64_t *epoch,
    uint64_t *seq);

/* CloudEvents JSON of `ev` into buf; returns its length, or 0 when it does not
 * fit.  An empty booking_id (or a holding_id, while holding > 0) stands for
 * the event's own id. */
size_t ticket_event_encode(char *buf, size_t size, const ticket_event_t *ev);

/* JSON to `ev`.  Strings point into `storage`, which must be at least `len`
 * bytes and live as long as `ev`.  Unknown fields are ignored; a known one
 * that is missing, malformed or there twice, trailing garbage, an id that is
 * none, an id that does not match ticket, lane, epoch and seq: -1 and a
 * sentence without user data in *error.  (ticket_decode.c; needs yajl.) */
int ticket_event_decode(const char *json, size_t len, ticket_event_t *ev,
    char *storage, const char **error);

/* An outbox entry to `ev`: `id` is the stream id "<epoch>-<seq>", field and
 * value the entry's one pair.  Strings point into value, ticket and ev.
 * 0; -1 malformed; -2 written by a newer format than this code knows. */
int ticket_event_unpack(ticket_slice_t ticket, uint32_t lane,
    ticket_slice_t id, ticket_slice_t field, ticket_slice_t value,
    ticket_event_t *ev, const char **error);

/* CRC-32 (IEEE 802.3) of the user, mod lanes: which lane a user's events
 * take. */
uint32_t ticket_event_lane(ticket_slice_t user, uint32_t lanes);

/* "booked", "cancelled", "rejected", "defined"; empty: no such type. */
ticket_slice_t ticket_event_type_name(ticket_event_type_t type);

/* The other way round; 0, or -1. */
int ticket_event_type_parse(ticket_slice_t word, ticket_event_type_t *type);

/* What must hold for an event whichever road it came by; NULL, or a sentence
 * without user data.  Decoding and unpacking have asked it already. */
const char *ticket_event_check(const ticket_event_t *ev);

#endif
