
/*
 * Everything that leaves as an answer goes through here.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_ticket_request.h"


#define NGX_HTTP_TICKET_ALLOW_MAX                                             \
    (sizeof("GET, HEAD, POST, PUT, PATCH, DELETE") - 1)


typedef struct {
    ngx_uint_t                        method;
    ngx_str_t                         name;
} ngx_http_ticket_method_t;


static ngx_int_t ngx_http_ticket_send(ngx_http_ticket_ctx_t *ctx,
    ngx_str_t *type, ngx_http_ticket_text_t *text);


ngx_str_t  ngx_http_ticket_type_json = ngx_string("application/json");
ngx_str_t  ngx_http_ticket_type_problem =
    ngx_string("application/problem+json");
ngx_str_t  ngx_http_ticket_type_csv =
    ngx_string("text/csv; charset=utf-8; header=present");
ngx_str_t  ngx_http_ticket_type_metrics =
    ngx_string("text/plain; version=0.0.4; charset=utf-8");


static ngx_str_t  ngx_http_ticket_no_store = ngx_string("no-store");
static ngx_str_t  ngx_http_ticket_max_age = ngx_string("max-age=1");
static ngx_str_t  ngx_http_ticket_one_second = ngx_string("1");


static ngx_http_ticket_method_t  ngx_http_ticket_method_names[] = {
    { NGX_HTTP_GET, ngx_string("GET") },
    { NGX_HTTP_HEAD, ngx_string("HEAD") },
    { NGX_HTTP_POST, ngx_string("POST") },
    { NGX_HTTP_PUT, ngx_string("PUT") },
    { NGX_HTTP_PATCH, ngx_string("PATCH") },
    { NGX_HTTP_DELETE, ngx_string("DELETE") },
    { 0, ngx_null_string }
};


void
ngx_http_ticket_text_init(ngx_http_ticket_ctx_t *ctx,
    ngx_http_ticket_text_t *text)
{
    ngx_memzero(text, sizeof(ngx_http_ticket_text_t));

    text->pool = ctx->request->pool;
}


void
ngx_http_ticket_header(ngx_http_ticket_ctx_t *ctx, const char *name,
    ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&ctx->request->headers_out.headers);
    if (h == NULL) {
        ctx->failed = 1;
        return;
    }

    h->hash = 1;
    h->key.data = (u_char *) name;
    h->key.len = ngx_strlen(name);
    h->value = *value;
    h->lowcase_key = NULL;
#if (nginx_version >= 1023000)
    h->next = NULL;
#endif
}


void
ngx_http_ticket_answer(ngx_http_ticket_ctx_t *ctx,
    ngx_http_ticket_result_e result, ngx_str_t *type,
    ngx_http_ticket_text_t *text)
{
    ngx_uint_t           status;
    ngx_http_request_t  *r;

    r = ctx->request;
    status = ngx_http_ticket_results[result].status;

    if (ctx->timer.timer_set) {
        ngx_del_timer(&ctx->timer);
    }

    if (status >= NGX_HTTP_SERVICE_UNAVAILABLE
        && result != NGX_HTTP_TICKET_RESULT_DOWN)
    {
        ngx_http_ticket_header(ctx, "Retry-After",
                               &ngx_http_ticket_one_second);
    }

    ngx_http_ticket_header(ctx, "Cache-Control",
                           ctx->action == NGX_HTTP_TICKET_TICKET
                           && status == NGX_HTTP_OK
                           ? &ngx_http_ticket_max_age
                           : &ngx_http_ticket_no_store);

    if (text->failed || ctx->failed) {
        ngx_http_ticket_count(ctx, NGX_HTTP_TICKET_RESULT_INTERNAL_ERROR);
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    ngx_http_ticket_count(ctx, result);

    r->headers_out.status = status;

    ngx_http_finalize_request(r, ngx_http_ticket_send(ctx, type, text));
}


static ngx_int_t
ngx_http_ticket_send(ngx_http_ticket_ctx_t *ctx, ngx_str_t *type,
    ngx_http_ticket_text_t *text)
{
    ngx_int_t            rc;
    ngx_buf_t           *b;
    ngx_chain_t          out;
    ngx_http_request_t  *r;

    r = ctx->request;

    r->headers_out.content_type = *type;
    r->headers_out.content_type_len = type->len;
    r->headers_out.content_type_lowcase = NULL;
    r->headers_out.content_length_n = text->pos - text->start;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->start = text->start;
    b->pos = text->start;
    b->last = text->pos;
    b->end = text->end;
    b->temporary = 1;
    b->last_buf = (r == r->main) ? 1 : 0;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


void
ngx_http_ticket_problem(ngx_http_ticket_ctx_t *ctx,
    ngx_http_ticket_result_e result, const char *detail,
    ngx_http_ticket_text_t *text)
{
    ngx_str_t                        sentence;
    const ngx_http_ticket_result_t  *row;

    row = &ngx_http_ticket_results[result];

    sentence = row->detail;

    if (detail != NULL) {
        sentence.data = (u_char *) detail;
        sentence.len = ngx_strlen(detail);
    }

    ngx_http_ticket_text_init(ctx, text);

    ngx_http_ticket_json_open(text, NULL, '{');
    ngx_http_ticket_json_str(text, "title",
                             ngx_http_ticket_status_title(row->status));
    ngx_http_ticket_json_uint(text, "status", row->status);
    ngx_http_ticket_json_str(text, "code", &row->token);
    ngx_http_ticket_json_str(text, "detail", &sentence);
}


void
ngx_http_ticket_problem_send(ngx_http_ticket_ctx_t *ctx,
    ngx_http_ticket_result_e result, ngx_http_ticket_text_t *text)
{
    ngx_http_ticket_json_close(text, '}');

    ngx_http_ticket_answer(ctx, result, &ngx_http_ticket_type_problem, text);
}


void
ngx_http_ticket_fail(ngx_http_ticket_ctx_t *ctx,
    ngx_http_ticket_result_e result, const char *detail)
{
    ngx_http_ticket_text_t  text;

    ngx_http_ticket_problem(ctx, result, detail, &text);
    ngx_http_ticket_problem_send(ctx, result, &text);
}


void
ngx_http_ticket_fail_method(ngx_http_ticket_ctx_t *ctx, ngx_uint_t methods)
{
    u_char                    *p;
    ngx_str_t                  allow;
    ngx_http_ticket_method_t  *method;

    allow.len = 0;
    allow.data = ngx_pnalloc(ctx->request->pool, NGX_HTTP_TICKET_ALLOW_MAX);

    if (allow.data == NULL) {
        ctx->failed = 1;

    } else {
        p = allow.data;

        for (method = ngx_http_ticket_method_names; method->method; method++) {

            if (!(methods & method->method)) {
                continue;
            }

            if (p != allow.data) {
                *p++ = ',';
                *p++ = ' ';
            }

            p = ngx_cpymem(p, method->name.data, method->name.len);
        }

        allow.len = p - allow.data;

        ngx_http_ticket_header(ctx, "Allow", &allow);
    }

    ngx_http_ticket_fail(ctx, NGX_HTTP_TICKET_RESULT_METHOD_NOT_ALLOWED, NULL);
}
