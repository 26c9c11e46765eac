
/*
 * Event ids and lanes; events to JSON, and from outbox entries.
 */

#include "ticket_event.h"

#include <zlib.h>


/* bytes from p to end; on overflow p is NULL and stays so */

typedef struct {
    char                *p;
    char                *end;
} ticket_out_t;


static int ticket_event_position(ticket_slice_t id, uint64_t *epoch,
    uint64_t *seq);
static int ticket_event_id_of(ticket_slice_t id, ticket_slice_t ticket);
static int ticket_event_state(ticket_slice_t word);

static void ticket_put(ticket_out_t *out, const char *data, size_t len);
static void ticket_put_number(ticket_out_t *out, uint64_t n);
static void ticket_put_string(ticket_out_t *out, ticket_slice_t s);
static void ticket_put_time(ticket_out_t *out, int64_t ms);
static void ticket_put_position(ticket_out_t *out, uint32_t lane,
    uint64_t epoch, uint64_t seq);
static void ticket_put_id(ticket_out_t *out, ticket_slice_t id,
    ticket_slice_t own);
static void ticket_put_booking(ticket_out_t *out, const ticket_event_t *ev,
    ticket_slice_t own);
static void ticket_put_definition(ticket_out_t *out,
    const ticket_event_t *ev);

static int ticket_unpack_next(ticket_slice_t *rest, ticket_slice_t *word);
static int ticket_unpack_number(ticket_slice_t *rest, uint64_t max,
    uint64_t *number);
static int ticket_unpack_instant(ticket_slice_t *rest, int64_t *ms);
static int ticket_unpack_booking(ticket_slice_t rest, ticket_event_t *ev);
static int ticket_unpack_definition(ticket_slice_t rest, ticket_event_t *ev);


#define ticket_put_literal(out, literal)                                      \
    ticket_put(out, literal, sizeof(literal) - 1)


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


size_t
ticket_event_id(char *buf, size_t size, ticket_slice_t ticket, uint32_t lane,
    uint64_t epoch, uint64_t seq)
{
    ticket_out_t  out;

    out.p = buf;
    out.end = buf + size;

    ticket_put(&out, ticket.data, ticket.len);
    ticket_put_position(&out, lane, epoch, seq);

    return out.p ? (size_t) (out.p - buf) : 0;
}


/* "<epoch>-<seq>" */

static int
ticket_event_position(ticket_slice_t id, uint64_t *epoch, uint64_t *seq)
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

    if (ticket_event_position(part, epoch, seq) != 0) {
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


static void
ticket_put(ticket_out_t *out, const char *data, size_t len)
{
    if (out->p == NULL || (size_t) (out->end - out->p) < len) {
        out->p = NULL;
        return;
    }

    if (len) {
        memcpy(out->p, data, len);
        out->p += len;
    }
}


static void
ticket_put_number(ticket_out_t *out, uint64_t n)
{
    char  buf[20], *p;

    p = buf + sizeof(buf);

    do {
        *--p = (char) ('0' + n % 10);
        n /= 10;
    } while (n);

    ticket_put(out, p, (size_t) (buf + sizeof(buf) - p));
}


/* without the quotes around it */

static void
ticket_put_string(ticket_out_t *out, ticket_slice_t s)
{
    char                 escape[6];
    const char          *p, *run, *end;
    unsigned char        c;
    static const char    hex[] = "0123456789abcdef";

    run = s.data;
    end = s.data + s.len;

    for (p = run; p < end; p++) {
        c = (unsigned char) *p;

        if (c >= 0x20 && c != '"' && c != '\\') {
            continue;
        }

        ticket_put(out, run, (size_t) (p - run));
        run = p + 1;

        escape[0] = '\\';

        if (c >= 0x20) {
            escape[1] = (char) c;
            ticket_put(out, escape, 2);
            continue;
        }

        escape[1] = 'u';
        escape[2] = '0';
        escape[3] = '0';
        escape[4] = hex[c >> 4];
        escape[5] = hex[c & 15];

        ticket_put(out, escape, 6);
    }

    ticket_put(out, run, (size_t) (end - run));
}


static void
ticket_put_time(ticket_out_t *out, int64_t ms)
{
    char  buf[TICKET_TIME_LEN];

    if (ms < 0) {
        ticket_put_literal(out, "null");
        return;
    }

    ticket_time_format(buf, ms);

    ticket_put_literal(out, "\"");
    ticket_put(out, buf, TICKET_TIME_LEN);
    ticket_put_literal(out, "\"");
}


/* the end of an event id */

static void
ticket_put_position(ticket_out_t *out, uint32_t lane, uint64_t epoch,
    uint64_t seq)
{
    ticket_put_literal(out, ":");
    ticket_put_number(out, lane);
    ticket_put_literal(out, ":");
    ticket_put_number(out, epoch);
    ticket_put_literal(out, "-");
    ticket_put_number(out, seq);
}


/* `own` is the event's own id, escaped already */

static void
ticket_put_id(ticket_out_t *out, ticket_slice_t id, ticket_slice_t own)
{
    ticket_put_literal(out, "\"");

    if (id.len) {
        ticket_put_string(out, id);

    } else {
        ticket_put(out, own.data, own.len);
    }

    ticket_put_literal(out, "\"");
}


static void
ticket_put_booking(ticket_out_t *out, const ticket_event_t *ev,
    ticket_slice_t own)
{
    ticket_put_literal(out, ",\"user\":\"");
    ticket_put_string(out, ev->user);
    ticket_put_literal(out, "\",\"quantity\":");
    ticket_put_number(out, ev->quantity);
    ticket_put_literal(out, ",\"booking_id\":");
    ticket_put_id(out, ev->booking_id, own);
    ticket_put_literal(out, ",\"holding\":");
    ticket_put_number(out, ev->holding);
    ticket_put_literal(out, ",\"holding_id\":");

    if (ev->holding) {
        ticket_put_id(out, ev->holding_id, own);

    } else {
        ticket_put_literal(out, "null");
    }

    if (ev->origin.len) {
        ticket_put_literal(out, ",\"origin\":");
        ticket_put_id(out, ev->origin, own);
    }
}


static void
ticket_put_definition(ticket_out_t *out, const ticket_event_t *ev)
{
    ticket_put_literal(out, ",\"capacity\":");
    ticket_put_number(out, ev->capacity);
    ticket_put_literal(out, ",\"per_user\":");
    ticket_put_number(out, ev->per_user);
    ticket_put_literal(out, ",\"lanes\":");
    ticket_put_number(out, ev->lanes);
    ticket_put_literal(out, ",\"state\":\"");
    ticket_put_string(out, ev->state);
    ticket_put_literal(out, "\",\"opens_at\":");
    ticket_put_time(out, ev->opens_at);
    ticket_put_literal(out, ",\"closes_at\":");
    ticket_put_time(out, ev->closes_at);
}


size_t
ticket_event_encode(char *buf, size_t size, const ticket_event_t *ev)
{
    ticket_out_t    out;
    ticket_slice_t  own, name, type;

    if (ev->type < TICKET_EVENT_BOOKED || ev->type > TICKET_EVENT_DEFINED) {
        return 0;
    }

    type = ticket_event_types[ev->type];

    out.p = buf;
    out.end = buf + size;

    ticket_put_literal(&out, "{\"specversion\":\"1.0\",\"id\":\"");

    /* the name and the id are escaped once and copied from here */

    name.data = out.p;
    ticket_put_string(&out, ev->ticket);
    name.len = out.p ? (size_t) (out.p - name.data) : 0;

    own.data = name.data;
    ticket_put_position(&out, ev->lane, ev->epoch, ev->seq);
    own.len = out.p ? (size_t) (out.p - own.data) : 0;

    ticket_put_literal(&out, "\",\"source\":\"" TICKET_EVENT_SOURCE
                             "\",\"type\":\"" TICKET_EVENT_TYPE_PREFIX);
    ticket_put(&out, type.data, type.len);
    ticket_put_literal(&out, "\",\"subject\":\"");
    ticket_put(&out, name.data, name.len);
    ticket_put_literal(&out, "\",\"time\":");
    ticket_put_time(&out, ev->time < 0 ? 0 : ev->time);
    ticket_put_literal(&out, ",\"datacontenttype\":\"application/json\","
                             "\"data\":{\"ticket\":\"");
    ticket_put(&out, name.data, name.len);
    ticket_put_literal(&out, "\",\"lane\":");
    ticket_put_number(&out, ev->lane);
    ticket_put_literal(&out, ",\"epoch\":");
    ticket_put_number(&out, ev->epoch);
    ticket_put_literal(&out, ",\"seq\":");
    ticket_put_number(&out, ev->seq);

    if (ev->type == TICKET_EVENT_DEFINED) {
        ticket_put_definition(&out, ev);

    } else {
        ticket_put_booking(&out, ev, own);
    }

    ticket_put_literal(&out, "}}");

    return out.p ? (size_t) (out.p - buf) : 0;
}


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

    if (ticket_event_position(id, &ev->epoch, &ev->seq) != 0) {
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
