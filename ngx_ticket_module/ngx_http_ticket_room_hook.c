
/*
 * Who hangs on a room and is told what is new.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_http_ticket_room.h"


#define NGX_HTTP_TICKET_ROOM_TURN   128         /* told at a time */


void
ngx_http_ticket_room_hang(ngx_http_ticket_room_t *room,
    ngx_http_ticket_hook_t *hook)
{
    hook->room = room;

    ngx_queue_insert_tail(&room->hooks, &hook->queue);

    room->streams++;
    room->rooms->streams++;
    room->rooms->timer.cancelable = 0;

    if (room->rooms->leaving) {
        ngx_http_ticket_room_tell(room, NGX_HTTP_TICKET_ROOM_EXIT);
    }
}


void
ngx_http_ticket_room_unhang(ngx_http_ticket_hook_t *hook)
{
    ngx_http_ticket_room_t   *room;
    ngx_http_ticket_rooms_t  *rooms;

    room = hook->room;

    if (room == NULL) {
        return;
    }

    rooms = room->rooms;

    ngx_queue_remove(&hook->queue);
    hook->room = NULL;

    room->used = ngx_current_msec;
    room->streams--;
    rooms->streams--;

    if (rooms->streams == 0) {
        rooms->timer.cancelable = 1;
    }
}


void
ngx_http_ticket_room_tell(ngx_http_ticket_room_t *room,
    ngx_http_ticket_room_news_e news)
{
    if (room->streams == 0) {
        return;
    }

    /* who has not been told of a picture yet is not told less */

    if (news != NGX_HTTP_TICKET_ROOM_BEAT || ngx_queue_empty(&room->due)) {
        room->news = room->rooms->leaving ? NGX_HTTP_TICKET_ROOM_EXIT : news;
    }

    if (!ngx_queue_empty(&room->hooks)) {
        ngx_queue_add(&room->due, &room->hooks);
        ngx_queue_init(&room->hooks);
    }

    ngx_post_event(&room->telling, &ngx_posted_events);
}


/* thousands of streams: other work of the worker goes on in between */

void
ngx_http_ticket_room_telling(ngx_event_t *ev)
{
    ngx_uint_t               n;
    ngx_queue_t             *q;
    ngx_http_ticket_hook_t  *hook;
    ngx_http_ticket_room_t  *room;

    room = ev->data;

    for (n = 0; n < NGX_HTTP_TICKET_ROOM_TURN; n++) {

        if (ngx_queue_empty(&room->due)) {
            return;
        }

        q = ngx_queue_head(&room->due);

        ngx_queue_remove(q);
        ngx_queue_insert_tail(&room->hooks, q);

        hook = ngx_queue_data(q, ngx_http_ticket_hook_t, queue);
        hook->handler(hook, room->news);
    }

    if (!ngx_queue_empty(&room->due)) {
        ngx_post_event(ev, &ngx_posted_next_events);
    }
}
