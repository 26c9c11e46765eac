
/*
 * All tickets, or all waiting rooms, for the office.  As complete as SCAN is:
 * what is there all the time is listed, perhaps twice, and a page may be
 * longer than its limit.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_ticket_queue_admin.h"
#include "ngx_http_ticket_status.h"


#define NGX_HTTP_TICKET_LIST_LIMIT    100
#define NGX_HTTP_TICKET_LIST_FLIGHT   64        /* tickets asked for at once */
#define NGX_HTTP_TICKET_CURSOR_MAX    20


/* the tickets of one page; on the heap, for the calls may outlive it */

typedef struct {
    ngx_http_ticket_ctx_t            *ctx;      /* NULL: nobody waits */
    ngx_http_ticket_main_conf_t      *tmcf;
    ngx_http_ticket_redis_conf_t     *conf;
    ngx_http_ticket_text_t            text;     /* while ctx is there */
    ngx_http_ticket_result_e          failed;   /* NONE */
    ngx_uint_t                        rooms;    /* not tickets */
    ngx_uint_t                        open;     /* calls under way */
    ngx_uint_t                        next;
    ngx_uint_t                        count;
    ngx_str_t                        *names;
    size_t                            cursor_len;
    u_char                            cursor[NGX_HTTP_TICKET_CURSOR_MAX];
} ngx_http_ticket_list_t;


static void ngx_http_ticket_list_detach(ngx_http_ticket_ctx_t *ctx);
static void ngx_http_ticket_list_names(ngx_http_ticket_call_t *call);
static ngx_http_ticket_result_e ngx_http_ticket_list_copy(
    ngx_http_ticket_list_t *list, redisReply *reply);
static void ngx_http_ticket_list_ticket(ngx_http_ticket_call_t *call);
static ngx_http_ticket_call_t *ngx_http_ticket_list_call(
    ngx_http_ticket_list_t *list, ngx_str_t *name);
static void ngx_http_ticket_list_go_on(ngx_http_ticket_list_t *list);
static void ngx_http_ticket_list_ask(ngx_http_ticket_list_t *list);
static void ngx_http_ticket_list_answer(ngx_http_ticket_list_t *list);
static void ngx_http_ticket_list_drop(ngx_http_ticket_call_t *call);
static void ngx_http_ticket_list_free(ngx_http_ticket_list_t *list);


void
ngx_http_ticket_action_list(ngx_http_ticket_ctx_t *ctx)
{
    ngx_int_t                rc;
    const char              *key;
    ngx_http_ticket_call_t  *call;
    ngx_http_ticket_list_t  *list;

    if (ngx_http_ticket_call_begin(ctx, ngx_http_ticket_action_list)
        != NGX_OK)
    {
        return;
    }

    list = ngx_calloc(sizeof(ngx_http_ticket_list_t), ngx_cycle->log);
    if (list == NULL) {
        ngx_http_ticket_call_refused(ctx, NGX_ERROR);
        return;
    }

    list->ctx = ctx;
    list->tmcf = ctx->tmcf;
    list->conf = ctx->tlcf->redis;
    list->rooms = (ctx->action == NGX_HTTP_TICKET_QUEUE_ADMIN);
    key = list->rooms ? "queues" : "tickets";

    ngx_http_ticket_text_init(ctx, &list->text);
    ngx_http_ticket_json_open(&list->text, NULL, '{');
    ngx_http_ticket_json_open(&list->text, key, '[');

    call = ngx_http_ticket_call_create(ctx->tmcf, ctx->tlcf->redis,
                                       &ctx->ticket,
                                       ngx_http_ticket_list_names, list);
    if (call == NULL) {
        ngx_free(list);
        ngx_http_ticket_call_refused(ctx, NGX_ERROR);
        return;
    }

    call->drop = ngx_http_ticket_list_drop;

    ngx_http_ticket_call_literal(call, "SSCAN");
    ngx_http_ticket_call_str(call, key, ngx_strlen(key));
    ngx_http_ticket_list_cursor(ctx, call);
    ngx_http_ticket_call_literal(call, "COUNT");
    ngx_http_ticket_call_int(call, ngx_http_ticket_list_limit(ctx));

    rc = ngx_http_ticket_call_send(call, NGX_HTTP_TICKET_SCRIPTS);

    if (rc != NGX_OK) {
        ngx_free(list);
        ngx_http_ticket_call_refused(ctx, rc);
        return;
    }

    list->open = 1;

    ngx_http_ticket_wait(ctx, list, ngx_http_ticket_list_detach);
}


/* where a page begins, and how long it is; the buyers' too */

void
ngx_http_ticket_list_cursor(ngx_http_ticket_ctx_t *ctx,
    ngx_http_ticket_call_t *call)
{
    if (ctx->args.given & TICKET_ARG_CURSOR) {
        ngx_http_ticket_call_str(call, ctx->args.cursor.data,
                                 ctx->args.cursor.len);
    } else {
        ngx_http_ticket_call_literal(call, "0");
    }
}


ngx_uint_t
ngx_http_ticket_list_limit(ngx_http_ticket_ctx_t *ctx)
{
    return (ctx->args.given & TICKET_ARG_LIMIT) ? ctx->args.limit
                                                : NGX_HTTP_TICKET_LIST_LIMIT;
}


static void
ngx_http_ticket_list_detach(ngx_http_ticket_ctx_t *ctx)
{
    ngx_http_ticket_list_t *list = ctx->waiting;

    list->ctx = NULL;
}


static void
ngx_http_ticket_list_names(ngx_http_ticket_call_t *call)
{
    ngx_http_ticket_list_t *list = call->data;

    list->open--;
    list->failed = call->result;

    if (list->ctx != NULL && list->failed == NGX_HTTP_TICKET_RESULT_NONE) {
        list->failed = ngx_http_ticket_list_copy(list, call->reply);
    }

    ngx_http_ticket_list_go_on(list);
}


static ngx_http_ticket_result_e
ngx_http_ticket_list_copy(ngx_http_ticket_list_t *list, redisReply *reply)
{
    size_t           size;
    u_char          *p;
    ngx_str_t        cursor, name;
    ngx_uint_t       i;
    redisReply      *names;
    ticket_slice_t   slice;

    ngx_http_ticket_call_reply_str(reply, 0, &cursor);

    if (cursor.len == 0 || cursor.len > NGX_HTTP_TICKET_CURSOR_MAX
        || reply->elements < 2
        || reply->element[1]->type != REDIS_REPLY_ARRAY)
    {
        return NGX_HTTP_TICKET_RESULT_OUTCOME_UNKNOWN;
    }

    ngx_memcpy(list->cursor, cursor.data, cursor.len);
    list->cursor_len = cursor.len;

    names = reply->element[1];
    size = names->elements * sizeof(ngx_str_t);

    for (i = 0; i < names->elements; i++) {
        ngx_http_ticket_call_reply_str(names, i, &name);
        size += name.len;
    }

    list->names = ngx_alloc(ngx_max(size, 1), ngx_cycle->log);
    if (list->names == NULL) {
        return NGX_HTTP_TICKET_RESULT_INTERNAL_ERROR;
    }

    p = (u_char *) (list->names + names->elements);

    for (i = 0; i < names->elements; i++) {
        ngx_http_ticket_call_reply_str(names, i, &name);
        ngx_http_ticket_slice(slice, &name);

        if (!ticket_name_valid(slice)) {
            continue;
        }

        list->names[list->count].data = p;
        list->names[list->count].len = name.len;
        list->count++;

        p = ngx_cpymem(p, name.data, name.len);
    }

    return NGX_HTTP_TICKET_RESULT_NONE;
}


static void
ngx_http_ticket_list_ticket(ngx_http_ticket_call_t *call)
{
    ngx_http_ticket_list_t *list = call->data;

    ngx_http_ticket_status_t  status;

    list->open--;

    if (list->ctx != NULL) {

        if (list->rooms && call->result == NGX_HTTP_TICKET_RESULT_NONE) {
            ngx_http_ticket_queue_describe(&list->text, &call->ticket,
                                           call->reply);

        } else if (list->rooms) {

            if (call->result != NGX_HTTP_TICKET_RESULT_UNKNOWN_QUEUE) {
                list->failed = call->result;
            }

        } else if (ngx_http_ticket_status_found(&status, call) == NGX_OK) {
            ngx_http_ticket_status_full(&list->text, &call->ticket, &status);

        } else if (call->result != NGX_HTTP_TICKET_RESULT_UNKNOWN_TICKET) {

            /* a name without a ticket is none; any other refusal is one */

            list->failed = call->result;
        }
    }

    ngx_http_ticket_list_go_on(list);
}


static void
ngx_http_ticket_list_go_on(ngx_http_ticket_list_t *list)
{
    ngx_connection_t       *c;
    ngx_http_ticket_ctx_t  *ctx;

    ctx = list->ctx;

    if (ctx != NULL && list->failed == NGX_HTTP_TICKET_RESULT_NONE) {
        ngx_http_ticket_list_ask(list);
    }

    if (list->open != 0) {
        return;
    }

    if (ctx != NULL) {
        c = ngx_http_ticket_enter(ctx);

        ngx_http_ticket_detached(ctx);

        if (list->failed == NGX_HTTP_TICKET_RESULT_NONE) {
            ngx_http_ticket_list_answer(list);

        } else {
            ngx_http_ticket_fail(ctx, list->failed, NULL);
        }

        ngx_http_ticket_leave(c);
    }

    ngx_http_ticket_list_free(list);
}


static void
ngx_http_ticket_list_drop(ngx_http_ticket_call_t *call)
{
    ngx_http_ticket_list_t *list = call->data;

    if (--list->open == 0) {
        ngx_http_ticket_list_free(list);
    }
}


static void
ngx_http_ticket_list_free(ngx_http_ticket_list_t *list)
{
    if (list->names != NULL) {
        ngx_free(list->names);
    }

    ngx_free(list);
}


static void
ngx_http_ticket_list_ask(ngx_http_ticket_list_t *list)
{
    ngx_int_t                rc;
    ngx_http_ticket_call_t  *call;

    while (list->next < list->count
           && list->open < NGX_HTTP_TICKET_LIST_FLIGHT)
    {
        rc = NGX_ERROR;

        call = ngx_http_ticket_list_call(list, &list->names[list->next]);

        if (call != NULL) {
            call->drop = ngx_http_ticket_list_drop;

            rc = ngx_http_ticket_call_send(call,
                                    list->rooms
                                    ? NGX_HTTP_TICKET_SCRIPT_queue_room
                                    : NGX_HTTP_TICKET_SCRIPT_ticket);
        }

        if (rc == NGX_BUSY && list->open != 0) {

            /* again, when one of ours is answered */

            return;
        }

        if (rc != NGX_OK) {
            list->failed = (rc == NGX_BUSY)
                           ? NGX_HTTP_TICKET_RESULT_OVERLOADED
                           : NGX_HTTP_TICKET_RESULT_UNAVAILABLE;
            return;
        }

        list->open++;
        list->next++;
    }
}


static ngx_http_ticket_call_t *
ngx_http_ticket_list_call(ngx_http_ticket_list_t *list, ngx_str_t *name)
{
    ngx_http_ticket_call_t  *call;

    if (list->rooms) {
        return ngx_http_ticket_call_room(list->tmcf, list->conf, name, NULL,
                                         ngx_http_ticket_list_ticket, list);
    }

    call = ngx_http_ticket_call_create(list->tmcf, list->conf, name,
                                       ngx_http_ticket_list_ticket, list);

    if (call != NULL) {
        ngx_http_ticket_call_key(call, NULL);
        ngx_http_ticket_call_str(call, (char *) call->ticket.data,
                                 call->ticket.len);
    }

    return call;
}


static void
ngx_http_ticket_list_answer(ngx_http_ticket_list_t *list)
{
    ngx_str_t                cursor;
    ngx_http_ticket_text_t  *text;

    text = &list->text;

    cursor.data = list->cursor;
    cursor.len = list->cursor_len;

    ngx_http_ticket_json_close(text, ']');
    ngx_http_ticket_json_cursor(text, &cursor);
    ngx_http_ticket_json_close(text, '}');

    ngx_http_ticket_answer(list->ctx, NGX_HTTP_TICKET_RESULT_FOUND,
                           &ngx_http_ticket_type_json, text);
}
