#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_ticket_keys.h"


u_char *
ngx_http_ticket_key(u_char *p, ngx_str_t *ticket, const char *suffix,
    size_t suffix_len)
{
    u_char     *at;
    ngx_str_t   tag;

    tag = *ticket;

    at = ngx_strlchr(ticket->data, ticket->data + ticket->len, '@');

    if (at != NULL) {
        tag.data = at + 1;
        tag.len = ticket->data + ticket->len - tag.data;
    }

    p = ngx_cpymem(p, "ticket:{", sizeof("ticket:{") - 1);
    p = ngx_cpymem(p, tag.data, tag.len);
    *p++ = '}';

    if (at != NULL) {
        *p++ = ':';
        p = ngx_cpymem(p, ticket->data, ticket->len);
    }

    if (suffix_len) {
        *p++ = ':';
        p = ngx_cpymem(p, suffix, suffix_len);
    }

    return p;
}
