/* An event that waits for its turn. */

#include "record.h"

#include <stdlib.h>
#include <string.h>

static char *
put(char *p, ticket_slice_t s)
{
    if (s.len > 0)
        memcpy(p, s.data, s.len);
    return p + s.len;
}

struct record *
record_new(const ticket_event_t *ev, struct place place)
{
    bool defined = ev->type == TICKET_EVENT_DEFINED;
    size_t len = defined ? 0 : ev->user.len + ev->booking_id.len
        + ev->holding_id.len + ev->origin.len;
    struct record *r = malloc(sizeof *r + len);

    if (r == NULL)
        return NULL;
    memset(r, 0, sizeof *r);
    r->seq = ev->seq;
    r->time = ev->time;
    r->place = place;
    r->type = (uint8_t) ev->type;
    if (defined) {
        r->capacity = ev->capacity;
        r->per_user = ev->per_user;
        r->lanes = ev->lanes;
        r->opens_at = ev->opens_at;
        r->closes_at = ev->closes_at;
        r->state_len = (uint8_t) (ev->state.len < sizeof r->state
            ? ev->state.len : sizeof r->state);
        memcpy(r->state, ev->state.data, r->state_len);
        return r;
    }
    r->quantity = ev->quantity;
    r->holding = ev->holding;
    r->user_len = (uint16_t) ev->user.len;
    r->booking_len = (uint16_t) ev->booking_id.len;
    r->holding_len = (uint16_t) ev->holding_id.len;
    r->origin_len = (uint16_t) ev->origin.len;
    put(put(put(put(r->text, ev->user), ev->booking_id), ev->holding_id),
        ev->origin);
    return r;
}

void
record_free(struct record *record)
{
    free(record);
}

bool
record_same(const struct record *a, const struct record *b)
{
    if (a->type != b->type || a->time != b->time
        || a->user_len != b->user_len || a->booking_len != b->booking_len
        || a->holding_len != b->holding_len || a->origin_len != b->origin_len)
        return false;
    if (a->type == TICKET_EVENT_DEFINED)
        return a->capacity == b->capacity && a->per_user == b->per_user
            && a->lanes == b->lanes && a->opens_at == b->opens_at
            && a->closes_at == b->closes_at && a->state_len == b->state_len
            && memcmp(a->state, b->state, a->state_len) == 0;
    return a->quantity == b->quantity && a->holding == b->holding
        && memcmp(a->text, b->text, (size_t) a->user_len + a->booking_len
               + a->holding_len + a->origin_len) == 0;
}

void
record_event(const struct record *r, ticket_slice_t ticket, uint32_t lane,
    uint64_t epoch, ticket_event_t *ev)
{
    const char *p = r->text;

    memset(ev, 0, offsetof(ticket_event_t, own_id));
    ev->type = (ticket_event_type_t) r->type;
    ev->time = r->time;
    ev->ticket = ticket;
    ev->lane = lane;
    ev->epoch = epoch;
    ev->seq = r->seq;
    if (ev->type == TICKET_EVENT_DEFINED) {
        ev->capacity = r->capacity;
        ev->per_user = r->per_user;
        ev->lanes = r->lanes;
        ev->opens_at = r->opens_at;
        ev->closes_at = r->closes_at;
        ev->state = (ticket_slice_t) { r->state, r->state_len };
        return;
    }
    ev->quantity = r->quantity;
    ev->holding = r->holding;
    ev->user = (ticket_slice_t) { p, r->user_len };
    p += r->user_len;
    ev->booking_id = (ticket_slice_t) { p, r->booking_len };
    p += r->booking_len;
    ev->holding_id = (ticket_slice_t) { p, r->holding_len };
    p += r->holding_len;
    ev->origin = (ticket_slice_t) { p, r->origin_len };
}
