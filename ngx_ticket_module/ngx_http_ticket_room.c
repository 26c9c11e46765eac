
/*
 * A worker's rooms: which there are, their tick, and who hangs on them.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_http_ticket_room.h"
#include "ngx_http_ticket_queue_metrics.h"


#define NGX_HTTP_TICKET_ROOMS_MAX     1024      /* of a worker and a Redis */
#define NGX_HTTP_TICKET_ROOMS_LISTED  512       /* that nobody uses here */
#define NGX_HTTP_TICKET_ROOM_KEEP     60000     /* ms without use */
#define NGX_HTTP_TICKET_ROOM_RETRY    10000     /* ms; a name without room */
#define NGX_HTTP_TICKET_ROOM_STEP     1000      /* ms */


static ngx_http_ticket_room_t *ngx_http_ticket_room_find(
    ngx_http_ticket_rooms_t *rooms, ngx_str_t *name);
static ngx_http_ticket_room_t *ngx_http_ticket_room_create(
    ngx_http_ticket_rooms_t *rooms, ngx_str_t *name, uint32_t hash);
static void ngx_http_ticket_room_delete(ngx_http_ticket_room_t *room);
static void ngx_http_ticket_rooms_timer(ngx_event_t *ev);
static void ngx_http_ticket_rooms_tick(ngx_http_ticket_rooms_t *rooms);
static void ngx_http_ticket_room_tick(ngx_http_ticket_room_t *room);
static ngx_uint_t ngx_http_ticket_room_idle(ngx_http_ticket_room_t *room);
static void ngx_http_ticket_rooms_leave(ngx_http_ticket_rooms_t *rooms);


ngx_http_ticket_rooms_t *
ngx_http_ticket_rooms_create(ngx_cycle_t *cycle,
    ngx_http_ticket_main_conf_t *tmcf, ngx_http_ticket_redis_conf_t *conf)
{
    ngx_http_ticket_rooms_t  *rooms;

    rooms = ngx_calloc(sizeof(ngx_http_ticket_rooms_t), cycle->log);
    if (rooms == NULL) {
        return NULL;
    }

    rooms->tmcf = tmcf;
    rooms->conf = conf;
    rooms->log = cycle->log;

    ngx_rbtree_init(&rooms->tree, &rooms->sentinel,
                    ngx_str_rbtree_insert_value);
    ngx_queue_init(&rooms->all);
    ngx_queue_init(&rooms->entries);

    rooms->timer.handler = ngx_http_ticket_rooms_timer;
    rooms->timer.data = rooms;
    rooms->timer.log = cycle->log;
    rooms->timer.cancelable = 1;

    rooms->ticked = ngx_current_msec - tmcf->queue_tick;

    /* workers and edges need not ask in the same moment */

    ngx_add_timer(&rooms->timer,
                  1 + ngx_random() % ngx_min(tmcf->queue_tick, 100));

    return rooms;
}


void
ngx_http_ticket_rooms_destroy(ngx_http_ticket_rooms_t *rooms)
{
    ngx_queue_t             *q;
    ngx_http_ticket_room_t  *room;

    if (rooms->timer.timer_set) {
        ngx_del_timer(&rooms->timer);
    }

    while (!ngx_queue_empty(&rooms->entries)) {
        q = ngx_queue_head(&rooms->entries);
        ngx_queue_remove(q);

        /* the first member of what it is in */
        ngx_free(q);
    }

    while (!ngx_queue_empty(&rooms->all)) {
        q = ngx_queue_head(&rooms->all);
        room = ngx_queue_data(q, ngx_http_ticket_room_t, queue);

        /* streams of requests that are cut off have nothing to leave */

        while (!ngx_queue_empty(&room->hooks)
               || !ngx_queue_empty(&room->due))
        {
            q = ngx_queue_empty(&room->hooks) ? ngx_queue_head(&room->due)
                                              : ngx_queue_head(&room->hooks);

            ngx_http_ticket_room_unhang(
                            ngx_queue_data(q, ngx_http_ticket_hook_t, queue));
        }

        ngx_http_ticket_room_delete(room);
    }

    ngx_free(rooms);
}


ngx_http_ticket_room_t *
ngx_http_ticket_room_get(ngx_http_ticket_rooms_t *rooms, ngx_str_t *name)
{
    ngx_http_ticket_room_t  *room;

    room = ngx_http_ticket_room_find(rooms, name);

    if (room != NULL) {
        room->used = ngx_current_msec;
    }

    return room;
}


void
ngx_http_ticket_rooms_listed(ngx_http_ticket_rooms_t *rooms, ngx_str_t *name)
{
    uint32_t                 hash;
    ngx_http_ticket_room_t  *room;

    hash = ngx_crc32_short(name->data, name->len);
    room = (ngx_http_ticket_room_t *) ngx_str_rbtree_lookup(&rooms->tree, name,
                                                            hash);
    if (room == NULL) {

        /* names of rooms that were deleted leave room for those in use */

        if (rooms->n >= NGX_HTTP_TICKET_ROOMS_LISTED) {
            return;
        }

        room = ngx_http_ticket_room_create(rooms, name, hash);
        if (room == NULL) {
            return;
        }

        room->used = ngx_current_msec - NGX_HTTP_TICKET_ROOM_KEEP;
        (void) ngx_http_ticket_room_advance(room);
    }

    room->in_list = 1;
    room->listed = ngx_current_msec;
}


static ngx_http_ticket_room_t *
ngx_http_ticket_room_find(ngx_http_ticket_rooms_t *rooms, ngx_str_t *name)
{
    uint32_t         hash;
    ngx_str_node_t  *sn;

    hash = ngx_crc32_short(name->data, name->len);
    sn = ngx_str_rbtree_lookup(&rooms->tree, name, hash);

    if (sn != NULL) {
        return (ngx_http_ticket_room_t *) sn;
    }

    if (rooms->n < NGX_HTTP_TICKET_ROOMS_MAX) {
        return ngx_http_ticket_room_create(rooms, name, hash);
    }

    if (ngx_time() - rooms->full > 60) {
        rooms->full = ngx_time();

        ngx_log_error(NGX_LOG_ERR, rooms->log, 0,
                      "ticket queue: more than %d rooms are in use",
                      NGX_HTTP_TICKET_ROOMS_MAX);
    }

    return NULL;
}


static ngx_http_ticket_room_t *
ngx_http_ticket_room_create(ngx_http_ticket_rooms_t *rooms, ngx_str_t *name,
    uint32_t hash)
{
    ngx_http_ticket_room_t  *room;

    room = ngx_calloc(sizeof(ngx_http_ticket_room_t) + name->len, rooms->log);
    if (room == NULL) {
        return NULL;
    }

    room->rooms = rooms;
    room->used = ngx_current_msec;
    room->sn.node.key = hash;
    room->sn.str.len = name->len;
    room->sn.str.data = (u_char *) room + sizeof(ngx_http_ticket_room_t);
    ngx_memcpy(room->sn.str.data, name->data, name->len);

    ngx_queue_init(&room->hooks);
    ngx_queue_init(&room->due);
    ngx_queue_init(&room->waiters);
    ngx_queue_init(&room->checks);

    room->telling.handler = ngx_http_ticket_room_telling;
    room->telling.data = room;
    room->telling.log = rooms->log;

    ngx_rbtree_insert(&rooms->tree, &room->sn.node);
    ngx_queue_insert_tail(&rooms->all, &room->queue);
    rooms->n++;

    return room;
}


static void
ngx_http_ticket_room_delete(ngx_http_ticket_room_t *room)
{
    ngx_http_ticket_rooms_t  *rooms;

    rooms = room->rooms;

    if (room->telling.posted) {
        ngx_delete_posted_event(&room->telling);
    }

    ngx_rbtree_delete(&rooms->tree, &room->sn.node);
    ngx_queue_remove(&room->queue);
    rooms->n--;

    if (room->tickets.data != NULL) {
        ngx_free(room->tickets.data);
    }

    ngx_free(room);
}


ngx_int_t
ngx_http_ticket_room_await(ngx_http_ticket_room_t *room,
    ngx_http_ticket_room_waiter_t *waiter)
{
    ngx_int_t  rc;

    if (room->picture.seen != 0) {
        return NGX_OK;
    }

    rc = ngx_http_ticket_room_advance(room);

    if (rc != NGX_OK) {

        if (ngx_http_ticket_room_idle(room) && !room->in_list) {
            ngx_http_ticket_room_delete(room);
        }

        return rc;
    }

    ngx_queue_insert_tail(&room->waiters, &waiter->queue);

    return NGX_AGAIN;
}


ngx_int_t
ngx_http_ticket_room_tickets(ngx_http_ticket_room_t *room, ngx_str_t *tickets)
{
    u_char  *p;

    if (tickets->len == room->tickets.len
        && ngx_memcmp(tickets->data, room->tickets.data, tickets->len) == 0)
    {
        return NGX_OK;
    }

    p = NULL;

    if (tickets->len) {
        p = ngx_alloc(tickets->len, room->rooms->log);
        if (p == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(p, tickets->data, tickets->len);
    }

    if (room->tickets.data != NULL) {
        ngx_free(room->tickets.data);
    }

    room->tickets.data = p;
    room->tickets.len = tickets->len;

    return NGX_OK;
}


void
ngx_http_ticket_room_refresh(ngx_http_ticket_room_t *room)
{
    room->unknown = 0;

    (void) ngx_http_ticket_room_advance(room);
}


static void
ngx_http_ticket_rooms_timer(ngx_event_t *ev)
{
    ngx_msec_t                tick;
    ngx_queue_t              *q;
    ngx_http_ticket_room_t   *room;
    ngx_http_ticket_rooms_t  *rooms;

    rooms = ev->data;
    tick = rooms->tmcf->queue_tick;

    if (ngx_exiting || ngx_terminate || ngx_quit) {
        ngx_http_ticket_rooms_leave(rooms);
        return;
    }

    ngx_add_timer(ev, ngx_min(tick, NGX_HTTP_TICKET_ROOM_STEP));

    if (tick <= NGX_HTTP_TICKET_ROOM_STEP
        || ngx_current_msec - rooms->ticked >= tick)
    {
        rooms->ticked = ngx_current_msec;
        ngx_http_ticket_rooms_tick(rooms);

    } else {
        for (q = ngx_queue_head(&rooms->all);
             q != ngx_queue_sentinel(&rooms->all);
             q = ngx_queue_next(q))
        {
            room = ngx_queue_data(q, ngx_http_ticket_room_t, queue);
            ngx_http_ticket_room_tell(room, NGX_HTTP_TICKET_ROOM_BEAT);
        }
    }

    ngx_http_ticket_queue_gauges(rooms->tmcf);
}


static void
ngx_http_ticket_rooms_tick(ngx_http_ticket_rooms_t *rooms)
{
    ngx_queue_t  *q, *next;

    /* one worker of each edge is enough for rooms nobody asks for here */

    if (ngx_worker == 0) {
        ngx_http_ticket_rooms_list(rooms);
    }

    for (q = ngx_queue_head(&rooms->all);
         q != ngx_queue_sentinel(&rooms->all);
         q = next)
    {
        next = ngx_queue_next(q);

        ngx_http_ticket_room_tick(
                            ngx_queue_data(q, ngx_http_ticket_room_t, queue));
    }
}


static void
ngx_http_ticket_room_tick(ngx_http_ticket_room_t *room)
{
    ngx_msec_t  now;

    now = ngx_current_msec;

    if (room->in_list && now - room->listed > NGX_HTTP_TICKET_ROOM_KEEP) {
        room->in_list = 0;
    }

    if (!room->in_list
        && ngx_http_ticket_room_idle(room)
        && now - room->used > NGX_HTTP_TICKET_ROOM_KEEP)
    {
        ngx_http_ticket_room_delete(room);
        return;
    }

    if (room->unknown && now - room->asked < NGX_HTTP_TICKET_ROOM_RETRY) {
        return;
    }

    room->again = 0;

    if (room->asking || ngx_http_ticket_room_advance(room) != NGX_OK) {
        ngx_http_ticket_room_tell(room, NGX_HTTP_TICKET_ROOM_BEAT);
    }
}


/* nobody needs it at the moment */

static ngx_uint_t
ngx_http_ticket_room_idle(ngx_http_ticket_room_t *room)
{
    return room->streams == 0
           && !room->asking
           && ngx_queue_empty(&room->waiters);
}


/* streams are ended, and until they are the timer keeps the worker */

static void
ngx_http_ticket_rooms_leave(ngx_http_ticket_rooms_t *rooms)
{
    ngx_queue_t             *q;
    ngx_http_ticket_room_t  *room;

    rooms->leaving = 1;

    ngx_http_ticket_queue_gauges(rooms->tmcf);

    if (rooms->streams == 0) {
        return;
    }

    for (q = ngx_queue_head(&rooms->all);
         q != ngx_queue_sentinel(&rooms->all);
         q = ngx_queue_next(q))
    {
        room = ngx_queue_data(q, ngx_http_ticket_room_t, queue);
        ngx_http_ticket_room_tell(room, NGX_HTTP_TICKET_ROOM_EXIT);
    }

    ngx_add_timer(&rooms->timer, NGX_HTTP_TICKET_ROOM_STEP);
}


void
ngx_http_ticket_room_answered(ngx_http_ticket_room_t *room,
    ngx_http_ticket_result_e failed)
{
    ngx_queue_t                    *q;
    ngx_http_ticket_room_waiter_t  *waiter;

    room->unknown = (failed == NGX_HTTP_TICKET_RESULT_UNKNOWN_QUEUE);

    if (room->unknown) {
        room->picture.seen = 0;
    }

    while (!ngx_queue_empty(&room->waiters)) {
        q = ngx_queue_head(&room->waiters);
        ngx_queue_remove(q);

        waiter = ngx_queue_data(q, ngx_http_ticket_room_waiter_t, queue);
        waiter->handler(waiter->data, room, failed);
    }

    if (room->unknown) {
        ngx_http_ticket_room_tell(room, NGX_HTTP_TICKET_ROOM_GONE);

    } else {
        ngx_http_ticket_room_tell(room,
                                  failed == NGX_HTTP_TICKET_RESULT_NONE
                                  ? NGX_HTTP_TICKET_ROOM_PICTURE
                                  : NGX_HTTP_TICKET_ROOM_BEAT);
    }

    /* a name somebody invented leaves nothing behind */

    if (room->picture.seen == 0
        && !room->in_list
        && ngx_http_ticket_room_idle(room))
    {
        ngx_http_ticket_room_delete(room);
    }
}
