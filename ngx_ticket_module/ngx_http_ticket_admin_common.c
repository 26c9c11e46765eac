
/*
 * What the offices of tickets and of waiting rooms share.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_ticket_call.h"


static void ngx_http_ticket_admin_named(ngx_http_ticket_call_t *call);


void
ngx_http_ticket_admin_name(ngx_http_ticket_ctx_t *ctx, const char *set,
    ngx_str_t *name, ngx_http_ticket_action_pt next)
{
    ngx_http_ticket_call_t  *call;

    call = ngx_http_ticket_call_create(ctx->tmcf, ctx->tlcf->redis, name,
                                       ngx_http_ticket_admin_named, ctx);
    if (call == NULL) {
        ngx_http_ticket_call_refused(ctx, NGX_ERROR);
        return;
    }

    ctx->action_pt = next;

    ngx_http_ticket_call_literal(call, "SADD");
    ngx_http_ticket_call_str(call, set, ngx_strlen(set));
    ngx_http_ticket_call_str(call, (char *) call->ticket.data,
                             call->ticket.len);

    /* it may be older than a FLUSHALL; here before the definition leaves */

    if (ngx_http_ticket_redis_ready(ctx->tlcf->redis->redis)) {
        (void) ngx_http_ticket_redis_catalogue(ctx->tlcf->redis->redis);
    }

    ngx_http_ticket_call_wait(ctx, call, NGX_HTTP_TICKET_SCRIPTS);
}


static void
ngx_http_ticket_admin_named(ngx_http_ticket_call_t *call)
{
    ngx_connection_t       *c;
    ngx_http_ticket_ctx_t  *ctx;

    ctx = ngx_http_ticket_call_resume(call, &c);

    if (ctx == NULL) {
        return;
    }

    if (call->result == NGX_HTTP_TICKET_RESULT_NONE) {
        ctx->action_pt(ctx);

    } else {
        ngx_http_ticket_fail(ctx, call->result, NULL);
    }

    ngx_http_ticket_leave(c);
}


ngx_http_ticket_result_e
ngx_http_ticket_admin_result(ngx_http_ticket_ctx_t *ctx,
    ngx_http_ticket_call_t *call)
{
    if (ctx->request->method == NGX_HTTP_DELETE) {
        return NGX_HTTP_TICKET_RESULT_DELETED;
    }

    return call->code == TICKET_CODE_CREATED ? NGX_HTTP_TICKET_RESULT_CREATED
                                             : NGX_HTTP_TICKET_RESULT_CHANGED;
}
