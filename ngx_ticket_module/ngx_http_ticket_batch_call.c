#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_ticket_batch_call.h"
#include "ngx_http_ticket_reply.h"
#include "ngx_http_ticket_scripts.h"


#define NGX_HTTP_TICKET_BATCH_PAUSE   10    /* seconds between warnings */


static ngx_int_t ngx_http_ticket_batch_send(
    ngx_http_ticket_batch_call_t *call);
static void ngx_http_ticket_batch_reply(void *data,
    ngx_http_ticket_outcome_t outcome, redisReply *reply);
static ngx_int_t ngx_http_ticket_batch_read(
    ngx_http_ticket_batch_call_t *call, redisReply *reply);
static ngx_int_t ngx_http_ticket_batch_results(
    ngx_http_ticket_batch_call_t *call, redisReply *reply);
static void ngx_http_ticket_batch_result(ngx_http_ticket_batch_call_t *call,
    ngx_http_ticket_command_t *command, redisReply *result, uint64_t epoch,
    uint64_t *left);
static ngx_int_t ngx_http_ticket_batch_lanes(
    ngx_http_ticket_batch_call_t *call, redisReply *reply);
static ngx_int_t ngx_http_ticket_batch_unknown(
    ngx_http_ticket_batch_call_t *call, redisReply *reply);
static void ngx_http_ticket_batch_code(ngx_http_ticket_batch_call_t *call,
    ngx_uint_t code);


ngx_int_t
ngx_http_ticket_batch_call(ngx_http_ticket_batches_t *batches,
    ngx_http_ticket_batch_node_t *node, ngx_queue_t *commands, ngx_uint_t n)
{
    ngx_http_ticket_command_t     *command;
    ngx_http_ticket_batch_call_t  *call;

    command = ngx_http_ticket_batch_command(ngx_queue_head(commands));

    call = ngx_calloc(sizeof(ngx_http_ticket_batch_call_t), batches->log);
    if (call == NULL) {
        return NGX_ERROR;
    }

    call->batches = batches;
    call->node = node;
    call->n = n;
    call->script = command->script;

    ngx_queue_init(&call->commands);
    ngx_queue_add(&call->commands, commands);
    ngx_queue_init(commands);

    if (ngx_http_ticket_batch_send(call) != NGX_OK) {
        ngx_queue_add(commands, &call->commands);
        ngx_free(call);
        return NGX_ERROR;
    }

    batches->calls++;

    return NGX_OK;
}


static ngx_int_t
ngx_http_ticket_batch_send(ngx_http_ticket_batch_call_t *call)
{
    ngx_int_t                   rc;
    ngx_uint_t                  nkeys;
    ngx_http_ticket_batches_t  *batches;

    batches = call->batches;

    call->sent = ngx_http_ticket_usec();

    if (ngx_http_ticket_batch_args(call, &nkeys) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = ngx_http_ticket_redis_eval(batches->redis, call->script, nkeys,
                                    batches->argc, batches->argv,
                                    batches->argvlen,
                                    ngx_http_ticket_batch_reply, call);

    if (rc == NGX_OK) {
        ngx_http_ticket_histogram_observe(&batches->sh->batch,
                                          ngx_http_ticket_batch_bounds,
                                          call->n);
    }

    return rc;
}


static void
ngx_http_ticket_batch_reply(void *data, ngx_http_ticket_outcome_t outcome,
    redisReply *reply)
{
    ngx_http_ticket_batch_call_t  *call = data;

    uint64_t                    rtt;
    ngx_int_t                   rc;
    ngx_queue_t                *q;
    ngx_http_ticket_batches_t  *batches;
    ngx_http_ticket_command_t  *command;

    batches = call->batches;
    rtt = ngx_http_ticket_usec() - call->sent;

    for (q = ngx_queue_head(&call->commands);
         q != ngx_queue_sentinel(&call->commands);
         q = ngx_queue_next(q))
    {
        command = ngx_http_ticket_batch_command(q);
        command->batch = call->n;
        command->rtt = rtt;
    }

    if (outcome == NGX_HTTP_TICKET_DONE) {

        rc = ngx_http_ticket_batch_read(call, reply);

        if (rc == NGX_AGAIN) {
            return;
        }

        if (rc == NGX_ERROR) {
            ngx_log_error(NGX_LOG_ERR, batches->log, 0,
                          "ticket redis: malformed reply of script \"%s\"",
                          ngx_http_ticket_script_name(call->script));

            outcome = NGX_HTTP_TICKET_UNKNOWN;
        }

        if (rc == NGX_DECLINED) {
            outcome = NGX_HTTP_TICKET_NOT_DONE;
        }
    }

    ngx_http_ticket_batch_finish(batches, call->node, &call->commands,
                                 outcome);

    ngx_free(call);

    if (--batches->calls == 0 && batches->destroyed) {
        ngx_http_ticket_batches_free(batches);
    }
}


/* NGX_AGAIN: was sent once more */

static ngx_int_t
ngx_http_ticket_batch_read(ngx_http_ticket_batch_call_t *call,
    redisReply *reply)
{
    int64_t                     code, time, exists;
    ngx_queue_t                *q;
    ngx_http_ticket_command_t  *command;

    if (ngx_http_ticket_reply_number(reply, 0, &code) != NGX_OK
        || ngx_http_ticket_reply_number(reply, 1, &time) != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (q = ngx_queue_head(&call->commands);
         q != ngx_queue_sentinel(&call->commands);
         q = ngx_queue_next(q))
    {
        command = ngx_http_ticket_batch_command(q);
        command->time = time;
    }

    switch (code) {

    case TICKET_CODE_OK:
        return ngx_http_ticket_batch_results(call, reply);

    case TICKET_CODE_WRONG_LANES:
        return ngx_http_ticket_batch_lanes(call, reply);

    case TICKET_CODE_UNKNOWN_TICKET:
        return ngx_http_ticket_batch_unknown(call, reply);

    case TICKET_CODE_RECOVERING:

        if (ngx_http_ticket_reply_number(reply, 2, &exists) == NGX_OK
            && exists)
        {
            ngx_http_ticket_redis_recover(call->batches->redis,
                                          &call->node->sn.str);
        }

        ngx_http_ticket_batch_code(call, TICKET_CODE_RECOVERING);
        return NGX_OK;

    default:
        return NGX_ERROR;
    }
}


static ngx_int_t
ngx_http_ticket_batch_results(ngx_http_ticket_batch_call_t *call,
    redisReply *reply)
{
    int64_t       epoch, remaining;
    uint64_t      left;
    ngx_uint_t    i;
    ngx_queue_t  *q;

    if (ngx_http_ticket_reply_number(reply, 2, &epoch) != NGX_OK
        || epoch < 0)
    {
        return NGX_ERROR;
    }

    i = 3;
    left = 0;

    if (call->script != NGX_HTTP_TICKET_SCRIPT_booking) {

        if (ngx_http_ticket_reply_number(reply, i++, &remaining) != NGX_OK) {
            return NGX_ERROR;
        }

        left = ngx_max(remaining, 0);
    }

    if (reply->elements != i + call->n) {
        return NGX_ERROR;
    }

    for (q = ngx_queue_head(&call->commands);
         q != ngx_queue_sentinel(&call->commands);
         q = ngx_queue_next(q))
    {
        ngx_http_ticket_batch_result(call, ngx_http_ticket_batch_command(q),
                                     reply->element[i++], epoch, &left);
    }

    return NGX_OK;
}


static void
ngx_http_ticket_batch_result(ngx_http_ticket_batch_call_t *call,
    ngx_http_ticket_command_t *command, redisReply *result, uint64_t epoch,
    uint64_t *left)
{
    ngx_str_t                   message;
    ngx_uint_t                  level;
    ngx_http_ticket_batches_t  *batches;

    batches = call->batches;

    command->code = TICKET_CODE_OK;

    if (ngx_http_ticket_reply_command(command, result, epoch, left) == NGX_OK
        && command->code != TICKET_CODE_REFUSED
        && command->code != TICKET_CODE_TORN)
    {
        return;
    }

    if (ngx_http_ticket_reply_string(result, 1, &message) != NGX_OK) {
        ngx_str_set(&message, "malformed result");
    }

    level = NGX_LOG_INFO;

    if (ngx_time() - batches->warned >= NGX_HTTP_TICKET_BATCH_PAUSE) {
        batches->warned = ngx_time();
        level = NGX_LOG_ERR;
    }

    ngx_log_error(level, batches->log, 0,
                  "ticket redis: a %s ended with %s: \"%V\"",
                  ngx_http_ticket_script_name(call->script),
                  ngx_http_ticket_code_name(command->code), &message);
}


static ngx_int_t
ngx_http_ticket_batch_lanes(ngx_http_ticket_batch_call_t *call,
    redisReply *reply)
{
    int64_t  lanes;

    if (ngx_http_ticket_reply_number(reply, 2, &lanes) != NGX_OK
        || lanes < 1
        || lanes > TICKET_LANES_MAX)
    {
        return NGX_ERROR;
    }

    call->node->lanes = (ngx_uint_t) lanes;

    if (call->again) {
        return NGX_DECLINED;
    }

    call->again = 1;

    return ngx_http_ticket_batch_send(call) == NGX_OK ? NGX_AGAIN
                                                      : NGX_DECLINED;
}


static ngx_int_t
ngx_http_ticket_batch_unknown(ngx_http_ticket_batch_call_t *call,
    redisReply *reply)
{
    ngx_str_t  replid;

    if (ngx_http_ticket_reply_string(reply, 2, &replid) != NGX_OK) {
        return NGX_ERROR;
    }

    /* without a current catalogue a missing hash may be a lost one */

    if (replid.len
        && !ngx_http_ticket_redis_complete(call->batches->redis, &replid))
    {
        ngx_http_ticket_batch_code(call, TICKET_CODE_RECOVERING);
        return NGX_OK;
    }

    if (replid.len == 0 || call->sure) {
        ngx_http_ticket_batch_code(call, TICKET_CODE_UNKNOWN_TICKET);
        return NGX_OK;
    }

    /* and one read before a FLUSHALL is not: both once more, in this order */

    call->sure = 1;

    return ngx_http_ticket_redis_catalogue(call->batches->redis) == NGX_OK
           && ngx_http_ticket_batch_send(call) == NGX_OK ? NGX_AGAIN
                                                         : NGX_DECLINED;
}


static void
ngx_http_ticket_batch_code(ngx_http_ticket_batch_call_t *call,
    ngx_uint_t code)
{
    ngx_queue_t                *q;
    ngx_http_ticket_command_t  *command;

    for (q = ngx_queue_head(&call->commands);
         q != ngx_queue_sentinel(&call->commands);
         q = ngx_queue_next(q))
    {
        command = ngx_http_ticket_batch_command(q);
        command->code = code;
        command->outcome = NGX_HTTP_TICKET_DONE;
    }
}
