
/*
 * Calls of scripts about a waiting room: their keys.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_ticket_call.h"
#include "ngx_http_ticket_keys.h"


#define NGX_HTTP_TICKET_CALL_KEY_MAX                                          \
    (sizeof("ticket:{}:") - 1 + 2 * TICKET_ID_MAX)


static void ngx_http_ticket_call_tickets(ngx_http_ticket_call_t *call,
    ngx_str_t *tickets);


ngx_http_ticket_call_t *
ngx_http_ticket_call_room(ngx_http_ticket_main_conf_t *tmcf,
    ngx_http_ticket_redis_conf_t *conf, ngx_str_t *room, ngx_str_t *tickets,
    ngx_http_ticket_call_pt handler, void *data)
{
    size_t                   size;
    u_char                  *p;
    ngx_str_t                copy;
    ngx_uint_t               i;
    ngx_http_ticket_call_t  *call;

    static const char  *kinds[] = {
        NGX_HTTP_TICKET_KEY_ROOM,
        NGX_HTTP_TICKET_KEY_LINE,
        NGX_HTTP_TICKET_KEY_PASSES
    };

    size = 3 * ngx_http_ticket_room_key_len(room);

    if (tickets != NULL) {
        size += tickets->len
                + NGX_HTTP_TICKET_CALL_ROOM * NGX_HTTP_TICKET_CALL_KEY_MAX;
    }

    call = ngx_http_ticket_call_make(tmcf, conf, room, size, handler, data);

    if (call == NULL) {
        return NULL;
    }

    for (i = 0; i < 3; i++) {
        p = call->pos;
        call->pos = ngx_http_ticket_room_key(p, kinds[i], room);
        ngx_http_ticket_call_str(call, (char *) p, call->pos - p);
    }

    call->nkeys = 3;

    if (tickets != NULL) {
        copy.data = call->pos;
        copy.len = tickets->len;
        call->pos = ngx_cpymem(call->pos, tickets->data, tickets->len);

        ngx_http_ticket_call_tickets(call, &copy);
    }

    ngx_http_ticket_call_str(call, (char *) call->ticket.data,
                             call->ticket.len);

    if (tickets != NULL) {
        ngx_http_ticket_call_str(call, (char *) copy.data, copy.len);
    }

    return call;
}


/* the script compares the list with its own before it looks at the keys */

static void
ngx_http_ticket_call_tickets(ngx_http_ticket_call_t *call, ngx_str_t *tickets)
{
    u_char      *p;
    ngx_str_t    rest, name;
    ngx_uint_t   i;

    rest = *tickets;

    for (i = 0; i < NGX_HTTP_TICKET_CALL_ROOM; i++) {

        if (ngx_http_ticket_next_name(&rest, &name) != NGX_OK
            || name.len > TICKET_ID_MAX)
        {
            break;
        }

        p = call->pos;
        call->pos = ngx_http_ticket_key(p, &name, NULL, 0);
        call->nkeys++;

        ngx_http_ticket_call_str(call, (char *) p, call->pos - p);
    }
}
