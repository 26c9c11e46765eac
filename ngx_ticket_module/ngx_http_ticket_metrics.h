/*
 * What the pages of metrics are made of.
 */

#ifndef _NGX_HTTP_TICKET_METRICS_H_INCLUDED_
#define _NGX_HTTP_TICKET_METRICS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_ticket_json.h"
#include "ngx_http_ticket_shm.h"


/* HELP and TYPE */
void ngx_http_ticket_metrics_family(ngx_http_ticket_text_t *text,
    const char *name, const char *type, const char *help);

/* a family with a single number */
void ngx_http_ticket_metrics_gauge(ngx_http_ticket_text_t *text,
    const char *name, const char *help, ngx_uint_t value);

/* whether the slot is one of a worker that runs */
ngx_uint_t ngx_http_ticket_metrics_alive(ngx_http_ticket_worker_t *worker);


#endif /* _NGX_HTTP_TICKET_METRICS_H_INCLUDED_ */
