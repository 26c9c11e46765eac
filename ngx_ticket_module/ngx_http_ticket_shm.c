
/*
 * The zone's life and the two things everybody does with its counters.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_ticket_module.h"


const ngx_uint_t  ngx_http_ticket_usec_bounds[NGX_HTTP_TICKET_BUCKETS - 1] = {
    100, 250, 500, 1000, 2000, 5000, 10000, 20000, 50000, 100000, 200000,
    500000, 1000000, 2000000, 5000000, 10000000
};

const ngx_uint_t  ngx_http_ticket_batch_bounds[NGX_HTTP_TICKET_BUCKETS - 1] = {
    1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 40, 48, 64
};

const ngx_uint_t  ngx_http_ticket_wait_bounds[NGX_HTTP_TICKET_BUCKETS - 1] = {
    1000, 2000, 5000, 10000, 20000, 30000, 60000, 120000, 300000, 600000,
    1200000, 1800000, 3600000, 7200000, 14400000, 28800000
};


ngx_int_t
ngx_http_ticket_shm_init(ngx_shm_zone_t *zone, void *old)
{
    ngx_slab_pool_t              *shpool;
    ngx_http_ticket_shctx_t      *sh;
    ngx_http_ticket_main_conf_t  *tmcf;

    tmcf = zone->data;
    shpool = (ngx_slab_pool_t *) zone->shm.addr;

    tmcf->shpool = shpool;

    /*
     * the zone itself remembers its counters: `old` may be of a module that
     * was built from other sources
     */

    sh = shpool->data;

    if (sh != NULL) {
        if (sh->version == NGX_HTTP_TICKET_SHM_VERSION
            && sh->size == sizeof(ngx_http_ticket_shctx_t))
        {
            tmcf->sh = sh;
            return NGX_OK;
        }

        /* workers that leave still count in the old one, so it stays */

        ngx_log_error(NGX_LOG_NOTICE, zone->shm.log, 0,
                      "ticket: counters of zone \"%V\" have another layout "
                      "and begin anew, version: %ui",
                      &zone->shm.name, sh->version);
    }

    (void) old;

    sh = ngx_slab_calloc(shpool, sizeof(ngx_http_ticket_shctx_t));
    if (sh == NULL) {
        ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0,
                      "ticket: zone \"%V\" is too small, bytes needed: %uz",
                      &zone->shm.name, sizeof(ngx_http_ticket_shctx_t));
        return NGX_ERROR;
    }

    sh->version = NGX_HTTP_TICKET_SHM_VERSION;
    sh->size = sizeof(ngx_http_ticket_shctx_t);

    shpool->data = sh;
    tmcf->sh = sh;

    return NGX_OK;
}


void
ngx_http_ticket_histogram_observe(ngx_http_ticket_histogram_t *h,
    const ngx_uint_t *bounds, ngx_uint_t value)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_HTTP_TICKET_BUCKETS - 1; i++) {
        if (value <= bounds[i]) {
            break;
        }
    }

    (void) ngx_atomic_fetch_add(&h->bucket[i], 1);
    (void) ngx_atomic_fetch_add(&h->sum, value);
}


uint64_t
ngx_http_ticket_usec(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}
