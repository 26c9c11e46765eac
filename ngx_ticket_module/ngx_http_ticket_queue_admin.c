
/*
 * A waiting room for its office: look, create, change, delete.  Every change
 * is logged: who, and what.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_ticket_queue.h"
#include "ngx_http_ticket_queue_admin.h"


/* user, a space, an address */
#define NGX_HTTP_TICKET_WHO_MAX      (TICKET_ID_MAX + 1 + NGX_SOCKADDR_STRLEN)


/* a change under way; on the heap, for it is logged even if nobody waits */

typedef struct {
    ngx_http_ticket_ctx_t            *ctx;      /* NULL: nobody waits */
    ngx_uint_t                        method;
    ngx_str_t                         who;
    ngx_str_t                         what;
    u_char                            text[NGX_HTTP_TICKET_WHO_MAX
                                           + NGX_HTTP_TICKET_QUEUE_CHANGES];
} ngx_http_ticket_change_t;


static void ngx_http_ticket_queue_admin_get(ngx_http_ticket_ctx_t *ctx);
static void ngx_http_ticket_queue_admin_got(ngx_http_ticket_call_t *call);
static void ngx_http_ticket_queue_admin_define(ngx_http_ticket_ctx_t *ctx);
static void ngx_http_ticket_queue_admin_who(ngx_http_ticket_ctx_t *ctx,
    ngx_http_ticket_change_t *change);
static void ngx_http_ticket_queue_admin_detach(ngx_http_ticket_ctx_t *ctx);
static void ngx_http_ticket_queue_admin_done(ngx_http_ticket_call_t *call);
static void ngx_http_ticket_queue_admin_drop(ngx_http_ticket_call_t *call);
static void ngx_http_ticket_queue_admin_log(ngx_http_ticket_call_t *call,
    ngx_http_ticket_change_t *change);
static void ngx_http_ticket_queue_admin_answer(ngx_http_ticket_ctx_t *ctx,
    ngx_http_ticket_call_t *call);


void
ngx_http_ticket_action_queue_admin(ngx_http_ticket_ctx_t *ctx)
{
    const char  *wrong;

    if (ngx_http_ticket_call_begin(ctx, ngx_http_ticket_action_queue_admin)
        != NGX_OK)
    {
        return;
    }

    switch (ctx->request->method) {

    case NGX_HTTP_PUT:
    case NGX_HTTP_PATCH:
        wrong = ngx_http_ticket_queue_define_check(ctx);

        if (wrong != NULL) {
            ngx_http_ticket_fail(ctx, NGX_HTTP_TICKET_RESULT_BAD_REQUEST,
                                 wrong);

        } else if (ctx->request->method == NGX_HTTP_PUT) {
            ngx_http_ticket_admin_name(ctx, "queues", &ctx->room,
                                       ngx_http_ticket_queue_admin_define);

        } else {
            ngx_http_ticket_queue_admin_define(ctx);
        }

        return;

    case NGX_HTTP_DELETE:
        ngx_http_ticket_queue_admin_define(ctx);
        return;

    default:
        ngx_http_ticket_queue_admin_get(ctx);
        return;
    }
}


static void
ngx_http_ticket_queue_admin_get(ngx_http_ticket_ctx_t *ctx)
{
    ngx_http_ticket_call_t  *call;

    call = ngx_http_ticket_call_room(ctx->tmcf, ctx->tlcf->redis, &ctx->room,
                                     NULL, ngx_http_ticket_queue_admin_got,
                                     ctx);
    if (call == NULL) {
        ngx_http_ticket_call_refused(ctx, NGX_ERROR);
        return;
    }

    ngx_http_ticket_call_wait(ctx, call, NGX_HTTP_TICKET_SCRIPT_queue_room);
}


static void
ngx_http_ticket_queue_admin_got(ngx_http_ticket_call_t *call)
{
    ngx_connection_t        *c;
    ngx_http_ticket_ctx_t   *ctx;
    ngx_http_ticket_text_t   text;

    ctx = ngx_http_ticket_call_resume(call, &c);

    if (ctx == NULL) {
        return;
    }

    if (call->result == NGX_HTTP_TICKET_RESULT_NONE) {
        ngx_http_ticket_text_init(ctx, &text);
        ngx_http_ticket_queue_describe(&text, &ctx->room, call->reply);

        ngx_http_ticket_answer(ctx, NGX_HTTP_TICKET_RESULT_FOUND,
                               &ngx_http_ticket_type_json, &text);
    } else {
        ngx_http_ticket_fail(ctx, call->result, NULL);
    }

    ngx_http_ticket_leave(c);
}


static void
ngx_http_ticket_queue_admin_define(ngx_http_ticket_ctx_t *ctx)
{
    int64_t                        not_after;
    ngx_int_t                      rc;
    ngx_http_ticket_call_t        *call;
    ngx_http_ticket_change_t      *change;
    ngx_http_ticket_redis_info_t  *info;

    info = ngx_http_ticket_redis_info(ctx->tlcf->redis->redis);

    if (ngx_http_ticket_call_not_after(ctx, &not_after) != NGX_OK) {
        return;
    }

    change = ngx_calloc(sizeof(ngx_http_ticket_change_t), ngx_cycle->log);
    if (change == NULL) {
        ngx_http_ticket_call_refused(ctx, NGX_ERROR);
        return;
    }

    change->ctx = ctx;
    change->method = ctx->request->method;

    ngx_http_ticket_queue_admin_who(ctx, change);

    call = ngx_http_ticket_call_room(ctx->tmcf, ctx->tlcf->redis, &ctx->room,
                                     NULL, ngx_http_ticket_queue_admin_done,
                                     change);
    if (call == NULL) {
        ngx_free(change);
        ngx_http_ticket_call_refused(ctx, NGX_ERROR);
        return;
    }

    call->drop = ngx_http_ticket_queue_admin_drop;

    ngx_http_ticket_call_str(call, (char *) change->who.data,
                             change->who.len);
    ngx_http_ticket_call_int(call, ctx->request->method == NGX_HTTP_PUT);
    ngx_http_ticket_call_str(call, (char *) info->catalogue,
                             ngx_strlen(info->catalogue));

    ngx_http_ticket_queue_define_fields(ctx, call);

    if (ngx_http_ticket_queue_define_seed(ctx, call) != NGX_OK) {
        ngx_free(call);
        ngx_free(change);
        ngx_http_ticket_fail(ctx, NGX_HTTP_TICKET_RESULT_INTERNAL_ERROR, NULL);
        return;
    }

    /* an origin has only what the persister restores */

    ngx_http_ticket_call_literal(call, "");
    ngx_http_ticket_call_int(call, not_after);

    rc = ngx_http_ticket_call_send(call, NGX_HTTP_TICKET_SCRIPT_queue_define);

    if (rc != NGX_OK) {
        ngx_free(change);
        ngx_http_ticket_call_refused(ctx, rc);
        return;
    }

    ngx_http_ticket_wait(ctx, change, ngx_http_ticket_queue_admin_detach);
}


/* the verified user, if the site says who that is, and from where */

static void
ngx_http_ticket_queue_admin_who(ngx_http_ticket_ctx_t *ctx,
    ngx_http_ticket_change_t *change)
{
    u_char          *p, *last;
    ngx_str_t        user;
    ticket_slice_t   slice;

    p = change->text;
    last = change->text + sizeof(change->text);

    change->who.data = p;

    if (ngx_http_ticket_input_value(ctx->request, ctx->tlcf->user, &user)
        == NGX_OK)
    {
        ngx_http_ticket_slice(slice, &user);

        if (user.len && ticket_user_valid(slice)) {
            p = ngx_slprintf(p, last, "%V ", &user);
        }
    }

    p = ngx_slprintf(p, last, "%V", &ctx->request->connection->addr_text);

    change->who.len = p - change->who.data;
    change->what.data = p;

    if (ctx->request->method != NGX_HTTP_DELETE) {
        p = ngx_http_ticket_queue_changes(p, last, &ctx->args);
    }

    change->what.len = p - change->what.data;
}


static void
ngx_http_ticket_queue_admin_detach(ngx_http_ticket_ctx_t *ctx)
{
    ngx_http_ticket_change_t *change = ctx->waiting;

    change->ctx = NULL;
}


static void
ngx_http_ticket_queue_admin_done(ngx_http_ticket_call_t *call)
{
    ngx_http_ticket_change_t *change = call->data;

    ngx_connection_t       *c;
    ngx_http_ticket_ctx_t  *ctx;

    if (call->result == NGX_HTTP_TICKET_RESULT_NONE) {
        ngx_http_ticket_queue_admin_log(call, change);
    }

    ctx = change->ctx;

    ngx_free(change);

    if (ctx == NULL) {
        return;
    }

    call->data = ctx;

    ctx = ngx_http_ticket_call_resume(call, &c);

    if (call->result == NGX_HTTP_TICKET_RESULT_NONE) {
        ngx_http_ticket_queue_admin_answer(ctx, call);

    } else {
        ngx_http_ticket_fail(ctx, call->result,
                             call->code == TICKET_CODE_BAD_HOURS
                             ? "An opening draw needs opens_at." : NULL);
    }

    ngx_http_ticket_leave(c);
}


static void
ngx_http_ticket_queue_admin_drop(ngx_http_ticket_call_t *call)
{
    ngx_free(call->data);
}


/* the seed is in neither of the two texts; here the room is seen at once */

static void
ngx_http_ticket_queue_admin_log(ngx_http_ticket_call_t *call,
    ngx_http_ticket_change_t *change)
{
    ngx_http_ticket_room_t  *room;

    ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                  "ticket queue: \"%V\" was %s by %V%s%V", &call->ticket,
                  change->method == NGX_HTTP_DELETE ? "deleted"
                  : call->code == TICKET_CODE_CREATED ? "created" : "changed",
                  &change->who, change->what.len ? ":" : "", &change->what);

    if (call->conf->rooms != NULL) {
        room = ngx_http_ticket_room_get(call->conf->rooms, &call->ticket);

        if (room != NULL) {
            ngx_http_ticket_room_refresh(room);
        }
    }
}


static void
ngx_http_ticket_queue_admin_answer(ngx_http_ticket_ctx_t *ctx,
    ngx_http_ticket_call_t *call)
{
    ngx_http_ticket_text_t    text;
    ngx_http_ticket_result_e  result;

    result = ngx_http_ticket_admin_result(ctx, call);

    ngx_http_ticket_text_init(ctx, &text);
    ngx_http_ticket_queue_describe(&text, &ctx->room, call->reply);

    ngx_http_ticket_answer(ctx, result, &ngx_http_ticket_type_json, &text);
}
