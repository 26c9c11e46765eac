#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_ticket_keys.h"


void
ngx_http_ticket_tag(ngx_str_t *ticket, ngx_str_t *tag)
{
    u_char  *at;

    *tag = *ticket;

    at = ngx_strlchr(ticket->data, ticket->data + ticket->len, '@');

    if (at != NULL) {
        tag->data = at + 1;
        tag->len = ticket->data + ticket->len - tag->data;
    }
}


u_char *
ngx_http_ticket_key(u_char *p, ngx_str_t *ticket, const char *suffix,
    size_t suffix_len)
{
    ngx_str_t  tag;

    ngx_http_ticket_tag(ticket, &tag);

    p = ngx_cpymem(p, "ticket:{", sizeof("ticket:{") - 1);
    p = ngx_cpymem(p, tag.data, tag.len);
    *p++ = '}';

    if (tag.len != ticket->len) {
        *p++ = ':';
        p = ngx_cpymem(p, ticket->data, ticket->len);
    }

    if (suffix_len) {
        *p++ = ':';
        p = ngx_cpymem(p, suffix, suffix_len);
    }

    return p;
}


u_char *
ngx_http_ticket_room_key(u_char *p, const char *kind, ngx_str_t *room)
{
    p = ngx_cpymem(p, kind, ngx_strlen(kind));
    *p++ = '{';
    p = ngx_cpymem(p, room->data, room->len);
    *p++ = '}';

    return p;
}


ngx_int_t
ngx_http_ticket_next_name(ngx_str_t *rest, ngx_str_t *name)
{
    size_t   taken;
    u_char  *last, *space;

    if (rest->len == 0) {
        return NGX_DONE;
    }

    last = rest->data + rest->len;
    space = ngx_strlchr(rest->data, last, ' ');

    name->data = rest->data;
    name->len = (space ? space : last) - rest->data;

    taken = name->len + (space ? 1 : 0);

    rest->data += taken;
    rest->len -= taken;

    return NGX_OK;
}
