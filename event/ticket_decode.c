
/*
 * Events from the fields of their JSON.
 */

#include "ticket_fields.h"


static int ticket_decode_envelope(ticket_fields_t *f, ticket_event_t *ev);
static int ticket_decode_position(ticket_fields_t *f, ticket_event_t *ev);
static int ticket_decode_booking(ticket_fields_t *f, ticket_event_t *ev);
static int ticket_decode_definition(ticket_fields_t *f, ticket_event_t *ev);
static int ticket_decode_get_number(ticket_fields_t *f, ticket_field_t field,
    uint64_t max, uint64_t *number);
static int ticket_decode_get_time(ticket_fields_t *f, ticket_field_t field,
    int64_t *ms);
static int ticket_decode_get_type(ticket_fields_t *f,
    ticket_event_type_t *type);
static int ticket_decode_expect(ticket_fields_t *f, ticket_field_t field,
    ticket_slice_t expected);


int
ticket_event_decode(const char *json, size_t len, ticket_event_t *ev,
    char *storage, const char **error)
{
    int              rc;
    ticket_fields_t  f;

    memset(ev, 0, sizeof(ticket_event_t));

    ev->opens_at = -1;
    ev->closes_at = -1;

    if (ticket_fields_parse(&f, json, len, storage) != 0
        || ticket_decode_envelope(&f, ev) != 0
        || ticket_decode_position(&f, ev) != 0)
    {
        *error = f.error;
        return -1;
    }

    if (ev->type == TICKET_EVENT_DEFINED) {
        rc = ticket_decode_definition(&f, ev);

    } else {
        rc = ticket_decode_booking(&f, ev);
    }

    *error = (rc == 0) ? ticket_event_check(ev) : f.error;

    return *error ? -1 : 0;
}


static int
ticket_decode_envelope(ticket_fields_t *f, ticket_event_t *ev)
{
    static const ticket_slice_t  version = ticket_slice("1.0");
    static const ticket_slice_t  source = ticket_slice(TICKET_EVENT_SOURCE);
    static const ticket_slice_t  json = ticket_slice("application/json");

    if (ticket_decode_expect(f, TICKET_FIELD_SPECVERSION, version) != 0
        || ticket_decode_expect(f, TICKET_FIELD_SOURCE, source) != 0
        || ticket_decode_expect(f, TICKET_FIELD_DATACONTENTTYPE, json) != 0
        || ticket_decode_get_type(f, &ev->type) != 0)
    {
        return -1;
    }

    return ticket_decode_get_time(f, TICKET_FIELD_TIME, &ev->time);
}


/* what the data says of ticket, lane, epoch and seq, the envelope repeats */

static int
ticket_decode_position(ticket_fields_t *f, ticket_event_t *ev)
{
    uint32_t        lane;
    uint64_t        n, epoch, seq;
    ticket_slice_t  id, ticket, data;

    if (ticket_fields_get(f, TICKET_FIELD_DATA, &data) != 0
        || ticket_fields_get(f, TICKET_FIELD_TICKET, &ev->ticket) != 0
        || ticket_decode_get_number(f, TICKET_FIELD_LANE,
                                    TICKET_LANES_MAX - 1, &n) != 0
        || ticket_decode_get_number(f, TICKET_FIELD_EPOCH,
                                    TICKET_EVENT_NUMBER_MAX, &ev->epoch) != 0
        || ticket_decode_get_number(f, TICKET_FIELD_SEQ,
                                    TICKET_EVENT_NUMBER_MAX, &ev->seq) != 0
        || ticket_decode_expect(f, TICKET_FIELD_SUBJECT, ev->ticket) != 0
        || ticket_fields_get(f, TICKET_FIELD_ID, &id) != 0)
    {
        return -1;
    }

    ev->lane = (uint32_t) n;

    if (ticket_event_id_parse(id, &ticket, &lane, &epoch, &seq) != 0) {
        return ticket_fields_malformed(f, TICKET_FIELD_ID);
    }

    if (!ticket_slice_eq(ticket, ev->ticket) || lane != ev->lane
        || epoch != ev->epoch || seq != ev->seq)
    {
        f->error = "id does not match the data";
        return -1;
    }

    return 0;
}


static int
ticket_decode_booking(ticket_fields_t *f, ticket_event_t *ev)
{
    if (ticket_fields_get(f, TICKET_FIELD_USER, &ev->user) != 0
        || ticket_decode_get_number(f, TICKET_FIELD_QUANTITY,
                                    TICKET_QUANTITY_MAX, &ev->quantity) != 0
        || ticket_fields_get(f, TICKET_FIELD_BOOKING_ID, &ev->booking_id) != 0
        || ticket_decode_get_number(f, TICKET_FIELD_HOLDING,
                                    TICKET_QUANTITY_MAX, &ev->holding) != 0
        || ticket_fields_get(f, TICKET_FIELD_HOLDING_ID, &ev->holding_id)
           != 0)
    {
        return -1;
    }

    /* in an event an empty id means none; in JSON none is written null */

    if (ev->holding_id.data && ev->holding_id.len == 0) {
        return ticket_fields_malformed(f, TICKET_FIELD_HOLDING_ID);
    }

    if (f->seen & ticket_field_bit(TICKET_FIELD_ORIGIN)) {
        ev->origin = f->value[TICKET_FIELD_ORIGIN];

        if (ev->origin.len == 0) {
            return ticket_fields_malformed(f, TICKET_FIELD_ORIGIN);
        }
    }

    return 0;
}


static int
ticket_decode_definition(ticket_fields_t *f, ticket_event_t *ev)
{
    uint64_t  lanes;

    if (ticket_decode_get_number(f, TICKET_FIELD_CAPACITY,
                                 TICKET_CAPACITY_MAX, &ev->capacity) != 0
        || ticket_decode_get_number(f, TICKET_FIELD_PER_USER,
                                    TICKET_QUANTITY_MAX, &ev->per_user) != 0
        || ticket_decode_get_number(f, TICKET_FIELD_LANES,
                                    TICKET_LANES_MAX, &lanes) != 0
        || ticket_fields_get(f, TICKET_FIELD_STATE, &ev->state) != 0
        || ticket_decode_get_time(f, TICKET_FIELD_OPENS_AT, &ev->opens_at)
           != 0
        || ticket_decode_get_time(f, TICKET_FIELD_CLOSES_AT, &ev->closes_at)
           != 0)
    {
        return -1;
    }

    ev->lanes = (uint32_t) lanes;

    return 0;
}


static int
ticket_decode_get_number(ticket_fields_t *f, ticket_field_t field,
    uint64_t max, uint64_t *number)
{
    ticket_slice_t  text;

    if (ticket_fields_get(f, field, &text) != 0) {
        return -1;
    }

    if (ticket_number_parse(text, max, number) != 0) {
        return ticket_fields_malformed(f, field);
    }

    return 0;
}


/* null leaves *ms as it is */

static int
ticket_decode_get_time(ticket_fields_t *f, ticket_field_t field, int64_t *ms)
{
    ticket_slice_t  text;

    if (ticket_fields_get(f, field, &text) != 0) {
        return -1;
    }

    if (text.data && ticket_time_parse(text, ms) != 0) {
        return ticket_fields_malformed(f, field);
    }

    return 0;
}


static int
ticket_decode_get_type(ticket_fields_t *f, ticket_event_type_t *type)
{
    size_t          prefix;
    ticket_slice_t  text;

    if (ticket_fields_get(f, TICKET_FIELD_TYPE, &text) != 0) {
        return -1;
    }

    prefix = sizeof(TICKET_EVENT_TYPE_PREFIX) - 1;

    if (text.len > prefix
        && memcmp(text.data, TICKET_EVENT_TYPE_PREFIX, prefix) == 0)
    {
        text.data += prefix;
        text.len -= prefix;

        if (ticket_event_type_parse(text, type) == 0) {
            return 0;
        }
    }

    f->error = "the event is of unknown type";

    return -1;
}


static int
ticket_decode_expect(ticket_fields_t *f, ticket_field_t field,
    ticket_slice_t expected)
{
    ticket_slice_t  text;

    if (ticket_fields_get(f, field, &text) != 0) {
        return -1;
    }

    if (!ticket_slice_eq(text, expected)) {
        return ticket_fields_malformed(f, field);
    }

    return 0;
}
