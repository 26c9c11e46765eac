
/*
 * A request from its arrival to its action, and its end: routing, deadline, a
 * client that leaves.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_ticket_request.h"


static void ngx_http_ticket_request_route(ngx_http_ticket_ctx_t *ctx);
static void ngx_http_ticket_request_deadline(ngx_event_t *ev);
static void ngx_http_ticket_request_cleanup(void *data);


/*
 * From here on the request belongs to its action, which finalizes it now or
 * later, so that every path through an action ends the same way.
 */

ngx_int_t
ngx_http_ticket_handler(ngx_http_request_t *r)
{
    ngx_http_ticket_ctx_t  *ctx;

    ctx = ngx_http_ticket_request_create(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->main->count++;

    ngx_http_ticket_request_route(ctx);

    return NGX_DONE;
}


ngx_http_ticket_ctx_t *
ngx_http_ticket_request_create(ngx_http_request_t *r)
{
    ngx_http_cleanup_t     *cln;
    ngx_http_ticket_ctx_t  *ctx;

    ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_ticket_ctx_t));
    if (ctx == NULL) {
        return NULL;
    }

    cln = ngx_http_cleanup_add(r, 0);
    if (cln == NULL) {
        return NULL;
    }

    ctx->request = r;
    ctx->tmcf = ngx_http_get_module_main_conf(r, ngx_http_ticket_module);
    ctx->tlcf = ngx_http_get_module_loc_conf(r, ngx_http_ticket_module);
    ctx->start = ngx_http_ticket_usec();

    ctx->timer.handler = ngx_http_ticket_request_deadline;
    ctx->timer.data = ctx;
    ctx->timer.log = r->connection->log;

    cln->handler = ngx_http_ticket_request_cleanup;
    cln->data = ctx;

    ngx_http_set_ctx(r, ctx, ngx_http_ticket_module);

    return ctx;
}


static void
ngx_http_ticket_request_route(ngx_http_ticket_ctx_t *ctx)
{
    const char                *detail;
    ngx_uint_t                 i, methods, allowed, actions;
    ngx_http_request_t        *r;
    ngx_http_ticket_result_e   result;

    r = ctx->request;
    actions = ctx->tlcf->actions;
    allowed = 0;
    detail = NULL;

    for (i = 0; i < NGX_HTTP_TICKET_ACTIONS; i++) {

        if (!(actions & ((ngx_uint_t) 1 << i))) {
            continue;
        }

        methods = ngx_http_ticket_methods(i, actions);

        if (methods & r->method) {
            break;
        }

        if (allowed == 0) {
            ctx->action = i;
        }

        allowed |= methods;
    }

    if (i == NGX_HTTP_TICKET_ACTIONS) {

        if (ngx_http_ticket_request_discard(ctx) == NGX_OK) {
            ngx_http_ticket_fail_method(ctx, allowed);
        }

        return;
    }

    ctx->action = i;

    if (i < NGX_HTTP_TICKET_METRICS) {
        result = ngx_http_ticket_inputs_directives(ctx, &detail);

        if (result != NGX_HTTP_TICKET_RESULT_NONE) {
            ngx_http_ticket_refuse(ctx, result, detail);
            return;
        }
    }

    if (!(r->method & NGX_HTTP_TICKET_READ)) {
        ngx_http_ticket_body(ctx);
        return;
    }

    if (ngx_http_ticket_request_discard(ctx) == NGX_OK) {
        ngx_http_ticket_act(ctx);
    }
}


void
ngx_http_ticket_act(ngx_http_ticket_ctx_t *ctx)
{
    const char                *detail;
    ngx_http_ticket_result_e   result;

    detail = NULL;

    if (ctx->action < NGX_HTTP_TICKET_METRICS) {
        result = ngx_http_ticket_inputs_arguments(ctx, &detail);

        if (result != NGX_HTTP_TICKET_RESULT_NONE) {
            ngx_http_ticket_fail(ctx, result, detail);
            return;
        }
    }

    switch (ctx->action) {

    case NGX_HTTP_TICKET_BOOK:
    case NGX_HTTP_TICKET_CANCEL:
    case NGX_HTTP_TICKET_BOOKING:
        ngx_http_ticket_action_command(ctx);
        return;

    case NGX_HTTP_TICKET_TICKET:
        ngx_http_ticket_action_availability(ctx);
        return;

    case NGX_HTTP_TICKET_ADMIN:
        if (ctx->ticket.len != 0) {
            ngx_http_ticket_action_admin(ctx);

        } else if (ctx->request->method & NGX_HTTP_TICKET_READ) {
            ngx_http_ticket_action_list(ctx);

        } else {
            ngx_http_ticket_fail_method(ctx, NGX_HTTP_TICKET_READ);
        }

        return;

    case NGX_HTTP_TICKET_BOOKINGS:
        ngx_http_ticket_action_bookings(ctx);
        return;

    case NGX_HTTP_TICKET_QUEUE:
        ngx_http_ticket_action_queue(ctx);
        return;

    case NGX_HTTP_TICKET_QUEUE_EVENTS:
        ngx_http_ticket_action_queue_events(ctx);
        return;

    case NGX_HTTP_TICKET_QUEUE_ADMIN:
        if (ctx->room.len != 0) {
            ngx_http_ticket_action_queue_admin(ctx);

        } else if (ctx->request->method & NGX_HTTP_TICKET_READ) {
            ngx_http_ticket_action_list(ctx);

        } else {
            ngx_http_ticket_fail_method(ctx, NGX_HTTP_TICKET_READ);
        }

        return;

    case NGX_HTTP_TICKET_METRICS:
        ngx_http_ticket_action_metrics(ctx);
        return;

    case NGX_HTTP_TICKET_HEALTH:
        ngx_http_ticket_action_health(ctx);
        return;

    default: /* NGX_HTTP_TICKET_READY */
        ngx_http_ticket_action_ready(ctx);
        return;
    }
}


void
ngx_http_ticket_refuse(ngx_http_ticket_ctx_t *ctx,
    ngx_http_ticket_result_e result, const char *detail)
{
    if (ngx_http_ticket_request_discard(ctx) == NGX_OK) {
        ngx_http_ticket_fail(ctx, result, detail);
    }
}


ngx_int_t
ngx_http_ticket_request_discard(ngx_http_ticket_ctx_t *ctx)
{
    ngx_int_t            rc;
    ngx_http_request_t  *r;

    r = ctx->request;

    if (r->headers_in.expect != NULL && !r->expect_tested) {

        /*
         * the client waits with the body, and having got an answer may send
         * it or not: what comes next cannot be told from it
         */

        r->expect_tested = 1;
        r->keepalive = 0;
    }

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        ngx_http_finalize_request(r, rc);
    }

    return rc;
}


ngx_int_t
ngx_http_ticket_begin(ngx_http_ticket_ctx_t *ctx)
{
    ngx_http_ticket_redis_conf_t  *conf;

    conf = ctx->tlcf->redis;

    if (conf == NULL || conf->redis == NULL || conf->batches == NULL) {
        return NGX_DECLINED;
    }

    if (ctx->deadline == 0) {
        ctx->deadline = ngx_http_ticket_usec()
                        + (uint64_t) conf->timeout * 1000;
    }

    return NGX_OK;
}


void
ngx_http_ticket_wait(ngx_http_ticket_ctx_t *ctx, void *waiting,
    ngx_http_ticket_detach_pt detach)
{
    ngx_event_t         *rev;
    ngx_http_request_t  *r;

    r = ctx->request;
    rev = r->connection->read;

    ctx->waiting = waiting;
    ctx->detach = detach;

    if (ctx->timer.timer_set) {
        return;
    }

    ngx_add_timer(&ctx->timer, ctx->tlcf->redis->timeout);

    r->write_event_handler = ngx_http_request_empty_handler;

    if (r->discard_body) {
        return;
    }

    r->read_event_handler = ngx_http_test_reading;

    if (rev->ready) {
        ngx_post_event(rev, &ngx_posted_events);

    } else {
        (void) ngx_handle_read_event(rev, 0);
    }
}


void
ngx_http_ticket_detached(ngx_http_ticket_ctx_t *ctx)
{
    ctx->waiting = NULL;
    ctx->detach = NULL;
}


ngx_connection_t *
ngx_http_ticket_enter(ngx_http_ticket_ctx_t *ctx)
{
    ngx_connection_t  *c;

    c = ctx->request->connection;

    ngx_http_set_log_request(c->log, ctx->request);

    return c;
}


ngx_connection_t *
ngx_http_ticket_resume(ngx_http_ticket_ctx_t *ctx, uint64_t asked)
{
    ngx_connection_t  *c;

    c = ngx_http_ticket_enter(ctx);

    ngx_http_ticket_detached(ctx);

    ctx->rtt = ngx_http_ticket_usec() - asked;
    ctx->has_rtt = 1;

    return c;
}


void
ngx_http_ticket_leave(ngx_connection_t *c)
{
    ngx_http_run_posted_requests(c);
}


static void
ngx_http_ticket_request_deadline(ngx_event_t *ev)
{
    uint64_t                   now;
    ngx_connection_t          *c;
    ngx_http_ticket_ctx_t     *ctx;
    ngx_http_ticket_result_e   result;

    ctx = ev->data;
    now = ngx_http_ticket_usec();

    if (now < ctx->deadline) {

        /* nginx's clock is that of the last event; Redis holds us to ours */

        ngx_add_timer(ev, (ngx_msec_t) ((ctx->deadline - now) / 1000 + 1));
        return;
    }

    c = ngx_http_ticket_enter(ctx);

    if (ctx->detach) {
        ctx->detach(ctx);
        ngx_http_ticket_detached(ctx);
    }

    result = ctx->unsent ? NGX_HTTP_TICKET_RESULT_UNAVAILABLE
                         : NGX_HTTP_TICKET_RESULT_OUTCOME_UNKNOWN;

    if (ctx->away) {
        ctx->away(ctx, result);

    } else {
        ngx_http_ticket_fail(ctx, result, NULL);
    }

    ngx_http_ticket_leave(c);
}


/* the request ends, answered or not */

static void
ngx_http_ticket_request_cleanup(void *data)
{
    ngx_http_ticket_ctx_t *ctx = data;

    if (ctx->timer.timer_set) {
        ngx_del_timer(&ctx->timer);
    }

    if (ctx->detach) {
        ctx->detach(ctx);
        ngx_http_ticket_detached(ctx);
    }

    ngx_http_ticket_count(ctx,
                          ctx->request->headers_out.status
                          == NGX_HTTP_INTERNAL_SERVER_ERROR
                          ? NGX_HTTP_TICKET_RESULT_INTERNAL_ERROR
                          : NGX_HTTP_TICKET_RESULT_CLIENT_CLOSED);
}


void
ngx_http_ticket_count(ngx_http_ticket_ctx_t *ctx,
    ngx_http_ticket_result_e result)
{
    uint64_t                  now;
    ngx_http_ticket_shctx_t  *sh;

    if (ctx->counted) {
        return;
    }

    ctx->counted = 1;
    ctx->result = result;

    sh = ctx->tmcf->sh;

    if (sh == NULL) {
        return;
    }

    (void) ngx_atomic_fetch_add(&sh->requests[ctx->action][result], 1);

    /* how long somebody listened is no latency */

    now = ctx->opened ? ctx->opened : ngx_http_ticket_usec();

    ngx_http_ticket_histogram_observe(&sh->latency[result],
                                      ngx_http_ticket_usec_bounds,
                                      now - ctx->start);
}
