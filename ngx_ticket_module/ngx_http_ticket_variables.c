
/*
 * $ticket_result and the others, for log_format and map.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_ticket_gate.h"


typedef enum {
    NGX_HTTP_TICKET_VAR_RESULT = 0,
    NGX_HTTP_TICKET_VAR_BOOKING_ID,
    NGX_HTTP_TICKET_VAR_REMAINING,
    NGX_HTTP_TICKET_VAR_REDIS_TIME,
    NGX_HTTP_TICKET_VAR_BATCH,
    NGX_HTTP_TICKET_VAR_QUEUE_POSITION
} ngx_http_ticket_var_e;


static ngx_int_t ngx_http_ticket_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_ticket_variable_text(ngx_http_ticket_ctx_t *ctx,
    uintptr_t data, ngx_str_t *value);


static ngx_http_variable_t  ngx_http_ticket_vars[] = {

    { ngx_string("ticket_result"), NULL, ngx_http_ticket_variable,
      NGX_HTTP_TICKET_VAR_RESULT, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("ticket_booking_id"), NULL, ngx_http_ticket_variable,
      NGX_HTTP_TICKET_VAR_BOOKING_ID, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("ticket_remaining"), NULL, ngx_http_ticket_variable,
      NGX_HTTP_TICKET_VAR_REMAINING, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("ticket_redis_time"), NULL, ngx_http_ticket_variable,
      NGX_HTTP_TICKET_VAR_REDIS_TIME, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("ticket_batch"), NULL, ngx_http_ticket_variable,
      NGX_HTTP_TICKET_VAR_BATCH, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("ticket_queue_position"), NULL, ngx_http_ticket_variable,
      NGX_HTTP_TICKET_VAR_QUEUE_POSITION, NGX_HTTP_VAR_NOCACHEABLE, 0 },

      ngx_http_null_variable
};


ngx_int_t
ngx_http_ticket_add_variables(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var, *v;

    for (v = ngx_http_ticket_vars; v->name.len; v++) {

        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ticket_variable(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    ngx_str_t               value;
    ngx_http_ticket_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_ticket_module);

    if (ctx == NULL) {
        ctx = ngx_http_ticket_gate_find(r->main);
    }

    if (ctx == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    if (ngx_http_ticket_variable_text(ctx, data, &value) != NGX_OK) {
        return NGX_ERROR;
    }

    if (value.len == 0) {
        v->not_found = 1;
        return NGX_OK;
    }

    v->data = value.data;
    v->len = value.len;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


/* empty: there is none */

static ngx_int_t
ngx_http_ticket_variable_text(ngx_http_ticket_ctx_t *ctx, uintptr_t data,
    ngx_str_t *value)
{
    u_char  *p;

    ngx_str_null(value);

    if (data == NGX_HTTP_TICKET_VAR_RESULT) {

        if (ctx->result != NGX_HTTP_TICKET_RESULT_NONE) {
            *value = ngx_http_ticket_results[ctx->result].token;
        }

        return NGX_OK;
    }

    if (data == NGX_HTTP_TICKET_VAR_BOOKING_ID) {
        *value = ctx->booking_id;
        return NGX_OK;
    }

    p = ngx_pnalloc(ctx->request->pool,
                    NGX_INT64_LEN + sizeof(".000000") - 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    value->data = p;

    if (data == NGX_HTTP_TICKET_VAR_REMAINING && ctx->has_remaining) {
        p = ngx_sprintf(p, "%uL", ctx->remaining);

    } else if (data == NGX_HTTP_TICKET_VAR_REDIS_TIME && ctx->has_rtt) {
        p = ngx_sprintf(p, "%uL.%06uL", ctx->rtt / 1000000,
                        ctx->rtt % 1000000);

    } else if (data == NGX_HTTP_TICKET_VAR_BATCH && ctx->batch) {
        p = ngx_sprintf(p, "%ui", ctx->batch);

    } else if (data == NGX_HTTP_TICKET_VAR_QUEUE_POSITION && ctx->position) {
        p = ngx_sprintf(p, "%L", ctx->position);
    }

    value->len = p - value->data;

    return NGX_OK;
}
