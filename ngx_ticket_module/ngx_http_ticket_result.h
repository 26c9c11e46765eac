/*
 * Every result a request can have: its code, its status, its sentence.  The
 * one list for answers, $ticket_result and the labels of the metrics.
 */

#ifndef _NGX_HTTP_TICKET_RESULT_H_INCLUDED_
#define _NGX_HTTP_TICKET_RESULT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* the order is the metrics' index: a new one goes before LAST, and raises
 * NGX_HTTP_TICKET_SHM_VERSION */
typedef enum {
    NGX_HTTP_TICKET_RESULT_NONE = 0,

    NGX_HTTP_TICKET_RESULT_BOOKED,
    NGX_HTTP_TICKET_RESULT_CANCELLED,
    NGX_HTTP_TICKET_RESULT_REPLAYED,
    NGX_HTTP_TICKET_RESULT_FOUND,
    NGX_HTTP_TICKET_RESULT_CREATED,
    NGX_HTTP_TICKET_RESULT_CHANGED,
    NGX_HTTP_TICKET_RESULT_DELETED,
    NGX_HTTP_TICKET_RESULT_UP,

    NGX_HTTP_TICKET_RESULT_BAD_REQUEST,
    NGX_HTTP_TICKET_RESULT_INVALID_TICKET,
    NGX_HTTP_TICKET_RESULT_INVALID_USER,
    NGX_HTTP_TICKET_RESULT_INVALID_QUANTITY,
    NGX_HTTP_TICKET_RESULT_INVALID_KEY,
    NGX_HTTP_TICKET_RESULT_AMBIGUOUS,
    NGX_HTTP_TICKET_RESULT_UNKNOWN_FIELD,
    NGX_HTTP_TICKET_RESULT_USER_REQUIRED,
    NGX_HTTP_TICKET_RESULT_METHOD_NOT_ALLOWED,
    NGX_HTTP_TICKET_RESULT_TOO_LARGE,
    NGX_HTTP_TICKET_RESULT_UNSUPPORTED_MEDIA_TYPE,

    NGX_HTTP_TICKET_RESULT_NOT_OPEN,
    NGX_HTTP_TICKET_RESULT_CLOSED,
    NGX_HTTP_TICKET_RESULT_PAUSED,
    NGX_HTTP_TICKET_RESULT_PASS_REQUIRED,
    NGX_HTTP_TICKET_RESULT_UNKNOWN_TICKET,
    NGX_HTTP_TICKET_RESULT_NOT_BOOKED,
    NGX_HTTP_TICKET_RESULT_ALREADY_BOOKED,
    NGX_HTTP_TICKET_RESULT_SOLD_OUT,
    NGX_HTTP_TICKET_RESULT_LIMIT_EXCEEDED,
    NGX_HTTP_TICKET_RESULT_NOT_ENOUGH,
    NGX_HTTP_TICKET_RESULT_BELOW_HELD,
    NGX_HTTP_TICKET_RESULT_LANES_FIXED,
    NGX_HTTP_TICKET_RESULT_IN_USE,
    NGX_HTTP_TICKET_RESULT_REJECTED,
    NGX_HTTP_TICKET_RESULT_IDEMPOTENCY_MISMATCH,

    NGX_HTTP_TICKET_RESULT_CLIENT_CLOSED,
    NGX_HTTP_TICKET_RESULT_INTERNAL_ERROR,
    NGX_HTTP_TICKET_RESULT_RECOVERING,
    NGX_HTTP_TICKET_RESULT_BACKLOG,
    NGX_HTTP_TICKET_RESULT_OVERLOADED,
    NGX_HTTP_TICKET_RESULT_UNAVAILABLE,
    NGX_HTTP_TICKET_RESULT_DOWN,
    NGX_HTTP_TICKET_RESULT_OUTCOME_UNKNOWN,

    NGX_HTTP_TICKET_RESULT_LAST
} ngx_http_ticket_result_e;


typedef struct {
    ngx_str_t                         token;
    ngx_uint_t                        status;
    ngx_str_t                         detail;   /* of a problem */
} ngx_http_ticket_result_t;


extern const ngx_http_ticket_result_t  ngx_http_ticket_results[];

/* what HTTP calls a status: a problem's title */
ngx_str_t *ngx_http_ticket_status_title(ngx_uint_t status);

/* the result for a TICKET_CODE_* that refuses a command or a whole call;
 * OUTCOME_UNKNOWN for what no script should have answered */
ngx_http_ticket_result_e ngx_http_ticket_result_of_code(ngx_uint_t code);


#endif /* _NGX_HTTP_TICKET_RESULT_H_INCLUDED_ */
