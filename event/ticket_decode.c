
/*
 * CloudEvents JSON to events.  The callbacks only collect the fields' values;
 * what they mean is looked at when the whole text has been parsed.
 */

#include "ticket_event.h"

#include <yajl/yajl_parse.h>


#define TICKET_DECODE_DEPTH_MAX   16      /* of unknown fields */


typedef enum {
    TICKET_FIELD_SPECVERSION = 0,
    TICKET_FIELD_ID,
    TICKET_FIELD_SOURCE,
    TICKET_FIELD_TYPE,
    TICKET_FIELD_SUBJECT,
    TICKET_FIELD_TIME,
    TICKET_FIELD_DATACONTENTTYPE,
    TICKET_FIELD_DATA,

    TICKET_FIELD_TICKET,                /* from here on: in data */
    TICKET_FIELD_LANE,
    TICKET_FIELD_EPOCH,
    TICKET_FIELD_SEQ,
    TICKET_FIELD_USER,
    TICKET_FIELD_QUANTITY,
    TICKET_FIELD_BOOKING_ID,
    TICKET_FIELD_HOLDING,
    TICKET_FIELD_HOLDING_ID,
    TICKET_FIELD_ORIGIN,
    TICKET_FIELD_CAPACITY,
    TICKET_FIELD_PER_USER,
    TICKET_FIELD_LANES,
    TICKET_FIELD_STATE,
    TICKET_FIELD_OPENS_AT,
    TICKET_FIELD_CLOSES_AT,

    TICKET_FIELDS,
    TICKET_FIELD_UNKNOWN = TICKET_FIELDS
} ticket_field_t;


typedef enum {
    TICKET_KIND_STRING = 0,
    TICKET_KIND_NULLABLE,               /* a string or null */
    TICKET_KIND_NUMBER,
    TICKET_KIND_OBJECT,
    TICKET_KIND_BOOLEAN                 /* no field is one */
} ticket_kind_t;


typedef struct {
    ticket_slice_t       name;
    ticket_kind_t        kind;
    const char          *missing;
    const char          *malformed;
    const char          *twice;
} ticket_field_conf_t;


typedef struct {
    ticket_field_t       field;         /* whose value comes next */
    unsigned             depth;
    unsigned             in_data;
    uint32_t             seen;          /* ticket_field_bit() of each field */
    char                *storage;
    ticket_slice_t       value[TICKET_FIELDS];      /* data NULL: null */
    const char          *error;
} ticket_decode_t;


static int ticket_decode_value(ticket_decode_t *d, ticket_kind_t kind,
    const char *text, size_t len);
static int ticket_decode_null(void *data);
static int ticket_decode_boolean(void *data, int value);
static int ticket_decode_number(void *data, const char *text, size_t len);
static int ticket_decode_string(void *data, const unsigned char *text,
    size_t len);
static int ticket_decode_open_map(void *data);
static int ticket_decode_open_array(void *data);
static int ticket_decode_open(ticket_decode_t *d);
static int ticket_decode_key(void *data, const unsigned char *key,
    size_t len);
static int ticket_decode_close(void *data);

static int ticket_decode_parse(ticket_decode_t *d, const char *json,
    size_t len);
static int ticket_decode_envelope(ticket_decode_t *d, ticket_event_t *ev);
static int ticket_decode_position(ticket_decode_t *d, ticket_event_t *ev);
static int ticket_decode_booking(ticket_decode_t *d, ticket_event_t *ev);
static int ticket_decode_definition(ticket_decode_t *d, ticket_event_t *ev);

static int ticket_decode_get(ticket_decode_t *d, ticket_field_t field,
    ticket_slice_t *value);
static int ticket_decode_get_number(ticket_decode_t *d, ticket_field_t field,
    uint64_t max, uint64_t *number);
static int ticket_decode_get_time(ticket_decode_t *d, ticket_field_t field,
    int64_t *ms);
static int ticket_decode_get_type(ticket_decode_t *d,
    ticket_event_type_t *type);
static int ticket_decode_expect(ticket_decode_t *d, ticket_field_t field,
    ticket_slice_t expected);
static int ticket_decode_malformed(ticket_decode_t *d, ticket_field_t field);


#define ticket_field_bit(field)  ((uint32_t) 1 << (field))


#define TICKET_FIELD(name, kind)                                              \
    { ticket_slice(name), TICKET_KIND_ ## kind, "the event has no " name,     \
      name " is malformed", name " is given twice" }

/* by ticket_field_t */

static const ticket_field_conf_t  ticket_fields[] = {
    TICKET_FIELD("specversion", STRING),
    TICKET_FIELD("id", STRING),
    TICKET_FIELD("source", STRING),
    TICKET_FIELD("type", STRING),
    TICKET_FIELD("subject", STRING),
    TICKET_FIELD("time", STRING),
    TICKET_FIELD("datacontenttype", STRING),
    TICKET_FIELD("data", OBJECT),
    TICKET_FIELD("ticket", STRING),
    TICKET_FIELD("lane", NUMBER),
    TICKET_FIELD("epoch", NUMBER),
    TICKET_FIELD("seq", NUMBER),
    TICKET_FIELD("user", STRING),
    TICKET_FIELD("quantity", NUMBER),
    TICKET_FIELD("booking_id", STRING),
    TICKET_FIELD("holding", NUMBER),
    TICKET_FIELD("holding_id", NULLABLE),
    TICKET_FIELD("origin", STRING),
    TICKET_FIELD("capacity", NUMBER),
    TICKET_FIELD("per_user", NUMBER),
    TICKET_FIELD("lanes", NUMBER),
    TICKET_FIELD("state", STRING),
    TICKET_FIELD("opens_at", NULLABLE),
    TICKET_FIELD("closes_at", NULLABLE)
};


static const yajl_callbacks  ticket_decode_callbacks = {
    ticket_decode_null,
    ticket_decode_boolean,
    NULL,                               /* integers and doubles come as text */
    NULL,
    ticket_decode_number,
    ticket_decode_string,
    ticket_decode_open_map,
    ticket_decode_key,
    ticket_decode_close,
    ticket_decode_open_array,
    ticket_decode_close
};


int
ticket_event_decode(const char *json, size_t len, ticket_event_t *ev,
    char *storage, const char **error)
{
    int              rc;
    ticket_decode_t  d;

    memset(ev, 0, sizeof(ticket_event_t));
    memset(&d, 0, sizeof(ticket_decode_t));

    ev->opens_at = -1;
    ev->closes_at = -1;

    d.field = TICKET_FIELD_UNKNOWN;
    d.storage = storage;

    if (ticket_decode_parse(&d, json, len) != 0
        || ticket_decode_envelope(&d, ev) != 0
        || ticket_decode_position(&d, ev) != 0)
    {
        *error = d.error;
        return -1;
    }

    if (ev->type == TICKET_EVENT_DEFINED) {
        rc = ticket_decode_definition(&d, ev);

    } else {
        rc = ticket_decode_booking(&d, ev);
    }

    *error = (rc == 0) ? ticket_event_check(ev) : d.error;

    return *error ? -1 : 0;
}


static int
ticket_decode_parse(ticket_decode_t *d, const char *json, size_t len)
{
    yajl_handle  handle;
    yajl_status  status;

    if (!ticket_json_clean(json, len)) {
        d->error = "the event is not JSON";
        return -1;
    }

    handle = yajl_alloc(&ticket_decode_callbacks, NULL, d);

    if (handle == NULL) {
        d->error = "no memory to parse the event";
        return -1;
    }

    status = yajl_parse(handle, (const unsigned char *) json, len);

    if (status == yajl_status_ok) {
        status = yajl_complete_parse(handle);
    }

    yajl_free(handle);

    if (status == yajl_status_ok) {
        return 0;
    }

    if (status != yajl_status_client_canceled) {
        d->error = "the event is not JSON";
    }

    return -1;
}


/* every value that is neither an object nor an array comes here */

static int
ticket_decode_value(ticket_decode_t *d, ticket_kind_t kind, const char *text,
    size_t len)
{
    ticket_kind_t    wanted;
    ticket_slice_t  *value;

    if (d->depth == 0) {
        d->error = "the event is not a JSON object";
        return 0;
    }

    if (d->field == TICKET_FIELD_UNKNOWN) {
        return 1;
    }

    wanted = ticket_fields[d->field].kind;

    if (kind != wanted
        && !(kind == TICKET_KIND_STRING && wanted == TICKET_KIND_NULLABLE))
    {
        d->error = ticket_fields[d->field].malformed;
        return 0;
    }

    if (text) {
        value = &d->value[d->field];
        value->data = d->storage;
        value->len = len;

        memcpy(d->storage, text, len);
        d->storage += len;
    }

    d->field = TICKET_FIELD_UNKNOWN;

    return 1;
}


static int
ticket_decode_null(void *data)
{
    return ticket_decode_value(data, TICKET_KIND_NULLABLE, NULL, 0);
}


static int
ticket_decode_boolean(void *data, int value)
{
    (void) value;

    return ticket_decode_value(data, TICKET_KIND_BOOLEAN, NULL, 0);
}


static int
ticket_decode_number(void *data, const char *text, size_t len)
{
    return ticket_decode_value(data, TICKET_KIND_NUMBER, text, len);
}


static int
ticket_decode_string(void *data, const unsigned char *text, size_t len)
{
    return ticket_decode_value(data, TICKET_KIND_STRING, (const char *) text,
                               len);
}


static int
ticket_decode_open_map(void *data)
{
    ticket_decode_t  *d = data;

    if (d->field == TICKET_FIELD_DATA) {
        d->in_data = 1;
        d->field = TICKET_FIELD_UNKNOWN;
    }

    return ticket_decode_open(d);
}


static int
ticket_decode_open_array(void *data)
{
    ticket_decode_t  *d = data;

    if (d->depth == 0) {
        d->error = "the event is not a JSON object";
        return 0;
    }

    return ticket_decode_open(d);
}


static int
ticket_decode_open(ticket_decode_t *d)
{
    if (d->field != TICKET_FIELD_UNKNOWN) {
        d->error = ticket_fields[d->field].malformed;
        return 0;
    }

    if (++d->depth > TICKET_DECODE_DEPTH_MAX) {
        d->error = "the event is nested too deeply";
        return 0;
    }

    return 1;
}


static int
ticket_decode_key(void *data, const unsigned char *key, size_t len)
{
    ticket_decode_t  *d = data;

    int             i, last;
    ticket_slice_t  name;

    d->field = TICKET_FIELD_UNKNOWN;

    if (d->depth == 1) {
        i = TICKET_FIELD_SPECVERSION;
        last = TICKET_FIELD_DATA;

    } else if (d->depth == 2 && d->in_data) {
        i = TICKET_FIELD_TICKET;
        last = TICKET_FIELD_CLOSES_AT;

    } else {
        return 1;
    }

    name.data = (const char *) key;
    name.len = len;

    while (i <= last && !ticket_slice_eq(name, ticket_fields[i].name)) {
        i++;
    }

    if (i > last) {
        return 1;
    }

    if (d->seen & ticket_field_bit(i)) {
        d->error = ticket_fields[i].twice;
        return 0;
    }

    d->seen |= ticket_field_bit(i);
    d->field = (ticket_field_t) i;

    return 1;
}


static int
ticket_decode_close(void *data)
{
    ticket_decode_t  *d = data;

    d->depth--;

    if (d->depth == 1) {
        d->in_data = 0;
    }

    return 1;
}


static int
ticket_decode_envelope(ticket_decode_t *d, ticket_event_t *ev)
{
    static const ticket_slice_t  version = ticket_slice("1.0");
    static const ticket_slice_t  source = ticket_slice(TICKET_EVENT_SOURCE);
    static const ticket_slice_t  json = ticket_slice("application/json");

    if (ticket_decode_expect(d, TICKET_FIELD_SPECVERSION, version) != 0
        || ticket_decode_expect(d, TICKET_FIELD_SOURCE, source) != 0
        || ticket_decode_expect(d, TICKET_FIELD_DATACONTENTTYPE, json) != 0
        || ticket_decode_get_type(d, &ev->type) != 0)
    {
        return -1;
    }

    return ticket_decode_get_time(d, TICKET_FIELD_TIME, &ev->time);
}


/* what the data says of ticket, lane, epoch and seq, the envelope repeats */

static int
ticket_decode_position(ticket_decode_t *d, ticket_event_t *ev)
{
    uint32_t        lane;
    uint64_t        n, epoch, seq;
    ticket_slice_t  id, ticket, data;

    if (ticket_decode_get(d, TICKET_FIELD_DATA, &data) != 0
        || ticket_decode_get(d, TICKET_FIELD_TICKET, &ev->ticket) != 0
        || ticket_decode_get_number(d, TICKET_FIELD_LANE,
                                    TICKET_LANES_MAX - 1, &n) != 0
        || ticket_decode_get_number(d, TICKET_FIELD_EPOCH,
                                    TICKET_EVENT_NUMBER_MAX, &ev->epoch) != 0
        || ticket_decode_get_number(d, TICKET_FIELD_SEQ,
                                    TICKET_EVENT_NUMBER_MAX, &ev->seq) != 0
        || ticket_decode_expect(d, TICKET_FIELD_SUBJECT, ev->ticket) != 0
        || ticket_decode_get(d, TICKET_FIELD_ID, &id) != 0)
    {
        return -1;
    }

    ev->lane = (uint32_t) n;

    if (ticket_event_id_parse(id, &ticket, &lane, &epoch, &seq) != 0) {
        return ticket_decode_malformed(d, TICKET_FIELD_ID);
    }

    if (!ticket_slice_eq(ticket, ev->ticket) || lane != ev->lane
        || epoch != ev->epoch || seq != ev->seq)
    {
        d->error = "id does not match the data";
        return -1;
    }

    return 0;
}


static int
ticket_decode_booking(ticket_decode_t *d, ticket_event_t *ev)
{
    if (ticket_decode_get(d, TICKET_FIELD_USER, &ev->user) != 0
        || ticket_decode_get_number(d, TICKET_FIELD_QUANTITY,
                                    TICKET_QUANTITY_MAX, &ev->quantity) != 0
        || ticket_decode_get(d, TICKET_FIELD_BOOKING_ID, &ev->booking_id) != 0
        || ticket_decode_get_number(d, TICKET_FIELD_HOLDING,
                                    TICKET_QUANTITY_MAX, &ev->holding) != 0
        || ticket_decode_get(d, TICKET_FIELD_HOLDING_ID, &ev->holding_id)
           != 0)
    {
        return -1;
    }

    /* in an event an empty id means none; in JSON none is written null */

    if (ev->holding_id.data && ev->holding_id.len == 0) {
        return ticket_decode_malformed(d, TICKET_FIELD_HOLDING_ID);
    }

    if (d->seen & ticket_field_bit(TICKET_FIELD_ORIGIN)) {
        ev->origin = d->value[TICKET_FIELD_ORIGIN];

        if (ev->origin.len == 0) {
            return ticket_decode_malformed(d, TICKET_FIELD_ORIGIN);
        }
    }

    return 0;
}


static int
ticket_decode_definition(ticket_decode_t *d, ticket_event_t *ev)
{
    uint64_t  lanes;

    if (ticket_decode_get_number(d, TICKET_FIELD_CAPACITY,
                                 TICKET_CAPACITY_MAX, &ev->capacity) != 0
        || ticket_decode_get_number(d, TICKET_FIELD_PER_USER,
                                    TICKET_QUANTITY_MAX, &ev->per_user) != 0
        || ticket_decode_get_number(d, TICKET_FIELD_LANES,
                                    TICKET_LANES_MAX, &lanes) != 0
        || ticket_decode_get(d, TICKET_FIELD_STATE, &ev->state) != 0
        || ticket_decode_get_time(d, TICKET_FIELD_OPENS_AT, &ev->opens_at)
           != 0
        || ticket_decode_get_time(d, TICKET_FIELD_CLOSES_AT, &ev->closes_at)
           != 0)
    {
        return -1;
    }

    ev->lanes = (uint32_t) lanes;

    return 0;
}


static int
ticket_decode_get(ticket_decode_t *d, ticket_field_t field,
    ticket_slice_t *value)
{
    if (!(d->seen & ticket_field_bit(field))) {
        d->error = ticket_fields[field].missing;
        return -1;
    }

    *value = d->value[field];

    return 0;
}


static int
ticket_decode_get_number(ticket_decode_t *d, ticket_field_t field,
    uint64_t max, uint64_t *number)
{
    ticket_slice_t  text;

    if (ticket_decode_get(d, field, &text) != 0) {
        return -1;
    }

    if (ticket_number_parse(text, max, number) != 0) {
        return ticket_decode_malformed(d, field);
    }

    return 0;
}


/* null leaves *ms as it is */

static int
ticket_decode_get_time(ticket_decode_t *d, ticket_field_t field, int64_t *ms)
{
    ticket_slice_t  text;

    if (ticket_decode_get(d, field, &text) != 0) {
        return -1;
    }

    if (text.data && ticket_time_parse(text, ms) != 0) {
        return ticket_decode_malformed(d, field);
    }

    return 0;
}


static int
ticket_decode_get_type(ticket_decode_t *d, ticket_event_type_t *type)
{
    size_t          prefix;
    ticket_slice_t  text;

    if (ticket_decode_get(d, TICKET_FIELD_TYPE, &text) != 0) {
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

    d->error = "the event is of unknown type";

    return -1;
}


static int
ticket_decode_expect(ticket_decode_t *d, ticket_field_t field,
    ticket_slice_t expected)
{
    ticket_slice_t  text;

    if (ticket_decode_get(d, field, &text) != 0) {
        return -1;
    }

    if (!ticket_slice_eq(text, expected)) {
        return ticket_decode_malformed(d, field);
    }

    return 0;
}


static int
ticket_decode_malformed(ticket_decode_t *d, ticket_field_t field)
{
    d->error = ticket_fields[field].malformed;

    return -1;
}
