
/*
 * The waiting room: enter it, ask for one's place, leave it.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_ticket_call.h"
#include "ngx_http_ticket_queue.h"


static void ngx_http_ticket_queue_enter(ngx_http_ticket_ctx_t *ctx);
static void ngx_http_ticket_queue_forget(ngx_http_ticket_ctx_t *ctx);
static void ngx_http_ticket_queue_entered(void *data,
    ngx_http_ticket_entry_t *entry);
static void ngx_http_ticket_queue_answer_admitted(ngx_http_ticket_ctx_t *ctx,
    ngx_http_ticket_entry_t *entry);
static void ngx_http_ticket_queue_answer_closed(ngx_http_ticket_ctx_t *ctx,
    ngx_http_ticket_entry_t *entry);
static void ngx_http_ticket_queue_leave(ngx_http_ticket_ctx_t *ctx);
static void ngx_http_ticket_queue_left(ngx_http_ticket_call_t *call);


void
ngx_http_ticket_action_queue(ngx_http_ticket_ctx_t *ctx)
{
    if (ctx->request->method == NGX_HTTP_DELETE) {
        ngx_http_ticket_queue_leave(ctx);

    } else {
        ngx_http_ticket_queue_enter(ctx);
    }
}


static void
ngx_http_ticket_queue_enter(ngx_http_ticket_ctx_t *ctx)
{
    ngx_int_t                 rc;
    ngx_http_ticket_entry_t  *entry;
    ngx_http_ticket_place_t  *place;

    if (ngx_http_ticket_begin(ctx) != NGX_OK) {
        ngx_http_ticket_call_refused(ctx, NGX_DECLINED);
        return;
    }

    place = ngx_palloc(ctx->request->pool, sizeof(ngx_http_ticket_place_t));
    if (place == NULL) {
        ngx_http_ticket_fail(ctx, NGX_HTTP_TICKET_RESULT_INTERNAL_ERROR, NULL);
        return;
    }

    ctx->data = place;

    ngx_http_ticket_queue_place(ctx->request, ctx->tmcf, &ctx->room,
                                &ctx->user, 0, place);

    rc = ngx_http_ticket_entry_start(ctx->tmcf, ctx->tlcf->redis, &ctx->room,
                                     &ctx->user,
                                     ctx->request->method == NGX_HTTP_POST,
                                     place, ctx->deadline,
                                     ngx_http_ticket_queue_entered, ctx,
                                     &entry);
    if (rc != NGX_OK) {
        ngx_http_ticket_call_refused(ctx, rc);
        return;
    }

    ngx_http_ticket_wait(ctx, entry, ngx_http_ticket_queue_forget);
}


static void
ngx_http_ticket_queue_forget(ngx_http_ticket_ctx_t *ctx)
{
    ngx_http_ticket_entry_t *entry = ctx->waiting;

    ctx->unsent = ngx_http_ticket_entry_unsent(entry);

    ngx_http_ticket_entry_forget(entry);
}


static void
ngx_http_ticket_queue_entered(void *data, ngx_http_ticket_entry_t *entry)
{
    ngx_http_ticket_ctx_t *ctx = data;

    ngx_connection_t  *c;

    c = ngx_http_ticket_resume(ctx, entry->started);

    switch (entry->result) {

    case NGX_HTTP_TICKET_RESULT_WAITING:
        ngx_http_ticket_queue_answer_waiting(ctx, entry, ctx->data);
        break;

    case NGX_HTTP_TICKET_RESULT_ADMITTED:
        ngx_http_ticket_queue_answer_admitted(ctx, entry);
        break;

    case NGX_HTTP_TICKET_RESULT_QUEUE_CLOSED:
        ngx_http_ticket_queue_answer_closed(ctx, entry);
        break;

    default:
        ngx_http_ticket_fail(ctx, entry->result, NULL);
        break;
    }

    ngx_http_ticket_leave(c);
}


void
ngx_http_ticket_queue_answer_waiting(ngx_http_ticket_ctx_t *ctx,
    ngx_http_ticket_entry_t *entry, ngx_http_ticket_place_t *shown)
{
    ngx_msec_t                poll;
    ngx_http_ticket_text_t    text;
    ngx_http_ticket_token_t   token;
    ngx_http_ticket_waiter_t  waiter;

    ngx_http_ticket_queue_give_place(ctx, entry, shown, &waiter, &token);

    ngx_http_ticket_text_init(ctx, &text);

    poll = ngx_http_ticket_queue_waiting(&text, &waiter, &token);

    if (ngx_http_ticket_queue_retry_after(ctx->request, poll) != NGX_OK) {
        ctx->failed = 1;
    }

    ngx_http_ticket_answer(ctx, NGX_HTTP_TICKET_RESULT_WAITING,
                           &ngx_http_ticket_type_json, &text);
}


void
ngx_http_ticket_queue_give_place(ngx_http_ticket_ctx_t *ctx,
    ngx_http_ticket_entry_t *entry, ngx_http_ticket_place_t *shown,
    ngx_http_ticket_waiter_t *waiter, ngx_http_ticket_token_t *token)
{
    waiter->room = entry->room;
    waiter->user = &ctx->user;
    waiter->number = entry->number;
    waiter->rank = entry->rank;
    waiter->waiting = entry->waiting;
    waiter->now = entry->now;

    ctx->position = entry->rank + 1;

    if (ngx_http_ticket_queue_sign_place(ctx->tmcf, waiter, shown, token)
        != NGX_OK
        || ngx_http_ticket_queue_cookie(ctx->request, TICKET_PASS_PLACE, token,
                                        NGX_HTTP_TICKET_PLACE_AGE)
           != NGX_OK)
    {
        ctx->failed = 1;
    }
}


static void
ngx_http_ticket_queue_answer_admitted(ngx_http_ticket_ctx_t *ctx,
    ngx_http_ticket_entry_t *entry)
{
    ngx_http_ticket_text_t   text;
    ngx_http_ticket_token_t  token;

    ngx_http_ticket_queue_give_pass(ctx, entry, ctx->data, &token);

    ngx_http_ticket_text_init(ctx, &text);
    ngx_http_ticket_queue_admitted(&text, &ctx->room, &ctx->user,
                                   entry->expires, entry->now, &token);

    ngx_http_ticket_answer(ctx, NGX_HTTP_TICKET_RESULT_ADMITTED,
                           &ngx_http_ticket_type_json, &text);
}


void
ngx_http_ticket_queue_give_pass(ngx_http_ticket_ctx_t *ctx,
    ngx_http_ticket_entry_t *entry, ngx_http_ticket_place_t *shown,
    ngx_http_ticket_token_t *token)
{
    ngx_http_request_t  *r;

    r = ctx->request;

    if (ngx_http_ticket_queue_sign_pass(ctx->tmcf, entry->room, &ctx->user,
                                        entry->expires, token)
        != NGX_OK
        || ngx_http_ticket_queue_cookie(r, TICKET_PASS_PASS, token,
                                (time_t) (entry->expires - entry->now) / 1000)
           != NGX_OK)
    {
        ctx->failed = 1;
    }

    /* its place has done what it was for */

    if (shown->number != 0
        && ngx_http_ticket_queue_cookie(r, TICKET_PASS_PLACE, NULL, 0)
           != NGX_OK)
    {
        ctx->failed = 1;
    }

    ngx_http_ticket_queue_handed(r, ctx->tmcf, &ctx->room, &ctx->user,
                                 entry->expires, entry->now, shown);
}


static void
ngx_http_ticket_queue_answer_closed(ngx_http_ticket_ctx_t *ctx,
    ngx_http_ticket_entry_t *entry)
{
    ngx_http_ticket_text_t  text;

    ngx_http_ticket_problem(ctx, NGX_HTTP_TICKET_RESULT_QUEUE_CLOSED, NULL,
                            &text);
    ngx_http_ticket_json_str(&text, "state", &entry->state);
    ngx_http_ticket_problem_send(ctx, NGX_HTTP_TICKET_RESULT_QUEUE_CLOSED,
                                 &text);
}


static void
ngx_http_ticket_queue_leave(ngx_http_ticket_ctx_t *ctx)
{
    int64_t                  not_after;
    ngx_http_ticket_call_t  *call;

    if (ngx_http_ticket_call_begin(ctx, ngx_http_ticket_queue_leave)
        != NGX_OK)
    {
        return;
    }

    if (ngx_http_ticket_call_not_after(ctx, &not_after) != NGX_OK) {
        return;
    }

    call = ngx_http_ticket_call_room(ctx->tmcf, ctx->tlcf->redis, &ctx->room,
                                     NULL, ngx_http_ticket_queue_left, ctx);
    if (call == NULL) {
        ngx_http_ticket_call_refused(ctx, NGX_ERROR);
        return;
    }

    ngx_http_ticket_call_str(call, (char *) ctx->user.data, ctx->user.len);
    ngx_http_ticket_call_int(call, not_after);

    ngx_http_ticket_call_wait(ctx, call, NGX_HTTP_TICKET_SCRIPT_queue_leave);
}


static void
ngx_http_ticket_queue_left(ngx_http_ticket_call_t *call)
{
    ngx_str_t                state;
    ngx_connection_t        *c;
    ngx_http_request_t      *r;
    ngx_http_ticket_ctx_t   *ctx;
    ngx_http_ticket_text_t   text;

    ctx = ngx_http_ticket_call_resume(call, &c);

    if (ctx == NULL) {
        return;
    }

    if (call->result != NGX_HTTP_TICKET_RESULT_LEFT) {
        ngx_http_ticket_fail(ctx, call->result, NULL);
        ngx_http_ticket_leave(c);
        return;
    }

    r = ctx->request;

    if (ngx_http_ticket_queue_cookie(r, TICKET_PASS_PLACE, NULL, 0) != NGX_OK
        || ngx_http_ticket_queue_cookie(r, TICKET_PASS_PASS, NULL, 0)
           != NGX_OK)
    {
        ctx->failed = 1;
    }

    ngx_str_set(&state, "left");

    ngx_http_ticket_text_init(ctx, &text);
    ngx_http_ticket_json_open(&text, NULL, '{');
    ngx_http_ticket_json_str(&text, "queue", &ctx->room);
    ngx_http_ticket_json_str(&text, "user", &ctx->user);
    ngx_http_ticket_json_str(&text, "state", &state);
    ngx_http_ticket_json_close(&text, '}');

    ngx_http_ticket_answer(ctx, NGX_HTTP_TICKET_RESULT_LEFT,
                           &ngx_http_ticket_type_json, &text);

    ngx_http_ticket_leave(c);
}
