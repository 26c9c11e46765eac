#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_ticket_reply.h"


static ngx_int_t ngx_http_ticket_reply_decided(
    ngx_http_ticket_command_t *command, int64_t code, redisReply *result,
    uint64_t epoch);
static ngx_int_t ngx_http_ticket_reply_booked(
    ngx_http_ticket_command_t *command, int64_t seq, uint64_t epoch,
    uint64_t *left);
static ngx_int_t ngx_http_ticket_reply_cancelled(
    ngx_http_ticket_command_t *command, redisReply *result, uint64_t epoch);
static ngx_int_t ngx_http_ticket_reply_replayed(
    ngx_http_ticket_command_t *command, redisReply *result);
static ngx_int_t ngx_http_ticket_reply_found(
    ngx_http_ticket_command_t *command, redisReply *result);
static ngx_int_t ngx_http_ticket_reply_rejected(
    ngx_http_ticket_command_t *command, redisReply *result);
static ngx_int_t ngx_http_ticket_reply_unsigned(redisReply *reply,
    ngx_uint_t index, uint64_t *number);
static ngx_int_t ngx_http_ticket_reply_id(ngx_http_ticket_command_t *command,
    redisReply *reply, ngx_uint_t index);


ngx_int_t
ngx_http_ticket_reply_command(ngx_http_ticket_command_t *command,
    redisReply *result, uint64_t epoch, uint64_t *left)
{
    int64_t  code;

    command->outcome = NGX_HTTP_TICKET_UNKNOWN;

    if (result->type == REDIS_REPLY_INTEGER) {
        return ngx_http_ticket_reply_booked(command, result->integer, epoch,
                                            left);
    }

    if (ngx_http_ticket_reply_number(result, 0, &code) != NGX_OK) {
        return NGX_ERROR;
    }

    switch (code) {

    case TICKET_CODE_LATE:
    case TICKET_CODE_REFUSED:
    case TICKET_CODE_NOT_DONE:
        command->outcome = NGX_HTTP_TICKET_NOT_DONE;
        break;

    case TICKET_CODE_TORN:
        break;

    default:
        if (ngx_http_ticket_reply_decided(command, code, result, epoch)
            != NGX_OK)
        {
            /* an event that is half known is none */

            command->seq = 0;
            return NGX_ERROR;
        }

        command->outcome = NGX_HTTP_TICKET_DONE;
    }

    command->code = (ngx_uint_t) code;

    return NGX_OK;
}


static ngx_int_t
ngx_http_ticket_reply_decided(ngx_http_ticket_command_t *command,
    int64_t code, redisReply *result, uint64_t epoch)
{
    switch (code) {

    case TICKET_CODE_CANCELLED:
        return ngx_http_ticket_reply_cancelled(command, result, epoch);

    case TICKET_CODE_REPLAYED:
        return ngx_http_ticket_reply_replayed(command, result);

    case TICKET_CODE_ALREADY_BOOKED:
    case TICKET_CODE_FOUND:
        return ngx_http_ticket_reply_found(command, result);

    case TICKET_CODE_REJECTED:
        return ngx_http_ticket_reply_rejected(command, result);

    case TICKET_CODE_NOT_ENOUGH:
        return ngx_http_ticket_reply_unsigned(result, 1, &command->remaining);

    case TICKET_CODE_LIMIT_EXCEEDED:
        return ngx_http_ticket_reply_unsigned(result, 1, &command->limit);

    case TICKET_CODE_NOT_OPEN:
        return ngx_http_ticket_reply_number(result, 1, &command->booked_at);

    case TICKET_CODE_SOLD_OUT:
    case TICKET_CODE_CLOSED:
    case TICKET_CODE_PAUSED:
    case TICKET_CODE_PASS_REQUIRED:
    case TICKET_CODE_PASS_USED:
    case TICKET_CODE_PASS_EXPIRED:
    case TICKET_CODE_NOT_BOOKED:
    case TICKET_CODE_IDEMPOTENCY_MISMATCH:
    case TICKET_CODE_BACKLOG:
        return NGX_OK;

    default:
        return NGX_ERROR;
    }
}


static ngx_int_t
ngx_http_ticket_reply_booked(ngx_http_ticket_command_t *command, int64_t seq,
    uint64_t epoch, uint64_t *left)
{
    ticket_slice_t  ticket;

    if (command->script != NGX_HTTP_TICKET_SCRIPT_book
        || seq <= 0
        || command->quantity > *left)
    {
        return NGX_ERROR;
    }

    ticket.data = (const char *) command->ticket.data;
    ticket.len = command->ticket.len;

    *left -= command->quantity;

    command->epoch = epoch;
    command->remaining = *left;
    command->held = command->quantity;
    command->booked_at = command->time;

    command->booking_id.data = command->id_buf;
    command->booking_id.len = ticket_event_id((char *) command->id_buf,
                                              sizeof(command->id_buf), ticket,
                                              command->lane, epoch,
                                              (uint64_t) seq);

    if (command->booking_id.len == 0) {
        return NGX_ERROR;
    }

    command->code = TICKET_CODE_BOOKED;
    command->seq = (uint64_t) seq;
    command->outcome = NGX_HTTP_TICKET_DONE;

    return NGX_OK;
}


static ngx_int_t
ngx_http_ticket_reply_cancelled(ngx_http_ticket_command_t *command,
    redisReply *result, uint64_t epoch)
{
    if (ngx_http_ticket_reply_unsigned(result, 1, &command->seq) != NGX_OK
        || ngx_http_ticket_reply_id(command, result, 2) != NGX_OK
        || ngx_http_ticket_reply_unsigned(result, 3, &command->held) != NGX_OK
        || ngx_http_ticket_reply_unsigned(result, 4, &command->remaining)
           != NGX_OK
        || command->seq == 0)
    {
        return NGX_ERROR;
    }

    command->epoch = epoch;

    return NGX_OK;
}


static ngx_int_t
ngx_http_ticket_reply_replayed(ngx_http_ticket_command_t *command,
    redisReply *result)
{
    int64_t  current;

    if (ngx_http_ticket_reply_id(command, result, 1) != NGX_OK
        || ngx_http_ticket_reply_unsigned(result, 2, &command->held) != NGX_OK
        || ngx_http_ticket_reply_unsigned(result, 3, &command->remaining)
           != NGX_OK
        || ngx_http_ticket_reply_number(result, 4, &command->booked_at)
           != NGX_OK
        || ngx_http_ticket_reply_number(result, 5, &current) != NGX_OK)
    {
        return NGX_ERROR;
    }

    command->current = (current != 0);

    return NGX_OK;
}


static ngx_int_t
ngx_http_ticket_reply_found(ngx_http_ticket_command_t *command,
    redisReply *result)
{
    int64_t  persisted;

    if (ngx_http_ticket_reply_id(command, result, 1) != NGX_OK
        || ngx_http_ticket_reply_unsigned(result, 2, &command->held) != NGX_OK
        || ngx_http_ticket_reply_number(result, 3, &command->booked_at)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* already_booked does not tell it */

    if (ngx_http_ticket_reply_number(result, 4, &persisted) == NGX_OK) {
        command->persisted = (persisted != 0);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ticket_reply_rejected(ngx_http_ticket_command_t *command,
    redisReply *result)
{
    ngx_str_t  reason;

    if (ngx_http_ticket_reply_id(command, result, 1) != NGX_OK
        || ngx_http_ticket_reply_string(result, 2, &reason) != NGX_OK)
    {
        return NGX_ERROR;
    }

    command->reason.data = command->reason_buf;
    command->reason.len = ngx_min(reason.len, sizeof(command->reason_buf));

    ngx_memcpy(command->reason_buf, reason.data, command->reason.len);

    return NGX_OK;
}


ngx_int_t
ngx_http_ticket_reply_number(redisReply *reply, ngx_uint_t index,
    int64_t *number)
{
    ngx_str_t    s;
    redisReply  *item;
    ngx_uint_t   negative;

    if (reply->type != REDIS_REPLY_ARRAY || index >= reply->elements) {
        return NGX_ERROR;
    }

    item = reply->element[index];

    if (item->type == REDIS_REPLY_INTEGER) {
        *number = item->integer;
        return NGX_OK;
    }

    if (ngx_http_ticket_reply_string(reply, index, &s) != NGX_OK) {
        return NGX_ERROR;
    }

    negative = (s.len && s.data[0] == '-');

    *number = ngx_atoof(s.data + negative, s.len - negative);

    if (*number == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (negative) {
        *number = -*number;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ticket_reply_unsigned(redisReply *reply, ngx_uint_t index,
    uint64_t *number)
{
    int64_t  n;

    if (ngx_http_ticket_reply_number(reply, index, &n) != NGX_OK || n < 0) {
        return NGX_ERROR;
    }

    *number = (uint64_t) n;

    return NGX_OK;
}


ngx_int_t
ngx_http_ticket_reply_string(redisReply *reply, ngx_uint_t index,
    ngx_str_t *string)
{
    redisReply  *item;

    if (reply->type != REDIS_REPLY_ARRAY || index >= reply->elements) {
        return NGX_ERROR;
    }

    item = reply->element[index];

    if (item->type != REDIS_REPLY_STRING) {
        return NGX_ERROR;
    }

    string->data = (u_char *) item->str;
    string->len = item->len;

    return NGX_OK;
}


static ngx_int_t
ngx_http_ticket_reply_id(ngx_http_ticket_command_t *command,
    redisReply *reply, ngx_uint_t index)
{
    ngx_str_t  id;

    if (ngx_http_ticket_reply_string(reply, index, &id) != NGX_OK
        || id.len == 0
        || id.len > sizeof(command->id_buf))
    {
        return NGX_ERROR;
    }

    command->booking_id.data = command->id_buf;
    command->booking_id.len = id.len;

    ngx_memcpy(command->id_buf, id.data, id.len);

    return NGX_OK;
}
