#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_http_ticket_redis_peer.h"


static void ngx_http_ticket_redis_wake(ngx_event_t *ev);


void
ngx_http_ticket_redis_wait_init(ngx_http_ticket_redis_t *redis)
{
    ngx_queue_init(&redis->waiters);

    redis->wake.handler = ngx_http_ticket_redis_wake;
    redis->wake.data = redis;
    redis->wake.log = redis->log;
}


ngx_uint_t
ngx_http_ticket_redis_starting(ngx_http_ticket_redis_t *redis)
{
    return !redis->started && !redis->destroyed;
}


void
ngx_http_ticket_redis_await(ngx_http_ticket_redis_t *redis,
    ngx_http_ticket_redis_waiter_t *waiter)
{
    ngx_queue_insert_tail(&redis->waiters, &waiter->queue);
}


void
ngx_http_ticket_redis_started(ngx_http_ticket_redis_t *redis)
{
    if (redis->started || redis->destroyed) {
        return;
    }

    redis->started = 1;

    ngx_post_event(&redis->wake, &ngx_posted_events);
}


static void
ngx_http_ticket_redis_wake(ngx_event_t *ev)
{
    ngx_queue_t                     *q;
    ngx_http_ticket_redis_t         *redis;
    ngx_http_ticket_redis_waiter_t  *waiter;

    redis = ev->data;

    while (!ngx_queue_empty(&redis->waiters)) {

        q = ngx_queue_head(&redis->waiters);
        ngx_queue_remove(q);
        ngx_queue_init(q);

        waiter = ngx_queue_data(q, ngx_http_ticket_redis_waiter_t, queue);
        waiter->handler(waiter->data);
    }
}


void
ngx_http_ticket_redis_wait_done(ngx_http_ticket_redis_t *redis)
{
    ngx_queue_t  *q;

    if (redis->wake.posted) {
        ngx_delete_posted_event(&redis->wake);
    }

    while (!ngx_queue_empty(&redis->waiters)) {
        q = ngx_queue_head(&redis->waiters);
        ngx_queue_remove(q);
        ngx_queue_init(q);
    }
}
