/*
 * The waiting rooms in numbers: sums over all of them, without names.
 */

#ifndef _NGX_HTTP_TICKET_QUEUE_METRICS_H_INCLUDED_
#define _NGX_HTTP_TICKET_QUEUE_METRICS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_ticket_json.h"
#include "ngx_http_ticket_module.h"


/* after each tick: this worker's slot in shared memory */
void ngx_http_ticket_queue_gauges(ngx_http_ticket_main_conf_t *tmcf);

/* Somebody got a pass who had entered at `entered`; both ms of Redis' clock.
 * Once for each pass: not when he only shows it again. */
void ngx_http_ticket_queue_waited(ngx_http_ticket_main_conf_t *tmcf,
    int64_t entered, int64_t now);

/* the page for Prometheus, its part about rooms */
void ngx_http_ticket_queue_metrics(ngx_http_ticket_text_t *text,
    ngx_http_ticket_main_conf_t *tmcf);


#endif /* _NGX_HTTP_TICKET_QUEUE_METRICS_H_INCLUDED_ */
