/*
 * A single call to Redis, for everything but booking, cancelling and looking
 * one's booking up.  Like a command it lives on the heap and may outlive the
 * request that made it.
 */

#ifndef _NGX_HTTP_TICKET_CALL_H_INCLUDED_
#define _NGX_HTTP_TICKET_CALL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_ticket_request.h"


#define NGX_HTTP_TICKET_CALL_ARGS    32     /* keys, too */
#define NGX_HTTP_TICKET_CALL_KEYS    3      /* of the ticket */

/* a room guards at most so many tickets */
#define NGX_HTTP_TICKET_CALL_ROOM    16


typedef struct ngx_http_ticket_call_s  ngx_http_ticket_call_t;

typedef void (*ngx_http_ticket_call_pt)(ngx_http_ticket_call_t *call);


struct ngx_http_ticket_call_s {
    ngx_http_ticket_main_conf_t      *tmcf;
    ngx_http_ticket_redis_conf_t     *conf;
    ngx_http_ticket_call_pt           handler;  /* exactly once if sent, and */
    ngx_http_ticket_call_pt           drop;     /* in its place when the worker
                                                   exits; NULL: nothing is to
                                                   be freed */
    void                             *data;     /* NULL: nobody waits */
    ngx_str_t                         ticket;
    uint64_t                          sent;     /* ngx_http_ticket_usec() */

    /* in the handler; gone after it */
    ngx_http_ticket_result_e          result;   /* NONE: OK or CREATED */
    ngx_uint_t                        code;     /* of a script */
    redisReply                       *reply;    /* with NONE, and with codes
                                                   that refuse */

    ngx_uint_t                        script;
    unsigned                          sure:1;   /* sent after the catalogue */
    unsigned                          own:1;    /* not of a request: sent
                                                   even when they are many */
    ngx_uint_t                        nkeys;
    ngx_uint_t                        argc;
    const char                       *argv[NGX_HTTP_TICKET_CALL_ARGS];
    size_t                            argvlen[NGX_HTTP_TICKET_CALL_ARGS];
    u_char                           *pos;      /* of what argv points to */
    u_char                           *end;
};


/* What an action does first: NGX_OK, and it may go on.  Otherwise the request
 * is answered, or it waits for a new worker's first connection to Redis, after
 * which `action` is called again. */
ngx_int_t ngx_http_ticket_call_begin(ngx_http_ticket_ctx_t *ctx,
    ngx_http_ticket_action_pt action);

/* NULL: no memory */
ngx_http_ticket_call_t *ngx_http_ticket_call_create(
    ngx_http_ticket_main_conf_t *tmcf, ngx_http_ticket_redis_conf_t *conf,
    ngx_str_t *ticket, ngx_http_ticket_call_pt handler, void *data);

/* the same with so many bytes for keys */
ngx_http_ticket_call_t *ngx_http_ticket_call_make(
    ngx_http_ticket_main_conf_t *tmcf, ngx_http_ticket_redis_conf_t *conf,
    ngx_str_t *ticket, size_t size, ngx_http_ticket_call_pt handler,
    void *data);

/* The same for a script about a waiting room, with its keys and the first
 * arguments: R Q Z, K of each of `tickets` (names with one space between
 * them); the room's name and `tickets`.  tickets: NULL leaves them out. */
ngx_http_ticket_call_t *ngx_http_ticket_call_room(
    ngx_http_ticket_main_conf_t *tmcf, ngx_http_ticket_redis_conf_t *conf,
    ngx_str_t *room, ngx_str_t *tickets, ngx_http_ticket_call_pt handler,
    void *data);

/* the arguments in their order; strings are not copied before it is sent */
void ngx_http_ticket_call_key(ngx_http_ticket_call_t *call,
    const char *suffix);
void ngx_http_ticket_call_str(ngx_http_ticket_call_t *call, const char *data,
    size_t len);
void ngx_http_ticket_call_int(ngx_http_ticket_call_t *call, int64_t value);

#define ngx_http_ticket_call_literal(call, s)                                 \
    ngx_http_ticket_call_str(call, s, sizeof(s) - 1)

/* Sends a script, or (NGX_HTTP_TICKET_SCRIPTS) a plain command.  NGX_OK, or
 * NGX_DECLINED, NGX_BUSY: then the call is freed. */
ngx_int_t ngx_http_ticket_call_send(ngx_http_ticket_call_t *call,
    ngx_uint_t script);

/* the same for a request that waits for this one call; when it cannot be sent
 * the request is answered */
void ngx_http_ticket_call_wait(ngx_http_ticket_ctx_t *ctx,
    ngx_http_ticket_call_t *call, ngx_uint_t script);

/* for ngx_http_ticket_wait() */
void ngx_http_ticket_call_detach(ngx_http_ticket_ctx_t *ctx);

/* In the handler of such a call: the request, entered (leave it with *c), or
 * NULL when it is gone. */
ngx_http_ticket_ctx_t *ngx_http_ticket_call_resume(
    ngx_http_ticket_call_t *call, ngx_connection_t **c);

/* The moment after which a script shall do nothing for this request, ms on
 * Redis' clock.  NGX_DECLINED: nobody knows, and the request is answered. */
ngx_int_t ngx_http_ticket_call_not_after(ngx_http_ticket_ctx_t *ctx,
    int64_t *ms);

/* answers why a call could not be sent, or leaves it to ctx->away */
void ngx_http_ticket_call_refused(ngx_http_ticket_ctx_t *ctx, ngx_int_t rc);


/* Adds a name to a set, and goes on with `next` (the request is entered) or
 * answers.  In a call of its own, and before what it names is defined: a name
 * of nothing is harmless. */
void ngx_http_ticket_admin_name(ngx_http_ticket_ctx_t *ctx, const char *set,
    ngx_str_t *name, ngx_http_ticket_action_pt next);

/* created, changed or deleted: what a call that defines came to */
ngx_http_ticket_result_e ngx_http_ticket_admin_result(
    ngx_http_ticket_ctx_t *ctx, ngx_http_ticket_call_t *call);

/* where a list is to go on, and how long its page is */
void ngx_http_ticket_list_cursor(ngx_http_ticket_ctx_t *ctx,
    ngx_http_ticket_call_t *call);
ngx_uint_t ngx_http_ticket_list_limit(ngx_http_ticket_ctx_t *ctx);

/* a reply's elements; what is not there is empty, or -1 */
void ngx_http_ticket_call_reply_str(redisReply *reply, ngx_uint_t i,
    ngx_str_t *value);
int64_t ngx_http_ticket_call_reply_int(redisReply *reply, ngx_uint_t i);


#endif /* _NGX_HTTP_TICKET_CALL_H_INCLUDED_ */
