
/*
 * A waiting room for the office: look, create, change, delete.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_ticket_queue.h"
#include "ngx_http_ticket_request.h"


void
ngx_http_ticket_action_queue_admin(ngx_http_ticket_ctx_t *ctx)
{
    ngx_http_ticket_fail(ctx, NGX_HTTP_TICKET_RESULT_UNAVAILABLE, NULL);
}
