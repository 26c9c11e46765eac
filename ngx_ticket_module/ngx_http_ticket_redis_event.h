/*
 * An asynchronous hiredis context on nginx's event loop, level-triggered;
 * knows nothing of tickets.  Works with hiredis 0.14 and newer.
 */

#ifndef _NGX_HTTP_TICKET_REDIS_EVENT_H_INCLUDED_
#define _NGX_HTTP_TICKET_REDIS_EVENT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <hiredis/hiredis.h>
#include <hiredis/async.h>


typedef void (*ngx_http_ticket_redis_closed_pt)(void *data,
    redisAsyncContext *ac);


/* To be called once, straight after redisAsyncConnect().  NGX_ERROR: no
 * connection slot, the caller frees ac.  After NGX_OK `closed` is called once,
 * when hiredis gives the context up: ac->err and ac->errstr still hold, the
 * context is gone when the caller's stack has unwound.  It must neither free
 * nor connect. */
ngx_int_t ngx_http_ticket_redis_event_attach(redisAsyncContext *ac,
    ngx_log_t *log, ngx_http_ticket_redis_closed_pt closed, void *data);


#endif /* _NGX_HTTP_TICKET_REDIS_EVENT_H_INCLUDED_ */
