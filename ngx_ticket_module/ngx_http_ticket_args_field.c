
/*
 * Every field a request may have, and what its values must be.
 */

#include "ngx_http_ticket_args_field.h"


static int ticket_args_any_valid(ticket_slice_t text);
static int ticket_args_id_valid(ticket_slice_t text);
static int ticket_args_pass_valid(ticket_slice_t text);
static int ticket_args_state_valid(ticket_slice_t text);
static int ticket_args_room_state_valid(ticket_slice_t text);
static int ticket_args_names_valid(ticket_slice_t text);
static int ticket_args_cursor_valid(ticket_slice_t text);


#define TICKET_ARGS_FIELD_AS(name, member, NAME, kind, valid, min, max, type, \
    range)                                                                    \
    { ticket_slice(#name), TICKET_ARG_ ## NAME, TICKET_ARGS_ ## kind,         \
      offsetof(ticket_args_t, member), valid, min, max,                       \
      #name " must be " type ".", #name " must be " range ".",                \
      #name " is given twice.", #name " is not percent-encoded correctly.",   \
      #name " is given in the body and, differently, in the query." }

#define TICKET_ARGS_FIELD(name, NAME, kind, valid, min, max, type, range)     \
    TICKET_ARGS_FIELD_AS(name, name, NAME, kind, valid, min, max, type, range)

#define TICKET_ARGS_TEXT(name, NAME, valid, range)                            \
    TICKET_ARGS_FIELD(name, NAME, STRING, valid, 0, 0, "a string", range)

#define TICKET_ARGS_COUNT(name, NAME, min, max, range)                        \
    TICKET_ARGS_FIELD(name, NAME, NUMBER, NULL, min, max,                     \
                      "an integer without fraction or exponent", range)

#define TICKET_ARGS_INSTANT(name, NAME)                                       \
    TICKET_ARGS_FIELD(name, NAME, TIME, NULL, 0, 0, "a string or null",       \
                      "an RFC 3339 time from 1970 to 9999, or null")

#define TICKET_ARGS_CHOICE(name, NAME, max, range)                            \
    TICKET_ARGS_FIELD(name, NAME, OPTION, NULL, 1, max,                       \
                      "an integer without fraction or exponent, or null",     \
                      range)


static const ticket_args_field_t  ticket_args_fields[] = {

    TICKET_ARGS_TEXT(ticket, TICKET, ticket_args_any_valid,
                     "a string"),
    TICKET_ARGS_COUNT(quantity, QUANTITY, 1, TICKET_QUANTITY_MAX,
                      "an integer from 1 to 1000000"),
    TICKET_ARGS_TEXT(booking_id, BOOKING_ID, ticket_args_id_valid,
                     "the id of a booking"),
    TICKET_ARGS_TEXT(pass, PASS, ticket_args_pass_valid,
                     "1 to 1024 visible ASCII characters"),

    TICKET_ARGS_COUNT(capacity, CAPACITY, 0, TICKET_CAPACITY_MAX,
                      "an integer from 0 to 1000000000000"),
    TICKET_ARGS_COUNT(per_user, PER_USER, 1, TICKET_QUANTITY_MAX,
                      "an integer from 1 to 1000000"),
    TICKET_ARGS_COUNT(lanes, LANES, 1, TICKET_LANES_MAX,
                      "an integer from 1 to 64"),
    TICKET_ARGS_TEXT(state, STATE, ticket_args_state_valid,
                     "open, paused or closed"),
    TICKET_ARGS_INSTANT(opens_at, OPENS_AT),
    TICKET_ARGS_INSTANT(closes_at, CLOSES_AT),

    /* of a waiting room */

    TICKET_ARGS_FIELD_AS(capacity, room_capacity, ROOM_CAPACITY, NUMBER, NULL,
                         1, TICKET_CAPACITY_MAX,
                         "an integer without fraction or exponent",
                         "an integer from 1 to 1000000000000"),
    TICKET_ARGS_CHOICE(rate, RATE, TICKET_RATE_MAX,
                       "an integer from 1 to 1000000, or null"),
    TICKET_ARGS_CHOICE(share, SHARE, 100,
                       "an integer from 1 to 100, or null"),
    TICKET_ARGS_COUNT(pass_ttl, PASS_TTL, 1, TICKET_PASS_TTL_MAX,
                      "an integer from 1 to 86400"),
    TICKET_ARGS_FIELD_AS(state, room_state, ROOM_STATE, STRING,
                         ticket_args_room_state_valid, 0, 0, "a string",
                         "open, paused, draining or closed"),
    TICKET_ARGS_FIELD(tickets, TICKETS, NAMES, ticket_args_names_valid, 0, 0,
                      "an array of strings or null",
                      "at most 16 names of tickets, each once, or null"),
    TICKET_ARGS_COUNT(max_lag, MAX_LAG, 1, TICKET_LAG_MAX,
                      "an integer from 1 to 3600000"),
    TICKET_ARGS_FIELD(opening_draw, OPENING_DRAW, BOOLEAN, NULL, 0, 0,
                      "true or false", "true or false"),

    TICKET_ARGS_COUNT(limit, LIMIT, 1, TICKET_LIMIT_MAX,
                      "an integer from 1 to 1000"),
    TICKET_ARGS_TEXT(cursor, CURSOR, ticket_args_cursor_valid,
                     "a cursor from an earlier answer")
};

#define TICKET_ARGS_FIELDS                                                    \
    (sizeof(ticket_args_fields) / sizeof(ticket_args_field_t))


const ticket_args_field_t *
ticket_args_field(size_t i)
{
    return (i < TICKET_ARGS_FIELDS) ? &ticket_args_fields[i] : NULL;
}


const ticket_args_field_t *
ticket_args_find(unsigned fields, ticket_slice_t name)
{
    size_t  i;

    for (i = 0; i < TICKET_ARGS_FIELDS; i++) {
        if ((ticket_args_fields[i].bit & fields)
            && ticket_slice_eq(ticket_args_fields[i].name, name))
        {
            return &ticket_args_fields[i];
        }
    }

    return NULL;
}


ticket_args_code_t
ticket_args_fail(const char **detail, ticket_args_code_t code,
    const char *sentence)
{
    *detail = sentence;

    return code;
}


/* `text` without data is null */

ticket_args_code_t
ticket_args_set(ticket_args_t *args, const ticket_args_field_t *field,
    ticket_slice_t text, const char **detail)
{
    int       ok;
    char     *p;
    int64_t   ms;
    uint64_t  n;

    p = (char *) args + field->offset;

    switch (field->kind) {

    case TICKET_ARGS_STRING:
        ok = field->valid(text);
        *(ticket_slice_t *) p = text;
        break;

    case TICKET_ARGS_NAMES:
        ok = text.data == NULL || field->valid(text);
        *(ticket_slice_t *) p = text;
        break;

    case TICKET_ARGS_BOOLEAN:
        n = text.data != NULL && ticket_slice_is(text, "true");
        ok = n || (text.data != NULL && ticket_slice_is(text, "false"));
        *(uint64_t *) p = n;
        break;

    case TICKET_ARGS_OPTION:
        if (text.data == NULL) {
            ok = 1;
            *(uint64_t *) p = 0;
            break;
        }

        /* fall through */

    case TICKET_ARGS_NUMBER:
        n = 0;
        ok = ticket_number_parse(text, field->max, &n) == 0
             && n >= field->min;
        *(uint64_t *) p = n;
        break;

    default: /* TICKET_ARGS_TIME */
        ms = -1;
        ok = text.data == NULL || ticket_time_parse(text, &ms) == 0;
        *(int64_t *) p = ms;
        break;
    }

    if (!ok) {
        return ticket_args_fail(detail,
                                (field->bit == TICKET_ARG_QUANTITY)
                                ? TICKET_ARGS_INVALID_QUANTITY
                                : TICKET_ARGS_BAD_REQUEST,
                                field->range);
    }

    args->given |= field->bit;

    return TICKET_ARGS_OK;
}


/* names are not judged here */

static int
ticket_args_any_valid(ticket_slice_t text)
{
    (void) text;

    return 1;
}


static int
ticket_args_id_valid(ticket_slice_t text)
{
    uint32_t        lane;
    uint64_t        epoch, seq;
    ticket_slice_t  ticket;

    return ticket_event_id_parse(text, &ticket, &lane, &epoch, &seq) == 0;
}


static int
ticket_args_pass_valid(ticket_slice_t text)
{
    size_t  i;

    for (i = 0; i < text.len; i++) {
        if (text.data[i] < 0x21 || text.data[i] > 0x7e) {
            return 0;
        }
    }

    return text.len >= 1 && text.len <= TICKET_PASS_MAX;
}


static int
ticket_args_state_valid(ticket_slice_t text)
{
    return ticket_slice_is(text, "open")
           || ticket_slice_is(text, "paused")
           || ticket_slice_is(text, "closed");
}


static int
ticket_args_room_state_valid(ticket_slice_t text)
{
    return ticket_slice_is(text, "open")
           || ticket_slice_is(text, "paused")
           || ticket_slice_is(text, "draining")
           || ticket_slice_is(text, "closed");
}


/* names with one space between them, which none of them can have */

static int
ticket_args_names_valid(ticket_slice_t text)
{
    size_t           i, n;
    const char      *p, *end, *space;
    ticket_slice_t   names[TICKET_ROOM_TICKETS_MAX];

    p = text.data;
    end = p + text.len;

    for (n = 0; text.len && p <= end; n++) {

        space = (p < end) ? memchr(p, ' ', (size_t) (end - p)) : NULL;

        if (n == TICKET_ROOM_TICKETS_MAX) {
            return 0;
        }

        names[n].data = p;
        names[n].len = (size_t) ((space ? space : end) - p);

        if (!ticket_name_valid(names[n])) {
            return 0;
        }

        for (i = 0; i < n; i++) {
            if (ticket_slice_eq(names[i], names[n])) {
                return 0;
            }
        }

        p += names[n].len + 1;
    }

    return 1;
}


static int
ticket_args_cursor_valid(ticket_slice_t text)
{
    size_t             i;
    static const char  last[] = "18446744073709551615";

    for (i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return 0;
        }
    }

    /* Redis has cursors of 64 bits */

    if (text.len == sizeof(last) - 1) {
        return memcmp(text.data, last, sizeof(last) - 1) <= 0;
    }

    return text.len >= 1 && text.len < sizeof(last) - 1;
}


/* what concerns more than one field */

ticket_args_code_t
ticket_args_check(ticket_args_t *args, const char **detail)
{
    if ((args->given & TICKET_ARG_OPENS_AT)
        && (args->given & TICKET_ARG_CLOSES_AT)
        && args->closes_at != -1
        && args->closes_at <= args->opens_at)
    {
        return ticket_args_fail(detail, TICKET_ARGS_BAD_REQUEST,
                                TICKET_ARGS_HOURS);
    }

    return TICKET_ARGS_OK;
}
