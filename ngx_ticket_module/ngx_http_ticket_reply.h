/*
 * Reads the replies of the scripts into commands; no I/O.  Whatever shape a
 * reply has, nothing but NGX_ERROR comes of it.
 */

#ifndef _NGX_HTTP_TICKET_REPLY_H_INCLUDED_
#define _NGX_HTTP_TICKET_REPLY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_ticket_batch.h"


/* an integer, or its digits as a string */
ngx_int_t ngx_http_ticket_reply_number(redisReply *reply, ngx_uint_t index,
    int64_t *number);

/* element `index` of an array, when it is a string */
ngx_int_t ngx_http_ticket_reply_string(redisReply *reply, ngx_uint_t index,
    ngx_str_t *string);

/* One command's result of book, cancel or booking: {code, ...}, or the number
 * of a booking's event; sets outcome and all that goes with it.  `left`: the
 * stock before this command, less what it booked afterwards.  NGX_ERROR:
 * malformed, the outcome is unknown. */
ngx_int_t ngx_http_ticket_reply_command(ngx_http_ticket_command_t *command,
    redisReply *result, uint64_t epoch, uint64_t *left);


#endif /* _NGX_HTTP_TICKET_REPLY_H_INCLUDED_ */
