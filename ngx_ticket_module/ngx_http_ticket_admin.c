
/*
 * One ticket for the office: look, create, change, delete.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_ticket_status.h"
#include "ngx_http_ticket_event.h"


/* where a ticket's fields begin in the reply of define and delete */
#define NGX_HTTP_TICKET_DEFINE_FIRST       4
#define NGX_HTTP_TICKET_DEFINE_PERSISTED   11


static void ngx_http_ticket_admin_get(ngx_http_ticket_ctx_t *ctx);
static void ngx_http_ticket_admin_got(ngx_http_ticket_call_t *call);
static const char *ngx_http_ticket_admin_check(ngx_http_ticket_ctx_t *ctx);
static void ngx_http_ticket_admin_define(ngx_http_ticket_ctx_t *ctx);
static void ngx_http_ticket_admin_fields(ngx_http_ticket_call_t *call,
    ticket_args_t *args, ngx_uint_t create);
static void ngx_http_ticket_admin_time(ngx_http_ticket_call_t *call,
    unsigned given, int64_t ms, ngx_uint_t create);
static void ngx_http_ticket_admin_delete(ngx_http_ticket_ctx_t *ctx);
static void ngx_http_ticket_admin_done(ngx_http_ticket_call_t *call);
static void ngx_http_ticket_admin_event(ngx_http_ticket_call_t *call);
static void ngx_http_ticket_admin_recover(ngx_http_ticket_ctx_t *ctx,
    ngx_http_ticket_call_t *call);
static void ngx_http_ticket_admin_recorded(ngx_http_ticket_call_t *call);
static void ngx_http_ticket_admin_answer(ngx_http_ticket_ctx_t *ctx,
    ngx_http_ticket_call_t *call);
static void ngx_http_ticket_admin_fail(ngx_http_ticket_ctx_t *ctx,
    ngx_http_ticket_call_t *call);


void
ngx_http_ticket_action_admin(ngx_http_ticket_ctx_t *ctx)
{
    const char  *wrong;

    if (ngx_http_ticket_call_begin(ctx, ngx_http_ticket_action_admin)
        != NGX_OK)
    {
        return;
    }

    switch (ctx->request->method) {

    case NGX_HTTP_PUT:
    case NGX_HTTP_PATCH:
        wrong = ngx_http_ticket_admin_check(ctx);

        if (wrong != NULL) {
            ngx_http_ticket_fail(ctx, NGX_HTTP_TICKET_RESULT_BAD_REQUEST,
                                 wrong);

        } else if (ctx->request->method == NGX_HTTP_PUT) {
            ngx_http_ticket_admin_name(ctx, "tickets", &ctx->ticket,
                                       ngx_http_ticket_admin_define);

        } else {
            ngx_http_ticket_admin_define(ctx);
        }

        return;

    case NGX_HTTP_DELETE:
        ngx_http_ticket_admin_delete(ctx);
        return;

    default:
        ngx_http_ticket_admin_get(ctx);
        return;
    }
}


static void
ngx_http_ticket_admin_get(ngx_http_ticket_ctx_t *ctx)
{
    ngx_http_ticket_call_t  *call;

    call = ngx_http_ticket_call_create(ctx->tmcf, ctx->tlcf->redis,
                                       &ctx->ticket,
                                       ngx_http_ticket_admin_got, ctx);
    if (call == NULL) {
        ngx_http_ticket_call_refused(ctx, NGX_ERROR);
        return;
    }

    ngx_http_ticket_call_key(call, NULL);
    ngx_http_ticket_call_str(call, (char *) call->ticket.data,
                             call->ticket.len);

    ngx_http_ticket_call_wait(ctx, call, NGX_HTTP_TICKET_SCRIPT_ticket);
}


static void
ngx_http_ticket_admin_got(ngx_http_ticket_call_t *call)
{
    ngx_connection_t          *c;
    ngx_http_ticket_ctx_t     *ctx;
    ngx_http_ticket_text_t     text;
    ngx_http_ticket_status_t   status;

    ctx = ngx_http_ticket_call_resume(call, &c);

    if (ctx == NULL) {
        return;
    }

    if (ngx_http_ticket_status_found(&status, call) == NGX_OK) {

        ngx_http_ticket_text_init(ctx, &text);
        ngx_http_ticket_status_full(&text, &ctx->ticket, &status);

        ngx_http_ticket_answer(ctx, NGX_HTTP_TICKET_RESULT_FOUND,
                               &ngx_http_ticket_type_json, &text);
    } else {
        ngx_http_ticket_fail(ctx, call->result, NULL);
    }

    ngx_http_ticket_leave(c);
}


static const char *
ngx_http_ticket_admin_check(ngx_http_ticket_ctx_t *ctx)
{
    ticket_args_t  *args;

    args = &ctx->args;

    if (ctx->request->method == NGX_HTTP_PUT) {

        if (!(args->given & TICKET_ARG_CAPACITY)) {
            return "A ticket's definition needs its capacity.";
        }

    } else if (!(args->given & TICKET_ARGS_DEFINITION)) {
        return "No field to be changed is given.";
    }

    return NULL;
}


static void
ngx_http_ticket_admin_define(ngx_http_ticket_ctx_t *ctx)
{
    int64_t                        not_after;
    ngx_uint_t                     create;
    ngx_http_ticket_call_t        *call;
    ngx_http_ticket_redis_info_t  *info;

    info = ngx_http_ticket_redis_info(ctx->tlcf->redis->redis);
    create = (ctx->request->method == NGX_HTTP_PUT);

    if (ngx_http_ticket_call_not_after(ctx, &not_after) != NGX_OK) {
        return;
    }

    call = ngx_http_ticket_call_create(ctx->tmcf, ctx->tlcf->redis,
                                       &ctx->ticket,
                                       ngx_http_ticket_admin_done, ctx);
    if (call == NULL) {
        ngx_http_ticket_call_refused(ctx, NGX_ERROR);
        return;
    }

    ngx_http_ticket_call_key(call, NULL);
    ngx_http_ticket_call_key(call, "outbox:0");
    ngx_http_ticket_call_str(call, (char *) call->ticket.data,
                             call->ticket.len);
    ngx_http_ticket_call_int(call, create);
    ngx_http_ticket_call_int(call, not_after);
    ngx_http_ticket_call_str(call, (char *) info->catalogue,
                             ngx_strlen(info->catalogue));
    ngx_http_ticket_admin_fields(call, &ctx->args, create);

    ngx_http_ticket_call_wait(ctx, call, NGX_HTTP_TICKET_SCRIPT_define);
}


/* PUT gives the whole definition, with defaults; PATCH leaves the rest alone,
 * which an empty argument means */

static void
ngx_http_ticket_admin_fields(ngx_http_ticket_call_t *call,
    ticket_args_t *args, ngx_uint_t create)
{
    if (args->given & TICKET_ARG_CAPACITY) {
        ngx_http_ticket_call_int(call, (int64_t) args->capacity);

    } else {
        ngx_http_ticket_call_literal(call, "");
    }

    if (args->given & TICKET_ARG_PER_USER) {
        ngx_http_ticket_call_int(call, args->per_user);

    } else {
        ngx_http_ticket_call_str(call, "1", create ? 1 : 0);
    }

    if (args->given & TICKET_ARG_LANES) {
        ngx_http_ticket_call_int(call, args->lanes);

    } else {

        /* 1 at creation, and what they are ever after */

        ngx_http_ticket_call_literal(call, "");
    }

    if (args->given & TICKET_ARG_STATE) {
        ngx_http_ticket_call_str(call, args->state.data, args->state.len);

    } else {
        ngx_http_ticket_call_str(call, "open", create ? 4 : 0);
    }

    ngx_http_ticket_admin_time(call, args->given & TICKET_ARG_OPENS_AT,
                               args->opens_at, create);
    ngx_http_ticket_admin_time(call, args->given & TICKET_ARG_CLOSES_AT,
                               args->closes_at, create);
}


static void
ngx_http_ticket_admin_time(ngx_http_ticket_call_t *call, unsigned given,
    int64_t ms, ngx_uint_t create)
{
    if (given && ms >= 0) {
        ngx_http_ticket_call_int(call, ms);

    } else {
        ngx_http_ticket_call_str(call, "-", given || create ? 1 : 0);
    }
}


static void
ngx_http_ticket_admin_delete(ngx_http_ticket_ctx_t *ctx)
{
    int64_t                  not_after;
    ngx_http_ticket_call_t  *call;

    if (ngx_http_ticket_call_not_after(ctx, &not_after) != NGX_OK) {
        return;
    }

    call = ngx_http_ticket_call_create(ctx->tmcf, ctx->tlcf->redis,
                                       &ctx->ticket,
                                       ngx_http_ticket_admin_done, ctx);
    if (call == NULL) {
        ngx_http_ticket_call_refused(ctx, NGX_ERROR);
        return;
    }

    ngx_http_ticket_call_key(call, NULL);
    ngx_http_ticket_call_key(call, "buyers");
    ngx_http_ticket_call_key(call, "outbox:0");
    ngx_http_ticket_call_str(call, (char *) call->ticket.data,
                             call->ticket.len);
    ngx_http_ticket_call_int(call, not_after);

    ngx_http_ticket_call_wait(ctx, call, NGX_HTTP_TICKET_SCRIPT_delete);
}


/* what follows from it follows even if nobody waits any more */

static void
ngx_http_ticket_admin_done(ngx_http_ticket_call_t *call)
{
    ngx_connection_t       *c;
    ngx_http_ticket_ctx_t  *ctx;

    if (call->result == NGX_HTTP_TICKET_RESULT_NONE) {
        ngx_http_ticket_admin_event(call);
    }

    ctx = ngx_http_ticket_call_resume(call, &c);

    if (call->result == NGX_HTTP_TICKET_RESULT_NONE
        && call->code == TICKET_CODE_CREATED
        && ngx_http_ticket_call_reply_int(call->reply, 3) <= 0)
    {
        ngx_http_ticket_admin_recover(ctx, call);

    } else if (ctx == NULL) {
        return;

    } else if (call->result == NGX_HTTP_TICKET_RESULT_NONE) {
        ngx_http_ticket_admin_answer(ctx, call);

    } else {
        ngx_http_ticket_admin_fail(ctx, call);
    }

    if (ctx != NULL) {
        ngx_http_ticket_leave(c);
    }
}


static void
ngx_http_ticket_admin_event(ngx_http_ticket_call_t *call)
{
    int64_t                    seq;
    ticket_event_t             ev;
    ngx_http_ticket_status_t   status;

    seq = ngx_http_ticket_call_reply_int(call->reply, 3);

    if (seq <= 0) {
        return;
    }

    ngx_http_ticket_status_read(&status, call->reply,
                                NGX_HTTP_TICKET_DEFINE_FIRST);

    ngx_memzero(&ev, sizeof(ticket_event_t));

    ev.type = TICKET_EVENT_DEFINED;
    ev.time = ngx_http_ticket_call_reply_int(call->reply, 1);
    ev.epoch = ngx_http_ticket_call_reply_int(call->reply, 2);
    ev.seq = seq;
    ev.capacity = status.capacity;
    ev.per_user = status.per_user;
    ev.lanes = (uint32_t) status.lanes;
    ev.state.data = (char *) status.state;
    ev.state.len = status.state_len;
    ev.opens_at = status.opens_at;
    ev.closes_at = status.closes_at;

    ngx_http_ticket_slice(ev.ticket, &call->ticket);

    ngx_http_ticket_event_produce(call->tmcf, &ev);
}


/* a new ticket waits for a persister to open it; `ctx` may be gone */

static void
ngx_http_ticket_admin_recover(ngx_http_ticket_ctx_t *ctx,
    ngx_http_ticket_call_t *call)
{
    ngx_http_ticket_call_t  *next;

    if (ctx != NULL) {
        ctx->data = ngx_palloc(ctx->request->pool,
                               sizeof(ngx_http_ticket_status_t));
        if (ctx->data == NULL) {
            ctx->failed = 1;

        } else {
            ngx_http_ticket_status_read(ctx->data, call->reply,
                                        NGX_HTTP_TICKET_DEFINE_FIRST);
        }
    }

    next = ngx_http_ticket_call_create(call->tmcf, call->conf, &call->ticket,
                                       ngx_http_ticket_admin_recorded, ctx);

    if (next != NULL) {
        ngx_http_ticket_call_literal(next, "SADD");
        ngx_http_ticket_call_literal(next, "tickets:recover");
        ngx_http_ticket_call_str(next, (char *) next->ticket.data,
                                 next->ticket.len);

        if (ngx_http_ticket_call_send(next, NGX_HTTP_TICKET_SCRIPTS)
            == NGX_OK)
        {
            if (ctx != NULL) {
                ngx_http_ticket_wait(ctx, next, ngx_http_ticket_call_detach);
            }

            return;
        }
    }

    /* the definition is there, but nobody may know of it */

    if (ctx != NULL) {
        ngx_http_ticket_fail(ctx, NGX_HTTP_TICKET_RESULT_OUTCOME_UNKNOWN,
                             NULL);
    }
}


static void
ngx_http_ticket_admin_recorded(ngx_http_ticket_call_t *call)
{
    ngx_connection_t        *c;
    ngx_http_ticket_ctx_t   *ctx;
    ngx_http_ticket_text_t   text;

    ctx = ngx_http_ticket_call_resume(call, &c);

    if (ctx == NULL) {
        return;
    }

    if (call->result == NGX_HTTP_TICKET_RESULT_NONE) {
        ngx_http_ticket_text_init(ctx, &text);
        ngx_http_ticket_status_full(&text, &ctx->ticket, ctx->data);

        ngx_http_ticket_answer(ctx, NGX_HTTP_TICKET_RESULT_CREATED,
                               &ngx_http_ticket_type_json, &text);
    } else {
        ngx_http_ticket_fail(ctx, NGX_HTTP_TICKET_RESULT_OUTCOME_UNKNOWN,
                             NULL);
    }

    ngx_http_ticket_leave(c);
}


static void
ngx_http_ticket_admin_answer(ngx_http_ticket_ctx_t *ctx,
    ngx_http_ticket_call_t *call)
{
    ngx_http_ticket_text_t    text;
    ngx_http_ticket_status_t  status;
    ngx_http_ticket_result_e  result;

    ngx_http_ticket_status_read(&status, call->reply,
                                NGX_HTTP_TICKET_DEFINE_FIRST);

    status.persisted =
        (ngx_http_ticket_call_reply_int(call->reply,
                                        NGX_HTTP_TICKET_DEFINE_PERSISTED)
         == 1);

    result = ngx_http_ticket_admin_result(ctx, call);

    ngx_http_ticket_text_init(ctx, &text);
    ngx_http_ticket_status_full(&text, &ctx->ticket, &status);

    ngx_http_ticket_answer(ctx, result, &ngx_http_ticket_type_json, &text);
}


static void
ngx_http_ticket_admin_fail(ngx_http_ticket_ctx_t *ctx,
    ngx_http_ticket_call_t *call)
{
    int64_t                 number;
    ngx_str_t               why;
    ngx_http_ticket_text_t  text;

    ngx_http_ticket_problem(ctx, call->result,
                            call->code == TICKET_CODE_BAD_HOURS
                            ? TICKET_ARGS_HOURS : NULL, &text);

    if (call->result == NGX_HTTP_TICKET_RESULT_BELOW_HELD
        || call->result == NGX_HTTP_TICKET_RESULT_LANES_FIXED)
    {
        number = ngx_http_ticket_call_reply_int(call->reply, 2);

        if (number >= 0) {
            ngx_http_ticket_json_uint(&text,
                                      call->code == TICKET_CODE_BELOW_HELD
                                      ? "held" : "lanes", (uint64_t) number);
        }
    }

    if (call->result == NGX_HTTP_TICKET_RESULT_IN_USE) {
        ngx_http_ticket_call_reply_str(call->reply, 2, &why);
        ngx_http_ticket_json_str(&text, "reason", &why);
    }

    ngx_http_ticket_problem_send(ctx, call->result, &text);
}
