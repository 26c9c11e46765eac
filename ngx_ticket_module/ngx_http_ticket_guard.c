#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_ticket_guard.h"
#include "ngx_http_ticket_keys.h"


static ngx_http_ticket_result_e ngx_http_ticket_guard_room(
    ngx_http_ticket_ctx_t *ctx, const char **detail);
static ngx_http_ticket_result_e ngx_http_ticket_guard_pass(
    ngx_http_ticket_ctx_t *ctx, const char **detail);


ngx_int_t
ngx_http_ticket_guard_find(ngx_http_request_t *r, const ngx_str_t *field,
    ngx_str_t *pass)
{
    ngx_int_t                     rc;
    ngx_http_ticket_loc_conf_t   *tlcf;
    ngx_http_ticket_main_conf_t  *tmcf;

    tlcf = ngx_http_get_module_loc_conf(r, ngx_http_ticket_module);

    if (tlcf->pass != NULL) {
        return ngx_http_ticket_input_value(r, tlcf->pass, pass);
    }

    tmcf = ngx_http_get_module_main_conf(r, ngx_http_ticket_module);

    rc = ngx_http_ticket_input_value(r, tmcf->pass_header, pass);

    if (rc != NGX_OK || pass->len) {
        return rc;
    }

    if (field != NULL && field->len) {
        *pass = *field;
        return NGX_OK;
    }

    return ngx_http_ticket_input_value(r, tmcf->pass_cookie, pass);
}


ngx_http_ticket_result_e
ngx_http_ticket_guard_verify(ngx_http_request_t *r, ngx_str_t *room,
    ngx_str_t *user, ngx_str_t *pass, uint64_t *expires)
{
    uint64_t                      issued;
    ticket_slice_t                S, name, text;
    ngx_http_ticket_main_conf_t  *tmcf;

    if (pass->len == 0) {
        return NGX_HTTP_TICKET_RESULT_PASS_REQUIRED;
    }

    tmcf = ngx_http_get_module_main_conf(r, ngx_http_ticket_module);

    if (tmcf->pass_keys == NULL) {
        return NGX_HTTP_TICKET_RESULT_PASS_INVALID;
    }

    ngx_http_ticket_slice(S, room);
    ngx_http_ticket_slice(name, user);
    ngx_http_ticket_slice(text, pass);

    switch (ticket_pass_verify(tmcf->pass_keys, TICKET_PASS_PASS, S, name,
                               text, expires, &issued))
    {
    case TICKET_PASS_OK:

        /* the scripts mean by 0 that no pass is needed */

        return *expires ? NGX_HTTP_TICKET_RESULT_NONE
                        : NGX_HTTP_TICKET_RESULT_PASS_INVALID;

    case TICKET_PASS_FOREIGN:
        return NGX_HTTP_TICKET_RESULT_PASS_FOREIGN;

    default: /* TICKET_PASS_INVALID */
        return NGX_HTTP_TICKET_RESULT_PASS_INVALID;
    }
}


ngx_int_t
ngx_http_ticket_guard(ngx_http_ticket_ctx_t *ctx)
{
    const char                *detail;
    ngx_http_ticket_text_t     text;
    ngx_http_ticket_result_e   result;

    detail = NULL;

    result = ngx_http_ticket_guard_room(ctx, &detail);

    if (result == NGX_HTTP_TICKET_RESULT_NONE) {
        result = ngx_http_ticket_guard_pass(ctx, &detail);
    }

    if (result == NGX_HTTP_TICKET_RESULT_NONE) {
        return NGX_OK;
    }

    ngx_http_ticket_problem(ctx, result, detail, &text);

    if (ngx_http_ticket_results[result].status == NGX_HTTP_FORBIDDEN) {
        ngx_http_ticket_json_str(&text, "queue", &ctx->room);
    }

    ngx_http_ticket_problem_send(ctx, result, &text);

    return NGX_DONE;
}


/*
 * The keys of a ticket and those of another tag's room need not be on one
 * server, so that a location's room sells its own tickets only.
 */

static ngx_http_ticket_result_e
ngx_http_ticket_guard_room(ngx_http_ticket_ctx_t *ctx, const char **detail)
{
    ngx_int_t  rc;
    ngx_str_t  room;

    ngx_http_ticket_tag(&ctx->ticket, &ctx->room);

    if (ctx->tlcf->queue_mode == NGX_HTTP_TICKET_QUEUE_ON) {
        return NGX_HTTP_TICKET_RESULT_NONE;
    }

    rc = ngx_http_ticket_input_value(ctx->request, ctx->tlcf->queue, &room);

    if (rc == NGX_ERROR) {
        return NGX_HTTP_TICKET_RESULT_INTERNAL_ERROR;
    }

    if (rc == NGX_DECLINED
        || room.len != ctx->room.len
        || ngx_memcmp(room.data, ctx->room.data, room.len) != 0)
    {
        *detail = "The ticket does not belong to this waiting room.";
        return NGX_HTTP_TICKET_RESULT_INVALID_QUEUE;
    }

    return NGX_HTTP_TICKET_RESULT_NONE;
}


static ngx_http_ticket_result_e
ngx_http_ticket_guard_pass(ngx_http_ticket_ctx_t *ctx, const char **detail)
{
    ngx_int_t  rc;
    ngx_str_t  field, pass;

    field.data = (u_char *) ctx->args.pass.data;
    field.len = ctx->args.pass.len;

    rc = ngx_http_ticket_guard_find(ctx->request, &field, &pass);

    if (rc == NGX_ERROR) {
        return NGX_HTTP_TICKET_RESULT_INTERNAL_ERROR;
    }

    if (rc == NGX_DECLINED) {
        *detail = "The pass is not percent-encoded properly.";
        return NGX_HTTP_TICKET_RESULT_PASS_INVALID;
    }

    return ngx_http_ticket_guard_verify(ctx->request, &ctx->room, &ctx->user,
                                        &pass, &ctx->pass);
}
