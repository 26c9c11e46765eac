
/*
 * One queue_advance: lets in who is next, and brings the picture.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_ticket_call.h"
#include "ngx_http_ticket_room.h"
#include "ngx_http_ticket_scripts.h"


#define NGX_HTTP_TICKET_ROOM_AGAIN   10         /* calls after one another */


static void ngx_http_ticket_room_advanced(ngx_http_ticket_call_t *call);
static ngx_int_t ngx_http_ticket_room_read(ngx_http_ticket_room_t *room,
    redisReply *reply);
static ngx_uint_t ngx_http_ticket_room_hex(redisReply *reply, ngx_uint_t i,
    u_char *hex);
static ngx_uint_t ngx_http_ticket_room_scores(redisReply *reply, ngx_uint_t i,
    uint64_t *scores, ngx_uint_t max);


/* where they are in the reply */

typedef enum {
    NGX_HTTP_TICKET_ADVANCE_NOW = 1,
    NGX_HTTP_TICKET_ADVANCE_STATE,
    NGX_HTTP_TICKET_ADVANCE_WAITING,
    NGX_HTTP_TICKET_ADVANCE_LIVE,
    NGX_HTTP_TICKET_ADVANCE_LEFT,
    NGX_HTTP_TICKET_ADVANCE_CAPACITY,
    NGX_HTTP_TICKET_ADVANCE_PACE,
    NGX_HTTP_TICKET_ADVANCE_RATE,
    NGX_HTTP_TICKET_ADVANCE_LAG,
    NGX_HTTP_TICKET_ADVANCE_MORE,
    NGX_HTTP_TICKET_ADVANCE_ADMITTED,
    NGX_HTTP_TICKET_ADVANCE_ISSUED,
    NGX_HTTP_TICKET_ADVANCE_USED,
    NGX_HTTP_TICKET_ADVANCE_EXPIRED,
    NGX_HTTP_TICKET_ADVANCE_RETURNED,
    NGX_HTTP_TICKET_ADVANCE_TICKETS,
    NGX_HTTP_TICKET_ADVANCE_DRAW,
    NGX_HTTP_TICKET_ADVANCE_OPENS_AT,
    NGX_HTTP_TICKET_ADVANCE_DRAWN,
    NGX_HTTP_TICKET_ADVANCE_HASH,
    NGX_HTTP_TICKET_ADVANCE_SEED,
    NGX_HTTP_TICKET_ADVANCE_PASS_TTL,
    NGX_HTTP_TICKET_ADVANCE_HEAD,
    NGX_HTTP_TICKET_ADVANCE_SAMPLES,
    NGX_HTTP_TICKET_ADVANCE_BASE,
    NGX_HTTP_TICKET_ADVANCE_UNSURE,
    NGX_HTTP_TICKET_ADVANCE_ELEMENTS
} ngx_http_ticket_advance_e;


ngx_int_t
ngx_http_ticket_room_advance(ngx_http_ticket_room_t *room)
{
    ngx_int_t                 rc;
    ngx_http_ticket_call_t   *call;
    ngx_http_ticket_rooms_t  *rooms;

    if (room->asking) {
        return NGX_OK;
    }

    rooms = room->rooms;

    call = ngx_http_ticket_call_room(rooms->tmcf, rooms->conf, &room->sn.str,
                                     &room->tickets,
                                     ngx_http_ticket_room_advanced, room);
    if (call == NULL) {
        return NGX_DECLINED;
    }

    /* under a load of requests, too, people are let in */

    call->own = 1;

    ngx_http_ticket_call_int(call, room->streams != 0);

    rc = ngx_http_ticket_call_send(call, NGX_HTTP_TICKET_SCRIPT_queue_advance);

    if (rc == NGX_OK) {
        room->asking = 1;
        room->asked = ngx_current_msec;
    }

    return rc;
}


static void
ngx_http_ticket_room_advanced(ngx_http_ticket_call_t *call)
{
    ngx_str_t                  tickets;
    ngx_http_ticket_room_t    *room;
    ngx_http_ticket_result_e   failed;

    room = call->data;
    failed = call->result;

    room->asking = 0;

    if (call->reply != NULL && call->code == TICKET_CODE_WRONG_TICKETS) {

        ngx_http_ticket_call_reply_str(call->reply, 2, &tickets);

        if (!room->wrong
            && ngx_http_ticket_room_tickets(room, &tickets) == NGX_OK)
        {
            room->wrong = 1;

            if (ngx_http_ticket_room_advance(room) == NGX_OK) {
                return;
            }
        }
    }

    room->wrong = 0;

    if (failed == NGX_HTTP_TICKET_RESULT_NONE) {

        if (ngx_http_ticket_room_read(room, call->reply) != NGX_OK) {
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                          "ticket redis: unexpected reply to script \"%s\"",
                          ngx_http_ticket_script_name(call->script));
            failed = NGX_HTTP_TICKET_RESULT_UNAVAILABLE;

        } else {
            room->picture.seen = call->sent;

            if (ngx_http_ticket_call_reply_int(call->reply,
                                               NGX_HTTP_TICKET_ADVANCE_MORE)
                == 1
                && room->again++ < NGX_HTTP_TICKET_ROOM_AGAIN)
            {
                (void) ngx_http_ticket_room_advance(room);
            }
        }
    }

    ngx_http_ticket_room_answered(room, failed);
}


static ngx_int_t
ngx_http_ticket_room_read(ngx_http_ticket_room_t *room, redisReply *reply)
{
    int64_t                     draw;
    ngx_str_t                   state, tickets, *name;
    ngx_uint_t                  i;
    ngx_http_ticket_picture_t  *picture;

    if (reply->elements < NGX_HTTP_TICKET_ADVANCE_ELEMENTS) {
        return NGX_ERROR;
    }

    picture = &room->picture;

#define ngx_http_ticket_advance_int(name)                                     \
    ngx_http_ticket_call_reply_int(reply, NGX_HTTP_TICKET_ADVANCE_ ## name)

    picture->now = ngx_http_ticket_advance_int(NOW);
    picture->waiting = ngx_http_ticket_advance_int(WAITING);
    picture->live = ngx_http_ticket_advance_int(LIVE);
    picture->left = ngx_http_ticket_advance_int(LEFT);
    picture->capacity = ngx_http_ticket_advance_int(CAPACITY);
    picture->pace = ngx_http_ticket_advance_int(PACE);
    picture->rate = ngx_http_ticket_advance_int(RATE);
    picture->lag = ngx_http_ticket_advance_int(LAG);
    picture->issued = ngx_http_ticket_advance_int(ISSUED);
    picture->used = ngx_http_ticket_advance_int(USED);
    picture->expired = ngx_http_ticket_advance_int(EXPIRED);
    picture->returned = ngx_http_ticket_advance_int(RETURNED);
    draw = ngx_http_ticket_advance_int(DRAW);
    picture->opens_at = ngx_http_ticket_advance_int(OPENS_AT);
    picture->drawn = ngx_http_ticket_advance_int(DRAWN);
    picture->pass_ttl = ngx_http_ticket_advance_int(PASS_TTL);
    picture->base = ngx_http_ticket_advance_int(BASE);
    picture->unsure = ngx_http_ticket_advance_int(UNSURE) == 1;

#undef ngx_http_ticket_advance_int

    ngx_http_ticket_call_reply_str(reply, NGX_HTTP_TICKET_ADVANCE_STATE,
                                   &state);

    for (i = NGX_HTTP_TICKET_ROOM_OPEN; i <= NGX_HTTP_TICKET_ROOM_CLOSED; i++) {
        name = ngx_http_ticket_room_state_name(i);

        if (name->len == state.len
            && ngx_memcmp(name->data, state.data, state.len) == 0)
        {
            break;
        }
    }

    if (i > NGX_HTTP_TICKET_ROOM_CLOSED
        || picture->now < 0 || picture->waiting < 0 || picture->live < 0
        || draw < NGX_HTTP_TICKET_DRAW_NONE
        || draw > NGX_HTTP_TICKET_DRAW_DRAWN)
    {
        return NGX_ERROR;
    }

    picture->state = i;
    picture->draw = (ngx_http_ticket_draw_e) draw;

    picture->hash_len = ngx_http_ticket_room_hex(reply,
                                                 NGX_HTTP_TICKET_ADVANCE_HASH,
                                                 picture->hash);
    picture->seed_len = ngx_http_ticket_room_hex(reply,
                                                 NGX_HTTP_TICKET_ADVANCE_SEED,
                                                 picture->seed);

    picture->nhead = ngx_http_ticket_room_scores(reply,
                                            NGX_HTTP_TICKET_ADVANCE_HEAD,
                                            picture->head,
                                            NGX_HTTP_TICKET_ROOM_HEAD);
    picture->nsamples = ngx_http_ticket_room_scores(reply,
                                            NGX_HTTP_TICKET_ADVANCE_SAMPLES,
                                            picture->samples,
                                            NGX_HTTP_TICKET_ROOM_SAMPLES);

    ngx_http_ticket_call_reply_str(reply, NGX_HTTP_TICKET_ADVANCE_TICKETS,
                                   &tickets);

    return ngx_http_ticket_room_tickets(room, &tickets);
}


/* texts that the edge made itself; what is longer is none */

static ngx_uint_t
ngx_http_ticket_room_hex(redisReply *reply, ngx_uint_t i, u_char *hex)
{
    ngx_str_t  value;

    ngx_http_ticket_call_reply_str(reply, i, &value);

    if (value.len > NGX_HTTP_TICKET_ROOM_HEX) {
        return 0;
    }

    ngx_memcpy(hex, value.data, value.len);

    return value.len;
}


static ngx_uint_t
ngx_http_ticket_room_scores(redisReply *reply, ngx_uint_t i, uint64_t *scores,
    ngx_uint_t max)
{
    int64_t      score;
    ngx_uint_t   n;
    redisReply  *list;

    list = reply->element[i];

    if (list->type != REDIS_REPLY_ARRAY) {
        return 0;
    }

    for (n = 0; n < list->elements && n < max; n++) {
        score = ngx_http_ticket_call_reply_int(list, n);

        if (score < 0) {
            break;
        }

        scores[n] = (uint64_t) score;
    }

    return n;
}
