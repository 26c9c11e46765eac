
/*
 * From a finished command to Kafka.  What does not get there the persister
 * reads from the outbox.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_ticket_event.h"


#define ngx_http_ticket_event_slice(slice, str)                               \
    ((slice).data = (char *) (str)->data, (slice).len = (str)->len)


void
ngx_http_ticket_event_command(ngx_http_ticket_main_conf_t *tmcf,
    ngx_http_ticket_command_t *command)
{
    ticket_event_t  ev;

    if (command->outcome != NGX_HTTP_TICKET_DONE || command->seq == 0) {
        return;
    }

    ngx_memzero(&ev, sizeof(ticket_event_t));

    if (command->code == TICKET_CODE_BOOKED) {

        /* booking_id and holding_id are the event's own id: left empty */

        ev.type = TICKET_EVENT_BOOKED;
        ev.quantity = command->quantity;
        ev.holding = command->quantity;

    } else {
        ev.type = TICKET_EVENT_CANCELLED;
        ev.quantity = command->held;
        ngx_http_ticket_event_slice(ev.booking_id, &command->booking_id);
    }

    ev.time = command->time;
    ev.lane = command->lane;
    ev.epoch = command->epoch;
    ev.seq = command->seq;

    ngx_http_ticket_event_slice(ev.ticket, &command->ticket);
    ngx_http_ticket_event_slice(ev.user, &command->user);

    ngx_http_ticket_event_produce(tmcf, &ev);
}


void
ngx_http_ticket_event_produce(ngx_http_ticket_main_conf_t *tmcf,
    ticket_event_t *ev)
{
    char     json[TICKET_EVENT_JSON_MAX];
    u_char  *p, key[TICKET_ID_MAX + 1 + NGX_INT32_LEN];
    size_t   len;

    if (tmcf == NULL || tmcf->sh == NULL) {
        return;
    }

    if (tmcf->producer == NULL) {

        /* off, or it could not be made */

        if (tmcf->kafka.enabled) {
            (void) ngx_atomic_fetch_add(&tmcf->sh->kafka_dropped, 1);
        }

        return;
    }

    len = ticket_event_encode(json, TICKET_EVENT_JSON_MAX, ev);

    if (len == 0) {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0,
                      "ticket kafka: event does not fit, bytes: %d",
                      TICKET_EVENT_JSON_MAX);
        return;
    }

    /* the lane's key: order is needed inside a lane only */

    p = ngx_cpymem(key, ev->ticket.data, ev->ticket.len);
    p = ngx_sprintf(p, "/%uD", ev->lane);

    ngx_http_ticket_kafka_produce(tmcf->producer, (char *) key, p - key,
                                  json, len);
}
