
/*
 * Between the script "ticket" and JSON.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_ticket_status.h"




static ngx_str_t  ngx_http_ticket_recovering = ngx_string("recovering");


void
ngx_http_ticket_status_read(ngx_http_ticket_status_t *status,
    redisReply *reply, ngx_uint_t first)
{
    ngx_str_t  state;

    ngx_memzero(status, sizeof(ngx_http_ticket_status_t));

    status->capacity = ngx_http_ticket_call_reply_int(reply, first);
    status->remaining = ngx_http_ticket_call_reply_int(reply, first + 1);
    status->per_user = ngx_http_ticket_call_reply_int(reply, first + 2);
    status->lanes = ngx_http_ticket_call_reply_int(reply, first + 3);

    ngx_http_ticket_call_reply_str(reply, first + 4, &state);

    status->state_len = ngx_min(state.len, sizeof(status->state));
    ngx_memcpy(status->state, state.data, status->state_len);

    status->opens_at = ngx_http_ticket_call_reply_int(reply, first + 5);
    status->closes_at = ngx_http_ticket_call_reply_int(reply, first + 6);
}


ngx_int_t
ngx_http_ticket_status_found(ngx_http_ticket_status_t *status,
    ngx_http_ticket_call_t *call)
{
    if (call->result == NGX_HTTP_TICKET_RESULT_NONE) {
        ngx_http_ticket_status_read(status, call->reply, 2);

        status->persisted =
            (ngx_http_ticket_call_reply_int(call->reply, 10) == 1);

        return NGX_OK;
    }

    if (call->reply == NULL || call->code != TICKET_CODE_RECOVERING
        || ngx_http_ticket_call_reply_int(call->reply, 2) != 1)
    {
        return NGX_DECLINED;
    }

    ngx_http_ticket_status_read(status, call->reply, 3);

    status->remaining = -1;
    status->state_len = ngx_http_ticket_recovering.len;
    ngx_memcpy(status->state, ngx_http_ticket_recovering.data,
               ngx_http_ticket_recovering.len);

    return NGX_OK;
}


void
ngx_http_ticket_status_public(ngx_http_ticket_text_t *text,
    ngx_str_t *ticket, ngx_http_ticket_status_t *status)
{
    ngx_str_t  state;

    state.data = status->state;
    state.len = status->state_len;

    ngx_http_ticket_json_open(text, NULL, '{');
    ngx_http_ticket_json_str(text, "ticket", ticket);
    ngx_http_ticket_json_number(text, "capacity", status->capacity);
    ngx_http_ticket_json_number(text, "remaining", status->remaining);
    ngx_http_ticket_json_number(text, "per_user", status->per_user);
    ngx_http_ticket_json_str(text, "state", &state);
    ngx_http_ticket_json_time(text, "opens_at", status->opens_at);
    ngx_http_ticket_json_time(text, "closes_at", status->closes_at);
    ngx_http_ticket_json_close(text, '}');
}


void
ngx_http_ticket_status_full(ngx_http_ticket_text_t *text, ngx_str_t *ticket,
    ngx_http_ticket_status_t *status)
{
    ngx_str_t  state;

    state.data = status->state;
    state.len = status->state_len;

    ngx_http_ticket_json_open(text, NULL, '{');
    ngx_http_ticket_json_str(text, "ticket", ticket);
    ngx_http_ticket_json_number(text, "capacity", status->capacity);
    ngx_http_ticket_json_number(text, "remaining", status->remaining);
    ngx_http_ticket_json_number(text, "per_user", status->per_user);
    ngx_http_ticket_json_number(text, "lanes", status->lanes);
    ngx_http_ticket_json_str(text, "state", &state);
    ngx_http_ticket_json_time(text, "opens_at", status->opens_at);
    ngx_http_ticket_json_time(text, "closes_at", status->closes_at);
    ngx_http_ticket_json_bool(text, "persisted", status->persisted);
    ngx_http_ticket_json_close(text, '}');
}
