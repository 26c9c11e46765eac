/*
 * A request between its arrival and its answer, and what the actions may do
 * with it.  Every action ends in exactly one answer, at once or later; after
 * it the request may be gone.
 */

#ifndef _NGX_HTTP_TICKET_REQUEST_H_INCLUDED_
#define _NGX_HTTP_TICKET_REQUEST_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_ticket_module.h"
#include "ngx_http_ticket_args.h"
#include "ngx_http_ticket_result.h"
#include "ngx_http_ticket_response.h"


/* bodies hold a few short fields; client_max_body_size may say less */
#define NGX_HTTP_TICKET_BODY_MAX     16384

#define NGX_HTTP_TICKET_READ         (NGX_HTTP_GET|NGX_HTTP_HEAD)


typedef void (*ngx_http_ticket_detach_pt)(ngx_http_ticket_ctx_t *ctx);
typedef void (*ngx_http_ticket_action_pt)(ngx_http_ticket_ctx_t *ctx);
typedef void (*ngx_http_ticket_away_pt)(ngx_http_ticket_ctx_t *ctx,
    ngx_http_ticket_result_e result);


struct ngx_http_ticket_ctx_s {
    ngx_http_request_t               *request;
    ngx_http_ticket_main_conf_t      *tmcf;
    ngx_http_ticket_loc_conf_t       *tlcf;
    ngx_http_ticket_action_e          action;

    uint64_t                          start;    /* ngx_http_ticket_usec() */
    uint64_t                          opened;   /* a stream began; 0: none */
    uint64_t                          deadline;
    ngx_event_t                       timer;

    /* inputs */
    ngx_str_t                         ticket;   /* empty: a list is wanted */
    ngx_str_t                         user;
    ngx_str_t                         room;     /* the waiting room's name */
    uint64_t                          pass;     /* ms: the pass expires; 0:
                                                   none is needed */
    ngx_str_t                         key;      /* Idempotency-Key */
    ticket_args_t                     args;
    ngx_str_t                         body;
    size_t                            body_size;    /* room for it */

    /*
     * what is under way for this request lives longer than it: detach() makes
     * it forget the request, when the deadline has passed or the client left
     */
    void                             *waiting;
    ngx_http_ticket_detach_pt         detach;
    ngx_queue_t                       queue;    /* with others, for one call */
    ngx_http_ticket_redis_waiter_t    waiter;   /* for a first connection */
    ngx_http_ticket_action_pt         action_pt;    /* to go on with then */
    void                             *data;     /* of the action */
    ngx_http_ticket_away_pt           away;     /* Redis does not tell; NULL:
                                                   the result is the answer */

    /* for the log */
    ngx_http_ticket_result_e          result;   /* NONE: not answered yet */
    ngx_str_t                         booking_id;
    uint64_t                          remaining;
    int64_t                           position; /* in line; 0: none */
    uint64_t                          rtt;      /* microseconds */
    ngx_uint_t                        batch;    /* commands; 0: none */

    unsigned                          unsent:1; /* nothing went to Redis */
    unsigned                          has_remaining:1;
    unsigned                          has_rtt:1;
    unsigned                          failed:1;     /* no memory */
    unsigned                          counted:1;
};


/* the content handler, set by "ticket" */
ngx_int_t ngx_http_ticket_handler(ngx_http_request_t *r);

/* a request's context, which ends with it; NULL: no memory */
ngx_http_ticket_ctx_t *ngx_http_ticket_request_create(ngx_http_request_t *r);

/* the body is not wanted; NGX_OK, or the request is finalized */
ngx_int_t ngx_http_ticket_request_discard(ngx_http_ticket_ctx_t *ctx);

/* ngx_http_ticket_inputs.c: what directives say, and what only the client
 * says; NONE, or the result to answer and perhaps a better sentence */
ngx_http_ticket_result_e ngx_http_ticket_inputs_directives(
    ngx_http_ticket_ctx_t *ctx, const char **detail);
ngx_http_ticket_result_e ngx_http_ticket_inputs_arguments(
    ngx_http_ticket_ctx_t *ctx, const char **detail);

/* What a directive says, decoded; empty: nothing, or there is no directive.
 * NGX_DECLINED: a % that begins nothing.  NGX_ERROR: no memory. */
ngx_int_t ngx_http_ticket_input_value(ngx_http_request_t *r,
    ngx_http_ticket_input_t *input, ngx_str_t *value);

/* sets ctx->deadline, once; NGX_DECLINED: this worker has no connection at
 * all */
ngx_int_t ngx_http_ticket_begin(ngx_http_ticket_ctx_t *ctx);

/* from here on the client is watched and the deadline runs */
void ngx_http_ticket_wait(ngx_http_ticket_ctx_t *ctx, void *waiting,
    ngx_http_ticket_detach_pt detach);

/* what was waited for is there, or the request gives up */
void ngx_http_ticket_detached(ngx_http_ticket_ctx_t *ctx);

/* around whatever an event that is not the client's does to a request */
ngx_connection_t *ngx_http_ticket_enter(ngx_http_ticket_ctx_t *ctx);

/* the same when what was waited for has been answered; asked: when it began,
 * ngx_http_ticket_usec() */
ngx_connection_t *ngx_http_ticket_resume(ngx_http_ticket_ctx_t *ctx,
    uint64_t asked);
void ngx_http_ticket_leave(ngx_connection_t *c);

/* counts a result once and observes how long it took */
void ngx_http_ticket_count(ngx_http_ticket_ctx_t *ctx,
    ngx_http_ticket_result_e result);


/* the actions; all inputs are checked */
void ngx_http_ticket_action_command(ngx_http_ticket_ctx_t *ctx);
void ngx_http_ticket_action_availability(ngx_http_ticket_ctx_t *ctx);
void ngx_http_ticket_action_admin(ngx_http_ticket_ctx_t *ctx);
void ngx_http_ticket_action_list(ngx_http_ticket_ctx_t *ctx);
void ngx_http_ticket_action_bookings(ngx_http_ticket_ctx_t *ctx);
void ngx_http_ticket_action_queue(ngx_http_ticket_ctx_t *ctx);
void ngx_http_ticket_action_queue_events(ngx_http_ticket_ctx_t *ctx);
void ngx_http_ticket_action_queue_admin(ngx_http_ticket_ctx_t *ctx);
void ngx_http_ticket_action_metrics(ngx_http_ticket_ctx_t *ctx);
void ngx_http_ticket_action_health(ngx_http_ticket_ctx_t *ctx);
void ngx_http_ticket_action_ready(ngx_http_ticket_ctx_t *ctx);


/* refuses before the body was read */
void ngx_http_ticket_refuse(ngx_http_ticket_ctx_t *ctx,
    ngx_http_ticket_result_e result, const char *detail);

/* reads the body, then acts; act: the inputs are all there */
void ngx_http_ticket_body(ngx_http_ticket_ctx_t *ctx);
void ngx_http_ticket_act(ngx_http_ticket_ctx_t *ctx);


/* methods an action answers, when `actions` are all of its location */
ngx_uint_t ngx_http_ticket_methods(ngx_uint_t action, ngx_uint_t actions);
ngx_str_t *ngx_http_ticket_first_action(ngx_uint_t actions);

extern ngx_str_t  ngx_http_ticket_action_names[];

#define ngx_http_ticket_bit(action)   ((ngx_uint_t) 1 << (action))

/* those about a waiting room */
#define NGX_HTTP_TICKET_QUEUE_ACTIONS                                         \
    (ngx_http_ticket_bit(NGX_HTTP_TICKET_QUEUE)                               \
     | ngx_http_ticket_bit(NGX_HTTP_TICKET_QUEUE_EVENTS)                      \
     | ngx_http_ticket_bit(NGX_HTTP_TICKET_QUEUE_ADMIN))

/* there is a waiting room before what this location does */
#define ngx_http_ticket_guarded(tlcf)                                         \
    ((tlcf)->queue_mode >= NGX_HTTP_TICKET_QUEUE_ON)

/* those that are a user's own */
#define NGX_HTTP_TICKET_USER_ACTIONS                                          \
    (ngx_http_ticket_bit(NGX_HTTP_TICKET_BOOK)                                \
     | ngx_http_ticket_bit(NGX_HTTP_TICKET_CANCEL)                            \
     | ngx_http_ticket_bit(NGX_HTTP_TICKET_BOOKING)                           \
     | ngx_http_ticket_bit(NGX_HTTP_TICKET_QUEUE)                             \
     | ngx_http_ticket_bit(NGX_HTTP_TICKET_QUEUE_EVENTS)                      \
     | ngx_http_ticket_bit(NGX_HTTP_TICKET_GATE))


#define ngx_http_ticket_slice(slice, str)                                     \
    ((slice).data = (char *) (str)->data, (slice).len = (str)->len)


#endif /* _NGX_HTTP_TICKET_REQUEST_H_INCLUDED_ */
