/*
 * A waiting room as its office sees it.
 */

#ifndef _NGX_HTTP_TICKET_QUEUE_ADMIN_H_INCLUDED_
#define _NGX_HTTP_TICKET_QUEUE_ADMIN_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_ticket_call.h"


/* the reply of queue_room or queue_define as an object of its own; the seed
 * of a draw only when it is over */
void ngx_http_ticket_queue_describe(ngx_http_ticket_text_t *text,
    ngx_str_t *room, redisReply *reply);

/* what was changed, for a log: "capacity=5 rate=none"; the seed is not in it.
 * Returns the end; writes at most NGX_HTTP_TICKET_QUEUE_CHANGES bytes. */
u_char *ngx_http_ticket_queue_changes(u_char *p, u_char *last,
    ticket_args_t *args);

#define NGX_HTTP_TICKET_QUEUE_CHANGES   1024


#endif /* _NGX_HTTP_TICKET_QUEUE_ADMIN_H_INCLUDED_ */
