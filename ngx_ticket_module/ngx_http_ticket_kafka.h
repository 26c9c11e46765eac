/*
 * The producer of one worker: fire and forget, bounded, counted.  What it
 * does not deliver the persister reads from the outbox.
 */

#ifndef _NGX_HTTP_TICKET_KAFKA_H_INCLUDED_
#define _NGX_HTTP_TICKET_KAFKA_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_ticket_shm.h"


typedef struct {
    ngx_uint_t                        enabled;  /* NGX_CONF_UNSET_UINT, 0, 1 */
    ngx_str_t                         brokers;
    ngx_str_t                         topic;
    ngx_array_t                      *properties;   /* of ngx_keyval_t */
    ngx_msec_t                        flush_timeout;    /* at exit */
} ngx_http_ticket_kafka_conf_t;


typedef struct ngx_http_ticket_kafka_s  ngx_http_ticket_kafka_t;


/* Checks every property against librdkafka without starting anything:
 * NGX_CONF_OK or a message for nginx -t.  For the directive's setter. */
char *ngx_http_ticket_kafka_check(ngx_conf_t *cf,
    ngx_http_ticket_kafka_conf_t *conf);

/* init_process, after fork.  NULL: could not be made, logged; the worker
 * serves without it (the outbox has everything). */
ngx_http_ticket_kafka_t *ngx_http_ticket_kafka_create(ngx_cycle_t *cycle,
    ngx_http_ticket_kafka_conf_t *conf, ngx_http_ticket_shctx_t *sh);

/* Hands one event over; copied.  kafka may be NULL.  Never blocks; what is
 * not taken is counted as dropped. */
void ngx_http_ticket_kafka_produce(ngx_http_ticket_kafka_t *kafka,
    const char *key, size_t key_len, const char *value, size_t value_len);

/* 1 when the last seconds saw a broker, for /ready */
ngx_uint_t ngx_http_ticket_kafka_up(ngx_http_ticket_kafka_t *kafka);

/* exit_process: flush up to conf->flush_timeout, purge, join, log totals */
void ngx_http_ticket_kafka_destroy(ngx_http_ticket_kafka_t *kafka);


#endif /* _NGX_HTTP_TICKET_KAFKA_H_INCLUDED_ */
