
/*
 * The waiting room: enter it, ask for one's place, leave it.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_ticket_request.h"


void
ngx_http_ticket_action_queue(ngx_http_ticket_ctx_t *ctx)
{
    ngx_http_ticket_fail(ctx, NGX_HTTP_TICKET_RESULT_UNAVAILABLE, NULL);
}


void
ngx_http_ticket_action_queue_events(ngx_http_ticket_ctx_t *ctx)
{
    ngx_http_ticket_fail(ctx, NGX_HTTP_TICKET_RESULT_UNAVAILABLE, NULL);
}


void
ngx_http_ticket_action_queue_admin(ngx_http_ticket_ctx_t *ctx)
{
    ngx_http_ticket_fail(ctx, NGX_HTTP_TICKET_RESULT_UNAVAILABLE, NULL);
}
