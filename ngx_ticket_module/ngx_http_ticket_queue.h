/*
 * What is said to somebody at a waiting room, by whoever says it: the action
 * "queue", a gate, a stream.  Places and passes are signed here; tokens are
 * never logged.
 */

#ifndef _NGX_HTTP_TICKET_QUEUE_H_INCLUDED_
#define _NGX_HTTP_TICKET_QUEUE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_ticket_entry.h"
#include "ngx_http_ticket_request.h"
#include "ngx_http_ticket_json.h"
#include "ngx_http_ticket_pass.h"


#define NGX_HTTP_TICKET_PLACE_AGE   86400       /* s; of its cookie */


typedef struct {
    size_t                            len;
    u_char                            data[TICKET_PASS_TOKEN_MAX];
} ngx_http_ticket_token_t;


/* Somebody who waits, at a moment. */
typedef struct {
    ngx_http_ticket_room_t           *room;     /* with a picture */
    ngx_str_t                        *user;
    uint64_t                          number;
    int64_t                           rank;     /* -1: the draw is yet to
                                                   come */
    int64_t                           waiting;  /* all of them */
    int64_t                           now;      /* ms, Redis' clock */
} ngx_http_ticket_waiter_t;


/* the place in the header Ticket-Place, in Last-Event-ID (of streams), or in
 * the cookie ticket_place; one that is not genuine, or not of this room and
 * user, is none */
void ngx_http_ticket_queue_place(ngx_http_request_t *r,
    ngx_http_ticket_main_conf_t *tmcf, ngx_str_t *room, ngx_str_t *user,
    ngx_uint_t stream, ngx_http_ticket_place_t *place);

/* The place of somebody who waits: `shown` (may be NULL) tells since when, if
 * it is the same.  NGX_ERROR: no memory. */
ngx_int_t ngx_http_ticket_queue_sign_place(ngx_http_ticket_main_conf_t *tmcf,
    ngx_http_ticket_waiter_t *waiter, ngx_http_ticket_place_t *shown,
    ngx_http_ticket_token_t *token);

/* the pass of somebody who was admitted; always the same one for `expires` */
ngx_int_t ngx_http_ticket_queue_sign_pass(ngx_http_ticket_main_conf_t *tmcf,
    ngx_http_ticket_room_t *room, ngx_str_t *user, int64_t expires,
    ngx_http_ticket_token_t *token);

/* The JSON object, the body of a 202.  place: NULL leaves it out.  Returns
 * after how many ms to ask again, as it says itself. */
ngx_msec_t ngx_http_ticket_queue_waiting(ngx_http_ticket_text_t *text,
    ngx_http_ticket_waiter_t *waiter, ngx_http_ticket_token_t *place);

/* the JSON object, the body of a 200 */
void ngx_http_ticket_queue_admitted(ngx_http_ticket_text_t *text,
    ngx_str_t *room, ngx_str_t *user, int64_t expires, int64_t now,
    ngx_http_ticket_token_t *pass);

/* Set-Cookie: ticket_place, or ticket_pass.  token: NULL takes it away.
 * seconds: how long it is good for.  NGX_ERROR: no memory. */
ngx_int_t ngx_http_ticket_queue_cookie(ngx_http_request_t *r,
    ticket_pass_kind_e kind, ngx_http_ticket_token_t *token, time_t seconds);

/* Another header with a number.  NGX_ERROR: no memory. */
ngx_int_t ngx_http_ticket_queue_retry_after(ngx_http_request_t *r,
    ngx_msec_t poll);

/* Counts how long somebody waited who is given his pass, unless the request
 * shows this pass already. */
void ngx_http_ticket_queue_handed(ngx_http_request_t *r,
    ngx_http_ticket_main_conf_t *tmcf, ngx_str_t *room, ngx_str_t *user,
    int64_t expires, int64_t now, ngx_http_ticket_place_t *place);

/* For a request (ctx->failed: no memory), by what queue_enter told, and the
 * place it has shown; cookies too.  First the whole answer of one who waits,
 * then what there is to give him, and to one who was admitted. */
void ngx_http_ticket_queue_answer_waiting(ngx_http_ticket_ctx_t *ctx,
    ngx_http_ticket_entry_t *entry, ngx_http_ticket_place_t *shown);
void ngx_http_ticket_queue_give_place(ngx_http_ticket_ctx_t *ctx,
    ngx_http_ticket_entry_t *entry, ngx_http_ticket_place_t *shown,
    ngx_http_ticket_waiter_t *waiter, ngx_http_ticket_token_t *token);
void ngx_http_ticket_queue_give_pass(ngx_http_ticket_ctx_t *ctx,
    ngx_http_ticket_entry_t *entry, ngx_http_ticket_place_t *shown,
    ngx_http_ticket_token_t *token);

/* init_main_conf: the variables that bring places and passes */
char *ngx_http_ticket_queue_inputs(ngx_conf_t *cf,
    ngx_http_ticket_main_conf_t *tmcf);


#endif /* _NGX_HTTP_TICKET_QUEUE_H_INCLUDED_ */
