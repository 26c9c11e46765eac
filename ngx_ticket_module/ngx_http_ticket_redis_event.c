#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_http_ticket_redis_event.h"


/* kept apart from ac, which a handler of hiredis may free under our feet */

typedef struct {
    redisAsyncContext                *ac;
    ngx_connection_t                 *connection;
    ngx_http_ticket_redis_closed_pt   closed;
    void                             *data;

    unsigned                          entered:1;
    unsigned                          writing:1;
    unsigned                          deleted:1;
    unsigned                          more:1;   /* bytes left to write */
} ngx_http_ticket_redis_event_t;


static void ngx_http_ticket_redis_event_read(ngx_event_t *rev);
static void ngx_http_ticket_redis_event_write(ngx_event_t *wev);
static ngx_int_t ngx_http_ticket_redis_event_left(
    ngx_http_ticket_redis_event_t *e);
static void ngx_http_ticket_redis_event_watch(
    ngx_http_ticket_redis_event_t *e, ngx_event_t *ev, ngx_int_t event);
static void ngx_http_ticket_redis_event_add_read(void *privdata);
static void ngx_http_ticket_redis_event_del_read(void *privdata);
static void ngx_http_ticket_redis_event_add_write(void *privdata);
static void ngx_http_ticket_redis_event_del_write(void *privdata);
static void ngx_http_ticket_redis_event_cleanup(void *privdata);


ngx_int_t
ngx_http_ticket_redis_event_attach(redisAsyncContext *ac, ngx_log_t *log,
    ngx_http_ticket_redis_closed_pt closed, void *data)
{
    ngx_connection_t               *c;
    ngx_http_ticket_redis_event_t  *e;

    e = ngx_calloc(sizeof(ngx_http_ticket_redis_event_t), log);
    if (e == NULL) {
        return NGX_ERROR;
    }

    c = ngx_get_connection(ac->c.fd, log);
    if (c == NULL) {
        ngx_free(e);
        return NGX_ERROR;
    }

    c->data = e;
    c->log = log;
    c->type = SOCK_STREAM;

    c->read->handler = ngx_http_ticket_redis_event_read;
    c->read->log = log;
    c->write->handler = ngx_http_ticket_redis_event_write;
    c->write->log = log;

    e->ac = ac;
    e->connection = c;
    e->closed = closed;
    e->data = data;

    ac->ev.addRead = ngx_http_ticket_redis_event_add_read;
    ac->ev.delRead = ngx_http_ticket_redis_event_del_read;
    ac->ev.addWrite = ngx_http_ticket_redis_event_add_write;
    ac->ev.delWrite = ngx_http_ticket_redis_event_del_write;
    ac->ev.cleanup = ngx_http_ticket_redis_event_cleanup;
    ac->ev.data = e;

    return NGX_OK;
}


static void
ngx_http_ticket_redis_event_read(ngx_event_t *rev)
{
    ngx_connection_t               *c;
    ngx_http_ticket_redis_event_t  *e;

    c = rev->data;
    e = c->data;

    e->entered = 1;

    if (c->close) {

        /* worker_shutdown_timeout has passed */

        redisAsyncFree(e->ac);

    } else {
        redisAsyncHandleRead(e->ac);
    }

    (void) ngx_http_ticket_redis_event_left(e);
}


static void
ngx_http_ticket_redis_event_write(ngx_event_t *wev)
{
    ngx_connection_t               *c;
    ngx_http_ticket_redis_event_t  *e;

    c = wev->data;
    e = c->data;

    e->entered = 1;
    e->writing = 1;
    e->more = 0;

    redisAsyncHandleWrite(e->ac);

    if (ngx_http_ticket_redis_event_left(e) == NGX_DONE) {
        return;
    }

    if (e->more) {
        ngx_http_ticket_redis_event_watch(e, wev, NGX_WRITE_EVENT);
    }
}


static ngx_int_t
ngx_http_ticket_redis_event_left(ngx_http_ticket_redis_event_t *e)
{
    e->entered = 0;
    e->writing = 0;

    if (e->deleted) {
        ngx_free(e);
        return NGX_DONE;
    }

    return NGX_OK;
}


static void
ngx_http_ticket_redis_event_watch(ngx_http_ticket_redis_event_t *e,
    ngx_event_t *ev, ngx_int_t event)
{
    if (ev->active) {
        return;
    }

    /* both directions with the same flags: epoll keeps one mask for the two */

    if (ngx_add_event(ev, event, NGX_LEVEL_EVENT) != NGX_OK) {
        ngx_log_error(NGX_LOG_ALERT, ev->log, 0,
                      "ticket redis: no event could be added for socket %d",
                      e->connection->fd);
    }
}


static void
ngx_http_ticket_redis_event_add_read(void *privdata)
{
    ngx_http_ticket_redis_event_t  *e = privdata;

    ngx_http_ticket_redis_event_watch(e, e->connection->read, NGX_READ_EVENT);
}


static void
ngx_http_ticket_redis_event_del_read(void *privdata)
{
    /* no version of hiredis calls it */
}


static void
ngx_http_ticket_redis_event_add_write(void *privdata)
{
    ngx_http_ticket_redis_event_t  *e = privdata;

    ngx_event_t  *wev;

    wev = e->connection->write;

    if (!(e->ac->c.flags & REDIS_CONNECTED)) {

        /* hiredis 0.14 takes a pending connect for a finished one */

        ngx_http_ticket_redis_event_watch(e, wev, NGX_WRITE_EVENT);
        return;
    }

    e->more = 1;

    /* out of the write handler: what is left is watched when it returns */

    if (wev->active || e->writing) {
        return;
    }

    /* the commands of one turn leave in one write */

    ngx_post_event(wev, &ngx_posted_events);
}


static void
ngx_http_ticket_redis_event_del_write(void *privdata)
{
    ngx_http_ticket_redis_event_t  *e = privdata;

    ngx_event_t  *wev;

    wev = e->connection->write;

    e->more = 0;

    if (wev->posted) {
        ngx_delete_posted_event(wev);
    }

    if (wev->active) {
        (void) ngx_del_event(wev, NGX_WRITE_EVENT, 0);
    }
}


static void
ngx_http_ticket_redis_event_cleanup(void *privdata)
{
    ngx_http_ticket_redis_event_t  *e = privdata;

    ngx_connection_t  *c;

    c = e->connection;

    if (c->read->posted) {
        ngx_delete_posted_event(c->read);
    }

    if (c->write->posted) {
        ngx_delete_posted_event(c->write);
    }

    if (ngx_del_conn) {
        if (c->read->active || c->write->active) {
            (void) ngx_del_conn(c, 0);
        }

    } else {
        if (c->read->active) {
            (void) ngx_del_event(c->read, NGX_READ_EVENT, 0);
        }

        if (c->write->active) {
            (void) ngx_del_event(c->write, NGX_WRITE_EVENT, 0);
        }
    }

    c->read->closed = 1;
    c->write->closed = 1;

    /* the order matters: the slot is found by c->fd; hiredis closes it */

    ngx_free_connection(c);
    c->fd = (ngx_socket_t) -1;

    e->connection = NULL;
    e->deleted = 1;

    e->closed(e->data, e->ac);

    if (!e->entered) {
        ngx_free(e);
    }
}
