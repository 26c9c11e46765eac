/*
 * A ticket as Redis has it, as JSON has it.
 */

#ifndef _NGX_HTTP_TICKET_STATUS_H_INCLUDED_
#define _NGX_HTTP_TICKET_STATUS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_ticket_call.h"


/* reads capacity, remaining, per_user, lanes, state, opens_at, closes_at
 * from the reply's element `first` on */
void ngx_http_ticket_status_read(ngx_http_ticket_status_t *status,
    redisReply *reply, ngx_uint_t first);

/* the call was "ticket": NGX_OK, or NGX_DECLINED when it tells nothing of the
 * ticket; a ticket that is being opened has the state "recovering" */
ngx_int_t ngx_http_ticket_status_found(ngx_http_ticket_status_t *status,
    ngx_http_ticket_call_t *call);

/* what everybody may see, and what the office sees, as an object of its own */
void ngx_http_ticket_status_public(ngx_http_ticket_text_t *text,
    ngx_str_t *ticket, ngx_http_ticket_status_t *status);
void ngx_http_ticket_status_full(ngx_http_ticket_text_t *text,
    ngx_str_t *ticket, ngx_http_ticket_status_t *status);


#endif /* _NGX_HTTP_TICKET_STATUS_H_INCLUDED_ */
