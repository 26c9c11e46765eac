/*
 * Who is not let through is answered in the way he can read: a person by a
 * page, a program by JSON.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_ticket_gate.h"
#include "ngx_http_ticket_accept.h"


/* of what a browser is to come back to: it is sent once more, encoded, in the
 * address of the page, and servers take 8 KB */
#define NGX_HTTP_TICKET_GATE_RETURN_MAX   4096


static ngx_int_t ngx_http_ticket_gate_page(ngx_http_ticket_ctx_t *ctx,
    ngx_str_t *page);
static ngx_uint_t ngx_http_ticket_gate_person(ngx_http_request_t *r);
static ngx_uint_t ngx_http_ticket_gate_is(ngx_str_t *text, const char *name);
static ngx_int_t ngx_http_ticket_gate_out(ngx_http_ticket_ctx_t *ctx);
static void ngx_http_ticket_gate_redirect(ngx_http_ticket_ctx_t *ctx,
    ngx_str_t *page);
static ngx_int_t ngx_http_ticket_gate_location(ngx_http_ticket_ctx_t *ctx,
    ngx_str_t *page, ngx_str_t *location);
static void ngx_http_ticket_gate_error(ngx_http_ticket_ctx_t *ctx,
    ngx_http_ticket_result_e result);


static ngx_str_t  ngx_http_ticket_gate_vary = ngx_string("Accept");
static ngx_str_t  ngx_http_ticket_gate_no_store = ngx_string("no-store");
static ngx_str_t  ngx_http_ticket_gate_one_second = ngx_string("1");


void
ngx_http_ticket_gate_waiting(ngx_http_ticket_ctx_t *ctx,
    ngx_http_ticket_entry_t *entry)
{
    ngx_int_t                  rc;
    ngx_str_t                  page;
    ngx_http_request_t        *r;
    ngx_http_ticket_gate_t    *gate;
    ngx_http_ticket_token_t    token;
    ngx_http_ticket_waiter_t   waiter;

    r = ctx->request;
    gate = ctx->data;

    if (!ngx_http_ticket_gate_person(r)) {

        if (ngx_http_ticket_gate_out(ctx) == NGX_OK) {
            ngx_http_ticket_queue_answer_waiting(ctx, entry, &gate->place);
        }

        return;
    }

    rc = (r->method & NGX_HTTP_TICKET_READ)
         ? ngx_http_ticket_gate_page(ctx, &page) : NGX_DECLINED;

    if (rc == NGX_ERROR) {
        ngx_http_ticket_gate_refuse(ctx, NGX_HTTP_TICKET_RESULT_INTERNAL_ERROR,
                                    NULL);
        return;
    }

    if (ngx_http_ticket_gate_out(ctx) != NGX_OK) {
        return;
    }

    ngx_http_ticket_queue_give_place(ctx, entry, &gate->place, &waiter,
                                     &token);

    if (rc == NGX_OK) {
        ngx_http_ticket_gate_redirect(ctx, &page);

    } else {
        ngx_http_ticket_gate_error(ctx, NGX_HTTP_TICKET_RESULT_PASS_REQUIRED);
    }
}


void
ngx_http_ticket_gate_refuse(ngx_http_ticket_ctx_t *ctx,
    ngx_http_ticket_result_e result, const char *detail)
{
    if (ngx_http_ticket_gate_out(ctx) != NGX_OK) {
        return;
    }

    if (ngx_http_ticket_gate_person(ctx->request)) {
        ngx_http_ticket_gate_error(ctx, result);

    } else {
        ngx_http_ticket_fail(ctx, result, detail);
    }
}


ngx_int_t
ngx_http_ticket_gate_at_page(ngx_http_ticket_ctx_t *ctx)
{
    u_char     *args;
    ngx_int_t   rc;
    ngx_str_t   page, *uri;

    rc = ngx_http_ticket_gate_page(ctx, &page);

    if (rc != NGX_OK) {
        return rc;
    }

    args = ngx_strlchr(page.data, page.data + page.len, '?');

    if (args != NULL) {
        page.len = args - page.data;
    }

    uri = &ctx->request->uri;

    return uri->len == page.len
           && ngx_memcmp(uri->data, page.data, page.len) == 0
           ? NGX_OK : NGX_DECLINED;
}


/* NGX_DECLINED: there is none, or, by its variables, one of another host */

static ngx_int_t
ngx_http_ticket_gate_page(ngx_http_ticket_ctx_t *ctx, ngx_str_t *page)
{
    if (ctx->tlcf->queue_page == NULL) {
        return NGX_DECLINED;
    }

    if (ngx_http_complex_value(ctx->request, ctx->tlcf->queue_page, page)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_http_ticket_conf_queue_page_valid(page)) {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_ERR, ctx->request->connection->log, 0,
                  "\"ticket_queue_page\" is no path on this host");

    return NGX_DECLINED;
}


/*
 * Somebody at a browser, and not a program, nor a script in a page: those say
 * X-Requested-With, by an old custom of theirs, or Sec-Fetch-Mode
 * (https://www.w3.org/TR/fetch-metadata/).
 */

static ngx_uint_t
ngx_http_ticket_gate_person(ngx_http_request_t *r)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;
    ticket_slice_t    value;
    ticket_accept_t   accept;

    ticket_accept_init(&accept);

    part = &r->headers_in.headers.part;
    h = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                break;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        if (ngx_http_ticket_gate_is(&h[i].key, "accept")) {
            ngx_http_ticket_slice(value, &h[i].value);
            ticket_accept_add(&accept, value);

        } else if ((ngx_http_ticket_gate_is(&h[i].key, "x-requested-with")
                    && ngx_http_ticket_gate_is(&h[i].value, "xmlhttprequest"))
                   || (ngx_http_ticket_gate_is(&h[i].key, "sec-fetch-mode")
                       && !ngx_http_ticket_gate_is(&h[i].value, "navigate")))
        {
            return 0;
        }
    }

    return ticket_accept_page(&accept);
}


static ngx_uint_t
ngx_http_ticket_gate_is(ngx_str_t *text, const char *name)
{
    size_t  len;

    len = ngx_strlen(name);

    return text->len == len
           && ngx_strncasecmp(text->data, (u_char *) name, len) == 0;
}


/* what all answers have in common; NGX_OK, or the request is finalized */

static ngx_int_t
ngx_http_ticket_gate_out(ngx_http_ticket_ctx_t *ctx)
{
    ngx_http_ticket_gate_t  *gate;

    gate = ctx->data;
    gate->verdict = NGX_HTTP_TICKET_GATE_OUT;

    /* what "satisfy any" remembers of others would meet the error_page */

    ctx->request->access_code = 0;

    ngx_http_ticket_header(ctx, "Vary", &ngx_http_ticket_gate_vary);

    return ngx_http_ticket_request_discard(ctx);
}


static void
ngx_http_ticket_gate_redirect(ngx_http_ticket_ctx_t *ctx, ngx_str_t *page)
{
    ngx_str_t            location;
    ngx_http_request_t  *r;

    r = ctx->request;

    if (ngx_http_ticket_gate_location(ctx, page, &location) != NGX_OK) {
        ngx_http_ticket_fail(ctx, NGX_HTTP_TICKET_RESULT_INTERNAL_ERROR, NULL);
        return;
    }

    /* nginx would put a scheme and a host before what it knows by name */

    ngx_http_ticket_header(ctx, "Location", &location);
    ngx_http_ticket_header(ctx, "Cache-Control",
                           &ngx_http_ticket_gate_no_store);

    if (ctx->failed) {
        ngx_http_ticket_fail(ctx, NGX_HTTP_TICKET_RESULT_INTERNAL_ERROR, NULL);
        return;
    }

    if (ctx->timer.timer_set) {
        ngx_del_timer(&ctx->timer);
    }

    ngx_http_ticket_count(ctx, NGX_HTTP_TICKET_RESULT_WAITING);

    r->headers_out.status = NGX_HTTP_MOVED_TEMPORARILY;
    r->headers_out.content_length_n = 0;
    r->header_only = 1;

    ngx_http_finalize_request(r, ngx_http_send_header(r));
}


/* page?queue=S&return=uri */

static ngx_int_t
ngx_http_ticket_gate_location(ngx_http_ticket_ctx_t *ctx, ngx_str_t *page,
    ngx_str_t *location)
{
    size_t      room, uri;
    u_char     *p;
    ngx_str_t   from;

    from = ctx->request->unparsed_uri;

    /* to a browser two slashes are the beginning of a host's name */

    while (from.len > 1 && (from.data[1] == '/' || from.data[1] == '\\')) {
        from.data++;
        from.len--;
    }

    room = ctx->room.len + 2 * ngx_escape_uri(NULL, ctx->room.data,
                                              ctx->room.len,
                                              NGX_ESCAPE_URI_COMPONENT);
    uri = from.len + 2 * ngx_escape_uri(NULL, from.data, from.len,
                                        NGX_ESCAPE_URI_COMPONENT);

    if (from.len == 0 || from.data[0] != '/'
        || uri > NGX_HTTP_TICKET_GATE_RETURN_MAX)
    {
        uri = 0;
    }

    p = ngx_pnalloc(ctx->request->pool,
                    page->len + sizeof("?queue=&return=") - 1 + room + uri);
    if (p == NULL) {
        return NGX_ERROR;
    }

    location->data = p;

    p = ngx_cpymem(p, page->data, page->len);
    *p++ = ngx_strlchr(page->data, page->data + page->len, '?') ? '&' : '?';

    p = ngx_cpymem(p, "queue=", sizeof("queue=") - 1);
    p = (u_char *) ngx_escape_uri(p, ctx->room.data, ctx->room.len,
                                  NGX_ESCAPE_URI_COMPONENT);

    if (uri) {
        p = ngx_cpymem(p, "&return=", sizeof("&return=") - 1);
        p = (u_char *) ngx_escape_uri(p, from.data, from.len,
                                      NGX_ESCAPE_URI_COMPONENT);
    }

    location->len = p - location->data;

    return NGX_OK;
}


/* nginx's own page of this status, or the site's, which "error_page" names */

static void
ngx_http_ticket_gate_error(ngx_http_ticket_ctx_t *ctx,
    ngx_http_ticket_result_e result)
{
    ngx_uint_t  status;

    status = ngx_http_ticket_results[result].status;

    if (ctx->timer.timer_set) {
        ngx_del_timer(&ctx->timer);
    }

    ngx_http_ticket_header(ctx, "Cache-Control",
                           &ngx_http_ticket_gate_no_store);

    if (status == NGX_HTTP_SERVICE_UNAVAILABLE) {
        ngx_http_ticket_header(ctx, "Retry-After",
                               &ngx_http_ticket_gate_one_second);
    }

    ngx_http_ticket_count(ctx, result);

    ngx_http_finalize_request(ctx->request, status);
}
