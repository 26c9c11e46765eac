/*
 * Group commit: the commands for one ticket that become ready in one turn of
 * the event loop leave in one EVALSHA and come back as a result each.
 */

#ifndef _NGX_HTTP_TICKET_BATCH_H_INCLUDED_
#define _NGX_HTTP_TICKET_BATCH_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_ticket_redis.h"
#include "ticket_event.h"
#include "ticket_scripts.h"     /* TICKET_CODE_*, generated from lua/ */


#define NGX_HTTP_TICKET_BATCH_MAX   64


typedef struct ngx_http_ticket_command_s  ngx_http_ticket_command_t;

typedef void (*ngx_http_ticket_command_pt)(ngx_http_ticket_command_t *command);


/*
 * One booking, cancel or look-up on its way.  It lives on the heap and owns
 * its strings, so that a buyer who hangs up changes nothing: the request lets
 * go by setting data = NULL, and the handler still runs to hand the event on.
 */
struct ngx_http_ticket_command_s {
    ngx_queue_t                       queue;    /* the batch's */

    /* in; strings are copied by ngx_http_ticket_command_create() */
    ngx_http_ticket_script_e          script;   /* book, cancel, booking */
    ngx_str_t                         ticket;
    ngx_str_t                         user;
    ngx_str_t                         key;      /* Idempotency-Key or empty */
    ngx_str_t                         asked;    /* booking_id of a cancel */
    ngx_uint_t                        quantity;
    ngx_uint_t                        max_backlog;
    uint64_t                          pass;     /* ms: its pass expires; 0:
                                                   it needs none */
    uint64_t                          deadline; /* ngx_http_ticket_usec() */
    ngx_http_ticket_command_pt        handler;  /* called exactly once */
    void                             *data;

    /* out */
    ngx_http_ticket_outcome_t         outcome;
    ngx_uint_t                        code;     /* TICKET_CODE_*, when DONE */
    int64_t                           time;     /* Redis' clock, ms */
    uint32_t                          lane;
    uint64_t                          epoch;
    uint64_t                          seq;      /* > 0: an event was made */
    uint64_t                          held;     /* quantity of the booking */
    uint64_t                          remaining;
    uint64_t                          limit;    /* LIMIT_EXCEEDED: per_user */
    int64_t                           booked_at;    /* ms; NOT_OPEN: opens_at */
    unsigned                          persisted:1;
    unsigned                          current:1;    /* of a replay */
    ngx_str_t                         booking_id;   /* len 0: none */
    ngx_str_t                         reason;       /* of a rejection */

    ngx_uint_t                        batch;    /* commands in its call */
    uint64_t                          rtt;      /* microseconds of its call */

    size_t                            room;     /* for strings, behind it */
    u_char                            id_buf[TICKET_EVENT_ID_MAX];
    u_char                            reason_buf[64];
};


typedef struct ngx_http_ticket_batches_s  ngx_http_ticket_batches_t;


/* One for each connection of the worker.  max_pending: commands that may be
 * on their way on it; one ticket gets at most half of them. */
ngx_http_ticket_batches_t *ngx_http_ticket_batches_create(ngx_cycle_t *cycle,
    ngx_http_ticket_redis_t *redis, ngx_uint_t max_pending,
    ngx_http_ticket_shctx_t *sh);

/* exit_process, before ngx_http_ticket_redis_destroy(): what was never sent
 * ends as not done */
void ngx_http_ticket_batches_destroy(ngx_http_ticket_batches_t *batches);

/* ngx_http_ticket_command.c; NULL: no memory */
ngx_http_ticket_command_t *ngx_http_ticket_command_create(ngx_str_t *ticket,
    ngx_str_t *user, ngx_str_t *key, ngx_str_t *asked);
void ngx_http_ticket_command_free(ngx_http_ticket_command_t *command);

/* NGX_OK: the handler will be called, later, not from inside.  NGX_DECLINED:
 * Redis is not ready.  NGX_BUSY: too many pending.  In the last two the
 * command still belongs to the caller. */
ngx_int_t ngx_http_ticket_batch_add(ngx_http_ticket_batches_t *batches,
    ngx_http_ticket_command_t *command);


#endif /* _NGX_HTTP_TICKET_BATCH_H_INCLUDED_ */
