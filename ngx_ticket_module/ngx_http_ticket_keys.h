/*
 * Names of the Redis keys of a ticket: ticket:{T}, or ticket:{group}:T when T
 * is name@group, so that the tickets of a group share a hash slot.
 */

#ifndef _NGX_HTTP_TICKET_KEYS_H_INCLUDED_
#define _NGX_HTTP_TICKET_KEYS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* bytes ngx_http_ticket_key() may write for a ticket and a suffix */
#define ngx_http_ticket_key_len(ticket, suffix_len)                           \
    (sizeof("ticket:{}::") - 1 + 2 * (ticket)->len + (suffix_len))

/* writes K or, with a suffix, K:suffix; returns the end */
u_char *ngx_http_ticket_key(u_char *p, ngx_str_t *ticket, const char *suffix,
    size_t suffix_len);


#endif /* _NGX_HTTP_TICKET_KEYS_H_INCLUDED_ */
