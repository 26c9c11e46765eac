
/*
 * Single calls: putting one together, sending it, reading how it ended.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_ticket_call.h"
#include "ngx_http_ticket_keys.h"
#include "ngx_http_ticket_reply.h"
#include "ngx_http_ticket_scripts.h"


#define NGX_HTTP_TICKET_CALL_INTS    (NGX_HTTP_TICKET_CALL_ARGS               \
                                      * NGX_INT64_LEN)
#define NGX_HTTP_TICKET_CALL_SUFFIX  sizeof("outbox:0")


static void ngx_http_ticket_call_unwait(ngx_http_ticket_ctx_t *ctx);
static void ngx_http_ticket_call_started(void *data);
static void ngx_http_ticket_call_done(void *data,
    ngx_http_ticket_outcome_t outcome, redisReply *reply);
static ngx_http_ticket_result_e ngx_http_ticket_call_result(
    ngx_http_ticket_call_t *call);
static ngx_http_ticket_result_e ngx_http_ticket_call_unknown(
    ngx_http_ticket_call_t *call);
static ngx_int_t ngx_http_ticket_call_again(ngx_http_ticket_call_t *call);
static void ngx_http_ticket_call_log(ngx_http_ticket_call_t *call);


ngx_int_t
ngx_http_ticket_call_begin(ngx_http_ticket_ctx_t *ctx,
    ngx_http_ticket_action_pt action)
{
    ngx_http_ticket_redis_t      *redis;
    ngx_http_ticket_main_conf_t  *tmcf;

    if (ngx_http_ticket_begin(ctx) != NGX_OK) {
        ngx_http_ticket_call_refused(ctx, NGX_DECLINED);
        return NGX_DONE;
    }

    tmcf = ctx->tmcf;
    redis = ctx->tlcf->redis->redis;

    if (!ngx_http_ticket_redis_starting(redis)) {
        return NGX_OK;
    }

    if (tmcf->calls >= tmcf->max_pending) {
        ngx_http_ticket_call_refused(ctx, NGX_BUSY);
        return NGX_DONE;
    }

    tmcf->calls++;

    ctx->unsent = 1;
    ctx->action_pt = action;
    ctx->waiter.handler = ngx_http_ticket_call_started;
    ctx->waiter.data = ctx;

    ngx_http_ticket_redis_await(redis, &ctx->waiter);

    ngx_http_ticket_wait(ctx, redis, ngx_http_ticket_call_unwait);

    return NGX_AGAIN;
}


static void
ngx_http_ticket_call_unwait(ngx_http_ticket_ctx_t *ctx)
{
    ngx_queue_remove(&ctx->waiter.queue);

    ctx->tmcf->calls--;
}


static void
ngx_http_ticket_call_started(void *data)
{
    ngx_http_ticket_ctx_t *ctx = data;

    ngx_connection_t  *c;

    c = ngx_http_ticket_enter(ctx);

    ngx_http_ticket_call_unwait(ctx);
    ngx_http_ticket_detached(ctx);

    ctx->unsent = 0;
    ctx->action_pt(ctx);

    ngx_http_ticket_leave(c);
}


ngx_http_ticket_call_t *
ngx_http_ticket_call_create(ngx_http_ticket_main_conf_t *tmcf,
    ngx_http_ticket_redis_conf_t *conf, ngx_str_t *ticket,
    ngx_http_ticket_call_pt handler, void *data)
{
    return ngx_http_ticket_call_make(tmcf, conf, ticket,
               NGX_HTTP_TICKET_CALL_KEYS
               * ngx_http_ticket_key_len(ticket, NGX_HTTP_TICKET_CALL_SUFFIX),
               handler, data);
}


ngx_http_ticket_call_t *
ngx_http_ticket_call_make(ngx_http_ticket_main_conf_t *tmcf,
    ngx_http_ticket_redis_conf_t *conf, ngx_str_t *ticket, size_t size,
    ngx_http_ticket_call_pt handler, void *data)
{
    ngx_http_ticket_call_t  *call;

    size += ticket->len + NGX_HTTP_TICKET_CALL_INTS;

    call = ngx_alloc(sizeof(ngx_http_ticket_call_t) + size, ngx_cycle->log);
    if (call == NULL) {
        return NULL;
    }

    ngx_memzero(call, sizeof(ngx_http_ticket_call_t));

    call->tmcf = tmcf;
    call->conf = conf;
    call->handler = handler;
    call->data = data;

    call->pos = (u_char *) call + sizeof(ngx_http_ticket_call_t);
    call->end = call->pos + size;

    call->ticket.data = call->pos;
    call->ticket.len = ticket->len;
    call->pos = ngx_cpymem(call->pos, ticket->data, ticket->len);

    return call;
}


void
ngx_http_ticket_call_key(ngx_http_ticket_call_t *call, const char *suffix)
{
    u_char  *p;

    p = call->pos;

    call->pos = ngx_http_ticket_key(p, &call->ticket, suffix,
                                    suffix ? ngx_strlen(suffix) : 0);
    call->nkeys++;

    ngx_http_ticket_call_str(call, (char *) p, call->pos - p);
}


void
ngx_http_ticket_call_str(ngx_http_ticket_call_t *call, const char *data,
    size_t len)
{
    call->argv[call->argc] = data;
    call->argvlen[call->argc] = len;
    call->argc++;
}


void
ngx_http_ticket_call_int(ngx_http_ticket_call_t *call, int64_t value)
{
    u_char  *p;

    p = call->pos;
    call->pos = ngx_sprintf(p, "%L", value);

    ngx_http_ticket_call_str(call, (char *) p, call->pos - p);
}


ngx_int_t
ngx_http_ticket_call_send(ngx_http_ticket_call_t *call, ngx_uint_t script)
{
    ngx_int_t                     rc;
    ngx_http_ticket_redis_t      *redis;
    ngx_http_ticket_main_conf_t  *tmcf;

    tmcf = call->tmcf;
    redis = call->conf->redis;

    call->script = script;
    call->sent = ngx_http_ticket_usec();

    if (redis == NULL) {
        rc = NGX_DECLINED;

    } else if (tmcf->calls >= tmcf->max_pending && !call->own) {
        rc = NGX_BUSY;

    } else if (script == NGX_HTTP_TICKET_SCRIPTS) {
        rc = ngx_http_ticket_redis_command(redis, call->argc, call->argv,
                                           call->argvlen,
                                           ngx_http_ticket_call_done, call);
    } else {
        rc = ngx_http_ticket_redis_eval(redis, script, call->nkeys, call->argc,
                                        call->argv, call->argvlen,
                                        ngx_http_ticket_call_done, call);
    }

    if (rc != NGX_OK) {
        ngx_free(call);
        return rc;
    }

    tmcf->calls++;

    return NGX_OK;
}


void
ngx_http_ticket_call_wait(ngx_http_ticket_ctx_t *ctx,
    ngx_http_ticket_call_t *call, ngx_uint_t script)
{
    ngx_int_t  rc;

    rc = ngx_http_ticket_call_send(call, script);

    if (rc != NGX_OK) {
        ngx_http_ticket_call_refused(ctx, rc);
        return;
    }

    ngx_http_ticket_wait(ctx, call, ngx_http_ticket_call_detach);
}


ngx_http_ticket_ctx_t *
ngx_http_ticket_call_resume(ngx_http_ticket_call_t *call,
    ngx_connection_t **c)
{
    ngx_http_ticket_ctx_t *ctx = call->data;

    if (ctx == NULL) {
        *c = NULL;
        return NULL;
    }

    *c = ngx_http_ticket_resume(ctx, call->sent);

    return ctx;
}


ngx_int_t
ngx_http_ticket_call_not_after(ngx_http_ticket_ctx_t *ctx, int64_t *ms)
{
    *ms = ngx_http_ticket_redis_clock(ctx->tlcf->redis->redis,
                                      ngx_http_ticket_usec(), ctx->deadline);
    if (*ms > 0) {
        return NGX_OK;
    }

    ngx_http_ticket_call_refused(ctx, NGX_DECLINED);

    return NGX_DECLINED;
}


void
ngx_http_ticket_call_refused(ngx_http_ticket_ctx_t *ctx, ngx_int_t rc)
{
    ngx_http_ticket_result_e  result;

    result = (rc == NGX_BUSY) ? NGX_HTTP_TICKET_RESULT_OVERLOADED
                              : NGX_HTTP_TICKET_RESULT_UNAVAILABLE;

    if (ctx->away) {
        ctx->away(ctx, result);

    } else {
        ngx_http_ticket_fail(ctx, result, NULL);
    }
}


void
ngx_http_ticket_call_detach(ngx_http_ticket_ctx_t *ctx)
{
    ngx_http_ticket_call_t *call = ctx->waiting;

    call->data = NULL;
}


static void
ngx_http_ticket_call_done(void *data, ngx_http_ticket_outcome_t outcome,
    redisReply *reply)
{
    ngx_http_ticket_call_t *call = data;

    call->tmcf->calls--;

    if (call->tmcf->exiting) {

        if (call->drop != NULL) {
            call->drop(call);
        }

        ngx_free(call);
        return;
    }

    switch (outcome) {

    case NGX_HTTP_TICKET_DONE:
        call->reply = reply;
        call->result = ngx_http_ticket_call_result(call);

        if ((call->result == NGX_HTTP_TICKET_RESULT_UNKNOWN_TICKET
             || call->result == NGX_HTTP_TICKET_RESULT_UNKNOWN_QUEUE)
            && ngx_http_ticket_call_again(call) == NGX_OK)
        {
            return;
        }

        break;

    case NGX_HTTP_TICKET_NOT_DONE:
        call->result = NGX_HTTP_TICKET_RESULT_UNAVAILABLE;
        break;

    default: /* NGX_HTTP_TICKET_UNKNOWN */
        call->result = NGX_HTTP_TICKET_RESULT_OUTCOME_UNKNOWN;
        break;
    }

    call->handler(call);

    ngx_free(call);
}


static ngx_http_ticket_result_e
ngx_http_ticket_call_result(ngx_http_ticket_call_t *call)
{
    int64_t  code;

    if (call->script == NGX_HTTP_TICKET_SCRIPTS) {
        return NGX_HTTP_TICKET_RESULT_NONE;
    }

    code = ngx_http_ticket_call_reply_int(call->reply, 0);

    if (code < 0) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "ticket redis: unexpected reply to script \"%s\"",
                      ngx_http_ticket_script_name(call->script));
        return NGX_HTTP_TICKET_RESULT_OUTCOME_UNKNOWN;
    }

    call->code = (ngx_uint_t) code;

    switch (call->code) {

    case TICKET_CODE_OK:
    case TICKET_CODE_CREATED:
        return NGX_HTTP_TICKET_RESULT_NONE;

    case TICKET_CODE_RECOVERING:
        if (ngx_http_ticket_call_reply_int(call->reply, 2) == 1) {
            ngx_http_ticket_redis_recover(call->conf->redis, &call->ticket);
        }

        return NGX_HTTP_TICKET_RESULT_RECOVERING;

    case TICKET_CODE_UNKNOWN_TICKET:
    case TICKET_CODE_UNKNOWN_QUEUE:
        return ngx_http_ticket_call_unknown(call);

    case TICKET_CODE_REFUSED:
    case TICKET_CODE_TORN:
        ngx_http_ticket_call_log(call);
        break;
    }

    return ngx_http_ticket_result_of_code(call->code);
}


/* no hash: no ticket or room, but only while Redis is known to have them all */

static ngx_http_ticket_result_e
ngx_http_ticket_call_unknown(ngx_http_ticket_call_t *call)
{
    ngx_str_t  replid;

    ngx_http_ticket_call_reply_str(call->reply, 2, &replid);

    /* a ticket that was deleted says so itself */

    if (replid.len == 0) {
        call->sure = 1;

    } else if (!ngx_http_ticket_redis_complete(call->conf->redis, &replid)) {
        return NGX_HTTP_TICKET_RESULT_RECOVERING;
    }

    return ngx_http_ticket_result_of_code(call->code);
}


/* What was known of the catalogue may be older than a FLUSHALL: both once
 * more, in this order.  The arguments are there as long as somebody waits. */

static ngx_int_t
ngx_http_ticket_call_again(ngx_http_ticket_call_t *call)
{
    ngx_int_t                 rc;
    ngx_http_ticket_redis_t  *redis;

    if (call->sure || call->data == NULL) {
        return NGX_DECLINED;
    }

    call->sure = 1;
    call->reply = NULL;

    redis = call->conf->redis;

    rc = ngx_http_ticket_redis_catalogue(redis);

    if (rc == NGX_OK) {
        rc = ngx_http_ticket_redis_eval(redis, call->script, call->nkeys,
                                        call->argc, call->argv, call->argvlen,
                                        ngx_http_ticket_call_done, call);
    }

    if (rc != NGX_OK) {
        call->result = NGX_HTTP_TICKET_RESULT_UNAVAILABLE;
        return NGX_DECLINED;
    }

    call->tmcf->calls++;

    return NGX_OK;
}


static void
ngx_http_ticket_call_log(ngx_http_ticket_call_t *call)
{
    size_t     i;
    ngx_str_t  message;

    ngx_http_ticket_call_reply_str(call->reply, 2, &message);

    /* the first word is the kind of error, the others may be anything */

    for (i = 0; i < message.len; i++) {
        if (message.data[i] <= ' ') {
            break;
        }
    }

    message.len = i;

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "ticket redis: script \"%s\" ended with %s: \"%V\"",
                  ngx_http_ticket_script_name(call->script),
                  ngx_http_ticket_code_name(call->code), &message);
}


void
ngx_http_ticket_call_reply_str(redisReply *reply, ngx_uint_t i,
    ngx_str_t *value)
{
    if (ngx_http_ticket_reply_string(reply, i, value) != NGX_OK) {
        ngx_str_null(value);
    }
}


int64_t
ngx_http_ticket_call_reply_int(redisReply *reply, ngx_uint_t i)
{
    int64_t  value;

    if (ngx_http_ticket_reply_number(reply, i, &value) != NGX_OK) {
        return -1;
    }

    return value;
}
