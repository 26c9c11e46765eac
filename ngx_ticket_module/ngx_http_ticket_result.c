
/*
 * The table of all results.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_ticket_result.h"
#include "ngx_http_ticket_shm.h"
#include "ngx_http_ticket_batch.h"


#define ngx_http_ticket_done(token, status)                                   \
    { ngx_string(token), status, ngx_null_string }

#define ngx_http_ticket_problem(token, status, detail)                        \
    { ngx_string(token), status, ngx_string(detail) }


typedef struct {
    ngx_uint_t                        status;
    ngx_str_t                         title;
} ngx_http_ticket_title_t;


typedef struct {
    ngx_uint_t                        code;
    ngx_http_ticket_result_e          result;
} ngx_http_ticket_code_t;


/* in the order of ngx_http_ticket_result_e */

const ngx_http_ticket_result_t  ngx_http_ticket_results[] = {

    ngx_http_ticket_done("none", 0),

    ngx_http_ticket_done("booked", 201),
    ngx_http_ticket_done("cancelled", 200),
    ngx_http_ticket_done("replayed", 200),
    ngx_http_ticket_done("found", 200),
    ngx_http_ticket_done("created", 201),
    ngx_http_ticket_done("changed", 200),
    ngx_http_ticket_done("deleted", 200),
    ngx_http_ticket_done("up", 200),
    ngx_http_ticket_done("waiting", 202),
    ngx_http_ticket_done("admitted", 200),
    ngx_http_ticket_done("left", 200),
    ngx_http_ticket_done("bypassed", 200),
    ngx_http_ticket_done("unguarded", 200),

    ngx_http_ticket_problem("bad_request", 400,
        "The request is malformed."),
    ngx_http_ticket_problem("invalid_ticket", 400,
        "The ticket's name is missing or not a valid one."),
    ngx_http_ticket_problem("invalid_queue", 400,
        "The waiting room's name is missing or not a valid one."),
    ngx_http_ticket_problem("invalid_user", 400,
        "The user's id is not a valid one."),
    ngx_http_ticket_problem("invalid_quantity", 400,
        "The quantity must be a whole number from 1 to 1000000."),
    ngx_http_ticket_problem("invalid_key", 400,
        "An Idempotency-Key has 1 to 255 visible ASCII characters."),
    ngx_http_ticket_problem("ambiguous", 400,
        "The request gives one input twice, with different values."),
    ngx_http_ticket_problem("unknown_field", 400,
        "The body has a field that is not known here."),
    ngx_http_ticket_problem("user_required", 401,
        "Nobody knows who is asking: a user is required."),
    ngx_http_ticket_problem("method_not_allowed", 405,
        "This method is not allowed here; see Allow."),
    ngx_http_ticket_problem("too_large", 413,
        "The body is too large."),
    ngx_http_ticket_problem("unsupported_media_type", 415,
        "The body must be application/json or"
        " application/x-www-form-urlencoded, in UTF-8."),

    ngx_http_ticket_problem("not_open", 403,
        "The sale has not begun yet."),
    ngx_http_ticket_problem("closed", 403,
        "The sale is over."),
    ngx_http_ticket_problem("paused", 403,
        "The sale is paused."),
    ngx_http_ticket_problem("pass_required", 403,
        "This sale has a waiting room, and a pass is required."),
    ngx_http_ticket_problem("pass_invalid", 403,
        "This is not a pass of this office."),
    ngx_http_ticket_problem("pass_foreign", 403,
        "The pass is for another waiting room or another user."),
    ngx_http_ticket_problem("pass_expired", 403,
        "The pass has expired."),
    ngx_http_ticket_problem("pass_used", 403,
        "The pass was used or given back."),
    ngx_http_ticket_problem("queue_closed", 403,
        "The waiting room takes nobody in."),
    ngx_http_ticket_problem("unknown_ticket", 404,
        "There is no ticket of this name."),
    ngx_http_ticket_problem("unknown_queue", 404,
        "There is no waiting room of this name."),
    ngx_http_ticket_problem("not_booked", 404,
        "The user holds no such booking."),
    ngx_http_ticket_problem("not_waiting", 404,
        "The user neither waits here nor holds a pass."),
    ngx_http_ticket_problem("already_booked", 409,
        "The user holds a booking of this ticket already."),
    ngx_http_ticket_problem("sold_out", 409,
        "Nothing is left."),
    ngx_http_ticket_problem("limit_exceeded", 409,
        "The quantity is more than one user may have."),
    ngx_http_ticket_problem("not_enough", 409,
        "Less is left than was asked for."),
    ngx_http_ticket_problem("below_held", 409,
        "The capacity cannot be less than what is already held."),
    ngx_http_ticket_problem("lanes_fixed", 409,
        "The number of lanes cannot be changed after creation."),
    ngx_http_ticket_problem("in_use", 409,
        "The ticket is held by somebody, or not all of it is stored yet."),
    ngx_http_ticket_problem("draw_fixed", 409,
        "The draw is fixed when somebody waits; when it is over, opens_at too."),
    ngx_http_ticket_problem("rejected", 410,
        "The booking was rejected when it was to be stored."),
    ngx_http_ticket_problem("idempotency_mismatch", 422,
        "This Idempotency-Key was used for another request."),

    ngx_http_ticket_problem("client_closed", 499,
        "The client closed the connection."),
    ngx_http_ticket_problem("internal_error", 500,
        "The request could not be handled."),
    ngx_http_ticket_problem("recovering", 503,
        "The ticket is being opened; nothing was changed."),
    ngx_http_ticket_problem("backlog", 503,
        "Too much waits to be stored; nothing was changed."),
    ngx_http_ticket_problem("overloaded", 503,
        "Too many requests are waiting; nothing was changed."),
    ngx_http_ticket_problem("unavailable", 503,
        "The office cannot be reached; nothing was changed."),
    ngx_http_ticket_done("down", 503),
    ngx_http_ticket_problem("outcome_unknown", 504,
        "No answer in time, the outcome is unknown;"
        " it is safe to send the request again.")
};


/* neither a row too few nor one more than there are counters */

typedef u_char  ngx_http_ticket_results_complete_t
    [sizeof(ngx_http_ticket_results) / sizeof(ngx_http_ticket_result_t)
     == NGX_HTTP_TICKET_RESULT_LAST ? 1 : -1];

typedef u_char  ngx_http_ticket_results_fit_t
    [NGX_HTTP_TICKET_RESULT_LAST <= NGX_HTTP_TICKET_RESULTS_MAX ? 1 : -1];


static ngx_http_ticket_title_t  ngx_http_ticket_titles[] = {
    { 400, ngx_string("Bad Request") },
    { 401, ngx_string("Unauthorized") },
    { 403, ngx_string("Forbidden") },
    { 404, ngx_string("Not Found") },
    { 405, ngx_string("Method Not Allowed") },
    { 409, ngx_string("Conflict") },
    { 410, ngx_string("Gone") },
    { 413, ngx_string("Content Too Large") },
    { 415, ngx_string("Unsupported Media Type") },
    { 422, ngx_string("Unprocessable Content") },
    { 503, ngx_string("Service Unavailable") },
    { 504, ngx_string("Gateway Timeout") },
    { 0, ngx_string("Internal Server Error") }
};


static ngx_http_ticket_code_t  ngx_http_ticket_codes[] = {
    { TICKET_CODE_RECOVERING, NGX_HTTP_TICKET_RESULT_RECOVERING },
    { TICKET_CODE_UNKNOWN_TICKET, NGX_HTTP_TICKET_RESULT_UNKNOWN_TICKET },
    { TICKET_CODE_LATE, NGX_HTTP_TICKET_RESULT_UNAVAILABLE },
    { TICKET_CODE_NOT_DONE, NGX_HTTP_TICKET_RESULT_UNAVAILABLE },
    { TICKET_CODE_REFUSED, NGX_HTTP_TICKET_RESULT_UNAVAILABLE },

    /* twice in a row: the number of lanes changed under our feet */
    { TICKET_CODE_WRONG_LANES, NGX_HTTP_TICKET_RESULT_UNAVAILABLE },

    { TICKET_CODE_TORN, NGX_HTTP_TICKET_RESULT_OUTCOME_UNKNOWN },
    { TICKET_CODE_BACKLOG, NGX_HTTP_TICKET_RESULT_BACKLOG },
    { TICKET_CODE_ALREADY_BOOKED, NGX_HTTP_TICKET_RESULT_ALREADY_BOOKED },
    { TICKET_CODE_SOLD_OUT, NGX_HTTP_TICKET_RESULT_SOLD_OUT },
    { TICKET_CODE_NOT_ENOUGH, NGX_HTTP_TICKET_RESULT_NOT_ENOUGH },
    { TICKET_CODE_LIMIT_EXCEEDED, NGX_HTTP_TICKET_RESULT_LIMIT_EXCEEDED },
    { TICKET_CODE_NOT_OPEN, NGX_HTTP_TICKET_RESULT_NOT_OPEN },
    { TICKET_CODE_CLOSED, NGX_HTTP_TICKET_RESULT_CLOSED },
    { TICKET_CODE_PAUSED, NGX_HTTP_TICKET_RESULT_PAUSED },
    { TICKET_CODE_PASS_REQUIRED, NGX_HTTP_TICKET_RESULT_PASS_REQUIRED },
    { TICKET_CODE_NOT_BOOKED, NGX_HTTP_TICKET_RESULT_NOT_BOOKED },
    { TICKET_CODE_REJECTED, NGX_HTTP_TICKET_RESULT_REJECTED },
    { TICKET_CODE_IDEMPOTENCY_MISMATCH,
      NGX_HTTP_TICKET_RESULT_IDEMPOTENCY_MISMATCH },
    { TICKET_CODE_BELOW_HELD, NGX_HTTP_TICKET_RESULT_BELOW_HELD },
    { TICKET_CODE_LANES_FIXED, NGX_HTTP_TICKET_RESULT_LANES_FIXED },
    { TICKET_CODE_IN_USE, NGX_HTTP_TICKET_RESULT_IN_USE },
    { TICKET_CODE_BAD_HOURS, NGX_HTTP_TICKET_RESULT_BAD_REQUEST },
    { TICKET_CODE_WAITING, NGX_HTTP_TICKET_RESULT_WAITING },
    { TICKET_CODE_ADMITTED, NGX_HTTP_TICKET_RESULT_ADMITTED },
    { TICKET_CODE_LEFT, NGX_HTTP_TICKET_RESULT_LEFT },
    { TICKET_CODE_UNKNOWN_QUEUE, NGX_HTTP_TICKET_RESULT_UNKNOWN_QUEUE },

    /* twice in a row: the room's tickets changed under our feet */
    { TICKET_CODE_WRONG_TICKETS, NGX_HTTP_TICKET_RESULT_UNAVAILABLE },

    { TICKET_CODE_PASS_USED, NGX_HTTP_TICKET_RESULT_PASS_USED },
    { TICKET_CODE_PASS_EXPIRED, NGX_HTTP_TICKET_RESULT_PASS_EXPIRED },
    { TICKET_CODE_QUEUE_CLOSED, NGX_HTTP_TICKET_RESULT_QUEUE_CLOSED },
    { TICKET_CODE_NOT_WAITING, NGX_HTTP_TICKET_RESULT_NOT_WAITING },
    { TICKET_CODE_DRAW_FIXED, NGX_HTTP_TICKET_RESULT_DRAW_FIXED }
};


ngx_str_t *
ngx_http_ticket_status_title(ngx_uint_t status)
{
    ngx_http_ticket_title_t  *title;

    for (title = ngx_http_ticket_titles; title->status != 0; title++) {
        if (title->status == status) {
            break;
        }
    }

    return &title->title;
}


ngx_http_ticket_result_e
ngx_http_ticket_result_of_code(ngx_uint_t code)
{
    ngx_uint_t  i, n;

    n = sizeof(ngx_http_ticket_codes) / sizeof(ngx_http_ticket_code_t);

    for (i = 0; i < n; i++) {
        if (ngx_http_ticket_codes[i].code == code) {
            return ngx_http_ticket_codes[i].result;
        }
    }

    return NGX_HTTP_TICKET_RESULT_OUTCOME_UNKNOWN;
}
