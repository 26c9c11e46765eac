
/*
 * Server-sent events on nginx' output chain.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_ticket_sse.h"

#if !(NGX_WIN32)
#include <netinet/tcp.h>
#endif


#define NGX_HTTP_TICKET_SSE_UNSENT   16384  /* bytes in the kernel */
#define NGX_HTTP_TICKET_SSE_SPARE    64     /* numbers get longer */


static void ngx_http_ticket_sse_socket(ngx_http_request_t *r);
static ngx_int_t ngx_http_ticket_sse_room(ngx_http_ticket_sse_t *sse,
    size_t len);
static ngx_int_t ngx_http_ticket_sse_flush(ngx_http_ticket_sse_t *sse,
    ngx_int_t rc);
static void ngx_http_ticket_sse_writer(ngx_http_request_t *r);


static ngx_str_t  ngx_http_ticket_sse_type = ngx_string("text/event-stream");
static ngx_str_t  ngx_http_ticket_sse_no_store = ngx_string("no-store");
static ngx_str_t  ngx_http_ticket_sse_no = ngx_string("no");


ngx_int_t
ngx_http_ticket_sse_open(ngx_http_ticket_ctx_t *ctx,
    ngx_http_ticket_sse_t *sse, ngx_http_ticket_result_e result)
{
    ngx_int_t            rc;
    ngx_event_t         *rev;
    ngx_http_request_t  *r;

    r = ctx->request;

    if (ctx->timer.timer_set) {
        ngx_del_timer(&ctx->timer);
    }

    ngx_memzero(sse, sizeof(ngx_http_ticket_sse_t));

    sse->ctx = ctx;
    sse->sent = ngx_current_msec;

    ctx->data = sse;
    ctx->opened = ngx_http_ticket_usec();

    ngx_http_ticket_header(ctx, "Cache-Control",
                           &ngx_http_ticket_sse_no_store);
    ngx_http_ticket_header(ctx, "X-Accel-Buffering", &ngx_http_ticket_sse_no);

    if (ctx->failed) {
        ngx_http_ticket_count(ctx, NGX_HTTP_TICKET_RESULT_INTERNAL_ERROR);
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return NGX_DONE;
    }

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_type = ngx_http_ticket_sse_type;
    r->headers_out.content_type_len = ngx_http_ticket_sse_type.len;
    r->headers_out.content_type_lowcase = NULL;

    ngx_http_clear_content_length(r);

#if (NGX_HTTP_GZIP)

    /* gzip_types may be "*"; zlib takes 256 KB a stream */

    r->gzip_tested = 1;
    r->gzip_ok = 0;

#endif

    ngx_http_ticket_sse_socket(r);

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        ngx_http_ticket_count(ctx, result);
        ngx_http_finalize_request(r, rc);
        return NGX_DONE;
    }

    r->write_event_handler = ngx_http_request_empty_handler;

    if (r->discard_body) {
        return NGX_OK;
    }

    r->read_event_handler = ngx_http_test_reading;

    rev = r->connection->read;

    if (rev->ready) {
        ngx_post_event(rev, &ngx_posted_events);

    } else {
        (void) ngx_handle_read_event(rev, 0);
    }

    return NGX_OK;
}


/*
 * The kernel would take megabytes for a client that does not read, and we
 * would learn of it after hours.
 */

static void
ngx_http_ticket_sse_socket(ngx_http_request_t *r)
{
    ngx_connection_t          *c;
    ngx_http_core_loc_conf_t  *clcf;
#ifdef TCP_NOTSENT_LOWAT
    int                        unsent;
#endif

    c = r->connection;

#if (NGX_HTTP_V2)

    if (r->stream) {
        return;
    }

#endif

    if (c->type != SOCK_STREAM) {
        return;
    }

#ifdef TCP_NOTSENT_LOWAT

    unsent = NGX_HTTP_TICKET_SSE_UNSENT;

    /* a unix socket has no such thing, and its peer is a proxy */

    (void) setsockopt(c->fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT,
                      (const void *) &unsent, sizeof(int));

#endif

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (clcf->tcp_nodelay) {
        (void) ngx_tcp_nodelay(c);
    }
}


ngx_int_t
ngx_http_ticket_sse_send(ngx_http_ticket_sse_t *sse, u_char *data, size_t len)
{
    ngx_buf_t            *b;
    ngx_chain_t           out;
    ngx_http_request_t   *r;

    if (sse->busy) {
        return NGX_BUSY;
    }

    if (ngx_http_ticket_sse_room(sse, len) != NGX_OK) {
        return NGX_ERROR;
    }

    r = sse->ctx->request;
    b = &sse->buf;

    b->pos = b->start;
    b->last = ngx_cpymem(b->start, data, len);
    b->tag = (ngx_buf_tag_t) &ngx_http_ticket_module;
    b->temporary = 1;
    b->flush = 1;

    sse->sent = ngx_current_msec;

    out.buf = b;
    out.next = NULL;

    return ngx_http_ticket_sse_flush(sse, ngx_http_output_filter(r, &out));
}


static ngx_int_t
ngx_http_ticket_sse_room(ngx_http_ticket_sse_t *sse, size_t len)
{
    u_char      *p;
    size_t       size;
    ngx_buf_t   *b;

    b = &sse->buf;

    if ((size_t) (b->end - b->start) >= len) {
        return NGX_OK;
    }

    size = ngx_max(len + NGX_HTTP_TICKET_SSE_SPARE,
                   2 * (size_t) (b->end - b->start));

    p = ngx_pnalloc(sse->ctx->request->pool, size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    b->start = p;
    b->end = p + size;

    return NGX_OK;
}


static ngx_int_t
ngx_http_ticket_sse_flush(ngx_http_ticket_sse_t *sse, ngx_int_t rc)
{
    ngx_connection_t          *c;
    ngx_http_request_t        *r;
    ngx_http_core_loc_conf_t  *clcf;

    r = sse->ctx->request;
    c = r->connection;

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    sse->busy = (c->buffered || sse->buf.pos != sse->buf.last);

    if (!sse->busy) {
        r->write_event_handler = ngx_http_request_empty_handler;
        return NGX_OK;
    }

    r->write_event_handler = ngx_http_ticket_sse_writer;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    return ngx_handle_write_event(c->write, clcf->send_lowat);
}


static void
ngx_http_ticket_sse_writer(ngx_http_request_t *r)
{
    ngx_int_t               rc;
    ngx_http_ticket_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_ticket_module);

    /* limit_rate: nothing is to be written yet */

    rc = r->connection->write->delayed ? NGX_OK
                                       : ngx_http_output_filter(r, NULL);

    if (ngx_http_ticket_sse_flush(ctx->data, rc) != NGX_OK) {
        ngx_http_finalize_request(r, NGX_ERROR);
    }
}


void
ngx_http_ticket_sse_end(ngx_http_ticket_sse_t *sse, u_char *data, size_t len)
{
    ngx_buf_t           *b;
    ngx_chain_t          out;
    ngx_http_request_t  *r;

    r = sse->ctx->request;

    b = ngx_create_temp_buf(r->pool, len);
    if (b == NULL) {
        ngx_http_finalize_request(r, NGX_ERROR);
        return;
    }

    b->last = ngx_cpymem(b->last, data, len);
    b->last_buf = 1;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    ngx_http_finalize_request(r, ngx_http_output_filter(r, &out));
}


ngx_uint_t
ngx_http_ticket_sse_late(ngx_http_ticket_sse_t *sse)
{
    ngx_http_core_loc_conf_t  *clcf;

    if (!sse->busy) {
        return 0;
    }

    clcf = ngx_http_get_module_loc_conf(sse->ctx->request,
                                        ngx_http_core_module);

    return ngx_current_msec - sse->sent > clcf->send_timeout;
}
