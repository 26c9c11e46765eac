
/*
 * Who waits and who was let in, as JSON.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_ticket_queue.h"


static void ngx_http_ticket_queue_draw(ngx_http_ticket_text_t *text,
    ngx_http_ticket_waiter_t *waiter);


static ngx_str_t  ngx_http_ticket_queue_state_waiting =
    ngx_string("waiting");
static ngx_str_t  ngx_http_ticket_queue_state_admitted =
    ngx_string("admitted");


ngx_msec_t
ngx_http_ticket_queue_waiting(ngx_http_ticket_text_t *text,
    ngx_http_ticket_waiter_t *waiter, ngx_http_ticket_token_t *place)
{
    int64_t                     rank;
    ngx_str_t                   token;
    ngx_msec_t                  poll;
    ngx_http_ticket_room_t     *room;
    ngx_http_ticket_picture_t  *picture;

    room = waiter->room;
    rank = waiter->rank;
    picture = &room->picture;

    poll = ngx_http_ticket_room_poll(room, rank);

    ngx_http_ticket_json_open(text, NULL, '{');
    ngx_http_ticket_json_str(text, "queue", &room->sn.str);
    ngx_http_ticket_json_str(text, "user", waiter->user);
    ngx_http_ticket_json_str(text, "state",
                             &ngx_http_ticket_queue_state_waiting);
    ngx_http_ticket_json_str(text, "room",
                             ngx_http_ticket_room_state_name(picture->state));
    ngx_http_ticket_json_number(text, "position", rank < 0 ? -1 : rank + 1);
    ngx_http_ticket_json_number(text, "ahead", rank);
    ngx_http_ticket_json_number(text, "waiting", waiter->waiting);
    ngx_http_ticket_json_number(text, "eta_seconds",
                                 ngx_http_ticket_room_eta(picture, rank));
    ngx_http_ticket_json_uint(text, "poll_after_ms", poll);
    ngx_http_ticket_json_bool(text, "unlikely",
                              ngx_http_ticket_room_unlikely(picture, rank));
    ngx_http_ticket_json_uint(text, "number", waiter->number);

    if (picture->opens_at > waiter->now) {
        ngx_http_ticket_json_time(text, "opens_at", picture->opens_at);
    }

    if (picture->draw != NGX_HTTP_TICKET_DRAW_NONE || rank < 0) {
        ngx_http_ticket_queue_draw(text, waiter);
    }

    if (place != NULL) {
        token.data = place->data;
        token.len = place->len;
        ngx_http_ticket_json_str(text, "place", &token);
    }

    ngx_http_ticket_json_close(text, '}');

    return poll;
}


/* enough for anybody to compute the order again, once it is known */

static void
ngx_http_ticket_queue_draw(ngx_http_ticket_text_t *text,
    ngx_http_ticket_waiter_t *waiter)
{
    int64_t                     entries;
    ngx_str_t                   hash, seed;
    ngx_uint_t                  drawing;
    ngx_http_ticket_picture_t  *picture;

    picture = &waiter->room->picture;
    drawing = (waiter->rank < 0);
    entries = picture->drawn;

    /* the picture may be older than he is */

    if (waiter->number < NGX_HTTP_TICKET_ROOM_DRAWN) {
        entries = ngx_max(entries, (int64_t) waiter->number);
    }

    hash.data = picture->hash;
    hash.len = picture->hash_len;

    /* none before it is over: Redis keeps it */

    seed.data = picture->seed;
    seed.len = picture->seed_len;

    ngx_http_ticket_json_bool(text, "drawing", drawing);
    ngx_http_ticket_json_open(text, "draw", '{');
    ngx_http_ticket_json_str(text, "hash", &hash);
    ngx_http_ticket_json_text(text, "seed", &seed);
    ngx_http_ticket_json_number(text, "entries", entries);
    ngx_http_ticket_json_close(text, '}');
}


void
ngx_http_ticket_queue_admitted(ngx_http_ticket_text_t *text, ngx_str_t *room,
    ngx_str_t *user, int64_t expires, int64_t now,
    ngx_http_ticket_token_t *pass)
{
    ngx_str_t  token;

    token.data = pass->data;
    token.len = pass->len;

    ngx_http_ticket_json_open(text, NULL, '{');
    ngx_http_ticket_json_str(text, "queue", room);
    ngx_http_ticket_json_str(text, "user", user);
    ngx_http_ticket_json_str(text, "state",
                             &ngx_http_ticket_queue_state_admitted);
    ngx_http_ticket_json_str(text, "pass", &token);
    ngx_http_ticket_json_time(text, "expires_at", expires);
    ngx_http_ticket_json_uint(text, "expires_in_ms",
                              (uint64_t) ngx_max(expires - now, 0));
    ngx_http_ticket_json_close(text, '}');
}
