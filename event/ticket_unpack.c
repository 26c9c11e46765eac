
/*
 * Outbox entries to events.
 */

#include "ticket_event.h"


static int ticket_unpack_next(ticket_slice_t *rest, ticket_slice_t *word);
static int ticket_unpack_number(ticket_slice_t *rest, uint64_t max,
    uint64_t *number);
static int ticket_unpack_instant(ticket_slice_t *rest, int64_t *ms);
static int ticket_unpack_booking(ticket_slice_t rest, ticket_event_t *ev);
static int ticket_unpack_definition(ticket_slice_t rest, ticket_event_t *ev);


/* the next word of a packed entry; 0, or -1 when there is none */

static int
ticket_unpack_next(ticket_slice_t *rest, ticket_slice_t *word)
{
    const char  *space;

    if (rest->len == 0) {
        return -1;
    }

    space = memchr(rest->data, ' ', rest->len);

    word->data = rest->data;

    if (space == NULL) {
        word->len = rest->len;
        rest->data += rest->len;
        rest->len = 0;
        return 0;
    }

    word->len = (size_t) (space - rest->data);
    rest->data = space + 1;
    rest->len -= word->len + 1;

    /* neither an empty word nor a space at the end */

    return (word->len == 0 || rest->len == 0) ? -1 : 0;
}


static int
ticket_unpack_number(ticket_slice_t *rest, uint64_t max, uint64_t *number)
{
    ticket_slice_t  word;

    if (ticket_unpack_next(rest, &word) != 0) {
        return -1;
    }

    return ticket_number_parse(word, max, number);
}


/* a time, or "-" */

static int
ticket_unpack_instant(ticket_slice_t *rest, int64_t *ms)
{
    uint64_t        n;
    ticket_slice_t  word;

    if (ticket_unpack_next(rest, &word) != 0) {
        return -1;
    }

    if (ticket_slice_is(word, "-")) {
        *ms = -1;
        return 0;
    }

    if (ticket_number_parse(word, TICKET_TIME_MAX, &n) != 0) {
        return -1;
    }

    *ms = (int64_t) n;

    return 0;
}


/* <user> <quantity> <holding> [<booking_id> [<holding_id> [<origin>]]] */

static int
ticket_unpack_booking(ticket_slice_t rest, ticket_event_t *ev)
{
    ticket_slice_t  own, word;

    own.data = ev->own_id;
    own.len = ticket_event_id(ev->own_id, TICKET_EVENT_ID_MAX, ev->ticket,
                              ev->lane, ev->epoch, ev->seq);

    if (ticket_unpack_next(&rest, &ev->user) != 0
        || ticket_unpack_number(&rest, TICKET_QUANTITY_MAX,
                                &ev->quantity) != 0
        || ticket_unpack_number(&rest, TICKET_QUANTITY_MAX,
                                &ev->holding) != 0)
    {
        return -1;
    }

    ev->booking_id = own;

    if (rest.len) {
        if (ticket_unpack_next(&rest, &word) != 0) {
            return -1;
        }

        if (!ticket_slice_is(word, "=")) {
            ev->booking_id = word;
        }
    }

    if (ev->holding) {
        ev->holding_id = ev->booking_id;
    }

    if (rest.len) {
        if (ticket_unpack_next(&rest, &word) != 0) {
            return -1;
        }

        if (ticket_slice_is(word, "=")) {
            ev->holding_id = own;

        } else if (ticket_slice_is(word, "-")) {
            ev->holding_id.len = 0;

        } else {
            ev->holding_id = word;
        }
    }

    if (rest.len) {
        if (ticket_unpack_next(&rest, &word) != 0) {
            return -1;
        }

        if (ticket_slice_is(word, "=")) {
            return -1;
        }

        if (!ticket_slice_is(word, "-")) {
            ev->origin = word;
        }
    }

    return rest.len ? -1 : 0;
}


/* <capacity> <per_user> <lanes> <state> <opens_at|-> <closes_at|-> */

static int
ticket_unpack_definition(ticket_slice_t rest, ticket_event_t *ev)
{
    uint64_t  lanes;

    if (ticket_unpack_number(&rest, TICKET_CAPACITY_MAX,
                             &ev->capacity) != 0
        || ticket_unpack_number(&rest, TICKET_QUANTITY_MAX,
                                &ev->per_user) != 0
        || ticket_unpack_number(&rest, TICKET_LANES_MAX, &lanes) != 0
        || ticket_unpack_next(&rest, &ev->state) != 0
        || ticket_unpack_instant(&rest, &ev->opens_at) != 0
        || ticket_unpack_instant(&rest, &ev->closes_at) != 0)
    {
        return -1;
    }

    ev->lanes = (uint32_t) lanes;

    return rest.len ? -1 : 0;
}


int
ticket_event_unpack(ticket_slice_t ticket, uint32_t lane, ticket_slice_t id,
    ticket_slice_t field, ticket_slice_t value, ticket_event_t *ev,
    const char **error)
{
    int             rc;
    uint64_t        n;
    ticket_slice_t  word;

    memset(ev, 0, sizeof(ticket_event_t));

    ev->ticket = ticket;
    ev->lane = lane;
    ev->opens_at = -1;
    ev->closes_at = -1;

    if (!ticket_slice_is(field, TICKET_EVENT_FORMAT)) {

        if (ticket_number_parse(field, TICKET_EVENT_NUMBER_MAX, &n) == 0
            && n > 1)
        {
            *error = "the entry is of a newer format";
            return -2;
        }

        *error = "the entry is of no known format";
        return -1;
    }

    if (ticket_event_position_parse(id, &ev->epoch, &ev->seq) != 0) {
        *error = "the stream id is malformed";
        return -1;
    }

    if (ticket_unpack_next(&value, &word) != 0
        || ticket_event_type_parse(word, &ev->type) != 0)
    {
        *error = "the entry is of unknown type";
        return -1;
    }

    if (ticket_unpack_number(&value, TICKET_TIME_MAX, &n) != 0) {
        *error = "time is malformed";
        return -1;
    }

    ev->time = (int64_t) n;

    if (ev->type == TICKET_EVENT_DEFINED) {
        rc = ticket_unpack_definition(value, ev);

    } else {
        rc = ticket_unpack_booking(value, ev);
    }

    if (rc != 0) {
        *error = "the entry is malformed";
        return -1;
    }

    *error = ticket_event_check(ev);

    return (*error == NULL) ? 0 : -1;
}
