
/*
 * Who bought a ticket: a page of its buyers, as JSON or CSV.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_ticket_status.h"


#define NGX_HTTP_TICKET_BOOKINGS_FIRST   3      /* in the reply: after the
                                                   cursor */

typedef struct {
    ngx_str_t                         user;
    ngx_str_t                         quantity;
    ngx_str_t                         booking_id;
    int64_t                           booked_at;
} ngx_http_ticket_buyer_t;


static void ngx_http_ticket_bookings_done(ngx_http_ticket_call_t *call);
static ngx_uint_t ngx_http_ticket_bookings_csv_wanted(
    ngx_http_ticket_ctx_t *ctx);
static ngx_int_t ngx_http_ticket_bookings_buyer(redisReply *reply,
    ngx_uint_t i, ngx_http_ticket_buyer_t *buyer);
static void ngx_http_ticket_bookings_json(ngx_http_ticket_ctx_t *ctx,
    redisReply *reply);
static void ngx_http_ticket_bookings_csv(ngx_http_ticket_ctx_t *ctx,
    redisReply *reply);
static void ngx_http_ticket_bookings_field(ngx_http_ticket_text_t *text,
    ngx_str_t *value);


void
ngx_http_ticket_action_bookings(ngx_http_ticket_ctx_t *ctx)
{
    ngx_http_ticket_call_t  *call;

    if (ngx_http_ticket_call_begin(ctx, ngx_http_ticket_action_bookings)
        != NGX_OK)
    {
        return;
    }

    call = ngx_http_ticket_call_create(ctx->tmcf, ctx->tlcf->redis,
                                       &ctx->ticket,
                                       ngx_http_ticket_bookings_done, ctx);
    if (call == NULL) {
        ngx_http_ticket_call_refused(ctx, NGX_ERROR);
        return;
    }

    ngx_http_ticket_call_key(call, NULL);
    ngx_http_ticket_call_key(call, "buyers");
    ngx_http_ticket_call_str(call, (char *) call->ticket.data,
                             call->ticket.len);
    ngx_http_ticket_list_cursor(ctx, call);
    ngx_http_ticket_call_int(call, ngx_http_ticket_list_limit(ctx));

    ngx_http_ticket_call_wait(ctx, call, NGX_HTTP_TICKET_SCRIPT_bookings);
}


static void
ngx_http_ticket_bookings_done(ngx_http_ticket_call_t *call)
{
    ngx_connection_t       *c;
    ngx_http_ticket_ctx_t  *ctx;

    ctx = ngx_http_ticket_call_resume(call, &c);

    if (ctx == NULL) {
        return;
    }

    if (call->result != NGX_HTTP_TICKET_RESULT_NONE) {
        ngx_http_ticket_fail(ctx, call->result, NULL);

    } else if (ngx_http_ticket_bookings_csv_wanted(ctx)) {
        ngx_http_ticket_bookings_csv(ctx, call->reply);

    } else {
        ngx_http_ticket_bookings_json(ctx, call->reply);
    }

    ngx_http_ticket_leave(c);
}


/* named in Accept: whoever names it wants it, JSON is for everybody else */

static ngx_uint_t
ngx_http_ticket_bookings_csv_wanted(ngx_http_ticket_ctx_t *ctx)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    part = &ctx->request->headers_in.headers.part;
    h = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                return 0;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        if (h[i].key.len == sizeof("Accept") - 1
            && ngx_strncasecmp(h[i].key.data, (u_char *) "Accept",
                               sizeof("Accept") - 1)
               == 0
            && ngx_strlcasestrn(h[i].value.data,
                                h[i].value.data + h[i].value.len,
                                (u_char *) "text/csv",
                                sizeof("text/csv") - 1 - 1)
               != NULL)
        {
            return 1;
        }
    }
}


/* a user and "<quantity> <ms> <booking_id>" */

static ngx_int_t
ngx_http_ticket_bookings_buyer(redisReply *reply, ngx_uint_t i,
    ngx_http_ticket_buyer_t *buyer)
{
    u_char     *p, *last;
    ngx_str_t   value;

    ngx_http_ticket_call_reply_str(reply, i, &buyer->user);
    ngx_http_ticket_call_reply_str(reply, i + 1, &value);

    if (value.len == 0) {
        return NGX_DECLINED;
    }

    last = value.data + value.len;

    p = ngx_strlchr(value.data, last, ' ');
    if (p == NULL) {
        return NGX_DECLINED;
    }

    buyer->quantity.data = value.data;
    buyer->quantity.len = p - value.data;

    value.data = p + 1;

    p = ngx_strlchr(value.data, last, ' ');
    if (p == NULL) {
        return NGX_DECLINED;
    }

    buyer->booked_at = ngx_atotm(value.data, p - value.data);
    buyer->booking_id.data = p + 1;
    buyer->booking_id.len = last - (p + 1);

    return NGX_OK;
}


static void
ngx_http_ticket_bookings_json(ngx_http_ticket_ctx_t *ctx, redisReply *reply)
{
    ngx_str_t                cursor;
    ngx_uint_t               i;
    ngx_http_ticket_text_t   text;
    ngx_http_ticket_buyer_t  buyer;

    ngx_http_ticket_text_init(ctx, &text);

    ngx_http_ticket_json_open(&text, NULL, '{');
    ngx_http_ticket_json_str(&text, "ticket", &ctx->ticket);
    ngx_http_ticket_json_open(&text, "bookings", '[');

    for (i = NGX_HTTP_TICKET_BOOKINGS_FIRST; i + 1 < reply->elements; i += 2) {

        if (ngx_http_ticket_bookings_buyer(reply, i, &buyer) != NGX_OK) {
            continue;
        }

        ngx_http_ticket_json_open(&text, NULL, '{');
        ngx_http_ticket_json_str(&text, "user", &buyer.user);
        ngx_http_ticket_json_uint(&text, "quantity",
                                  ngx_max(ngx_atoi(buyer.quantity.data,
                                                   buyer.quantity.len), 0));
        ngx_http_ticket_json_time(&text, "booked_at", buyer.booked_at);
        ngx_http_ticket_json_str(&text, "booking_id", &buyer.booking_id);
        ngx_http_ticket_json_close(&text, '}');
    }

    ngx_http_ticket_call_reply_str(reply, 2, &cursor);

    ngx_http_ticket_json_close(&text, ']');
    ngx_http_ticket_json_cursor(&text, &cursor);
    ngx_http_ticket_json_close(&text, '}');

    ngx_http_ticket_answer(ctx, NGX_HTTP_TICKET_RESULT_FOUND,
                           &ngx_http_ticket_type_json, &text);
}


static void
ngx_http_ticket_bookings_csv(ngx_http_ticket_ctx_t *ctx, redisReply *reply)
{
    char                     time[TICKET_TIME_LEN];
    ngx_str_t                cursor;
    ngx_uint_t               i;
    ngx_http_ticket_text_t   text;
    ngx_http_ticket_buyer_t  buyer;

    ngx_http_ticket_text_init(ctx, &text);

    ngx_http_ticket_text_literal(&text,
                                 "user,quantity,booked_at,booking_id" CRLF);

    for (i = NGX_HTTP_TICKET_BOOKINGS_FIRST; i + 1 < reply->elements; i += 2) {

        if (ngx_http_ticket_bookings_buyer(reply, i, &buyer) != NGX_OK) {
            continue;
        }

        ticket_time_format(time, buyer.booked_at);

        ngx_http_ticket_bookings_field(&text, &buyer.user);
        ngx_http_ticket_text_literal(&text, ",");
        ngx_http_ticket_bookings_field(&text, &buyer.quantity);
        ngx_http_ticket_text_literal(&text, ",");
        ngx_http_ticket_text_add(&text, time, TICKET_TIME_LEN);
        ngx_http_ticket_text_literal(&text, ",");
        ngx_http_ticket_bookings_field(&text, &buyer.booking_id);
        ngx_http_ticket_text_literal(&text, CRLF);
    }

    ngx_http_ticket_call_reply_str(reply, 2, &cursor);

    if (cursor.len != 1 || cursor.data[0] != '0') {

        cursor.data = ngx_pstrdup(ctx->request->pool, &cursor);

        if (cursor.data == NULL) {
            ctx->failed = 1;

        } else {
            ngx_http_ticket_header(ctx, "Ticket-Cursor", &cursor);
        }
    }

    ngx_http_ticket_answer(ctx, NGX_HTTP_TICKET_RESULT_FOUND,
                           &ngx_http_ticket_type_csv, &text);
}


/*
 * RFC 4180.  A spreadsheet takes what begins with one of these for a formula,
 * and users choose their ids: an apostrophe makes it a text.
 */

static void
ngx_http_ticket_bookings_field(ngx_http_ticket_text_t *text, ngx_str_t *value)
{
    size_t      i;
    ngx_uint_t  quote;

    quote = 0;

    for (i = 0; i < value->len; i++) {
        if (value->data[i] == '"' || value->data[i] == ','
            || value->data[i] < 0x20)
        {
            quote = 1;
        }
    }

    if (quote) {
        ngx_http_ticket_text_literal(text, "\"");
    }

    if (value->len && ngx_strchr("=+-@", value->data[0]) != NULL) {
        ngx_http_ticket_text_literal(text, "'");
    }

    if (!quote) {
        ngx_http_ticket_text_add(text, value->data, value->len);
        return;
    }

    for (i = 0; i < value->len; i++) {

        if (value->data[i] == '"') {
            ngx_http_ticket_text_literal(text, "\"");
        }

        ngx_http_ticket_text_add(text, &value->data[i], 1);
    }

    ngx_http_ticket_text_literal(text, "\"");
}
