/*
 * Answers: headers, JSON bodies, problems (RFC 9457).
 */

#ifndef _NGX_HTTP_TICKET_RESPONSE_H_INCLUDED_
#define _NGX_HTTP_TICKET_RESPONSE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_ticket_json.h"
#include "ngx_http_ticket_result.h"


typedef struct ngx_http_ticket_ctx_s  ngx_http_ticket_ctx_t;


extern ngx_str_t  ngx_http_ticket_type_json;
extern ngx_str_t  ngx_http_ticket_type_problem;
extern ngx_str_t  ngx_http_ticket_type_csv;
extern ngx_str_t  ngx_http_ticket_type_metrics;


/* an empty text in the request's pool */
void ngx_http_ticket_text_init(ngx_http_ticket_ctx_t *ctx,
    ngx_http_ticket_text_t *text);

/* another header; the value must live as long as the request */
void ngx_http_ticket_header(ngx_http_ticket_ctx_t *ctx, const char *name,
    ngx_str_t *value);

/* Sends and finalizes: the request may be gone afterwards. */
void ngx_http_ticket_answer(ngx_http_ticket_ctx_t *ctx,
    ngx_http_ticket_result_e result, ngx_str_t *type,
    ngx_http_ticket_text_t *text);

/* a problem that may get more members, then ngx_http_ticket_problem_send();
 * detail: NULL is the result's own sentence */
void ngx_http_ticket_problem(ngx_http_ticket_ctx_t *ctx,
    ngx_http_ticket_result_e result, const char *detail,
    ngx_http_ticket_text_t *text);
void ngx_http_ticket_problem_send(ngx_http_ticket_ctx_t *ctx,
    ngx_http_ticket_result_e result, ngx_http_ticket_text_t *text);

/* both */
void ngx_http_ticket_fail(ngx_http_ticket_ctx_t *ctx,
    ngx_http_ticket_result_e result, const char *detail);

/* 405 with Allow */
void ngx_http_ticket_fail_method(ngx_http_ticket_ctx_t *ctx,
    ngx_uint_t methods);


#endif /* _NGX_HTTP_TICKET_RESPONSE_H_INCLUDED_ */
