/*
 * A waiting room as its office sees it.
 */

#ifndef _NGX_HTTP_TICKET_QUEUE_ADMIN_H_INCLUDED_
#define _NGX_HTTP_TICKET_QUEUE_ADMIN_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_ticket_call.h"


/* what is wrong with a PUT or PATCH, a sentence, or NULL */
const char *ngx_http_ticket_queue_define_check(ngx_http_ticket_ctx_t *ctx);

/* the arguments from capacity to draw; then seed and draw_hash, new ones.
 * NGX_ERROR: no memory, or no random bytes. */
void ngx_http_ticket_queue_define_fields(ngx_http_ticket_ctx_t *ctx,
    ngx_http_ticket_call_t *call);
ngx_int_t ngx_http_ticket_queue_define_seed(ngx_http_ticket_ctx_t *ctx,
    ngx_http_ticket_call_t *call);

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
