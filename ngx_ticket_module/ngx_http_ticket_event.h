/*
 * Hands what happened to the producer, whether or not the request that made
 * it happen is still there.
 */

#ifndef _NGX_HTTP_TICKET_EVENT_H_INCLUDED_
#define _NGX_HTTP_TICKET_EVENT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_ticket_module.h"
#include "ticket_event.h"


/* a finished command; does nothing when it made no event */
void ngx_http_ticket_event_command(ngx_http_ticket_main_conf_t *tmcf,
    ngx_http_ticket_command_t *command);

void ngx_http_ticket_event_produce(ngx_http_ticket_main_conf_t *tmcf,
    ticket_event_t *ev);


#endif /* _NGX_HTTP_TICKET_EVENT_H_INCLUDED_ */
