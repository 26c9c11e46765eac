
/*
 * The inputs of a request as text, turned into checked values: JSON and form
 * bodies, query strings, single percent-coded values, media types.  Pure
 * functions: no I/O, no request, no nginx type; what they say depends on the
 * bytes alone, so they are unit-tested and fuzzed without nginx.
 *
 * Errors are a code, as the client sees it, and one English sentence, a
 * static string that names the field and never repeats the client's bytes.
 *
 * Ticket names are decoded but not judged here: whichever source a name came
 * from, the caller asks ticket_name_valid() once.
 */

#ifndef _NGX_HTTP_TICKET_ARGS_H_INCLUDED_
#define _NGX_HTTP_TICKET_ARGS_H_INCLUDED_


#include "ticket_event.h"


typedef enum {
    TICKET_ARGS_OK = 0,
    TICKET_ARGS_BAD_REQUEST,            /* 400 bad_request */
    TICKET_ARGS_UNKNOWN_FIELD,          /* 400 unknown_field */
    TICKET_ARGS_INVALID_QUANTITY,       /* 400 invalid_quantity */
    TICKET_ARGS_AMBIGUOUS               /* 400 ambiguous */
} ticket_args_code_t;


/* which fields an action knows, and which were given */

#define TICKET_ARG_TICKET      0x0001
#define TICKET_ARG_QUANTITY    0x0002
#define TICKET_ARG_BOOKING_ID  0x0004
#define TICKET_ARG_PASS        0x0008
#define TICKET_ARG_CAPACITY    0x0010
#define TICKET_ARG_PER_USER    0x0020
#define TICKET_ARG_LANES       0x0040
#define TICKET_ARG_STATE       0x0080
#define TICKET_ARG_OPENS_AT    0x0100
#define TICKET_ARG_CLOSES_AT   0x0200
#define TICKET_ARG_LIMIT       0x0400
#define TICKET_ARG_CURSOR      0x0800

/* of a waiting room; capacity and state are not those of a ticket */
#define TICKET_ARG_ROOM_CAPACITY  0x001000
#define TICKET_ARG_RATE           0x002000
#define TICKET_ARG_SHARE          0x004000
#define TICKET_ARG_PASS_TTL       0x008000
#define TICKET_ARG_ROOM_STATE     0x010000
#define TICKET_ARG_TICKETS        0x020000
#define TICKET_ARG_MAX_LAG        0x040000
#define TICKET_ARG_OPENING_DRAW   0x080000

#define TICKET_ARGS_BOOKING                                                   \
    (TICKET_ARG_TICKET | TICKET_ARG_QUANTITY                                  \
     | TICKET_ARG_BOOKING_ID | TICKET_ARG_PASS)

#define TICKET_ARGS_DEFINITION                                                \
    (TICKET_ARG_CAPACITY | TICKET_ARG_PER_USER | TICKET_ARG_LANES             \
     | TICKET_ARG_STATE | TICKET_ARG_OPENS_AT | TICKET_ARG_CLOSES_AT)

#define TICKET_ARGS_ROOM                                                      \
    (TICKET_ARG_ROOM_CAPACITY | TICKET_ARG_RATE | TICKET_ARG_SHARE            \
     | TICKET_ARG_PASS_TTL | TICKET_ARG_ROOM_STATE | TICKET_ARG_TICKETS       \
     | TICKET_ARG_MAX_LAG | TICKET_ARG_OPENING_DRAW | TICKET_ARG_OPENS_AT)

#define TICKET_ARGS_LIST       (TICKET_ARG_LIMIT | TICKET_ARG_CURSOR)

/* said of a definition, and of what a change would make of one */
#define TICKET_ARGS_HOURS      "closes_at must be later than opens_at."


#define TICKET_PASS_MAX        1024         /* bytes */
#define TICKET_LIMIT_MAX       1000         /* lines of a list */
#define TICKET_RATE_MAX        1000000      /* admissions a second */
#define TICKET_PASS_TTL_MAX    86400        /* s */
#define TICKET_LAG_MAX         3600000      /* ms */
#define TICKET_ROOM_TICKETS_MAX  16


typedef struct {
    unsigned             given;         /* TICKET_ARG_*: present; the members
                                           of all others are zero */
    /* booking, cancelling */
    ticket_slice_t       ticket;        /* decoded, not yet judged; may be
                                           empty or hold any byte, even \0 */
    uint64_t             quantity;      /* 1 .. 1,000,000 */
    ticket_slice_t       booking_id;    /* certainly an event id */
    ticket_slice_t       pass;          /* 1 to 1024 bytes 0x21..0x7e */

    /* a ticket's definition */
    uint64_t             capacity;      /* 0 .. 10^12 */
    uint64_t             per_user;      /* 1 .. 1,000,000 */
    uint64_t             lanes;         /* 1 .. 64 */
    ticket_slice_t       state;         /* open, paused or closed */
    int64_t              opens_at;      /* ms since 1970, -1: null was given */
    int64_t              closes_at;     /* the same */

    /* a waiting room's definition; opens_at, too */
    uint64_t             room_capacity; /* 1 .. 10^12 */
    uint64_t             rate;          /* 1 .. 1,000,000, 0: null was given */
    uint64_t             share;         /* 1 .. 100, the same */
    uint64_t             pass_ttl;      /* 1 .. 86,400 s */
    ticket_slice_t       room_state;    /* open, paused, draining or closed */
    ticket_slice_t       tickets;       /* valid names, one space between them;
                                           empty: none */
    uint64_t             max_lag;       /* 1 .. 3,600,000 ms */
    uint64_t             opening_draw;  /* 0 or 1 */

    /* a list */
    uint64_t             limit;         /* 1 .. 1000 */
    ticket_slice_t       cursor;        /* 1 to 20 digits */
} ticket_args_t;


/*
 * The three parsers set all of *args.  `fields` says which fields the action
 * knows.  Strings are put into `storage`, which the caller provides: at least
 * text.len bytes, living as long as *args.  On an error *detail is a sentence.
 *
 * bad_request: malformed, of the wrong type, out of range (a quantity out of
 * range: invalid_quantity), or a known field given twice.
 */

/*
 * A JSON object: strings, integers without fraction or exponent, true and
 * false, null for opens_at, closes_at, rate, share and tickets, an array of
 * strings for tickets.  Anything else, other nesting, trailing bytes, bytes
 * that are not UTF-8 and unpaired surrogates: bad_request.  A field that is
 * not among `fields`: unknown_field.  An empty text is not an object.
 */
ticket_args_code_t ticket_args_json(ticket_args_t *args, unsigned fields,
    ticket_slice_t text, char *storage, const char **detail);

/*
 * application/x-www-form-urlencoded: %XX and + are decoded in names and
 * values; a % without two hex digits: bad_request.  Numbers are digits, what
 * may be null is so when it is empty, tickets have one space between them.  A
 * field that is not among `fields`:
 * unknown_field.
 */
ticket_args_code_t ticket_args_form(ticket_args_t *args, unsigned fields,
    ticket_slice_t text, char *storage, const char **detail);

/* The same for a query string: what is not among `fields` is ignored. */
ticket_args_code_t ticket_args_query(ticket_args_t *args, unsigned fields,
    ticket_slice_t text, char *storage, const char **detail);

/*
 * Adds to *args (of the body) the booking fields that only *query has.  One
 * that both have with different values: ambiguous.
 */
ticket_args_code_t ticket_args_merge(ticket_args_t *args,
    const ticket_args_t *query, const char **detail);

/*
 * A quantity as text: digits without sign or leading zero, 1 to 1,000,000;
 * else invalid_quantity.
 */
ticket_args_code_t ticket_args_quantity(ticket_slice_t text,
    uint32_t *quantity, const char **detail);

/*
 * Decodes %XX and + of one value into storage (at least text.len bytes);
 * 0, or -1 when a % is not followed by two hex digits (bad_request).
 */
int ticket_args_unescape(ticket_slice_t text, char *storage,
    ticket_slice_t *value);


typedef enum {
    TICKET_MEDIA_JSON = 1,              /* application/json */
    TICKET_MEDIA_FORM,                  /* application/x-www-form-urlencoded */
    TICKET_MEDIA_UNSUPPORTED            /* all others, and none */
} ticket_media_t;

/*
 * The value of a Content-Type header.  Parameters are allowed; a charset that
 * is not UTF-8 makes it unsupported.
 */
ticket_media_t ticket_args_media(ticket_slice_t content_type);

/* the code as the client sees it: "bad_request" and so on */
const char *ticket_args_code_name(ticket_args_code_t code);


#endif /* _NGX_HTTP_TICKET_ARGS_H_INCLUDED_ */
