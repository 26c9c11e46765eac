/*
 * Names of the Redis keys of a ticket: ticket:{T}, or ticket:{group}:T when T
 * is name@group, so that the tickets of a group share a hash slot; and those
 * of the waiting room that guards them, which shares it too.
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

/* the hash tag of a ticket, which is the name of its room: T, or the group */
void ngx_http_ticket_tag(ngx_str_t *ticket, ngx_str_t *tag);

/* The next of the names in *rest, which are separated by one space; *rest is
 * what follows.  NGX_DONE: there was none left. */
ngx_int_t ngx_http_ticket_next_name(ngx_str_t *rest, ngx_str_t *name);

/* kinds of keys of a room: its hash, its line, its live passes */
#define NGX_HTTP_TICKET_KEY_ROOM     "queue:room:"
#define NGX_HTTP_TICKET_KEY_LINE     "queue:"
#define NGX_HTTP_TICKET_KEY_PASSES   "queue:pass:z:"

/* bytes ngx_http_ticket_room_key() may write for a room */
#define ngx_http_ticket_room_key_len(room)                                    \
    (sizeof(NGX_HTTP_TICKET_KEY_PASSES "{}") - 1 + (room)->len)

/* writes kind{room}; returns the end */
u_char *ngx_http_ticket_room_key(u_char *p, const char *kind,
    ngx_str_t *room);


#endif /* _NGX_HTTP_TICKET_KEYS_H_INCLUDED_ */
