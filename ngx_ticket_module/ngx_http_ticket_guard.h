/*
 * The pass of a request: where it is found, and what it is worth before Redis
 * is asked.
 */

#ifndef _NGX_HTTP_TICKET_GUARD_H_INCLUDED_
#define _NGX_HTTP_TICKET_GUARD_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_ticket_request.h"


/*
 * The pass a request presents: what "ticket_pass" says, or else the header
 * Ticket-Pass, the field `pass`, the cookie ticket_pass, whichever comes
 * first; empty: none.  A cookie comes with every request, all others are
 * meant for this one.  field: NULL where there is no body or it is not read.
 * NGX_DECLINED: a % that begins nothing.  NGX_ERROR: no memory.
 */
ngx_int_t ngx_http_ticket_guard_find(ngx_http_request_t *r,
    const ngx_str_t *field, ngx_str_t *pass);

/*
 * Whether it is one for this room and user.  NONE: it is, and *expires (ms,
 * more than 0) is when it ends, which may have passed; or PASS_REQUIRED (it is
 * empty), PASS_INVALID, PASS_FOREIGN.
 */
ngx_http_ticket_result_e ngx_http_ticket_guard_verify(ngx_http_request_t *r,
    ngx_str_t *room, ngx_str_t *user, ngx_str_t *pass, uint64_t *expires);

/*
 * For a booking in a location with "ticket_queue", whose inputs are checked:
 * sets ctx->room and ctx->pass.  NGX_DONE: it was refused and answered.
 */
ngx_int_t ngx_http_ticket_guard(ngx_http_ticket_ctx_t *ctx);


#endif /* _NGX_HTTP_TICKET_GUARD_H_INCLUDED_ */
