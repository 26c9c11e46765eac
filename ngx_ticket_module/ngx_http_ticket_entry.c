
/*
 * One queue_enter: waits for a connection if the worker is new, for the room's
 * picture if it is new here, and sends it.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_ticket_call.h"
#include "ngx_http_ticket_entry.h"


static void ngx_http_ticket_entry_started(void *data);
static ngx_int_t ngx_http_ticket_entry_ask(ngx_http_ticket_entry_t *entry);
static void ngx_http_ticket_entry_pictured(void *data,
    ngx_http_ticket_room_t *room, ngx_http_ticket_result_e failed);
static ngx_int_t ngx_http_ticket_entry_send(ngx_http_ticket_entry_t *entry,
    ngx_http_ticket_room_t *room);
static void ngx_http_ticket_entry_answered(ngx_http_ticket_call_t *call);
static ngx_int_t ngx_http_ticket_entry_again(ngx_http_ticket_entry_t *entry,
    ngx_http_ticket_call_t *call);
static void ngx_http_ticket_entry_read(ngx_http_ticket_entry_t *entry,
    ngx_http_ticket_call_t *call);
static void ngx_http_ticket_entry_failed(ngx_http_ticket_entry_t *entry,
    ngx_int_t rc);
static void ngx_http_ticket_entry_done(ngx_http_ticket_entry_t *entry);
static void ngx_http_ticket_entry_free(ngx_http_ticket_entry_t *entry);


ngx_int_t
ngx_http_ticket_entry_start(ngx_http_ticket_main_conf_t *tmcf,
    ngx_http_ticket_redis_conf_t *conf, ngx_str_t *room, ngx_str_t *user,
    ngx_uint_t join, ngx_http_ticket_place_t *place, uint64_t deadline,
    ngx_http_ticket_entry_pt handler, void *data,
    ngx_http_ticket_entry_t **started)
{
    u_char                   *p;
    ngx_int_t                 rc;
    ngx_http_ticket_entry_t  *entry;

    if (conf->redis == NULL || conf->rooms == NULL) {
        return NGX_DECLINED;
    }

    if (tmcf->calls >= tmcf->max_pending) {
        return NGX_BUSY;
    }

    entry = ngx_calloc(sizeof(ngx_http_ticket_entry_t) + room->len
                       + user->len, ngx_cycle->log);
    if (entry == NULL) {
        return NGX_DECLINED;
    }

    p = (u_char *) entry + sizeof(ngx_http_ticket_entry_t);

    entry->name.data = p;
    entry->name.len = room->len;
    p = ngx_cpymem(p, room->data, room->len);

    entry->user.data = p;
    entry->user.len = user->len;
    ngx_memcpy(p, user->data, user->len);

    entry->rooms = conf->rooms;
    entry->handler = handler;
    entry->data = data;
    entry->started = ngx_http_ticket_usec();
    entry->deadline = deadline ? deadline
                      : entry->started + (uint64_t) conf->timeout * 1000;
    entry->join = join;
    entry->place = *place;

    ngx_queue_insert_tail(&entry->rooms->entries, &entry->queue);

    if (ngx_http_ticket_redis_starting(conf->redis)) {

        entry->starting.handler = ngx_http_ticket_entry_started;
        entry->starting.data = entry;
        entry->begins = 1;
        tmcf->calls++;

        ngx_http_ticket_redis_await(conf->redis, &entry->starting);

        *started = entry;
        return NGX_OK;
    }

    rc = ngx_http_ticket_entry_ask(entry);

    if (rc != NGX_OK) {
        ngx_http_ticket_entry_free(entry);
        return rc;
    }

    *started = entry;

    return NGX_OK;
}


void
ngx_http_ticket_entry_forget(ngx_http_ticket_entry_t *entry)
{
    entry->handler = NULL;

    if (entry->begins) {
        ngx_queue_remove(&entry->starting.queue);

    } else if (entry->awaited) {
        ngx_queue_remove(&entry->waiter.queue);

    } else {
        return;
    }

    entry->rooms->tmcf->calls--;

    ngx_http_ticket_entry_free(entry);
}


static void
ngx_http_ticket_entry_started(void *data)
{
    ngx_http_ticket_entry_t *entry = data;

    ngx_int_t  rc;

    entry->begins = 0;
    entry->rooms->tmcf->calls--;

    rc = ngx_http_ticket_entry_ask(entry);

    if (rc != NGX_OK) {
        ngx_http_ticket_entry_failed(entry, rc);
    }
}


static ngx_int_t
ngx_http_ticket_entry_ask(ngx_http_ticket_entry_t *entry)
{
    ngx_int_t                 rc;
    ngx_http_ticket_room_t   *room;
    ngx_http_ticket_rooms_t  *rooms;

    rooms = entry->rooms;

    if (rooms->conf->redis == NULL
        || !ngx_http_ticket_redis_ready(rooms->conf->redis))
    {
        return NGX_DECLINED;
    }

    room = ngx_http_ticket_room_get(rooms, &entry->name);

    if (room == NULL) {
        return NGX_BUSY;
    }

    entry->waiter.handler = ngx_http_ticket_entry_pictured;
    entry->waiter.data = entry;

    rc = ngx_http_ticket_room_await(room, &entry->waiter);

    if (rc == NGX_AGAIN) {
        entry->awaited = 1;
        rooms->tmcf->calls++;
        return NGX_OK;
    }

    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_http_ticket_entry_send(entry, room);
}


static void
ngx_http_ticket_entry_pictured(void *data, ngx_http_ticket_room_t *room,
    ngx_http_ticket_result_e failed)
{
    ngx_http_ticket_entry_t *entry = data;

    ngx_int_t  rc;

    entry->awaited = 0;
    entry->rooms->tmcf->calls--;

    if (failed != NGX_HTTP_TICKET_RESULT_NONE) {

        /* what has been sent lets others in, and says nothing of this one */

        entry->result = (failed == NGX_HTTP_TICKET_RESULT_OUTCOME_UNKNOWN)
                        ? NGX_HTTP_TICKET_RESULT_UNAVAILABLE : failed;
        ngx_http_ticket_entry_done(entry);
        return;
    }

    rc = ngx_http_ticket_entry_send(entry, room);

    if (rc != NGX_OK) {
        ngx_http_ticket_entry_failed(entry, rc);
    }
}


static ngx_int_t
ngx_http_ticket_entry_send(ngx_http_ticket_entry_t *entry,
    ngx_http_ticket_room_t *room)
{
    int64_t                  not_after;
    ngx_http_ticket_call_t  *call;

    not_after = ngx_http_ticket_redis_clock(entry->rooms->conf->redis,
                                            ngx_http_ticket_usec(),
                                            entry->deadline);
    if (not_after <= 0) {
        return NGX_DECLINED;
    }

    call = ngx_http_ticket_call_room(entry->rooms->tmcf, entry->rooms->conf,
                                     &entry->name, &room->tickets,
                                     ngx_http_ticket_entry_answered, entry);
    if (call == NULL) {
        return NGX_DECLINED;
    }

    ngx_http_ticket_call_str(call, (char *) entry->user.data,
                             entry->user.len);
    ngx_http_ticket_call_int(call, entry->join);
    ngx_http_ticket_call_int(call, (int64_t) entry->place.number);
    ngx_http_ticket_call_int(call, entry->place.entered);
    ngx_http_ticket_call_int(call, not_after);

    return ngx_http_ticket_call_send(call,
                                     NGX_HTTP_TICKET_SCRIPT_queue_enter);
}


static void
ngx_http_ticket_entry_answered(ngx_http_ticket_call_t *call)
{
    ngx_http_ticket_entry_t *entry = call->data;

    if (call->reply != NULL
        && call->code == TICKET_CODE_WRONG_TICKETS
        && ngx_http_ticket_entry_again(entry, call) == NGX_OK)
    {
        return;
    }

    entry->result = call->result;

    ngx_http_ticket_entry_read(entry, call);
    ngx_http_ticket_entry_done(entry);
}


/* once more, for the tickets it guards have changed */

static ngx_int_t
ngx_http_ticket_entry_again(ngx_http_ticket_entry_t *entry,
    ngx_http_ticket_call_t *call)
{
    ngx_str_t                tickets;
    ngx_http_ticket_room_t  *room;

    if (entry->wrong || entry->handler == NULL) {
        return NGX_DECLINED;
    }

    entry->wrong = 1;

    ngx_http_ticket_call_reply_str(call->reply, 2, &tickets);

    room = ngx_http_ticket_room_get(entry->rooms, &entry->name);

    if (room == NULL
        || ngx_http_ticket_room_tickets(room, &tickets) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    return ngx_http_ticket_entry_send(entry, room);
}


static void
ngx_http_ticket_entry_read(ngx_http_ticket_entry_t *entry,
    ngx_http_ticket_call_t *call)
{
    int64_t                  number, score;
    redisReply              *reply;
    ngx_http_ticket_room_t  *room;

    switch (entry->result) {

    case NGX_HTTP_TICKET_RESULT_WAITING:
    case NGX_HTTP_TICKET_RESULT_ADMITTED:
    case NGX_HTTP_TICKET_RESULT_NOT_WAITING:
    case NGX_HTTP_TICKET_RESULT_QUEUE_CLOSED:
        break;

    default:
        return;
    }

    reply = call->reply;
    room = ngx_http_ticket_room_get(entry->rooms, &entry->name);

    entry->now = ngx_http_ticket_call_reply_int(reply, 1);
    entry->rank = -1;
    entry->waiting = -1;
    entry->live = -1;

    if (entry->result == NGX_HTTP_TICKET_RESULT_ADMITTED) {
        entry->expires = ngx_http_ticket_call_reply_int(reply, 2);

        if (entry->expires <= 0) {
            entry->result = NGX_HTTP_TICKET_RESULT_OUTCOME_UNKNOWN;
        }

    } else if (entry->result == NGX_HTTP_TICKET_RESULT_WAITING) {
        number = ngx_http_ticket_call_reply_int(reply, 2);
        score = ngx_http_ticket_call_reply_int(reply, 3);

        entry->number = (uint64_t) number;
        entry->score = (uint64_t) score;
        entry->rank = ngx_http_ticket_call_reply_int(reply, 4);
        entry->waiting = ngx_http_ticket_call_reply_int(reply, 5);
        entry->live = ngx_http_ticket_call_reply_int(reply, 6);

        if (number <= 0 || score < 0 || entry->rank < 0) {
            entry->result = NGX_HTTP_TICKET_RESULT_OUTCOME_UNKNOWN;
        }
    }

    if (entry->result == NGX_HTTP_TICKET_RESULT_NOT_WAITING
        || entry->result == NGX_HTTP_TICKET_RESULT_QUEUE_CLOSED)
    {
        ngx_http_ticket_call_reply_str(reply, 2, &entry->state);
    }

    if (room == NULL || room->picture.seen == 0) {

        /* deleted, or forgotten, between the question and its answer */

        entry->result = NGX_HTTP_TICKET_RESULT_UNAVAILABLE;
        return;
    }

    entry->room = room;

    if (ngx_http_ticket_room_drawing(&room->picture, entry->number,
                                     entry->now))
    {
        entry->rank = -1;
    }
}


static void
ngx_http_ticket_entry_failed(ngx_http_ticket_entry_t *entry, ngx_int_t rc)
{
    entry->result = (rc == NGX_BUSY) ? NGX_HTTP_TICKET_RESULT_OVERLOADED
                                     : NGX_HTTP_TICKET_RESULT_UNAVAILABLE;

    ngx_http_ticket_entry_done(entry);
}


static void
ngx_http_ticket_entry_done(ngx_http_ticket_entry_t *entry)
{
    ngx_http_ticket_entry_pt  handler;

    handler = entry->handler;

    /* ..._forget() from inside it does no harm */

    entry->handler = NULL;

    if (handler != NULL) {
        handler(entry->data, entry);
    }

    ngx_http_ticket_entry_free(entry);
}


static void
ngx_http_ticket_entry_free(ngx_http_ticket_entry_t *entry)
{
    ngx_queue_remove(&entry->queue);

    ngx_free(entry);
}
