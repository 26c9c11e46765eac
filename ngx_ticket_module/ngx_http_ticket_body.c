
/*
 * The body of a request in all its shapes, up to a few kilobytes.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_ticket_request.h"


static void ngx_http_ticket_body_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_ticket_body_collect(ngx_http_ticket_ctx_t *ctx);
static u_char *ngx_http_ticket_body_room(ngx_http_ticket_ctx_t *ctx,
    size_t size);
static void ngx_http_ticket_body_failed(ngx_http_ticket_ctx_t *ctx,
    ngx_int_t rc);


void
ngx_http_ticket_body(ngx_http_ticket_ctx_t *ctx)
{
    ngx_int_t            rc;
    ngx_http_request_t  *r;

    r = ctx->request;

    if (r->headers_in.content_length_n > (off_t) ctx->tlcf->max_body) {
        ngx_http_ticket_refuse(ctx, NGX_HTTP_TICKET_RESULT_TOO_LARGE,
                                       NULL);
        return;
    }

    /* taken as it comes: what is too much never touches the disk */

    r->request_body_no_buffering = 1;

    rc = ngx_http_read_client_request_body(r,
                                        ngx_http_ticket_body_handler);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        ngx_http_ticket_body_failed(ctx, rc);
        return;
    }

    /* the reference of the reader; the handler ends with ours */

    ngx_http_finalize_request(r, NGX_DONE);
}


static void
ngx_http_ticket_body_handler(ngx_http_request_t *r)
{
    ngx_int_t               rc;
    ngx_http_ticket_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_ticket_module);

    for ( ;; ) {

        rc = ngx_http_ticket_body_collect(ctx);

        if (rc != NGX_OK) {
            ngx_http_ticket_body_failed(ctx, rc);
            return;
        }

        if (!r->reading_body) {
            break;
        }

        rc = ngx_http_read_unbuffered_request_body(r);

        if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
            ngx_http_ticket_body_failed(ctx, rc);
            return;
        }

        if (rc == NGX_AGAIN && r->request_body->bufs == NULL) {
            r->read_event_handler = ngx_http_ticket_body_handler;
            return;
        }
    }

    r->read_event_handler = ngx_http_block_reading;

    ngx_http_ticket_act(ctx);
}


/* takes over what has arrived; the buffers are free again */

static ngx_int_t
ngx_http_ticket_body_collect(ngx_http_ticket_ctx_t *ctx)
{
    off_t                size;
    u_char              *p;
    ngx_buf_t           *b;
    ngx_chain_t         *cl;
    ngx_http_request_t  *r;

    r = ctx->request;

    if (r->request_body == NULL) {
        return NGX_OK;
    }

    for (cl = r->request_body->bufs; cl; cl = cl->next) {

        b = cl->buf;
        size = ngx_buf_special(b) ? 0 : ngx_buf_size(b);

        if (size == 0) {
            continue;
        }

        if (size > (off_t) (ctx->tlcf->max_body - ctx->body.len)) {
            return NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
        }

        p = ngx_http_ticket_body_room(ctx, (size_t) size);
        if (p == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        if (ngx_buf_in_memory(b)) {
            ngx_memcpy(p, b->pos, (size_t) size);
            b->pos = b->last;

        } else if (ngx_read_file(b->file, p, (size_t) size, b->file_pos)
                   != (ssize_t) size)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        ctx->body.len += (size_t) size;
    }

    if (r->reading_body) {
        r->request_body->bufs = NULL;
    }

    return NGX_OK;
}


static u_char *
ngx_http_ticket_body_room(ngx_http_ticket_ctx_t *ctx, size_t size)
{
    size_t               need;
    u_char              *p;
    ngx_http_request_t  *r;

    r = ctx->request;
    need = ctx->body.len + size;

    if (need > ctx->body_size) {

        /* of a chunked body content_length_n is what has come so far */

        if (ctx->body.len == 0 && r->reading_body && !r->headers_in.chunked
            && r->headers_in.content_length_n > (off_t) need)
        {
            need = (size_t) r->headers_in.content_length_n;

        } else if (r->reading_body) {
            need = ctx->tlcf->max_body;
        }

        p = ngx_pnalloc(r->pool, need);
        if (p == NULL) {
            return NULL;
        }

        if (ctx->body.len) {
            ngx_memcpy(p, ctx->body.data, ctx->body.len);
        }

        ctx->body.data = p;
        ctx->body_size = need;
    }

    return ctx->body.data + ctx->body.len;
}


static void
ngx_http_ticket_body_failed(ngx_http_ticket_ctx_t *ctx, ngx_int_t rc)
{
    ngx_http_request_t  *r;

    r = ctx->request;

    /* where the next request would begin is not known */

    r->keepalive = 0;

    switch (rc) {

    case NGX_HTTP_REQUEST_ENTITY_TOO_LARGE:
        ngx_http_ticket_fail(ctx, NGX_HTTP_TICKET_RESULT_TOO_LARGE, NULL);
        return;

    case NGX_HTTP_BAD_REQUEST:
        ngx_http_ticket_fail(ctx, NGX_HTTP_TICKET_RESULT_BAD_REQUEST, NULL);
        return;

    default:
        ngx_http_finalize_request(r, rc);
        return;
    }
}
