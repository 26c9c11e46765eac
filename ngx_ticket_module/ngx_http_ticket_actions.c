
/*
 * book, cancel, booking: a command for the batch, and its result as HTTP.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_ticket_request.h"
#include "ngx_http_ticket_event.h"
#include "ngx_http_ticket_guard.h"


static ngx_http_ticket_command_t *ngx_http_ticket_command_make(
    ngx_http_ticket_ctx_t *ctx);
static void ngx_http_ticket_command_detach(ngx_http_ticket_ctx_t *ctx);
static void ngx_http_ticket_command_done(ngx_http_ticket_command_t *command);
static void ngx_http_ticket_command_note(ngx_http_ticket_ctx_t *ctx,
    ngx_http_ticket_command_t *command);
static void ngx_http_ticket_command_answer(ngx_http_ticket_ctx_t *ctx,
    ngx_http_ticket_command_t *command);
static void ngx_http_ticket_command_success(ngx_http_ticket_ctx_t *ctx,
    ngx_http_ticket_command_t *command, ngx_http_ticket_result_e result);
static void ngx_http_ticket_command_refusal(ngx_http_ticket_ctx_t *ctx,
    ngx_http_ticket_command_t *command);
static void ngx_http_ticket_command_booking(ngx_http_ticket_ctx_t *ctx,
    ngx_http_ticket_command_t *command, ngx_http_ticket_text_t *text);


static ngx_str_t  ngx_http_ticket_true = ngx_string("true");


void
ngx_http_ticket_action_command(ngx_http_ticket_ctx_t *ctx)
{
    ngx_int_t                   rc;
    ngx_http_ticket_command_t  *command;

    if (ctx->action == NGX_HTTP_TICKET_BOOK
        && ngx_http_ticket_guarded(ctx->tlcf)
        && ngx_http_ticket_guard(ctx) != NGX_OK)
    {
        return;
    }

    if (ngx_http_ticket_begin(ctx) != NGX_OK) {
        ngx_http_ticket_fail(ctx, NGX_HTTP_TICKET_RESULT_UNAVAILABLE, NULL);
        return;
    }

    command = ngx_http_ticket_command_make(ctx);

    if (command == NULL) {
        ngx_http_ticket_fail(ctx, NGX_HTTP_TICKET_RESULT_INTERNAL_ERROR, NULL);
        return;
    }

    rc = ngx_http_ticket_batch_add(ctx->tlcf->redis->batches, command);

    if (rc == NGX_OK) {
        ngx_http_ticket_wait(ctx, command, ngx_http_ticket_command_detach);
        return;
    }

    ngx_http_ticket_command_free(command);

    ngx_http_ticket_fail(ctx, rc == NGX_BUSY
                              ? NGX_HTTP_TICKET_RESULT_OVERLOADED
                              : NGX_HTTP_TICKET_RESULT_UNAVAILABLE, NULL);
}


static ngx_http_ticket_command_t *
ngx_http_ticket_command_make(ngx_http_ticket_ctx_t *ctx)
{
    ngx_str_t                   asked;
    ngx_http_ticket_command_t  *command;

    asked.data = (u_char *) ctx->args.booking_id.data;
    asked.len = ctx->args.booking_id.len;

    command = ngx_http_ticket_command_create(&ctx->ticket, &ctx->user,
                                             &ctx->key, &asked);
    if (command == NULL) {
        return NULL;
    }

    switch (ctx->action) {

    case NGX_HTTP_TICKET_BOOK:
        command->script = NGX_HTTP_TICKET_SCRIPT_book;
        break;

    case NGX_HTTP_TICKET_CANCEL:
        command->script = NGX_HTTP_TICKET_SCRIPT_cancel;
        break;

    default:
        command->script = NGX_HTTP_TICKET_SCRIPT_booking;
        break;
    }

    command->quantity = ctx->args.quantity;
    command->pass = ctx->pass;
    command->max_backlog = ctx->tlcf->max_backlog;
    command->deadline = ctx->deadline;
    command->handler = ngx_http_ticket_command_done;
    command->data = ctx;

    return command;
}


static void
ngx_http_ticket_command_detach(ngx_http_ticket_ctx_t *ctx)
{
    ngx_http_ticket_command_t *command = ctx->waiting;

    command->data = NULL;
}


static void
ngx_http_ticket_command_done(ngx_http_ticket_command_t *command)
{
    ngx_connection_t             *c;
    ngx_http_ticket_ctx_t        *ctx;
    ngx_http_ticket_main_conf_t  *tmcf;

    tmcf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                               ngx_http_ticket_module);

    ngx_http_ticket_event_command(tmcf, command);

    ctx = command->data;

    if (ctx != NULL && !tmcf->exiting) {
        c = ngx_http_ticket_enter(ctx);

        ngx_http_ticket_detached(ctx);
        ngx_http_ticket_command_note(ctx, command);
        ngx_http_ticket_command_answer(ctx, command);

        ngx_http_ticket_leave(c);
    }

    ngx_http_ticket_command_free(command);
}


/* for $ticket_ variables */

static void
ngx_http_ticket_command_note(ngx_http_ticket_ctx_t *ctx,
    ngx_http_ticket_command_t *command)
{
    ctx->batch = command->batch;
    ctx->rtt = command->rtt;
    ctx->has_rtt = (command->batch != 0);

    if (command->outcome != NGX_HTTP_TICKET_DONE) {
        return;
    }

    switch (command->code) {

    case TICKET_CODE_BOOKED:
    case TICKET_CODE_CANCELLED:
    case TICKET_CODE_REPLAYED:
    case TICKET_CODE_NOT_ENOUGH:
        ctx->remaining = command->remaining;
        ctx->has_remaining = 1;
        break;

    case TICKET_CODE_SOLD_OUT:
        ctx->has_remaining = 1;
        break;
    }

    if (command->booking_id.len == 0) {
        return;
    }

    ctx->booking_id.data = ngx_pstrdup(ctx->request->pool,
                                       &command->booking_id);
    if (ctx->booking_id.data != NULL) {
        ctx->booking_id.len = command->booking_id.len;
    }
}


static void
ngx_http_ticket_command_answer(ngx_http_ticket_ctx_t *ctx,
    ngx_http_ticket_command_t *command)
{
    switch (command->outcome) {

    case NGX_HTTP_TICKET_NOT_DONE:
        ngx_http_ticket_fail(ctx, NGX_HTTP_TICKET_RESULT_UNAVAILABLE, NULL);
        return;

    case NGX_HTTP_TICKET_UNKNOWN:
        ngx_http_ticket_fail(ctx, NGX_HTTP_TICKET_RESULT_OUTCOME_UNKNOWN,
                             NULL);
        return;

    default: /* NGX_HTTP_TICKET_DONE */
        break;
    }

    switch (command->code) {

    case TICKET_CODE_BOOKED:
        command->held = command->quantity;
        ngx_http_ticket_command_success(ctx, command,
                                        NGX_HTTP_TICKET_RESULT_BOOKED);
        return;

    case TICKET_CODE_CANCELLED:
        ngx_http_ticket_command_success(ctx, command,
                                        NGX_HTTP_TICKET_RESULT_CANCELLED);
        return;

    case TICKET_CODE_REPLAYED:
        ngx_http_ticket_header(ctx, "Idempotency-Replayed",
                               &ngx_http_ticket_true);
        ngx_http_ticket_command_success(ctx, command,
                                        NGX_HTTP_TICKET_RESULT_REPLAYED);
        return;

    case TICKET_CODE_FOUND:
        ngx_http_ticket_command_success(ctx, command,
                                        NGX_HTTP_TICKET_RESULT_FOUND);
        return;

    default:
        ngx_http_ticket_command_refusal(ctx, command);
        return;
    }
}


static void
ngx_http_ticket_command_success(ngx_http_ticket_ctx_t *ctx,
    ngx_http_ticket_command_t *command, ngx_http_ticket_result_e result)
{
    ngx_http_ticket_text_t  text;

    ngx_http_ticket_text_init(ctx, &text);

    ngx_http_ticket_json_open(&text, NULL, '{');
    ngx_http_ticket_command_booking(ctx, command, &text);

    if (result == NGX_HTTP_TICKET_RESULT_FOUND) {
        ngx_http_ticket_json_time(&text, "booked_at", command->booked_at);
        ngx_http_ticket_json_bool(&text, "persisted", command->persisted);

    } else {
        ngx_http_ticket_json_uint(&text, "remaining", command->remaining);
    }

    if (result == NGX_HTTP_TICKET_RESULT_REPLAYED && !command->current) {
        ngx_http_ticket_json_bool(&text, "current", 0);
    }

    ngx_http_ticket_json_close(&text, '}');

    ngx_http_ticket_answer(ctx, result, &ngx_http_ticket_type_json, &text);
}


static void
ngx_http_ticket_command_refusal(ngx_http_ticket_ctx_t *ctx,
    ngx_http_ticket_command_t *command)
{
    ngx_http_ticket_text_t    text;
    ngx_http_ticket_result_e  result;

    result = ngx_http_ticket_result_of_code(command->code);

    ngx_http_ticket_problem(ctx, result, NULL, &text);

    switch (command->code) {

    case TICKET_CODE_ALREADY_BOOKED:
        ngx_http_ticket_json_open(&text, "booking", '{');
        ngx_http_ticket_command_booking(ctx, command, &text);
        ngx_http_ticket_json_time(&text, "booked_at", command->booked_at);
        ngx_http_ticket_json_close(&text, '}');
        break;

    case TICKET_CODE_NOT_ENOUGH:
        ngx_http_ticket_json_uint(&text, "remaining", command->remaining);
        break;

    case TICKET_CODE_LIMIT_EXCEEDED:
        ngx_http_ticket_json_uint(&text, "per_user", command->limit);
        break;

    case TICKET_CODE_NOT_OPEN:
        ngx_http_ticket_json_time(&text, "opens_at", command->booked_at);
        break;

    case TICKET_CODE_PASS_USED:
    case TICKET_CODE_PASS_EXPIRED:
        ngx_http_ticket_json_str(&text, "queue", &ctx->room);
        break;

    case TICKET_CODE_REJECTED:
        ngx_http_ticket_json_str(&text, "booking_id", &command->booking_id);
        ngx_http_ticket_json_str(&text, "reason", &command->reason);
        break;
    }

    ngx_http_ticket_problem_send(ctx, result, &text);
}


static void
ngx_http_ticket_command_booking(ngx_http_ticket_ctx_t *ctx,
    ngx_http_ticket_command_t *command, ngx_http_ticket_text_t *text)
{
    ngx_http_ticket_json_str(text, "booking_id", &command->booking_id);
    ngx_http_ticket_json_str(text, "ticket", &ctx->ticket);
    ngx_http_ticket_json_str(text, "user", &ctx->user);
    ngx_http_ticket_json_uint(text, "quantity", command->held);
}
