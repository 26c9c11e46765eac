#include <ngx_config.h>
#include <ngx_core.h>
#include <hiredis/sds.h>
#include "ngx_http_ticket_redis_peer.h"


#define NGX_HTTP_TICKET_REDIS_ARGS    512
#define NGX_HTTP_TICKET_REDIS_PAUSE   10    /* seconds between warnings */


typedef struct {
    ngx_queue_t                       queue;
    ngx_http_ticket_redis_t          *redis;
    ngx_http_ticket_redis_pt          handler;
    void                             *data;

    char                             *command;  /* behind this structure,
                                                   kept for NOSCRIPT */
    size_t                            len;
    ngx_uint_t                        script;   /* ..._SCRIPTS: no script */

    uint64_t                          sent;
    uint64_t                          end;      /* bytes up to its last one */

    unsigned                          again:1;  /* after NOSCRIPT */
} ngx_http_ticket_redis_call_t;


typedef struct {
    ngx_str_t                         code;
    unsigned                          leave:1;  /* another server may do */
} ngx_http_ticket_redis_error_t;


static ngx_http_ticket_redis_call_t *ngx_http_ticket_redis_call_create(
    ngx_http_ticket_redis_t *redis, ngx_uint_t argc, const char **argv,
    const size_t *argvlen);
static ngx_int_t ngx_http_ticket_redis_call_send(
    ngx_http_ticket_redis_call_t *call);
static void ngx_http_ticket_redis_call_reply(redisAsyncContext *ac,
    void *reply, void *privdata);
static ngx_http_ticket_outcome_t ngx_http_ticket_redis_call_lost(
    ngx_http_ticket_redis_call_t *call, redisAsyncContext *ac);
static ngx_http_ticket_outcome_t ngx_http_ticket_redis_call_error(
    ngx_http_ticket_redis_call_t *call, redisReply *reply);
static ngx_int_t ngx_http_ticket_redis_call_again(
    ngx_http_ticket_redis_call_t *call, redisReply *reply);
static void ngx_http_ticket_redis_call_loaded(void *data,
    ngx_http_ticket_outcome_t outcome, redisReply *reply);
static void ngx_http_ticket_redis_call_ignored(void *data,
    ngx_http_ticket_outcome_t outcome, redisReply *reply);


/* errors that say "nothing was done"; any other may come from half a script */

static ngx_http_ticket_redis_error_t  ngx_http_ticket_redis_errors[] = {
    { ngx_string("NOSCRIPT"), 0 },
    { ngx_string("LOADING"), 0 },
    { ngx_string("READONLY"), 1 },
    { ngx_string("MASTERDOWN"), 0 },
    { ngx_string("OOM"), 0 },
    { ngx_string("MISCONF"), 0 },
    { ngx_string("NOREPLICAS"), 0 },
    { ngx_string("BUSY"), 0 },
    { ngx_string("CLUSTERDOWN"), 0 },
    { ngx_string("TRYAGAIN"), 0 },
    { ngx_string("NOAUTH"), 1 },
    { ngx_string("MOVED"), 0 },
    { ngx_string("ASK"), 0 },
    { ngx_null_string, 0 }      /* all others */
};


ngx_int_t
ngx_http_ticket_redis_eval(ngx_http_ticket_redis_t *redis,
    ngx_http_ticket_script_e script, ngx_uint_t nkeys, ngx_uint_t argc,
    const char **argv, const size_t *argvlen,
    ngx_http_ticket_redis_pt handler, void *data)
{
    if (redis->state != NGX_HTTP_TICKET_REDIS_READY) {
        return NGX_DECLINED;
    }

    return ngx_http_ticket_redis_call_script(redis, script, nkeys, argc, argv,
                                             argvlen, handler, data);
}


ngx_int_t
ngx_http_ticket_redis_command(ngx_http_ticket_redis_t *redis, ngx_uint_t argc,
    const char **argv, const size_t *argvlen,
    ngx_http_ticket_redis_pt handler, void *data)
{
    if (redis->state != NGX_HTTP_TICKET_REDIS_READY) {
        return NGX_DECLINED;
    }

    return ngx_http_ticket_redis_call(redis, argc, argv, argvlen, handler,
                                      data);
}


ngx_int_t
ngx_http_ticket_redis_call(ngx_http_ticket_redis_t *redis, ngx_uint_t argc,
    const char **argv, const size_t *argvlen,
    ngx_http_ticket_redis_pt handler, void *data)
{
    ngx_http_ticket_redis_call_t  *call;

    call = ngx_http_ticket_redis_call_create(redis, argc, argv, argvlen);
    if (call == NULL) {
        return NGX_DECLINED;
    }

    call->script = NGX_HTTP_TICKET_SCRIPTS;
    call->handler = handler;
    call->data = data;

    if (ngx_http_ticket_redis_call_send(call) != NGX_OK) {
        ngx_free(call);
        return NGX_DECLINED;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_ticket_redis_call_script(ngx_http_ticket_redis_t *redis,
    ngx_http_ticket_script_e script, ngx_uint_t nkeys, ngx_uint_t argc,
    const char **argv, const size_t *argvlen,
    ngx_http_ticket_redis_pt handler, void *data)
{
    size_t                         len[NGX_HTTP_TICKET_REDIS_ARGS];
    u_char                         n[NGX_INT_T_LEN];
    const char                    *arg[NGX_HTTP_TICKET_REDIS_ARGS];
    ngx_http_ticket_redis_call_t  *call;

    if (argc + 3 > NGX_HTTP_TICKET_REDIS_ARGS) {
        ngx_log_error(NGX_LOG_ALERT, redis->log, 0,
                      "ticket redis: too many arguments for script \"%s\": "
                      "%ui", ngx_http_ticket_script_name(script), argc);
        return NGX_DECLINED;
    }

    arg[0] = "EVALSHA";
    len[0] = sizeof("EVALSHA") - 1;

    arg[1] = (const char *) redis->sha1[script];
    len[1] = NGX_HTTP_TICKET_SHA1_LEN;

    arg[2] = (const char *) n;
    len[2] = ngx_sprintf(n, "%ui", nkeys) - n;

    ngx_memcpy(&arg[3], argv, argc * sizeof(char *));
    ngx_memcpy(&len[3], argvlen, argc * sizeof(size_t));

    call = ngx_http_ticket_redis_call_create(redis, argc + 3, arg, len);
    if (call == NULL) {
        return NGX_DECLINED;
    }

    call->script = script;
    call->handler = handler;
    call->data = data;

    if (ngx_http_ticket_redis_call_send(call) != NGX_OK) {
        ngx_free(call);
        return NGX_DECLINED;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_ticket_redis_call_load(ngx_http_ticket_redis_t *redis,
    ngx_uint_t script, ngx_http_ticket_redis_pt handler, void *data)
{
    size_t       len[3];
    ngx_str_t   *text;
    const char  *arg[3];

    text = ngx_http_ticket_script_text(script);

    arg[0] = "SCRIPT";
    len[0] = sizeof("SCRIPT") - 1;

    arg[1] = "LOAD";
    len[1] = sizeof("LOAD") - 1;

    arg[2] = (const char *) text->data;
    len[2] = text->len;

    return ngx_http_ticket_redis_call(redis, 3, arg, len, handler, data);
}


static ngx_http_ticket_redis_call_t *
ngx_http_ticket_redis_call_create(ngx_http_ticket_redis_t *redis,
    ngx_uint_t argc, const char **argv, const size_t *argvlen)
{
    ngx_http_ticket_redis_call_t  *call;

    call = ngx_alloc(sizeof(ngx_http_ticket_redis_call_t)
                     + ngx_http_ticket_redis_format_max(argc, argvlen),
                     redis->log);
    if (call == NULL) {
        return NULL;
    }

    ngx_memzero(call, sizeof(ngx_http_ticket_redis_call_t));

    call->redis = redis;
    call->command = (char *) call + sizeof(ngx_http_ticket_redis_call_t);
    call->len = ngx_http_ticket_redis_format(call->command, argc, argv,
                                             argvlen);

    return call;
}


static ngx_int_t
ngx_http_ticket_redis_call_send(ngx_http_ticket_redis_call_t *call)
{
    ngx_http_ticket_redis_t  *redis;

    redis = call->redis;

    if (redis->ac == NULL
        || redisAsyncFormattedCommand(redis->ac,
                                      ngx_http_ticket_redis_call_reply, call,
                                      call->command, call->len)
           != REDIS_OK)
    {
        return NGX_DECLINED;
    }

    redis->accepted += call->len;

    call->sent = ngx_http_ticket_usec();
    call->end = redis->accepted;

    ngx_queue_insert_tail(&redis->calls, &call->queue);

    (void) ngx_atomic_fetch_add(&redis->sh->redis_calls, 1);

    return NGX_OK;
}


static void
ngx_http_ticket_redis_call_reply(redisAsyncContext *ac, void *r,
    void *privdata)
{
    ngx_http_ticket_redis_call_t  *call = privdata;

    uint64_t                    now;
    redisReply                 *reply;
    ngx_http_ticket_redis_t    *redis;
    ngx_http_ticket_outcome_t   outcome;

    reply = r;
    redis = call->redis;

    ngx_queue_remove(&call->queue);

    if (reply == NULL) {
        outcome = ngx_http_ticket_redis_call_lost(call, ac);

    } else {
        now = ngx_http_ticket_usec();

        ngx_http_ticket_histogram_observe(&redis->sh->redis_rtt,
                                          ngx_http_ticket_usec_bounds,
                                          now - call->sent);

        if (reply->type == REDIS_REPLY_ERROR) {
            outcome = ngx_http_ticket_redis_call_error(call, reply);

            if (outcome == NGX_HTTP_TICKET_NOT_DONE
                && ngx_http_ticket_redis_call_again(call, reply) == NGX_OK)
            {
                return;
            }

        } else {
            outcome = NGX_HTTP_TICKET_DONE;

            if (call->script != NGX_HTTP_TICKET_SCRIPTS) {
                ngx_http_ticket_redis_clock_seen(redis, reply, call->sent,
                                                 now);
            }
        }
    }

    call->handler(call->data, outcome, reply);

    ngx_free(call);
}


static ngx_http_ticket_outcome_t
ngx_http_ticket_redis_call_lost(ngx_http_ticket_redis_call_t *call,
    redisAsyncContext *ac)
{
    size_t                    left;
    ngx_http_ticket_redis_t  *redis;

    redis = call->redis;

    /* the handlers to come must not find a connection in use */

    if (redis->state == NGX_HTTP_TICKET_REDIS_READY) {
        redis->state = NGX_HTTP_TICKET_REDIS_CLOSING;
    }

    (void) ngx_atomic_fetch_add(&redis->sh->redis_lost, 1);

    /* Redis executes no command whose last byte never left */

    left = (ac->c.obuf != NULL) ? sdslen((sds) ac->c.obuf) : 0;

    if (call->end > redis->accepted - left) {
        return NGX_HTTP_TICKET_NOT_DONE;
    }

    return NGX_HTTP_TICKET_UNKNOWN;
}


static ngx_http_ticket_outcome_t
ngx_http_ticket_redis_call_error(ngx_http_ticket_redis_call_t *call,
    redisReply *reply)
{
    ngx_str_t                       code;
    ngx_uint_t                      level;
    ngx_http_ticket_redis_t        *redis;
    ngx_http_ticket_redis_error_t  *e;

    redis = call->redis;

    (void) ngx_atomic_fetch_add(&redis->sh->redis_errors, 1);

    ngx_http_ticket_redis_error_code(reply, &code);

    for (e = ngx_http_ticket_redis_errors; e->code.len; e++) {
        if (e->code.len == code.len
            && ngx_memcmp(e->code.data, code.data, code.len) == 0)
        {
            break;
        }
    }

    level = NGX_LOG_INFO;

    /* until it is ready, and of the self-test, others tell more */

    if (e->code.len == 0
        && redis->state == NGX_HTTP_TICKET_REDIS_READY
        && call->script != NGX_HTTP_TICKET_SCRIPT_selftest
        && ngx_time() - redis->warned >= NGX_HTTP_TICKET_REDIS_PAUSE)
    {
        redis->warned = ngx_time();
        level = NGX_LOG_WARN;
    }

    /* the rest of the text may repeat arguments */

    ngx_log_error(level, redis->log, 0,
                  "ticket redis: %s was answered with error \"%V\"",
                  call->script == NGX_HTTP_TICKET_SCRIPTS ? "a command"
                  : ngx_http_ticket_script_name(call->script), &code);

    if (e->leave && redis->state == NGX_HTTP_TICKET_REDIS_READY) {
        ngx_http_ticket_redis_leave(redis, &code);
    }

    return e->code.len ? NGX_HTTP_TICKET_NOT_DONE : NGX_HTTP_TICKET_UNKNOWN;
}


void
ngx_http_ticket_redis_error_code(redisReply *reply, ngx_str_t *code)
{
    code->data = (u_char *) reply->str;

    for (code->len = 0; code->len < (size_t) reply->len; code->len++) {
        if (code->data[code->len] <= ' ' || code->len == 32) {
            break;
        }
    }
}


static ngx_int_t
ngx_http_ticket_redis_call_again(ngx_http_ticket_redis_call_t *call,
    redisReply *reply)
{
    ngx_http_ticket_redis_t  *redis;

    redis = call->redis;

    if (call->script == NGX_HTTP_TICKET_SCRIPTS
        || call->again
        || redis->state != NGX_HTTP_TICKET_REDIS_READY
        || ngx_strncmp(reply->str, "NOSCRIPT", sizeof("NOSCRIPT") - 1) != 0)
    {
        return NGX_DECLINED;
    }

    (void) ngx_atomic_fetch_add(&redis->sh->redis_noscript, 1);

    /* one load serves all calls that were on their way */

    if (!redis->reloading[call->script]) {

        if (ngx_http_ticket_redis_call_load(redis, call->script,
                                            ngx_http_ticket_redis_call_loaded,
                                            &redis->reloading[call->script])
            != NGX_OK)
        {
            return NGX_DECLINED;
        }

        redis->reloading[call->script] = 1;

        ngx_log_error(NGX_LOG_NOTICE, redis->log, 0,
                      "ticket redis: script \"%s\" was lost, loading again",
                      ngx_http_ticket_script_name(call->script));
    }

    call->again = 1;

    return ngx_http_ticket_redis_call_send(call);
}


static void
ngx_http_ticket_redis_call_loaded(void *data,
    ngx_http_ticket_outcome_t outcome, redisReply *reply)
{
    u_char  *reloading = data;

    *reloading = 0;
}


uint64_t
ngx_http_ticket_redis_oldest(ngx_http_ticket_redis_t *redis)
{
    ngx_http_ticket_redis_call_t  *call;

    if (ngx_queue_empty(&redis->calls)) {
        return 0;
    }

    call = ngx_queue_data(ngx_queue_head(&redis->calls),
                          ngx_http_ticket_redis_call_t, queue);

    return call->sent;
}


void
ngx_http_ticket_redis_recover(ngx_http_ticket_redis_t *redis,
    ngx_str_t *ticket)
{
    size_t       len[3];
    ngx_msec_t  *last;
    const char  *arg[3];

    last = &redis->recover[ngx_crc32_short(ticket->data, ticket->len)
                           % NGX_HTTP_TICKET_REDIS_RECOVER];

    /* two names in one slot share its second: the other one comes next */

    if (*last != 0 && ngx_current_msec - *last < 1000) {
        return;
    }

    arg[0] = "SADD";
    len[0] = sizeof("SADD") - 1;

    arg[1] = "tickets:recover";
    len[1] = sizeof("tickets:recover") - 1;

    arg[2] = (const char *) ticket->data;
    len[2] = ticket->len;

    if (ngx_http_ticket_redis_command(redis, 3, arg, len,
                                      ngx_http_ticket_redis_call_ignored,
                                      redis)
        != NGX_OK)
    {
        return;
    }

    *last = ngx_current_msec;

    (void) ngx_atomic_fetch_add(&redis->sh->recover_requests, 1);
}


static void
ngx_http_ticket_redis_call_ignored(void *data,
    ngx_http_ticket_outcome_t outcome, redisReply *reply)
{
    /* who is refused again asks again */
}
