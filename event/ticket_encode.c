
/*
 * Event ids, and events to JSON.
 */

#include "ticket_event.h"


/* bytes from p to end; on overflow p is NULL and stays so */

typedef struct {
    char                *p;
    char                *end;
} ticket_out_t;


static inline void ticket_put(ticket_out_t *out, const char *data,
    size_t len);
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


#define ticket_put_literal(out, literal)                                      \
    ticket_put(out, literal, sizeof(literal) - 1)


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


static inline void
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
    char  buf[TICKET_NUMBER_LEN];

    ticket_put(out, buf, (size_t) (ticket_number_format(buf, n) - buf));
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

    type = ticket_event_type_name(ev->type);

    if (type.len == 0) {
        return 0;
    }

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
