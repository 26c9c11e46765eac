/*
 * The gate: "ticket_queue name" in a location that serves something of its
 * own, from a file or by proxy_pass.  Who has no pass waits outside.
 */

#ifndef _NGX_HTTP_TICKET_GATE_H_INCLUDED_
#define _NGX_HTTP_TICKET_GATE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_ticket_request.h"
#include "ngx_http_ticket_queue.h"


typedef enum {
    NGX_HTTP_TICKET_GATE_ASKING = 0,
    NGX_HTTP_TICKET_GATE_IN,        /* was let through */
    NGX_HTTP_TICKET_GATE_OUT        /* was answered */
} ngx_http_ticket_gate_verdict_e;


/* ctx->data; lives as long as the request, through internal redirects */
typedef struct {
    ngx_http_ticket_ctx_t            *ctx;
    ngx_http_ticket_gate_verdict_e    verdict;

    /* who was let through, and where */
    ngx_str_t                         room;
    ngx_str_t                         user;

    uint64_t                          pass;     /* ms: the pass presented, a
                                                   genuine one; 0: none */
    ngx_http_ticket_place_t           place;
    ngx_event_t                       pause;    /* until a pass is over */

    unsigned                          bypassed:1;   /* whoever he is */
    unsigned                          inside:1;     /* the handler runs */
} ngx_http_ticket_gate_t;


/* the handler of the access phase, put where it runs last */
ngx_int_t ngx_http_ticket_gate_init(ngx_conf_t *cf);

/* what the gate found out about a request, NULL: there was no gate */
ngx_http_ticket_ctx_t *ngx_http_ticket_gate_find(ngx_http_request_t *r);


/* lets the request go on to what it asks for; the request may be gone */
void ngx_http_ticket_gate_in(ngx_http_ticket_ctx_t *ctx,
    ngx_http_ticket_result_e result);


/* gate_ask.c: joins the line, and goes on as the answer says */
void ngx_http_ticket_gate_ask(ngx_http_ticket_ctx_t *ctx);

/* it does not come: what "ticket_queue_fail" says */
void ngx_http_ticket_gate_away(ngx_http_ticket_ctx_t *ctx,
    ngx_http_ticket_result_e result);

/* handler of gate->pause */
void ngx_http_ticket_gate_paused(ngx_event_t *ev);


/* gate_answer.c: they end the request */

/* has to wait: the page, or JSON */
void ngx_http_ticket_gate_waiting(ngx_http_ticket_ctx_t *ctx,
    ngx_http_ticket_entry_t *entry);

/* is refused: error_page for who wants HTML, or a problem */
void ngx_http_ticket_gate_refuse(ngx_http_ticket_ctx_t *ctx,
    ngx_http_ticket_result_e result, const char *detail);

/* the waiting page itself is asked for; NGX_OK, NGX_DECLINED, NGX_ERROR */
ngx_int_t ngx_http_ticket_gate_at_page(ngx_http_ticket_ctx_t *ctx);


#endif /* _NGX_HTTP_TICKET_GATE_H_INCLUDED_ */
