/*
 * An answer that is a stream of server-sent events (WHATWG HTML, 9.2), and its
 * way to a client that may read slowly or not at all.  Knows nothing of
 * waiting rooms.
 *
 * One event at most is on its way; what comes meanwhile is for its owner to
 * leave out.  Its memory is the request's, taken once: a stream that lasts for
 * hours takes no more than one that lasts a second.
 */

#ifndef _NGX_HTTP_TICKET_SSE_H_INCLUDED_
#define _NGX_HTTP_TICKET_SSE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_ticket_request.h"


typedef struct {
    ngx_http_ticket_ctx_t            *ctx;
    ngx_buf_t                         buf;      /* the event on its way */
    ngx_msec_t                        sent;     /* ngx_current_msec; when it
                                                   was given to nginx */
    unsigned                          busy:1;   /* not all of it has left */
} ngx_http_ticket_sse_t;


/* Sends the head.  NGX_OK, or NGX_DONE: the request is finalized, because it
 * is a HEAD or the head cannot be sent.  `result` is for the metrics, then.
 * *sse lives as long as the request; it is ctx->data from here on. */
ngx_int_t ngx_http_ticket_sse_open(ngx_http_ticket_ctx_t *ctx,
    ngx_http_ticket_sse_t *sse, ngx_http_ticket_result_e result);

/* An event, or several, as they are; copied.  NGX_OK: has left or is on its
 * way.  NGX_BUSY: an earlier one still is, this one was left out.  NGX_ERROR:
 * the request has to be ended. */
ngx_int_t ngx_http_ticket_sse_send(ngx_http_ticket_sse_t *sse, u_char *data,
    size_t len);

/* The last event, behind one that may still be on its way; then the request
 * is finalized. */
void ngx_http_ticket_sse_end(ngx_http_ticket_sse_t *sse, u_char *data,
    size_t len);

/* an event has been on its way for longer than send_timeout */
ngx_uint_t ngx_http_ticket_sse_late(ngx_http_ticket_sse_t *sse);


#endif /* _NGX_HTTP_TICKET_SSE_H_INCLUDED_ */
