
/*
 * What every form of an event shares: how its id is read, its lane, its type,
 * and what must hold for it.
 */

#include "ticket_event.h"

#include <zlib.h>


static int ticket_event_state(ticket_slice_t word);
static int ticket_event_id_of(ticket_slice_t id, ticket_slice_t ticket);


/* by ticket_event_type_t; [0] is none */

static const ticket_slice_t  ticket_event_types[] = {
    { NULL, 0 },
    ticket_slice("booked"),
    ticket_slice("cancelled"),
    ticket_slice("rejected"),
    ticket_slice("defined")
};


static const ticket_slice_t  ticket_event_states[] = {
    ticket_slice("open"),
    ticket_slice("paused"),
    ticket_slice("closed"),
    ticket_slice("deleted")
};


int
ticket_event_position_parse(ticket_slice_t id, uint64_t *epoch, uint64_t *seq)
{
    const char      *dash;
    ticket_slice_t   part;

    dash = id.len ? memchr(id.data, '-', id.len) : NULL;

    if (dash == NULL) {
        return -1;
    }

    part.data = id.data;
    part.len = (size_t) (dash - id.data);

    if (ticket_number_parse(part, TICKET_EVENT_NUMBER_MAX, epoch) != 0) {
        return -1;
    }

    part.data = dash + 1;
    part.len = id.len - part.len - 1;

    if (ticket_number_parse(part, TICKET_EVENT_NUMBER_MAX, seq) != 0) {
        return -1;
    }

    return (*epoch == 0 || *seq == 0) ? -1 : 0;
}


int
ticket_event_id_parse(ticket_slice_t id, ticket_slice_t *ticket,
    uint32_t *lane, uint64_t *epoch, uint64_t *seq)
{
    uint64_t         n;
    const char      *colon, *end;
    ticket_slice_t   name, part;

    if (id.len == 0 || id.len > TICKET_EVENT_ID_MAX) {
        return -1;
    }

    end = id.data + id.len;

    colon = memchr(id.data, ':', id.len);

    if (colon == NULL) {
        return -1;
    }

    name.data = id.data;
    name.len = (size_t) (colon - id.data);

    if (!ticket_name_valid(name)) {
        return -1;
    }

    part.data = colon + 1;
    colon = memchr(part.data, ':', (size_t) (end - part.data));

    if (colon == NULL) {
        return -1;
    }

    part.len = (size_t) (colon - part.data);

    if (ticket_number_parse(part, TICKET_LANES_MAX - 1, &n) != 0) {
        return -1;
    }

    part.data = colon + 1;
    part.len = (size_t) (end - part.data);

    if (ticket_event_position_parse(part, epoch, seq) != 0) {
        return -1;
    }

    *ticket = name;
    *lane = (uint32_t) n;

    return 0;
}


uint32_t
ticket_event_lane(ticket_slice_t user, uint32_t lanes)
{
    uLong  crc;

    if (lanes <= 1) {
        return 0;
    }

    crc = crc32(0, (const Bytef *) user.data, (uInt) user.len);

    return (uint32_t) (crc % lanes);
}


ticket_slice_t
ticket_event_type_name(ticket_event_type_t type)
{
    if (type < TICKET_EVENT_BOOKED || type > TICKET_EVENT_DEFINED) {
        return ticket_event_types[0];
    }

    return ticket_event_types[type];
}


int
ticket_event_type_parse(ticket_slice_t word, ticket_event_type_t *type)
{
    int  i;

    for (i = TICKET_EVENT_BOOKED; i <= TICKET_EVENT_DEFINED; i++) {
        if (ticket_slice_eq(word, ticket_event_types[i])) {
            *type = (ticket_event_type_t) i;
            return 0;
        }
    }

    return -1;
}


static int
ticket_event_state(ticket_slice_t word)
{
    size_t  i;

    for (i = 0; i < sizeof(ticket_event_states) / sizeof(ticket_slice_t); i++)
    {
        if (ticket_slice_eq(word, ticket_event_states[i])) {
            return 1;
        }
    }

    return 0;
}


/* the id of some event of this ticket */

static int
ticket_event_id_of(ticket_slice_t id, ticket_slice_t ticket)
{
    uint32_t        lane;
    uint64_t        epoch, seq;
    ticket_slice_t  name;

    return ticket_event_id_parse(id, &name, &lane, &epoch, &seq) == 0
           && ticket_slice_eq(name, ticket);
}


const char *
ticket_event_check(const ticket_event_t *ev)
{
    if (!ticket_name_valid(ev->ticket)) {
        return "ticket is malformed";
    }

    if (ev->lane >= TICKET_LANES_MAX || ev->epoch == 0 || ev->seq == 0) {
        return "lane, epoch or seq is malformed";
    }

    if (ev->type == TICKET_EVENT_DEFINED) {

        if (ev->lane != 0) {
            return "a definition is not on lane 0";
        }

        if (ev->per_user < 1 || ev->lanes < 1) {
            return "a definition without a limit or lanes";
        }

        return ticket_event_state(ev->state) ? NULL : "state is malformed";
    }

    if (!ticket_user_valid(ev->user)) {
        return "user is malformed";
    }

    if (ev->type == TICKET_EVENT_BOOKED && ev->quantity == 0) {
        return "quantity is malformed";
    }

    if (!ticket_event_id_of(ev->booking_id, ev->ticket)) {
        return "booking_id is malformed";
    }

    if (ev->holding == 0) {

        if (ev->holding_id.len) {
            return "holding_id without a holding";
        }

    } else if (!ticket_event_id_of(ev->holding_id, ev->ticket)) {
        return "holding_id is malformed";
    }

    if (ev->origin.len && !ticket_event_id_of(ev->origin, ev->ticket)) {
        return "origin is malformed";
    }

    return NULL;
}
