/*
 * What ngx_http_ticket_batch.c (who waits), ..._batch_call.c (who is on the
 * way) and ..._batch_args.c share; nobody else's.
 */

#ifndef _NGX_HTTP_TICKET_BATCH_CALL_H_INCLUDED_
#define _NGX_HTTP_TICKET_BATCH_CALL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_http_ticket_batch.h"


/* book, cancel, booking: the first of ngx_http_ticket_script_e */
#define NGX_HTTP_TICKET_BATCH_KINDS   3

/* keys: 3, outboxes, idempotency, 2 of the room; arguments: 5, and 5 for each
 * command */
#define NGX_HTTP_TICKET_BATCH_ARGS                                            \
    (3 + TICKET_LANES_MAX + NGX_HTTP_TICKET_BATCH_MAX + 2                     \
     + 5 + 5 * NGX_HTTP_TICKET_BATCH_MAX)


/* a ticket with commands under way, or remembered for its lanes */

typedef struct {
    ngx_str_node_t                    sn;
    ngx_queue_t                       queue;    /* of batches->waiting */
    ngx_queue_t                       idle;     /* of batches->idle */
    ngx_queue_t                       commands[NGX_HTTP_TICKET_BATCH_KINDS];
    ngx_uint_t                        pending;
    ngx_uint_t                        lanes;    /* as last heard */
    unsigned                          waiting:1;
} ngx_http_ticket_batch_node_t;


struct ngx_http_ticket_batches_s {
    ngx_event_t                       flush;
    ngx_http_ticket_redis_waiter_t    waiter;   /* for the first connection */
    ngx_uint_t                        rounds;

    ngx_http_ticket_redis_t          *redis;
    ngx_http_ticket_shctx_t          *sh;
    ngx_log_t                        *log;

    ngx_rbtree_t                      nodes;
    ngx_rbtree_node_t                 sentinel;
    ngx_uint_t                        nnodes;
    ngx_queue_t                       waiting;  /* nodes with commands */
    ngx_queue_t                       idle;     /* without; newest first */

    ngx_uint_t                        pending;
    ngx_uint_t                        max_pending;
    ngx_uint_t                        calls;    /* on their way */
    time_t                            warned;

    /* the call that is being put together */
    u_char                           *buf;
    size_t                            size;
    u_char                           *last;
    ngx_uint_t                        argc;
    const char                       *argv[NGX_HTTP_TICKET_BATCH_ARGS];
    size_t                            argvlen[NGX_HTTP_TICKET_BATCH_ARGS];

    unsigned                          destroyed:1;
};


/* commands on their way in one call */

typedef struct {
    ngx_http_ticket_batches_t        *batches;
    ngx_http_ticket_batch_node_t     *node;
    ngx_queue_t                       commands;
    ngx_uint_t                        n;
    ngx_http_ticket_script_e          script;
    uint64_t                          sent;
    unsigned                          again:1;  /* with the right lanes */
    unsigned                          sure:1;   /* after the catalogue */
    unsigned                          guarded:1;    /* passes are needed */
} ngx_http_ticket_batch_call_t;


#define ngx_http_ticket_batch_command(q)                                      \
    ngx_queue_data(q, ngx_http_ticket_command_t, queue)


/* Sends n commands of one script.  NGX_OK: it took them over.  Anything else:
 * nothing was sent, they are still the caller's. */
ngx_int_t ngx_http_ticket_batch_call(ngx_http_ticket_batches_t *batches,
    ngx_http_ticket_batch_node_t *node, ngx_queue_t *commands, ngx_uint_t n);

/* Keys and arguments of a call into batches->argv, and their lanes into the
 * commands. */
ngx_int_t ngx_http_ticket_batch_args(ngx_http_ticket_batch_call_t *call,
    ngx_uint_t *nkeys);

/* Calls their handlers.  DONE: each has its own outcome already. */
void ngx_http_ticket_batch_finish(ngx_http_ticket_batches_t *batches,
    ngx_http_ticket_batch_node_t *node, ngx_queue_t *commands,
    ngx_http_ticket_outcome_t outcome);

void ngx_http_ticket_batches_free(ngx_http_ticket_batches_t *batches);


#endif /* _NGX_HTTP_TICKET_BATCH_CALL_H_INCLUDED_ */
