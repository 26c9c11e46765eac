
/*
 * What a ticket has left, for everybody who looks: at most one question to
 * Redis at a time per ticket and worker, one in 100 ms over all workers.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_md5.h>
#include "ngx_http_ticket_status.h"


typedef enum {
    NGX_HTTP_TICKET_CACHE_STALE = 0,
    NGX_HTTP_TICKET_CACHE_FRESH,
    NGX_HTTP_TICKET_CACHE_AGING     /* fresh, and it is ours to renew it */
} ngx_http_ticket_cache_e;


/* a question under way, and who waits for its answer */

typedef struct {
    ngx_str_node_t                    sn;       /* str: the key */
    ngx_queue_t                       waiters;
    ngx_http_ticket_main_conf_t      *tmcf;
    u_char                            key[16];
} ngx_http_ticket_flight_t;


static void ngx_http_ticket_cache_key(u_char *key,
    ngx_http_ticket_redis_conf_t *conf, ngx_str_t *ticket);
static ngx_http_ticket_cache_e ngx_http_ticket_cache_get(
    ngx_http_ticket_main_conf_t *tmcf, u_char *key,
    ngx_http_ticket_status_t *status);
static void ngx_http_ticket_cache_put(ngx_http_ticket_main_conf_t *tmcf,
    u_char *key, uint64_t sent, ngx_http_ticket_status_t *status);
static ngx_http_ticket_cache_entry_t *ngx_http_ticket_cache_set(
    ngx_http_ticket_main_conf_t *tmcf, u_char *key);

static ngx_int_t ngx_http_ticket_flight_start(ngx_http_ticket_ctx_t *ctx,
    u_char *key, ngx_http_ticket_flight_t **started);
static void ngx_http_ticket_flight_done(ngx_http_ticket_call_t *call);
static void ngx_http_ticket_flight_detach(ngx_http_ticket_ctx_t *ctx);
static void ngx_http_ticket_cache_answer(ngx_http_ticket_ctx_t *ctx,
    ngx_http_ticket_status_t *status);


void
ngx_http_ticket_action_availability(ngx_http_ticket_ctx_t *ctx)
{
    u_char                       key[16];
    ngx_int_t                    rc;
    ngx_http_ticket_status_t     status;
    ngx_http_ticket_flight_t    *flight;
    ngx_http_ticket_main_conf_t *tmcf;

    tmcf = ctx->tmcf;

    if (ngx_http_ticket_begin(ctx) != NGX_OK) {
        ngx_http_ticket_fail(ctx, NGX_HTTP_TICKET_RESULT_UNAVAILABLE, NULL);
        return;
    }

    ngx_http_ticket_cache_key(key, ctx->tlcf->redis, &ctx->ticket);

    switch (ngx_http_ticket_cache_get(tmcf, key, &status)) {

    case NGX_HTTP_TICKET_CACHE_AGING:
        (void) ngx_http_ticket_flight_start(ctx, key, &flight);

        /* fall through */

    case NGX_HTTP_TICKET_CACHE_FRESH:
        ngx_http_ticket_cache_answer(ctx, &status);
        return;

    default: /* NGX_HTTP_TICKET_CACHE_STALE */
        break;
    }

    if (ngx_http_ticket_call_begin(ctx, ngx_http_ticket_action_availability)
        != NGX_OK)
    {
        return;
    }

    if (tmcf->calls >= tmcf->max_pending) {
        ngx_http_ticket_call_refused(ctx, NGX_BUSY);
        return;
    }

    rc = ngx_http_ticket_flight_start(ctx, key, &flight);

    if (rc != NGX_OK) {
        ngx_http_ticket_call_refused(ctx, rc);
        return;
    }

    tmcf->calls++;

    ngx_queue_insert_tail(&flight->waiters, &ctx->queue);

    ngx_http_ticket_wait(ctx, flight, ngx_http_ticket_flight_detach);
}


static void
ngx_http_ticket_cache_key(u_char *key, ngx_http_ticket_redis_conf_t *conf,
    ngx_str_t *ticket)
{
    ngx_md5_t  md5;

    ngx_md5_init(&md5);
    ngx_md5_update(&md5, conf->uri.data, conf->uri.len);
    ngx_md5_update(&md5, "\n", 1);
    ngx_md5_update(&md5, ticket->data, ticket->len);
    ngx_md5_final(key, &md5);
}


static ngx_http_ticket_cache_e
ngx_http_ticket_cache_get(ngx_http_ticket_main_conf_t *tmcf, u_char *key,
    ngx_http_ticket_status_t *status)
{
    uint64_t                        now;
    ngx_uint_t                      i;
    ngx_http_ticket_cache_e         state;
    ngx_http_ticket_cache_entry_t  *entry;

    now = ngx_http_ticket_usec();
    state = NGX_HTTP_TICKET_CACHE_STALE;
    entry = ngx_http_ticket_cache_set(tmcf, key);

    ngx_shmtx_lock(&tmcf->shpool->mutex);

    for (i = 0; i < NGX_HTTP_TICKET_CACHE_WAYS; i++, entry++) {

        if (entry->sent == 0 || ngx_memcmp(entry->key, key, 16) != 0) {
            continue;
        }

        if (now - entry->sent > NGX_HTTP_TICKET_CACHE_AGE) {
            break;
        }

        *status = entry->status;
        state = NGX_HTTP_TICKET_CACHE_FRESH;

        if (now - entry->sent > NGX_HTTP_TICKET_CACHE_SOFT
            && now - entry->claimed > NGX_HTTP_TICKET_CACHE_SOFT)
        {
            entry->claimed = now;
            state = NGX_HTTP_TICKET_CACHE_AGING;
        }

        break;
    }

    ngx_shmtx_unlock(&tmcf->shpool->mutex);

    return state;
}


static void
ngx_http_ticket_cache_put(ngx_http_ticket_main_conf_t *tmcf, u_char *key,
    uint64_t sent, ngx_http_ticket_status_t *status)
{
    ngx_uint_t                      i;
    ngx_http_ticket_cache_entry_t  *entry, *place;

    entry = ngx_http_ticket_cache_set(tmcf, key);
    place = entry;

    ngx_shmtx_lock(&tmcf->shpool->mutex);

    for (i = 0; i < NGX_HTTP_TICKET_CACHE_WAYS; i++, entry++) {

        if (entry->sent != 0 && ngx_memcmp(entry->key, key, 16) == 0) {
            place = entry;
            break;
        }

        if (entry->sent < place->sent) {
            place = entry;
        }
    }

    /* the older one of two workers' answers is not news */

    if (i == NGX_HTTP_TICKET_CACHE_WAYS || place->sent < sent) {

        /* empty while it is written: a worker may die in between */

        place->sent = 0;
        ngx_memory_barrier();

        ngx_memcpy(place->key, key, 16);
        place->status = *status;
        place->claimed = sent;

        ngx_memory_barrier();
        place->sent = sent;
    }

    ngx_shmtx_unlock(&tmcf->shpool->mutex);
}


static ngx_http_ticket_cache_entry_t *
ngx_http_ticket_cache_set(ngx_http_ticket_main_conf_t *tmcf, u_char *key)
{
    ngx_uint_t  set;

    set = (key[0] | (ngx_uint_t) key[1] << 8) % NGX_HTTP_TICKET_CACHE_SETS;

    return tmcf->sh->cache.entries[set];
}


/* the flight of this ticket: the one under way, or a new one */

static ngx_int_t
ngx_http_ticket_flight_start(ngx_http_ticket_ctx_t *ctx, u_char *key,
    ngx_http_ticket_flight_t **started)
{
    uint32_t                   hash;
    ngx_int_t                  rc;
    ngx_str_t                  name;
    ngx_str_node_t            *sn;
    ngx_http_ticket_call_t    *call;
    ngx_http_ticket_flight_t  *flight;

    name.data = key;
    name.len = 16;

    hash = ngx_crc32_short(key, 16);
    sn = ngx_str_rbtree_lookup(&ctx->tmcf->flights, &name, hash);

    if (sn != NULL) {
        *started = (ngx_http_ticket_flight_t *) sn;
        return NGX_OK;
    }

    flight = ngx_alloc(sizeof(ngx_http_ticket_flight_t), ngx_cycle->log);
    if (flight == NULL) {
        return NGX_DECLINED;
    }

    call = ngx_http_ticket_call_create(ctx->tmcf, ctx->tlcf->redis,
                                       &ctx->ticket,
                                       ngx_http_ticket_flight_done, flight);
    if (call == NULL) {
        ngx_free(flight);
        return NGX_DECLINED;
    }

    ngx_http_ticket_call_key(call, NULL);
    ngx_http_ticket_call_str(call, (char *) call->ticket.data,
                             call->ticket.len);

    rc = ngx_http_ticket_call_send(call, NGX_HTTP_TICKET_SCRIPT_ticket);

    if (rc != NGX_OK) {
        ngx_free(flight);
        return rc;
    }

    ngx_memcpy(flight->key, key, 16);

    flight->tmcf = ctx->tmcf;
    flight->sn.node.key = hash;
    flight->sn.str.data = flight->key;
    flight->sn.str.len = 16;

    ngx_queue_init(&flight->waiters);
    ngx_rbtree_insert(&ctx->tmcf->flights, &flight->sn.node);

    *started = flight;

    return NGX_OK;
}


static void
ngx_http_ticket_flight_done(ngx_http_ticket_call_t *call)
{
    ngx_queue_t               *q;
    ngx_connection_t          *c;
    ngx_http_ticket_ctx_t     *ctx;
    ngx_http_ticket_status_t   status;
    ngx_http_ticket_flight_t  *flight;

    flight = call->data;

    ngx_rbtree_delete(&flight->tmcf->flights, &flight->sn.node);

    if (call->result == NGX_HTTP_TICKET_RESULT_NONE) {
        (void) ngx_http_ticket_status_found(&status, call);
        ngx_http_ticket_cache_put(flight->tmcf, flight->key, call->sent,
                                  &status);
    }

    /* one answer may end others of the same connection: always the first */

    while (!ngx_queue_empty(&flight->waiters)) {

        q = ngx_queue_head(&flight->waiters);
        ctx = ngx_queue_data(q, ngx_http_ticket_ctx_t, queue);

        ngx_http_ticket_flight_detach(ctx);

        c = ngx_http_ticket_resume(ctx, call->sent);

        if (call->result == NGX_HTTP_TICKET_RESULT_NONE) {
            ngx_http_ticket_cache_answer(ctx, &status);

        } else {
            ngx_http_ticket_fail(ctx, call->result, NULL);
        }

        ngx_http_ticket_leave(c);
    }

    ngx_free(flight);
}


static void
ngx_http_ticket_flight_detach(ngx_http_ticket_ctx_t *ctx)
{
    ngx_queue_remove(&ctx->queue);

    ctx->tmcf->calls--;
}


static void
ngx_http_ticket_cache_answer(ngx_http_ticket_ctx_t *ctx,
    ngx_http_ticket_status_t *status)
{
    ngx_http_ticket_text_t  text;

    if (status->remaining >= 0) {
        ctx->remaining = status->remaining;
        ctx->has_remaining = 1;
    }

    ngx_http_ticket_text_init(ctx, &text);
    ngx_http_ticket_status_public(&text, &ctx->ticket, status);

    ngx_http_ticket_answer(ctx, NGX_HTTP_TICKET_RESULT_FOUND,
                           &ngx_http_ticket_type_json, &text);
}
