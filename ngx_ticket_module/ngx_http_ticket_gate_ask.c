/*
 * The gate's question to Redis, and what its answer, or none, comes to.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_ticket_gate.h"
#include "ngx_http_ticket_call.h"


/* ms: so much before Redis does we take a pass for over, so that a request
 * that is let in is done before the next one's */
#define NGX_HTTP_TICKET_GATE_MARGIN   250


static void ngx_http_ticket_gate_forget(ngx_http_ticket_ctx_t *ctx);
static void ngx_http_ticket_gate_entered(void *data,
    ngx_http_ticket_entry_t *entry);
static void ngx_http_ticket_gate_told(ngx_http_ticket_ctx_t *ctx,
    ngx_http_ticket_entry_t *entry);
static void ngx_http_ticket_gate_admitted(ngx_http_ticket_ctx_t *ctx,
    ngx_http_ticket_entry_t *entry);
static void ngx_http_ticket_gate_pause(ngx_http_ticket_ctx_t *ctx,
    ngx_msec_t ms);
static void ngx_http_ticket_gate_unpause(ngx_http_ticket_ctx_t *ctx);
static ngx_uint_t ngx_http_ticket_gate_holds(ngx_http_ticket_ctx_t *ctx);
static int64_t ngx_http_ticket_gate_now(ngx_http_ticket_ctx_t *ctx);


void
ngx_http_ticket_gate_ask(ngx_http_ticket_ctx_t *ctx)
{
    ngx_int_t                 rc;
    ngx_http_ticket_gate_t   *gate;
    ngx_http_ticket_entry_t  *entry;

    gate = ctx->data;
    rc = ngx_http_ticket_begin(ctx);

    if (rc == NGX_OK) {
        ngx_http_ticket_queue_place(ctx->request, ctx->tmcf, &ctx->room,
                                    &ctx->user, 0, &gate->place);

        rc = ngx_http_ticket_entry_start(ctx->tmcf, ctx->tlcf->redis,
                                         &ctx->room, &ctx->user, 1,
                                         &gate->place, ctx->deadline,
                                         ngx_http_ticket_gate_entered, ctx,
                                         &entry);
    }

    if (rc == NGX_OK) {
        ngx_http_ticket_wait(ctx, entry, ngx_http_ticket_gate_forget);

    } else {
        ngx_http_ticket_call_refused(ctx, rc);
    }
}


static void
ngx_http_ticket_gate_forget(ngx_http_ticket_ctx_t *ctx)
{
    ngx_http_ticket_entry_forget(ctx->waiting);
}


static void
ngx_http_ticket_gate_entered(void *data, ngx_http_ticket_entry_t *entry)
{
    ngx_http_ticket_ctx_t *ctx = data;

    ngx_connection_t  *c;

    c = ngx_http_ticket_resume(ctx, entry->started);

    ngx_http_ticket_gate_told(ctx, entry);

    ngx_http_ticket_leave(c);
}


static void
ngx_http_ticket_gate_told(ngx_http_ticket_ctx_t *ctx,
    ngx_http_ticket_entry_t *entry)
{
    switch (entry->result) {

    case NGX_HTTP_TICKET_RESULT_ADMITTED:
        ngx_http_ticket_gate_admitted(ctx, entry);
        return;

    case NGX_HTTP_TICKET_RESULT_WAITING:
        ngx_http_ticket_gate_waiting(ctx, entry);
        return;

    case NGX_HTTP_TICKET_RESULT_RECOVERING:
    case NGX_HTTP_TICKET_RESULT_OVERLOADED:
    case NGX_HTTP_TICKET_RESULT_UNAVAILABLE:
    case NGX_HTTP_TICKET_RESULT_OUTCOME_UNKNOWN:
        ngx_http_ticket_gate_away(ctx, entry->result);
        return;

    default:
        ngx_http_ticket_gate_refuse(ctx, entry->result, NULL);
        return;
    }
}


static void
ngx_http_ticket_gate_admitted(ngx_http_ticket_ctx_t *ctx,
    ngx_http_ticket_entry_t *entry)
{
    int64_t                   left;
    ngx_http_ticket_gate_t   *gate;
    ngx_http_ticket_token_t   token;

    gate = ctx->data;

    /* a busy worker reads an answer late */

    left = entry->expires - ngx_max(entry->now, ngx_http_ticket_gate_now(ctx));

    if (left <= NGX_HTTP_TICKET_GATE_MARGIN) {
        ngx_http_ticket_gate_pause(ctx, (ngx_msec_t) ngx_max(left, 0) + 1);
        return;
    }

    if (gate->pass != (uint64_t) entry->expires) {
        ngx_http_ticket_queue_give_pass(ctx, entry, &gate->place, &token);
    }

    ngx_http_ticket_gate_in(ctx, NGX_HTTP_TICKET_RESULT_ADMITTED);
}


/* The line takes nobody in who still has a pass: he is asked for once more
 * when it is over.  The deadline runs. */

static void
ngx_http_ticket_gate_pause(ngx_http_ticket_ctx_t *ctx, ngx_msec_t ms)
{
    ngx_http_ticket_gate_t  *gate;

    gate = ctx->data;

    if (ctx->tmcf->calls >= ctx->tmcf->max_pending) {
        ngx_http_ticket_gate_away(ctx, NGX_HTTP_TICKET_RESULT_OVERLOADED);
        return;
    }

    ctx->tmcf->calls++;

    ngx_add_timer(&gate->pause, ms);

    ngx_http_ticket_wait(ctx, gate, ngx_http_ticket_gate_unpause);
}


static void
ngx_http_ticket_gate_unpause(ngx_http_ticket_ctx_t *ctx)
{
    ngx_http_ticket_gate_t  *gate;

    gate = ctx->data;

    if (gate->pause.timer_set) {
        ngx_del_timer(&gate->pause);
    }

    ctx->tmcf->calls--;
}


void
ngx_http_ticket_gate_paused(ngx_event_t *ev)
{
    ngx_connection_t       *c;
    ngx_http_ticket_ctx_t  *ctx;

    ctx = ev->data;

    c = ngx_http_ticket_enter(ctx);

    ngx_http_ticket_gate_unpause(ctx);
    ngx_http_ticket_detached(ctx);
    ngx_http_ticket_gate_ask(ctx);

    ngx_http_ticket_leave(c);
}


/* Redis does not tell: what "ticket_queue_fail" says */

void
ngx_http_ticket_gate_away(ngx_http_ticket_ctx_t *ctx,
    ngx_http_ticket_result_e result)
{
    if (ctx->tlcf->queue_fail_open) {
        ngx_http_ticket_gate_in(ctx, NGX_HTTP_TICKET_RESULT_UNGUARDED);
        return;
    }

    if (ngx_http_ticket_gate_holds(ctx)) {
        ngx_http_ticket_gate_in(ctx, NGX_HTTP_TICKET_RESULT_ADMITTED);
        return;
    }

    /* whether he got a place or not, he may ask again */

    if (result == NGX_HTTP_TICKET_RESULT_OUTCOME_UNKNOWN) {
        result = NGX_HTTP_TICKET_RESULT_UNAVAILABLE;
    }

    ngx_http_ticket_gate_refuse(ctx, result, NULL);
}


/* the pass presented is valid as far as can be told without Redis */

static ngx_uint_t
ngx_http_ticket_gate_holds(ngx_http_ticket_ctx_t *ctx)
{
    ngx_http_ticket_gate_t  *gate;

    gate = ctx->data;

    return gate->pass > (uint64_t) ngx_http_ticket_gate_now(ctx)
                        + NGX_HTTP_TICKET_GATE_MARGIN;
}


/* ms: Redis' clock, or ours while nothing is known of it */

static int64_t
ngx_http_ticket_gate_now(ngx_http_ticket_ctx_t *ctx)
{
    int64_t                        now;
    uint64_t                       usec;
    ngx_time_t                    *tp;
    ngx_http_ticket_redis_conf_t  *conf;

    conf = ctx->tlcf->redis;

    now = 0;

    if (conf->redis != NULL) {
        usec = ngx_http_ticket_usec();
        now = ngx_http_ticket_redis_clock(conf->redis, usec, usec);
    }

    if (now == 0) {
        tp = ngx_timeofday();
        now = (int64_t) tp->sec * 1000 + tp->msec;
    }

    return now;
}
