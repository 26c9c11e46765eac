/*
 * The configuration of a producer, its start, and its end in a thread of its
 * own: what of librdkafka needs no event loop.
 */

#ifndef _NGX_HTTP_TICKET_KAFKA_CONF_H_INCLUDED_
#define _NGX_HTTP_TICKET_KAFKA_CONF_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <librdkafka/rdkafka.h>
#include "ngx_http_ticket_kafka.h"


/* Our settings, then the site's.  NULL: *what and *name say why; values are
 * not shown, they may be secrets. */
rd_kafka_conf_t *ngx_http_ticket_kafka_conf_make(
    ngx_http_ticket_kafka_conf_t *conf, const char **what, u_char **name);

/* rd_kafka_new() with no signal going to its threads; takes rdconf.  NULL: a
 * sentence in error. */
rd_kafka_t *ngx_http_ticket_kafka_conf_start(rd_kafka_conf_t *rdconf,
    char *error, size_t size);

/* rd_kafka_destroy() joins threads that may wait for a name server: it gets a
 * thread of its own, which is waited for that long.  NGX_AGAIN: it is not done
 * yet and ends by itself. */
ngx_int_t ngx_http_ticket_kafka_conf_destroy(rd_kafka_t *rk,
    ngx_msec_t timeout, ngx_log_t *log);


#endif /* _NGX_HTTP_TICKET_KAFKA_CONF_H_INCLUDED_ */
