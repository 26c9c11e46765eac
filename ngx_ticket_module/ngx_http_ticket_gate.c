/*
 * A request at the gate, from the access phase until it is let through or
 * answered.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_ticket_gate.h"
#include "ngx_http_ticket_guard.h"


static ngx_int_t ngx_http_ticket_gate_handler(ngx_http_request_t *r);
static ngx_http_ticket_ctx_t *ngx_http_ticket_gate_create(
    ngx_http_request_t *r);
static void ngx_http_ticket_gate_cleanup(void *data);
static void ngx_http_ticket_gate_judge(ngx_http_ticket_ctx_t *ctx);
static ngx_int_t ngx_http_ticket_gate_bypass(ngx_http_ticket_ctx_t *ctx);
static ngx_uint_t ngx_http_ticket_gate_was_in(ngx_http_ticket_ctx_t *ctx);
static ngx_http_ticket_result_e ngx_http_ticket_gate_pass(
    ngx_http_ticket_ctx_t *ctx);
static ngx_uint_t ngx_http_ticket_gate_own_accord(ngx_http_request_t *r,
    ngx_str_t *pass);


ngx_int_t
ngx_http_ticket_gate_init(ngx_conf_t *cf)
{
    ngx_uint_t                  n;
    ngx_array_t                *handlers;
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    handlers = &cmcf->phases[NGX_HTTP_ACCESS_PHASE].handlers;
    n = handlers->nelts;

    if (ngx_array_push(handlers) == NULL) {
        return NGX_ERROR;
    }

    /*
     * they run from the last to the first: here auth_request has told who the
     * user is, and nobody who is refused elsewhere takes a place in the line
     */

    h = handlers->elts;

    ngx_memmove(&h[1], &h[0], n * sizeof(ngx_http_handler_pt));
    h[0] = ngx_http_ticket_gate_handler;

    return NGX_OK;
}


/* nginx calls this for main requests only */

static ngx_int_t
ngx_http_ticket_gate_handler(ngx_http_request_t *r)
{
    ngx_http_ticket_ctx_t           *ctx;
    ngx_http_ticket_gate_t          *gate;
    ngx_http_ticket_loc_conf_t      *tlcf;
    ngx_http_ticket_gate_verdict_e   verdict;

    tlcf = ngx_http_get_module_loc_conf(r, ngx_http_ticket_module);

    if (tlcf->queue_mode != NGX_HTTP_TICKET_QUEUE_NAMED || tlcf->actions) {
        return NGX_DECLINED;
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_ticket_module);

    if (ctx != NULL) {

        /* the phase goes on */

        gate = ctx->data;

        return gate->verdict == NGX_HTTP_TICKET_GATE_IN ? NGX_OK : NGX_AGAIN;
    }

    ctx = ngx_http_ticket_gate_find(r);

    if (ctx == NULL) {
        ctx = ngx_http_ticket_gate_create(r);

        if (ctx == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

    } else {
        ngx_http_set_ctx(r, ctx, ngx_http_ticket_module);
        ctx->tlcf = tlcf;
    }

    gate = ctx->data;

    if (gate->verdict == NGX_HTTP_TICKET_GATE_OUT) {

        /* an error_page for who was refused */

        return NGX_DECLINED;
    }

    if (gate->bypassed) {
        return NGX_OK;
    }

    /* an answer may end the request, but not before we are out of here */

    r->main->count++;

    gate->inside = 1;
    ngx_http_ticket_gate_judge(ctx);
    gate->inside = 0;

    verdict = gate->verdict;

    if (verdict == NGX_HTTP_TICKET_GATE_OUT) {
        ngx_http_finalize_request(r, NGX_DONE);
        return NGX_DONE;
    }

    r->main->count--;

    return verdict == NGX_HTTP_TICKET_GATE_IN ? NGX_OK : NGX_AGAIN;
}


/* internal redirects, and filters that fail, make a request forget what
 * modules know of it */

ngx_http_ticket_ctx_t *
ngx_http_ticket_gate_find(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t      *cln;
    ngx_http_ticket_gate_t  *gate;

    if (!r->internal && !r->filter_finalize) {
        return NULL;
    }

    for (cln = r->pool->cleanup; cln; cln = cln->next) {

        if (cln->handler == ngx_http_ticket_gate_cleanup) {
            gate = cln->data;
            return gate->ctx;
        }
    }

    return NULL;
}


static ngx_http_ticket_ctx_t *
ngx_http_ticket_gate_create(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t      *cln;
    ngx_http_ticket_ctx_t   *ctx;
    ngx_http_ticket_gate_t  *gate;

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_ticket_gate_t));
    if (cln == NULL) {
        return NULL;
    }

    ctx = ngx_http_ticket_request_create(r);
    if (ctx == NULL) {
        return NULL;
    }

    gate = cln->data;
    ngx_memzero(gate, sizeof(ngx_http_ticket_gate_t));

    gate->ctx = ctx;
    gate->pause.handler = ngx_http_ticket_gate_paused;
    gate->pause.data = ctx;
    gate->pause.log = r->connection->log;

    cln->handler = ngx_http_ticket_gate_cleanup;

    ctx->action = NGX_HTTP_TICKET_GATE;
    ctx->away = ngx_http_ticket_gate_away;
    ctx->data = gate;

    return ctx;
}


/* it is there to be found */

static void
ngx_http_ticket_gate_cleanup(void *data)
{
}


static void
ngx_http_ticket_gate_judge(ngx_http_ticket_ctx_t *ctx)
{
    ngx_int_t                  rc;
    const char                *detail;
    ngx_http_ticket_gate_t    *gate;
    ngx_http_ticket_result_e   result;

    rc = ngx_http_ticket_gate_bypass(ctx);

    if (rc == NGX_OK) {
        ngx_http_ticket_gate_in(ctx, NGX_HTTP_TICKET_RESULT_BYPASSED);
        return;
    }

    detail = NULL;

    result = (rc == NGX_ERROR) ? NGX_HTTP_TICKET_RESULT_INTERNAL_ERROR
                               : ngx_http_ticket_inputs_directives(ctx,
                                                                   &detail);

    if (result != NGX_HTTP_TICKET_RESULT_NONE) {
        ngx_http_ticket_gate_refuse(ctx, result, detail);
        return;
    }

    if (ngx_http_ticket_gate_was_in(ctx)) {
        return;
    }

    gate = ctx->data;

    gate->verdict = NGX_HTTP_TICKET_GATE_ASKING;

    ctx->result = NGX_HTTP_TICKET_RESULT_NONE;
    ctx->start = ngx_http_ticket_usec();
    ctx->deadline = 0;
    ctx->counted = 0;

    result = ngx_http_ticket_gate_pass(ctx);

    if (result != NGX_HTTP_TICKET_RESULT_NONE) {
        ngx_http_ticket_gate_refuse(ctx, result, NULL);
        return;
    }

    ngx_http_ticket_gate_ask(ctx);
}


/* NGX_OK: let through whoever it is */

static ngx_int_t
ngx_http_ticket_gate_bypass(ngx_http_ticket_ctx_t *ctx)
{
    ngx_str_t  value;

    if (ctx->tlcf->queue_bypass != NULL) {

        if (ngx_http_complex_value(ctx->request, ctx->tlcf->queue_bypass,
                                   &value)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (value.len > 1 || (value.len == 1 && value.data[0] != '0')) {
            return NGX_OK;
        }
    }

    return ngx_http_ticket_gate_at_page(ctx);
}


/* the same user in the same room: an internal redirect, not another visit */

static ngx_uint_t
ngx_http_ticket_gate_was_in(ngx_http_ticket_ctx_t *ctx)
{
    ngx_http_ticket_gate_t  *gate;

    gate = ctx->data;

    return gate->verdict == NGX_HTTP_TICKET_GATE_IN
           && gate->room.len == ctx->room.len
           && gate->user.len == ctx->user.len
           && ngx_memcmp(gate->room.data, ctx->room.data, ctx->room.len) == 0
           && ngx_memcmp(gate->user.data, ctx->user.data, ctx->user.len) == 0;
}


/* A forged pass needs no call to be refused. */

static ngx_http_ticket_result_e
ngx_http_ticket_gate_pass(ngx_http_ticket_ctx_t *ctx)
{
    ngx_int_t                  rc;
    ngx_str_t                  pass;
    ngx_http_ticket_gate_t    *gate;
    ngx_http_ticket_result_e   result;

    gate = ctx->data;
    gate->pass = 0;

    /* fields of a request that is meant for somebody else are not ours */

    rc = ngx_http_ticket_guard_find(ctx->request, NULL, &pass);

    if (rc == NGX_ERROR) {
        return NGX_HTTP_TICKET_RESULT_INTERNAL_ERROR;
    }

    if (rc == NGX_DECLINED) {
        return NGX_HTTP_TICKET_RESULT_PASS_INVALID;
    }

    if (pass.len == 0) {
        return NGX_HTTP_TICKET_RESULT_NONE;
    }

    result = ngx_http_ticket_guard_verify(ctx->request, &ctx->room, &ctx->user,
                                          &pass, &gate->pass);

    if (result == NGX_HTTP_TICKET_RESULT_NONE
        || !ngx_http_ticket_gate_own_accord(ctx->request, &pass))
    {
        return result;
    }

    if (result == NGX_HTTP_TICKET_RESULT_PASS_FOREIGN) {
        return NGX_HTTP_TICKET_RESULT_NONE;
    }

    /* a browser would show it, and be refused, until it is a day old */

    if (ngx_http_ticket_queue_cookie(ctx->request, TICKET_PASS_PASS, NULL, 0)
        != NGX_OK)
    {
        return NGX_HTTP_TICKET_RESULT_INTERNAL_ERROR;
    }

    return result;
}


/* A browser shows the cookie of one room at the gate of another, too, and
 * that of yesterday's user; nobody means anything by it. */

static ngx_uint_t
ngx_http_ticket_gate_own_accord(ngx_http_request_t *r, ngx_str_t *pass)
{
    ngx_str_t                     cookie;
    ngx_http_ticket_main_conf_t  *tmcf;

    tmcf = ngx_http_get_module_main_conf(r, ngx_http_ticket_module);

    return ngx_http_ticket_input_value(r, tmcf->pass_cookie, &cookie) == NGX_OK
           && cookie.len == pass->len
           && ngx_memcmp(cookie.data, pass->data, pass->len) == 0;
}


void
ngx_http_ticket_gate_in(ngx_http_ticket_ctx_t *ctx,
    ngx_http_ticket_result_e result)
{
    ngx_http_request_t      *r;
    ngx_http_ticket_gate_t  *gate;

    r = ctx->request;
    gate = ctx->data;

    gate->verdict = NGX_HTTP_TICKET_GATE_IN;

    gate->bypassed = (result == NGX_HTTP_TICKET_RESULT_BYPASSED);
    gate->room = ctx->room;
    gate->user = ctx->user;

    if (ctx->timer.timer_set) {
        ngx_del_timer(&ctx->timer);
    }

    ngx_http_ticket_count(ctx, result);

    if (gate->inside) {
        return;
    }

    if (ngx_handle_read_event(r->connection->read, 0) != NGX_OK) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    r->read_event_handler = ngx_http_block_reading;
    r->write_event_handler = ngx_http_core_run_phases;

    ngx_http_core_run_phases(r);
}
