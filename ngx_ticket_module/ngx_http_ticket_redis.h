/*
 * One connection of one worker to one Redis server, as a state machine
 * (connect, auth, select, load scripts, self-test, ready), on nginx's event
 * loop.  Knows nothing of requests: it takes a {handler, data} pair.
 */

#ifndef _NGX_HTTP_TICKET_REDIS_H_INCLUDED_
#define _NGX_HTTP_TICKET_REDIS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <hiredis/hiredis.h>
#include "ngx_http_ticket_shm.h"


/* how a call ended */
typedef enum {
    NGX_HTTP_TICKET_DONE = 0,   /* a reply that is no error */
    NGX_HTTP_TICKET_NOT_DONE,   /* certainly not executed: 503 */
    NGX_HTTP_TICKET_UNKNOWN     /* perhaps executed: 504 */
} ngx_http_ticket_outcome_t;


typedef enum {
    NGX_HTTP_TICKET_SCRIPT_book = 0,
    NGX_HTTP_TICKET_SCRIPT_cancel,
    NGX_HTTP_TICKET_SCRIPT_booking,
    NGX_HTTP_TICKET_SCRIPT_ticket,
    NGX_HTTP_TICKET_SCRIPT_define,
    NGX_HTTP_TICKET_SCRIPT_delete,
    NGX_HTTP_TICKET_SCRIPT_bookings,
    NGX_HTTP_TICKET_SCRIPT_queue_enter,
    NGX_HTTP_TICKET_SCRIPT_queue_advance,
    NGX_HTTP_TICKET_SCRIPT_queue_leave,
    NGX_HTTP_TICKET_SCRIPT_queue_define,
    NGX_HTTP_TICKET_SCRIPT_queue_room,
    NGX_HTTP_TICKET_SCRIPT_selftest,
    NGX_HTTP_TICKET_SCRIPTS
} ngx_http_ticket_script_e;


/* configuration: one for each distinct ticket_redis uri */
typedef struct {
    ngx_str_t                         uri;      /* never logged: secrets */
    ngx_str_t                         name;     /* host:port/db, for logs */
    ngx_addr_t                       *addrs;    /* resolved while parsing */
    ngx_uint_t                        naddrs;
    ngx_str_t                         user;
    ngx_str_t                         password;
    ngx_uint_t                        db;
    ngx_msec_t                        connect_timeout;
    ngx_msec_t                        timeout;  /* a request waits this long */
    ngx_msec_t                        backoff_max;

    /* this worker's */
    struct ngx_http_ticket_redis_s   *redis;
    struct ngx_http_ticket_batches_s *batches;
    struct ngx_http_ticket_rooms_s   *rooms;    /* NULL: no location has any */
} ngx_http_ticket_redis_conf_t;


/* what the server said of itself, read at connect and every few seconds */
typedef struct {
    unsigned                          noeviction:1;
    unsigned                          master:1;
    unsigned                          selftest:1;   /* ACL rights are there */
    unsigned                          maxmemory:1;  /* a limit is set */
    unsigned                          lonely:1; /* refuses writes: fewer
                                                   replicas than it needs */
    unsigned                          backlog:1;    /* for replicas, is kept */
    ngx_uint_t                        replicas;
    ngx_int_t                         good_replicas;    /* -1: no policy set */
    ngx_int_t                         backlog_ttl;  /* s; 0, too, when this
                                                       user may not ask */
    u_char                            replid[41];       /* master_replid */
    u_char                            catalogue[41];    /* GET catalogue, "" */
} ngx_http_ticket_redis_info_t;


typedef struct {
    ngx_queue_t                       queue;
    void                            (*handler)(void *data);
    void                             *data;
} ngx_http_ticket_redis_waiter_t;


typedef struct ngx_http_ticket_redis_s  ngx_http_ticket_redis_t;

/* `reply` is valid during the call and only with NGX_HTTP_TICKET_DONE; called
 * exactly once for each accepted command, never from inside eval/command. */
typedef void (*ngx_http_ticket_redis_pt)(void *data,
    ngx_http_ticket_outcome_t outcome, redisReply *reply);


/* Makes the connection object and begins to connect.  NULL: no memory. */
ngx_http_ticket_redis_t *ngx_http_ticket_redis_create(ngx_cycle_t *cycle,
    ngx_http_ticket_redis_conf_t *conf, ngx_http_ticket_shctx_t *sh);

/* exit_process: every command still open ends as unknown, then it is freed */
void ngx_http_ticket_redis_destroy(ngx_http_ticket_redis_t *redis);

ngx_uint_t ngx_http_ticket_redis_ready(ngx_http_ticket_redis_t *redis);

/* A new worker's first attempt to connect is under way: worth waiting for, so
 * that a reload turns nobody away. */
ngx_uint_t ngx_http_ticket_redis_starting(ngx_http_ticket_redis_t *redis);

/* The waiter's handler is called once when it is over, ready or not; never
 * from inside another handler, and not by a worker that exits before.  Who
 * gives up removes waiter->queue; after the call that does no harm. */
void ngx_http_ticket_redis_await(ngx_http_ticket_redis_t *redis,
    ngx_http_ticket_redis_waiter_t *waiter);

ngx_http_ticket_redis_info_t *ngx_http_ticket_redis_info(
    ngx_http_ticket_redis_t *redis);
ngx_http_ticket_redis_conf_t *ngx_http_ticket_redis_conf(
    ngx_http_ticket_redis_t *redis);

/* Whether Redis has every ticket there is, for all we know: its catalogue was
 * written under this master_replid.  What is known is up to a second old; it
 * is new for a script that is sent after ..._catalogue(), which reads it.
 * NGX_DECLINED: no connection. */
ngx_uint_t ngx_http_ticket_redis_complete(ngx_http_ticket_redis_t *redis,
    ngx_str_t *replid);
ngx_int_t ngx_http_ticket_redis_catalogue(ngx_http_ticket_redis_t *redis);

/* EVALSHA of a script.  argv holds the keys, then the arguments; copied before
 * it returns.  NGX_OK: the handler will be called.  NGX_DECLINED: not ready,
 * nothing was sent, the handler is not called.  A NOSCRIPT answer is repaired
 * inside (load, once again). */
ngx_int_t ngx_http_ticket_redis_eval(ngx_http_ticket_redis_t *redis,
    ngx_http_ticket_script_e script, ngx_uint_t nkeys, ngx_uint_t argc,
    const char **argv, const size_t *argvlen,
    ngx_http_ticket_redis_pt handler, void *data);

/* a plain command; same returns */
ngx_int_t ngx_http_ticket_redis_command(ngx_http_ticket_redis_t *redis,
    ngx_uint_t argc, const char **argv, const size_t *argvlen,
    ngx_http_ticket_redis_pt handler, void *data);

/* The last whole millisecond of Redis' clock before the moment `deadline` (in
 * ngx_http_ticket_usec(), as `now` is), never later than the truth; each reply
 * of a script tells it.  0 while none has come, which a ready connection rules
 * out. */
int64_t ngx_http_ticket_redis_clock(ngx_http_ticket_redis_t *redis,
    uint64_t now, uint64_t deadline);

/* Asks the persisters to recover `ticket` (SADD tickets:recover), at most once
 * a second per name. */
void ngx_http_ticket_redis_recover(ngx_http_ticket_redis_t *redis,
    ngx_str_t *ticket);


#endif /* _NGX_HTTP_TICKET_REDIS_H_INCLUDED_ */
