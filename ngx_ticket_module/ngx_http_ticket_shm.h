/*
 * Counters all workers share; they survive a reload.  One writer a word or
 * ngx_atomic_fetch_add(), no lock.  Collected here, rendered in
 * ngx_http_ticket_metrics.c.
 */

#ifndef _NGX_HTTP_TICKET_SHM_H_INCLUDED_
#define _NGX_HTTP_TICKET_SHM_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_ticket_cache.h"


/* rises whenever the layout below changes: an old zone is then laid anew */
#define NGX_HTTP_TICKET_SHM_VERSION   2

#define NGX_HTTP_TICKET_ACTIONS_MAX   16
#define NGX_HTTP_TICKET_RESULTS_MAX   64
#define NGX_HTTP_TICKET_BUCKETS       17    /* the last one is +Inf */


typedef struct {
    ngx_atomic_t                      bucket[NGX_HTTP_TICKET_BUCKETS];
    ngx_atomic_t                      sum;      /* of the observed unit */
} ngx_http_ticket_histogram_t;


/* what one worker has at this moment; index: ngx_process_slot */
typedef struct {
    ngx_atomic_t                      pid;      /* 0: nobody */
    ngx_atomic_t                      pending;  /* commands not answered */
    ngx_atomic_t                      redis_up;     /* ready connections */
    ngx_atomic_t                      redis_all;    /* configured ones */
    ngx_atomic_t                      kafka_queued; /* not yet delivered */

    ngx_atomic_t                      queue_streams;

    /* sums over all rooms; of worker 0 alone, 0 in the others */
    ngx_atomic_t                      queue_rooms;
    ngx_atomic_t                      queue_stalled;
    ngx_atomic_t                      queue_waiting;
    ngx_atomic_t                      queue_live;   /* passes */
    ngx_atomic_t                      queue_pace;   /* 0.001 a second */
    ngx_atomic_t                      queue_issued; /* passes so far */
    ngx_atomic_t                      queue_used;
    ngx_atomic_t                      queue_expired;
    ngx_atomic_t                      queue_returned;
} ngx_http_ticket_worker_t;


typedef struct {
    ngx_uint_t                        version;
    ngx_uint_t                        size;     /* of this structure */

    ngx_atomic_t                      requests[NGX_HTTP_TICKET_ACTIONS_MAX]
                                              [NGX_HTTP_TICKET_RESULTS_MAX];
    /* microseconds */
    ngx_http_ticket_histogram_t       latency[NGX_HTTP_TICKET_RESULTS_MAX];

    ngx_http_ticket_histogram_t       batch;        /* commands a call */
    ngx_http_ticket_histogram_t       redis_rtt;    /* microseconds */
    ngx_atomic_t                      redis_calls;
    ngx_atomic_t                      redis_errors;     /* error replies */
    ngx_atomic_t                      redis_lost;   /* calls with no answer */
    ngx_atomic_t                      redis_connects;
    ngx_atomic_t                      redis_disconnects;
    ngx_atomic_t                      redis_noscript;
    ngx_atomic_t                      recover_requests; /* SADD of names */

    ngx_atomic_t                      kafka_produced;   /* librdkafka has it */
    ngx_atomic_t                      kafka_delivered;  /* brokers have it */
    ngx_atomic_t                      kafka_failed;     /* given up */
    ngx_atomic_t                      kafka_dropped;    /* not even queued */
    ngx_atomic_t                      kafka_rebuilt;    /* fatal errors */

    ngx_http_ticket_histogram_t       queue_wait;   /* ms */

    ngx_http_ticket_worker_t          workers[NGX_MAX_PROCESSES];

    ngx_http_ticket_cache_t           cache;    /* under the zone's mutex */
} ngx_http_ticket_shctx_t;


/* upper bounds of the buckets but the last; value in the histogram's unit */
extern const ngx_uint_t  ngx_http_ticket_usec_bounds[];    /* latency, rtt */
extern const ngx_uint_t  ngx_http_ticket_batch_bounds[];   /* commands */
extern const ngx_uint_t  ngx_http_ticket_wait_bounds[];    /* ms */

void ngx_http_ticket_histogram_observe(ngx_http_ticket_histogram_t *h,
    const ngx_uint_t *bounds, ngx_uint_t value);

/* microseconds of the monotonic clock, read now, not cached */
uint64_t ngx_http_ticket_usec(void);


#endif /* _NGX_HTTP_TICKET_SHM_H_INCLUDED_ */
