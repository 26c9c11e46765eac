/*
 * What ngx_http_ticket_redis.c (the connection), ..._redis_call.c (its
 * commands), ..._redis_format.c (their bytes), ..._redis_info.c (its server)
 * and ..._redis_wait.c (who waits for it at the start) share; nobody else's.
 */

#ifndef _NGX_HTTP_TICKET_REDIS_PEER_H_INCLUDED_
#define _NGX_HTTP_TICKET_REDIS_PEER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_http_ticket_redis.h"
#include "ngx_http_ticket_redis_event.h"
#include "ngx_http_ticket_scripts.h"


#define NGX_HTTP_TICKET_REDIS_RECOVER   1024    /* a power of two */


typedef enum {
    NGX_HTTP_TICKET_REDIS_IDLE = 0,     /* until the back-off is over */
    NGX_HTTP_TICKET_REDIS_CONNECT,
    NGX_HTTP_TICKET_REDIS_AUTH,
    NGX_HTTP_TICKET_REDIS_SELECT,
    NGX_HTTP_TICKET_REDIS_SCRIPTS,
    NGX_HTTP_TICKET_REDIS_SELFTEST,
    NGX_HTTP_TICKET_REDIS_READY,
    NGX_HTTP_TICKET_REDIS_CLOSING       /* the last answers are awaited */
} ngx_http_ticket_redis_state_e;


struct ngx_http_ticket_redis_s {
    ngx_http_ticket_redis_conf_t     *conf;
    ngx_http_ticket_shctx_t          *sh;
    ngx_log_t                        *log;

    redisAsyncContext                *ac;       /* NULL: not connected */
    ngx_http_ticket_redis_state_e     state;

    /* back-off, then connect and handshake timeouts, then the tick */
    ngx_event_t                       timer;

    ngx_uint_t                        tries;    /* failures in a row */
    ngx_uint_t                        addr;     /* which one is next */
    ngx_uint_t                        loaded;   /* scripts so far */
    ngx_uint_t                        ticks;
    ngx_uint_t                        lines;    /* logged in this outage */

    ngx_http_ticket_redis_info_t      info;

    /* calls without an answer, the oldest first */
    ngx_queue_t                       calls;
    uint64_t                          accepted; /* bytes given to hiredis */

    /* Redis' clock minus ours, microseconds, never more than the truth */
    int64_t                           offset;
    uint64_t                          offset_seen;      /* 0: unknown */

    /* when tickets:recover was last told, by a hash of the name */
    ngx_msec_t                        recover[NGX_HTTP_TICKET_REDIS_RECOVER];

    u_char                            sha1[NGX_HTTP_TICKET_SCRIPTS]
                                          [NGX_HTTP_TICKET_SHA1_LEN];
    u_char                            reason[192];      /* of this failure */
    u_char                            told[192];        /* the last logged */
    time_t                            warned;   /* of an unknown error */

    ngx_queue_t                       waiters;  /* for the first attempt */
    ngx_event_t                       wake;     /* them, when it is over */

    unsigned                          started:1;    /* the first attempt is
                                                       over */
    unsigned                          up:1;     /* was ready */
    unsigned                          refused:1;    /* self-test said so */
    unsigned                          asking:1; /* a tick has no answer */
    unsigned                          overdue:1;    /* at the last tick */
    unsigned                          mute:1;   /* no right to CONFIG GET */
    unsigned                          destroyed:1;
    u_char                            reloading[NGX_HTTP_TICKET_SCRIPTS];
};


/* ngx_http_ticket_redis_call.c */

/* In any state.  Unlike the public ones these hand an error reply to the
 * handler, too; a lost connection is reply == NULL. */
ngx_int_t ngx_http_ticket_redis_call(ngx_http_ticket_redis_t *redis,
    ngx_uint_t argc, const char **argv, const size_t *argvlen,
    ngx_http_ticket_redis_pt handler, void *data);
ngx_int_t ngx_http_ticket_redis_call_script(ngx_http_ticket_redis_t *redis,
    ngx_http_ticket_script_e script, ngx_uint_t nkeys, ngx_uint_t argc,
    const char **argv, const size_t *argvlen,
    ngx_http_ticket_redis_pt handler, void *data);
ngx_int_t ngx_http_ticket_redis_call_load(ngx_http_ticket_redis_t *redis,
    ngx_uint_t script, ngx_http_ticket_redis_pt handler, void *data);

/* the first word of an error reply: safe to log, the rest may be not */
void ngx_http_ticket_redis_error_code(redisReply *reply, ngx_str_t *code);

/* when the oldest call was made, 0: none is open */
uint64_t ngx_http_ticket_redis_oldest(ngx_http_ticket_redis_t *redis);


/* ngx_http_ticket_redis_format.c */

/* a command's bytes: room that is always enough, and how many they are */
size_t ngx_http_ticket_redis_format_max(ngx_uint_t argc,
    const size_t *argvlen);
size_t ngx_http_ticket_redis_format(char *buf, ngx_uint_t argc,
    const char **argv, const size_t *argvlen);


/* ngx_http_ticket_redis_info.c */

/* each asks once; the self-test's answer in its state makes it ready */
ngx_int_t ngx_http_ticket_redis_backlog(ngx_http_ticket_redis_t *redis);
ngx_int_t ngx_http_ticket_redis_selftest(ngx_http_ticket_redis_t *redis);

/* `reply` of a script tells the time there between sent and now */
void ngx_http_ticket_redis_clock_seen(ngx_http_ticket_redis_t *redis,
    redisReply *reply, uint64_t sent, uint64_t now);


/* ngx_http_ticket_redis_wait.c */

void ngx_http_ticket_redis_wait_init(ngx_http_ticket_redis_t *redis);

/* the first attempt is over: who waits for it is called, from a posted event */
void ngx_http_ticket_redis_started(ngx_http_ticket_redis_t *redis);

/* who still waits is forgotten */
void ngx_http_ticket_redis_wait_done(ngx_http_ticket_redis_t *redis);


/* ngx_http_ticket_redis.c */

void ngx_http_ticket_redis_opened(ngx_http_ticket_redis_t *redis);

/* gives the connection up: at once, or when the last answers are there */
void ngx_http_ticket_redis_drop(ngx_http_ticket_redis_t *redis,
    const char *fmt, ...);
void ngx_http_ticket_redis_leave(ngx_http_ticket_redis_t *redis,
    ngx_str_t *error);


#endif /* _NGX_HTTP_TICKET_REDIS_PEER_H_INCLUDED_ */
