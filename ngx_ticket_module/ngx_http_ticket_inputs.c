
/*
 * The inputs of a request: what directives say first, then the body and the
 * query for what they do not say.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_ticket_request.h"


#define NGX_HTTP_TICKET_KEY_MAX   255


static ngx_http_ticket_result_e ngx_http_ticket_inputs_queue(
    ngx_http_ticket_ctx_t *ctx);
static ngx_http_ticket_result_e ngx_http_ticket_inputs_key(
    ngx_http_ticket_ctx_t *ctx);
static unsigned ngx_http_ticket_inputs_fields(ngx_http_ticket_ctx_t *ctx);
static ngx_http_ticket_result_e ngx_http_ticket_inputs_query(
    ngx_http_ticket_ctx_t *ctx, ticket_args_t *args, const char **detail);
static ngx_http_ticket_result_e ngx_http_ticket_inputs_body(
    ngx_http_ticket_ctx_t *ctx, const char **detail);
static ngx_http_ticket_result_e ngx_http_ticket_inputs_ticket(
    ngx_http_ticket_ctx_t *ctx, const char **detail);
static ngx_http_ticket_result_e ngx_http_ticket_inputs_quantity(
    ngx_http_ticket_ctx_t *ctx, const char **detail);
static ngx_http_ticket_result_e ngx_http_ticket_inputs_result(
    ticket_args_code_t code);


ngx_http_ticket_result_e
ngx_http_ticket_inputs_directives(ngx_http_ticket_ctx_t *ctx,
    const char **detail)
{
    ngx_int_t                    rc;
    ticket_slice_t               slice;
    ngx_http_ticket_loc_conf_t  *tlcf;

    tlcf = ctx->tlcf;

    if (ngx_http_ticket_bit(ctx->action) & NGX_HTTP_TICKET_USER_ACTIONS) {

        rc = ngx_http_ticket_input_value(ctx->request, tlcf->user, &ctx->user);

        if (rc == NGX_ERROR) {
            return NGX_HTTP_TICKET_RESULT_INTERNAL_ERROR;
        }

        if (rc == NGX_OK && ctx->user.len == 0) {
            return NGX_HTTP_TICKET_RESULT_USER_REQUIRED;
        }

        ngx_http_ticket_slice(slice, &ctx->user);

        if (rc == NGX_DECLINED || !ticket_user_valid(slice)) {
            return NGX_HTTP_TICKET_RESULT_INVALID_USER;
        }
    }

    if (ctx->action >= NGX_HTTP_TICKET_QUEUE) {
        return ngx_http_ticket_inputs_queue(ctx);
    }

    if (tlcf->name != NULL) {

        rc = ngx_http_ticket_input_value(ctx->request, tlcf->name,
                                         &ctx->ticket);

        if (rc == NGX_ERROR) {
            return NGX_HTTP_TICKET_RESULT_INTERNAL_ERROR;
        }

        if (rc == NGX_DECLINED) {
            *detail = "The ticket's name is not percent-encoded properly.";
            return NGX_HTTP_TICKET_RESULT_BAD_REQUEST;
        }
    }

    if (ctx->action == NGX_HTTP_TICKET_BOOK
        || ctx->action == NGX_HTTP_TICKET_CANCEL)
    {
        return ngx_http_ticket_inputs_key(ctx);
    }

    return NGX_HTTP_TICKET_RESULT_NONE;
}


/* the room the location names; none: a list of all is wanted */

static ngx_http_ticket_result_e
ngx_http_ticket_inputs_queue(ngx_http_ticket_ctx_t *ctx)
{
    ngx_int_t       rc;
    ticket_slice_t  slice;

    rc = ngx_http_ticket_input_value(ctx->request, ctx->tlcf->queue,
                                     &ctx->room);

    if (rc == NGX_ERROR) {
        return NGX_HTTP_TICKET_RESULT_INTERNAL_ERROR;
    }

    if (ctx->action == NGX_HTTP_TICKET_QUEUE_ADMIN && ctx->room.len == 0) {
        return NGX_HTTP_TICKET_RESULT_NONE;
    }

    ngx_http_ticket_slice(slice, &ctx->room);

    /* the tickets of a group have its room: a room has no group itself */

    if (rc == NGX_DECLINED
        || !ticket_name_valid(slice)
        || ngx_strlchr(ctx->room.data, ctx->room.data + ctx->room.len, '@')
           != NULL)
    {
        return NGX_HTTP_TICKET_RESULT_INVALID_QUEUE;
    }

    return NGX_HTTP_TICKET_RESULT_NONE;
}


static ngx_http_ticket_result_e
ngx_http_ticket_inputs_key(ngx_http_ticket_ctx_t *ctx)
{
    size_t     i;
    ngx_int_t  rc;

    rc = ngx_http_ticket_input_value(ctx->request, ctx->tlcf->key, &ctx->key);

    if (rc == NGX_ERROR) {
        return NGX_HTTP_TICKET_RESULT_INTERNAL_ERROR;
    }

    if (rc == NGX_DECLINED || ctx->key.len > NGX_HTTP_TICKET_KEY_MAX) {
        return NGX_HTTP_TICKET_RESULT_INVALID_KEY;
    }

    for (i = 0; i < ctx->key.len; i++) {
        if (ctx->key.data[i] <= 0x20 || ctx->key.data[i] >= 0x7f) {
            return NGX_HTTP_TICKET_RESULT_INVALID_KEY;
        }
    }

    return NGX_HTTP_TICKET_RESULT_NONE;
}


ngx_int_t
ngx_http_ticket_input_value(ngx_http_request_t *r,
    ngx_http_ticket_input_t *input, ngx_str_t *value)
{
    u_char                     *storage;
    ticket_slice_t              text, decoded;
    ngx_http_variable_value_t  *vv;

    ngx_str_null(value);

    if (input == NULL) {
        return NGX_OK;
    }

    if (input->index == NGX_ERROR) {
        return ngx_http_complex_value(r, &input->value, value);
    }

    vv = ngx_http_get_flushed_variable(r, input->index);

    if (vv == NULL || vv->not_found || vv->len == 0) {
        return NGX_OK;
    }

    value->data = vv->data;
    value->len = vv->len;

    if (!input->encoded) {
        return NGX_OK;
    }

    storage = ngx_pnalloc(r->pool, value->len);
    if (storage == NULL) {
        return NGX_ERROR;
    }

    ngx_http_ticket_slice(text, value);

    if (ticket_args_unescape(text, (char *) storage, &decoded) != 0) {
        return NGX_DECLINED;
    }

    value->data = (u_char *) decoded.data;
    value->len = decoded.len;

    return NGX_OK;
}


ngx_http_ticket_result_e
ngx_http_ticket_inputs_arguments(ngx_http_ticket_ctx_t *ctx,
    const char **detail)
{
    ticket_args_t             query;
    ticket_args_code_t        code;
    ngx_http_ticket_result_e  result;

    result = ngx_http_ticket_inputs_query(ctx, &query, detail);

    if (result != NGX_HTTP_TICKET_RESULT_NONE) {
        return result;
    }

    if (ctx->body.len == 0) {
        ctx->args = query;

    } else {
        result = ngx_http_ticket_inputs_body(ctx, detail);

        if (result != NGX_HTTP_TICKET_RESULT_NONE) {
            return result;
        }

        code = ticket_args_merge(&ctx->args, &query, detail);

        if (code != TICKET_ARGS_OK) {
            return ngx_http_ticket_inputs_result(code);
        }
    }

    if (ctx->action >= NGX_HTTP_TICKET_QUEUE) {
        return NGX_HTTP_TICKET_RESULT_NONE;
    }

    result = ngx_http_ticket_inputs_ticket(ctx, detail);

    if (result == NGX_HTTP_TICKET_RESULT_NONE
        && ctx->action == NGX_HTTP_TICKET_BOOK)
    {
        result = ngx_http_ticket_inputs_quantity(ctx, detail);
    }

    return result;
}


/* the fields this action takes from a body */

static unsigned
ngx_http_ticket_inputs_fields(ngx_http_ticket_ctx_t *ctx)
{
    switch (ctx->action) {

    case NGX_HTTP_TICKET_BOOK:
        return TICKET_ARG_TICKET|TICKET_ARG_QUANTITY|TICKET_ARG_PASS;

    case NGX_HTTP_TICKET_CANCEL:
        return TICKET_ARG_TICKET|TICKET_ARG_BOOKING_ID;

    case NGX_HTTP_TICKET_ADMIN:
        if (ctx->request->method & (NGX_HTTP_PUT|NGX_HTTP_PATCH)) {
            return TICKET_ARG_TICKET|TICKET_ARGS_DEFINITION;
        }

        return TICKET_ARG_TICKET;

    case NGX_HTTP_TICKET_QUEUE_ADMIN:
        if (ctx->request->method & (NGX_HTTP_PUT|NGX_HTTP_PATCH)) {
            return TICKET_ARGS_ROOM;
        }

        return 0;

    case NGX_HTTP_TICKET_QUEUE:
    case NGX_HTTP_TICKET_QUEUE_EVENTS:
        return 0;

    default:
        return TICKET_ARG_TICKET;
    }
}


static ngx_http_ticket_result_e
ngx_http_ticket_inputs_query(ngx_http_ticket_ctx_t *ctx, ticket_args_t *args,
    const char **detail)
{
    u_char              *storage;
    unsigned             fields;
    ticket_slice_t       text;
    ngx_http_request_t  *r;

    r = ctx->request;

    ngx_memzero(args, sizeof(ticket_args_t));

    if (r->args.len == 0) {
        return NGX_HTTP_TICKET_RESULT_NONE;
    }

    fields = ngx_http_ticket_inputs_fields(ctx)
             & ~(TICKET_ARGS_DEFINITION|TICKET_ARGS_ROOM);

    if (ctx->action == NGX_HTTP_TICKET_ADMIN
        || ctx->action == NGX_HTTP_TICKET_QUEUE_ADMIN
        || ctx->action == NGX_HTTP_TICKET_BOOKINGS)
    {
        fields |= TICKET_ARGS_LIST;
    }

    /* what a directive says nobody else is asked for */

    if (ctx->tlcf->name != NULL) {
        fields &= ~TICKET_ARG_TICKET;
    }

    if (ctx->tlcf->quantity != NULL) {
        fields &= ~TICKET_ARG_QUANTITY;
    }

    if (ctx->tlcf->pass != NULL || !ngx_http_ticket_guarded(ctx->tlcf)) {
        fields &= ~TICKET_ARG_PASS;
    }

    storage = ngx_pnalloc(r->pool, r->args.len);
    if (storage == NULL) {
        return NGX_HTTP_TICKET_RESULT_INTERNAL_ERROR;
    }

    ngx_http_ticket_slice(text, &r->args);

    return ngx_http_ticket_inputs_result(
               ticket_args_query(args, fields, text, (char *) storage,
                                 detail));
}


static ngx_http_ticket_result_e
ngx_http_ticket_inputs_body(ngx_http_ticket_ctx_t *ctx, const char **detail)
{
    u_char              *storage;
    unsigned             fields;
    ticket_slice_t       text, type;
    ticket_media_t       media;
    ticket_args_code_t   code;
    ngx_http_request_t  *r;

    r = ctx->request;

    if (r->headers_in.content_type == NULL) {
        return NGX_HTTP_TICKET_RESULT_UNSUPPORTED_MEDIA_TYPE;
    }

    ngx_http_ticket_slice(type, &r->headers_in.content_type->value);

    media = ticket_args_media(type);

    if (media == TICKET_MEDIA_UNSUPPORTED) {
        return NGX_HTTP_TICKET_RESULT_UNSUPPORTED_MEDIA_TYPE;
    }

    storage = ngx_pnalloc(r->pool, ctx->body.len);
    if (storage == NULL) {
        return NGX_HTTP_TICKET_RESULT_INTERNAL_ERROR;
    }

    fields = ngx_http_ticket_inputs_fields(ctx);

    ngx_http_ticket_slice(text, &ctx->body);

    if (media == TICKET_MEDIA_JSON) {
        code = ticket_args_json(&ctx->args, fields, text, (char *) storage,
                                detail);
    } else {
        code = ticket_args_form(&ctx->args, fields, text, (char *) storage,
                                detail);
    }

    return ngx_http_ticket_inputs_result(code);
}


static ngx_http_ticket_result_e
ngx_http_ticket_inputs_ticket(ngx_http_ticket_ctx_t *ctx, const char **detail)
{
    ngx_str_t       given;
    ticket_slice_t  slice;

    given.data = (u_char *) ctx->args.ticket.data;
    given.len = ctx->args.ticket.len;

    if (ctx->tlcf->name == NULL) {
        ctx->ticket = given;

    } else if ((ctx->args.given & TICKET_ARG_TICKET)
               && (given.len != ctx->ticket.len
                   || ngx_memcmp(given.data, ctx->ticket.data, given.len)
                      != 0))
    {
        *detail = "The body names another ticket than the address.";
        return NGX_HTTP_TICKET_RESULT_AMBIGUOUS;
    }

    if (ctx->action == NGX_HTTP_TICKET_ADMIN && ctx->ticket.len == 0) {
        return NGX_HTTP_TICKET_RESULT_NONE;
    }

    ngx_http_ticket_slice(slice, &ctx->ticket);

    if (!ticket_name_valid(slice)) {
        return NGX_HTTP_TICKET_RESULT_INVALID_TICKET;
    }

    return NGX_HTTP_TICKET_RESULT_NONE;
}


static ngx_http_ticket_result_e
ngx_http_ticket_inputs_quantity(ngx_http_ticket_ctx_t *ctx,
    const char **detail)
{
    uint32_t                  quantity;
    ngx_int_t                 rc;
    ngx_str_t                 value;
    ticket_slice_t            slice;
    ngx_http_ticket_result_e  result;

    rc = ngx_http_ticket_input_value(ctx->request, ctx->tlcf->quantity, &value);

    if (rc == NGX_ERROR) {
        return NGX_HTTP_TICKET_RESULT_INTERNAL_ERROR;
    }

    if (rc == NGX_DECLINED) {
        return NGX_HTTP_TICKET_RESULT_INVALID_QUANTITY;
    }

    if (value.len == 0) {

        if (!(ctx->args.given & TICKET_ARG_QUANTITY)) {
            ctx->args.quantity = 1;
        }

        return NGX_HTTP_TICKET_RESULT_NONE;
    }

    ngx_http_ticket_slice(slice, &value);

    result = ngx_http_ticket_inputs_result(
                 ticket_args_quantity(slice, &quantity, detail));

    if (result != NGX_HTTP_TICKET_RESULT_NONE) {
        return result;
    }

    if ((ctx->args.given & TICKET_ARG_QUANTITY)
        && ctx->args.quantity != quantity)
    {
        *detail = "The body asks for another quantity than the address.";
        return NGX_HTTP_TICKET_RESULT_AMBIGUOUS;
    }

    ctx->args.quantity = quantity;

    return NGX_HTTP_TICKET_RESULT_NONE;
}


static ngx_http_ticket_result_e
ngx_http_ticket_inputs_result(ticket_args_code_t code)
{
    switch (code) {

    case TICKET_ARGS_OK:
        return NGX_HTTP_TICKET_RESULT_NONE;

    case TICKET_ARGS_UNKNOWN_FIELD:
        return NGX_HTTP_TICKET_RESULT_UNKNOWN_FIELD;

    case TICKET_ARGS_INVALID_QUANTITY:
        return NGX_HTTP_TICKET_RESULT_INVALID_QUANTITY;

    case TICKET_ARGS_AMBIGUOUS:
        return NGX_HTTP_TICKET_RESULT_AMBIGUOUS;

    default:
        return NGX_HTTP_TICKET_RESULT_BAD_REQUEST;
    }
}
