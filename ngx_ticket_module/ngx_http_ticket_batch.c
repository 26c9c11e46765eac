#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_http_ticket_batch.h"
#include "ngx_http_ticket_batch_call.h"


#define NGX_HTTP_TICKET_BATCH_NODES    1024     /* tickets remembered */
#define NGX_HTTP_TICKET_BATCH_ROUNDS   4        /* of one turn's events */


static void ngx_http_ticket_batch_started(void *data);
static void ngx_http_ticket_batch_flush(ngx_event_t *ev);
static void ngx_http_ticket_batch_flush_node(
    ngx_http_ticket_batches_t *batches, ngx_http_ticket_batch_node_t *node);
static void ngx_http_ticket_batch_take(ngx_queue_t *from, ngx_queue_t *to,
    ngx_uint_t *n);
static ngx_http_ticket_batch_node_t *ngx_http_ticket_batch_node(
    ngx_http_ticket_batches_t *batches, ngx_str_t *ticket);
static void ngx_http_ticket_batch_forget(ngx_http_ticket_batches_t *batches,
    ngx_http_ticket_batch_node_t *node);


ngx_http_ticket_batches_t *
ngx_http_ticket_batches_create(ngx_cycle_t *cycle,
    ngx_http_ticket_redis_t *redis, ngx_uint_t max_pending,
    ngx_http_ticket_shctx_t *sh)
{
    ngx_http_ticket_batches_t  *batches;

    batches = ngx_calloc(sizeof(ngx_http_ticket_batches_t), cycle->log);
    if (batches == NULL) {
        return NULL;
    }

    batches->redis = redis;
    batches->sh = sh;
    batches->log = cycle->log;
    batches->max_pending = max_pending;

    batches->flush.handler = ngx_http_ticket_batch_flush;
    batches->flush.data = batches;
    batches->flush.log = cycle->log;

    ngx_rbtree_init(&batches->nodes, &batches->sentinel,
                    ngx_str_rbtree_insert_value);
    ngx_queue_init(&batches->waiting);
    ngx_queue_init(&batches->idle);

    batches->waiter.handler = ngx_http_ticket_batch_started;
    batches->waiter.data = batches;

    ngx_http_ticket_redis_await(redis, &batches->waiter);

    return batches;
}


void
ngx_http_ticket_batches_destroy(ngx_http_ticket_batches_t *batches)
{
    ngx_uint_t                     i;
    ngx_queue_t                   *q;
    ngx_http_ticket_batch_node_t  *node;

    batches->destroyed = 1;

    ngx_queue_remove(&batches->waiter.queue);

    if (batches->flush.posted) {
        ngx_delete_posted_event(&batches->flush);
    }

    while (!ngx_queue_empty(&batches->waiting)) {

        q = ngx_queue_head(&batches->waiting);
        ngx_queue_remove(q);

        node = ngx_queue_data(q, ngx_http_ticket_batch_node_t, queue);
        node->waiting = 0;

        for (i = 0; i < NGX_HTTP_TICKET_BATCH_KINDS; i++) {
            ngx_http_ticket_batch_finish(batches, node, &node->commands[i],
                                         NGX_HTTP_TICKET_NOT_DONE);
        }
    }

    /* calls on their way still use it, they end with the connection */

    if (batches->calls == 0) {
        ngx_http_ticket_batches_free(batches);
    }
}


void
ngx_http_ticket_batches_free(ngx_http_ticket_batches_t *batches)
{
    while (batches->nodes.root != batches->nodes.sentinel) {
        ngx_http_ticket_batch_forget(batches,
                      (ngx_http_ticket_batch_node_t *) batches->nodes.root);
    }

    ngx_free(batches->buf);
    ngx_free(batches);
}


ngx_int_t
ngx_http_ticket_batch_add(ngx_http_ticket_batches_t *batches,
    ngx_http_ticket_command_t *command)
{
    ngx_http_ticket_worker_t      *worker;
    ngx_http_ticket_batch_node_t  *node;

    if (batches->destroyed
        || (!ngx_http_ticket_redis_ready(batches->redis)
            && !ngx_http_ticket_redis_starting(batches->redis)))
    {
        return NGX_DECLINED;
    }

    if (batches->pending >= batches->max_pending) {
        return NGX_BUSY;
    }

    node = ngx_http_ticket_batch_node(batches, &command->ticket);
    if (node == NULL) {
        return NGX_BUSY;
    }

    /* one hot sale leaves room for all others */

    if (node->pending >= (batches->max_pending + 1) / 2) {
        return NGX_BUSY;
    }

    if (node->pending++ == 0) {
        ngx_queue_remove(&node->idle);
    }

    batches->pending++;

    worker = &batches->sh->workers[ngx_process_slot];
    worker->pending++;

    ngx_queue_insert_tail(&node->commands[command->script], &command->queue);

    if (!node->waiting) {
        node->waiting = 1;
        ngx_queue_insert_tail(&batches->waiting, &node->queue);
    }

    if (!batches->flush.posted) {
        batches->rounds = 0;
        ngx_post_event(&batches->flush, &ngx_posted_events);
    }

    return NGX_OK;
}


static void
ngx_http_ticket_batch_started(void *data)
{
    ngx_http_ticket_batches_t *batches = data;

    if (!batches->flush.posted) {
        batches->rounds = 0;
        ngx_post_event(&batches->flush, &ngx_posted_events);
    }
}


/*
 * The event handlers of this turn have run, apart from those that were posted
 * behind us: pipelined requests, HTTP/2 streams.  They may bring more commands
 * and run before us when we step back once more.
 */

static void
ngx_http_ticket_batch_flush(ngx_event_t *ev)
{
    ngx_queue_t                   *q;
    ngx_http_ticket_batches_t     *batches;
    ngx_http_ticket_batch_node_t  *node;

    batches = ev->data;

    if (!ngx_queue_empty(&ngx_posted_events)
        && batches->rounds++ < NGX_HTTP_TICKET_BATCH_ROUNDS)
    {
        ngx_post_event(ev, &ngx_posted_events);
        return;
    }

    if (ngx_http_ticket_redis_starting(batches->redis)) {
        return;
    }

    while (!ngx_queue_empty(&batches->waiting)) {

        q = ngx_queue_head(&batches->waiting);
        ngx_queue_remove(q);

        node = ngx_queue_data(q, ngx_http_ticket_batch_node_t, queue);
        node->waiting = 0;

        ngx_http_ticket_batch_flush_node(batches, node);
    }
}


static void
ngx_http_ticket_batch_flush_node(ngx_http_ticket_batches_t *batches,
    ngx_http_ticket_batch_node_t *node)
{
    ngx_uint_t    i, n;
    ngx_queue_t   commands;

    /* who is refused here may bring commands that need room for their node */

    if (node->pending++ == 0) {
        ngx_queue_remove(&node->idle);
    }

    for (i = 0; i < NGX_HTTP_TICKET_BATCH_KINDS; i++) {

        while (!ngx_queue_empty(&node->commands[i])) {

            ngx_queue_init(&commands);

            ngx_http_ticket_batch_take(&node->commands[i], &commands, &n);

            if (ngx_http_ticket_batch_call(batches, node, &commands, n)
                != NGX_OK)
            {
                ngx_http_ticket_batch_finish(batches, node, &commands,
                                             NGX_HTTP_TICKET_NOT_DONE);
            }
        }
    }

    if (--node->pending == 0) {
        ngx_queue_insert_head(&batches->idle, &node->idle);
    }
}


/* what may leave in one call: up to 64, of one max_backlog */

static void
ngx_http_ticket_batch_take(ngx_queue_t *from, ngx_queue_t *to, ngx_uint_t *n)
{
    ngx_queue_t                *q, *next;
    ngx_uint_t                  max_backlog;
    ngx_http_ticket_command_t  *command;

    command = ngx_queue_data(ngx_queue_head(from), ngx_http_ticket_command_t,
                             queue);
    max_backlog = command->max_backlog;

    *n = 0;

    for (q = ngx_queue_head(from);
         q != ngx_queue_sentinel(from) && *n < NGX_HTTP_TICKET_BATCH_MAX;
         q = next)
    {
        next = ngx_queue_next(q);

        command = ngx_queue_data(q, ngx_http_ticket_command_t, queue);

        if (command->max_backlog == max_backlog) {
            ngx_queue_remove(q);
            ngx_queue_insert_tail(to, q);
            (*n)++;
        }
    }
}


/* hands all of a queue back with one outcome, or with the ones they have */

void
ngx_http_ticket_batch_finish(ngx_http_ticket_batches_t *batches,
    ngx_http_ticket_batch_node_t *node, ngx_queue_t *commands,
    ngx_http_ticket_outcome_t outcome)
{
    ngx_queue_t                *q;
    ngx_http_ticket_worker_t   *worker;
    ngx_http_ticket_command_t  *command;

    worker = &batches->sh->workers[ngx_process_slot];

    while (!ngx_queue_empty(commands)) {

        q = ngx_queue_head(commands);
        ngx_queue_remove(q);

        command = ngx_queue_data(q, ngx_http_ticket_command_t, queue);

        batches->pending--;
        worker->pending--;

        if (--node->pending == 0) {
            ngx_queue_insert_head(&batches->idle, &node->idle);
        }

        if (outcome != NGX_HTTP_TICKET_DONE) {
            command->outcome = outcome;
        }

        /* it may add commands, for this ticket, too */

        command->handler(command);
    }
}


static ngx_http_ticket_batch_node_t *
ngx_http_ticket_batch_node(ngx_http_ticket_batches_t *batches,
    ngx_str_t *ticket)
{
    uint32_t                       hash;
    ngx_uint_t                     i;
    ngx_queue_t                   *q;
    ngx_http_ticket_batch_node_t  *node;

    hash = ngx_crc32_short(ticket->data, ticket->len);

    node = (ngx_http_ticket_batch_node_t *)
               ngx_str_rbtree_lookup(&batches->nodes, ticket, hash);

    if (node != NULL) {

        if (node->pending == 0) {
            ngx_queue_remove(&node->idle);
            ngx_queue_insert_head(&batches->idle, &node->idle);
        }

        return node;
    }

    /* more than these only while they all have commands */

    while (batches->nnodes >= NGX_HTTP_TICKET_BATCH_NODES
           && !ngx_queue_empty(&batches->idle))
    {
        q = ngx_queue_last(&batches->idle);
        node = ngx_queue_data(q, ngx_http_ticket_batch_node_t, idle);
        ngx_http_ticket_batch_forget(batches, node);
    }

    node = ngx_calloc(sizeof(ngx_http_ticket_batch_node_t) + ticket->len,
                      batches->log);
    if (node == NULL) {
        return NULL;
    }

    node->sn.node.key = hash;
    node->sn.str.len = ticket->len;
    node->sn.str.data = (u_char *) node + sizeof(ngx_http_ticket_batch_node_t);
    ngx_memcpy(node->sn.str.data, ticket->data, ticket->len);

    node->lanes = 1;

    for (i = 0; i < NGX_HTTP_TICKET_BATCH_KINDS; i++) {
        ngx_queue_init(&node->commands[i]);
    }

    ngx_rbtree_insert(&batches->nodes, &node->sn.node);
    ngx_queue_insert_head(&batches->idle, &node->idle);
    batches->nnodes++;

    return node;
}


static void
ngx_http_ticket_batch_forget(ngx_http_ticket_batches_t *batches,
    ngx_http_ticket_batch_node_t *node)
{
    ngx_queue_remove(&node->idle);

    if (node->waiting) {
        ngx_queue_remove(&node->queue);
    }

    ngx_rbtree_delete(&batches->nodes, &node->sn.node);
    batches->nnodes--;

    ngx_free(node);
}
