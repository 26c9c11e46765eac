
/*
 * The rooms there are, for the worker that lets people in even while nobody
 * asks it: the names in `queues`, some pages of them in each tick.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_ticket_call.h"
#include "ngx_http_ticket_room.h"


#define NGX_HTTP_TICKET_ROOM_PAGE    100        /* names, about */
#define NGX_HTTP_TICKET_ROOM_PAGES   16         /* in one tick */


static void ngx_http_ticket_rooms_page(ngx_http_ticket_rooms_t *rooms);
static void ngx_http_ticket_rooms_paged(ngx_http_ticket_call_t *call);
static void ngx_http_ticket_rooms_names(ngx_http_ticket_rooms_t *rooms,
    redisReply *reply);


void
ngx_http_ticket_rooms_list(ngx_http_ticket_rooms_t *rooms)
{
    if (rooms->scanning) {
        return;
    }

    rooms->pages = 0;

    ngx_http_ticket_rooms_page(rooms);
}


static void
ngx_http_ticket_rooms_page(ngx_http_ticket_rooms_t *rooms)
{
    u_char                  *p, cursor[NGX_INT64_LEN];
    ngx_str_t                name;
    ngx_http_ticket_call_t  *call;

    ngx_str_set(&name, "queues");

    call = ngx_http_ticket_call_create(rooms->tmcf, rooms->conf, &name,
                                       ngx_http_ticket_rooms_paged, rooms);
    if (call == NULL) {
        return;
    }

    call->own = 1;

    p = ngx_sprintf(cursor, "%uL", rooms->cursor);

    ngx_http_ticket_call_literal(call, "SSCAN");
    ngx_http_ticket_call_literal(call, "queues");
    ngx_http_ticket_call_str(call, (char *) cursor, p - cursor);
    ngx_http_ticket_call_literal(call, "COUNT");
    ngx_http_ticket_call_int(call, NGX_HTTP_TICKET_ROOM_PAGE);

    if (ngx_http_ticket_call_send(call, NGX_HTTP_TICKET_SCRIPTS) == NGX_OK) {
        rooms->scanning = 1;
        rooms->pages++;
    }
}


static void
ngx_http_ticket_rooms_paged(ngx_http_ticket_call_t *call)
{
    ngx_http_ticket_rooms_t *rooms = call->data;

    rooms->scanning = 0;

    if (call->result != NGX_HTTP_TICKET_RESULT_NONE || rooms->leaving) {
        return;
    }

    ngx_http_ticket_rooms_names(rooms, call->reply);

    /* the rest, if there is one, in the next tick */

    if (rooms->cursor != 0 && rooms->pages < NGX_HTTP_TICKET_ROOM_PAGES) {
        ngx_http_ticket_rooms_page(rooms);
    }
}


static void
ngx_http_ticket_rooms_names(ngx_http_ticket_rooms_t *rooms, redisReply *reply)
{
    uint64_t         cursor;
    ngx_str_t        text, name;
    ngx_uint_t       i;
    redisReply      *names;
    ticket_slice_t   slice;

    ngx_http_ticket_call_reply_str(reply, 0, &text);
    ngx_http_ticket_slice(slice, &text);

    if (ticket_number_parse(slice, UINT64_MAX, &cursor) != 0
        || reply->elements < 2
        || reply->element[1]->type != REDIS_REPLY_ARRAY)
    {
        rooms->cursor = 0;
        return;
    }

    rooms->cursor = cursor;
    names = reply->element[1];

    for (i = 0; i < names->elements; i++) {
        ngx_http_ticket_call_reply_str(names, i, &name);
        ngx_http_ticket_slice(slice, &name);

        if (ticket_name_valid(slice)
            && ngx_strlchr(name.data, name.data + name.len, '@') == NULL)
        {
            ngx_http_ticket_rooms_listed(rooms, &name);
        }
    }
}
