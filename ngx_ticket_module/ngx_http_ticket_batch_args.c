#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_ticket_batch_call.h"
#include "ngx_http_ticket_keys.h"


static ngx_int_t ngx_http_ticket_batch_room(
    ngx_http_ticket_batch_call_t *call);
static ngx_uint_t ngx_http_ticket_batch_keys(
    ngx_http_ticket_batch_call_t *call);
static void ngx_http_ticket_batch_arguments(
    ngx_http_ticket_batch_call_t *call);
static void ngx_http_ticket_batch_arg_key(ngx_http_ticket_batches_t *batches,
    ngx_str_t *ticket, const char *suffix, size_t suffix_len);
static void ngx_http_ticket_batch_arg_idem(ngx_http_ticket_batch_call_t *call,
    ngx_http_ticket_command_t *command);
static void ngx_http_ticket_batch_arg_room(ngx_http_ticket_batches_t *batches,
    ngx_str_t *ticket, const char *kind);
static void ngx_http_ticket_batch_arg_passes(
    ngx_http_ticket_batch_call_t *call);
static void ngx_http_ticket_batch_arg(ngx_http_ticket_batches_t *batches,
    ngx_str_t *arg);
static void ngx_http_ticket_batch_arg_number(
    ngx_http_ticket_batches_t *batches, uint64_t number);
static void ngx_http_ticket_batch_number(ngx_http_ticket_batches_t *batches,
    ngx_str_t *digits, uint64_t number);


ngx_int_t
ngx_http_ticket_batch_args(ngx_http_ticket_batch_call_t *call,
    ngx_uint_t *nkeys)
{
    if (ngx_http_ticket_batch_room(call) != NGX_OK) {
        return NGX_ERROR;
    }

    *nkeys = ngx_http_ticket_batch_keys(call);

    ngx_http_ticket_batch_arguments(call);

    return NGX_OK;
}


/* arguments point into one buffer, which must not move while it fills */

static ngx_int_t
ngx_http_ticket_batch_room(ngx_http_ticket_batch_call_t *call)
{
    size_t                         key, size;
    ngx_queue_t                   *q;
    ngx_http_ticket_batches_t     *batches;
    ngx_http_ticket_command_t     *command;

    batches = call->batches;

    key = ngx_http_ticket_key_len(&call->node->sn.str,
                                  sizeof("outbox:") + NGX_INT_T_LEN);

    size = (4 + call->node->lanes) * key
           + 2 * ngx_http_ticket_room_key_len(&call->node->sn.str)
           + 4 * NGX_INT64_LEN;

    for (q = ngx_queue_head(&call->commands);
         q != ngx_queue_sentinel(&call->commands);
         q = ngx_queue_next(q))
    {
        command = ngx_http_ticket_batch_command(q);

        size += key + sizeof("idem:::cancel:") + NGX_INT_T_LEN
                + command->user.len + command->key.len
                + 5 * NGX_INT64_LEN + 1;

        if (command->pass) {
            call->guarded = 1;
        }
    }

    batches->argc = 0;
    batches->last = batches->buf;

    if (size <= batches->size) {
        return NGX_OK;
    }

    ngx_free(batches->buf);

    batches->size = 0;

    batches->buf = ngx_alloc(size, batches->log);
    if (batches->buf == NULL) {
        return NGX_ERROR;
    }

    batches->size = size;
    batches->last = batches->buf;

    return NGX_OK;
}


static ngx_uint_t
ngx_http_ticket_batch_keys(ngx_http_ticket_batch_call_t *call)
{
    u_char                      suffix[sizeof("outbox:") + NGX_INT_T_LEN];
    ngx_str_t                  *ticket;
    ngx_uint_t                  lane;
    ngx_queue_t                *q;
    ngx_http_ticket_batches_t  *batches;
    ngx_http_ticket_command_t  *command;

    batches = call->batches;
    ticket = &call->node->sn.str;

    ngx_http_ticket_batch_arg_key(batches, ticket, NULL, 0);
    ngx_http_ticket_batch_arg_key(batches, ticket, "buyers",
                                  sizeof("buyers") - 1);
    ngx_http_ticket_batch_arg_key(batches, ticket, "rejected",
                                  sizeof("rejected") - 1);

    if (call->script == NGX_HTTP_TICKET_SCRIPT_booking) {
        ngx_http_ticket_batch_arg_key(batches, ticket, "late",
                                      sizeof("late") - 1);
        return batches->argc;
    }

    for (lane = 0; lane < call->node->lanes; lane++) {
        ngx_http_ticket_batch_arg_key(batches, ticket, (char *) suffix,
                       ngx_sprintf(suffix, "outbox:%ui", lane) - suffix);
    }

    for (q = ngx_queue_head(&call->commands);
         q != ngx_queue_sentinel(&call->commands);
         q = ngx_queue_next(q))
    {
        command = ngx_http_ticket_batch_command(q);

        if (command->key.len) {
            ngx_http_ticket_batch_arg_idem(call, command);
        }
    }

    if (call->guarded) {
        ngx_http_ticket_batch_arg_room(batches, ticket,
                                       NGX_HTTP_TICKET_KEY_PASSES);
        ngx_http_ticket_batch_arg_room(batches, ticket,
                                       NGX_HTTP_TICKET_KEY_ROOM);
    }

    return batches->argc;
}


static void
ngx_http_ticket_batch_arguments(ngx_http_ticket_batch_call_t *call)
{
    int64_t                     not_after, last;
    ngx_str_t                   digits;
    ngx_uint_t                  idem;
    ngx_queue_t                *q;
    ticket_slice_t              user;
    ngx_http_ticket_batches_t  *batches;
    ngx_http_ticket_command_t  *command;

    batches = call->batches;
    command = ngx_http_ticket_batch_command(ngx_queue_head(&call->commands));

    ngx_http_ticket_batch_arg(batches, &call->node->sn.str);

    if (call->script != NGX_HTTP_TICKET_SCRIPT_booking) {
        ngx_http_ticket_batch_arg_number(batches, call->node->lanes);
    }

    if (call->script == NGX_HTTP_TICKET_SCRIPT_book) {
        ngx_http_ticket_batch_arg_number(batches, command->max_backlog);
    }

    if (call->guarded) {
        ngx_http_ticket_batch_arg_passes(call);
    }

    ngx_http_ticket_batch_arg_number(batches, call->n);

    idem = 3 + call->node->lanes;
    last = -1;
    ngx_str_null(&digits);

    for (q = ngx_queue_head(&call->commands);
         q != ngx_queue_sentinel(&call->commands);
         q = ngx_queue_next(q))
    {
        command = ngx_http_ticket_batch_command(q);

        user.data = (const char *) command->user.data;
        user.len = command->user.len;

        command->lane = ticket_event_lane(user, call->node->lanes);

        ngx_http_ticket_batch_arg(batches, &command->user);

        if (call->script == NGX_HTTP_TICKET_SCRIPT_booking) {
            continue;
        }

        ngx_http_ticket_batch_arg_number(batches, command->lane);

        if (call->script == NGX_HTTP_TICKET_SCRIPT_book) {
            ngx_http_ticket_batch_arg_number(batches, command->quantity);

        } else {
            ngx_http_ticket_batch_arg(batches, &command->asked);
        }

        not_after = ngx_http_ticket_redis_clock(batches->redis, call->sent,
                                                command->deadline);
        not_after = ngx_max(not_after, 0);

        /* those that came together share a millisecond, and its digits */

        if (not_after != last) {
            last = not_after;
            ngx_http_ticket_batch_number(batches, &digits, not_after);
        }

        ngx_http_ticket_batch_arg(batches, &digits);

        ngx_http_ticket_batch_arg_number(batches,
                                         command->key.len ? ++idem : 0);
    }
}


static void
ngx_http_ticket_batch_arg_key(ngx_http_ticket_batches_t *batches,
    ngx_str_t *ticket, const char *suffix, size_t suffix_len)
{
    ngx_str_t  arg;

    arg.data = batches->last;

    batches->last = ngx_http_ticket_key(batches->last, ticket, suffix,
                                        suffix_len);

    arg.len = batches->last - arg.data;

    ngx_http_ticket_batch_arg(batches, &arg);
}


/* the length keeps "a:b" with key "c" apart from "a" with key "b:c" */

static void
ngx_http_ticket_batch_arg_idem(ngx_http_ticket_batch_call_t *call,
    ngx_http_ticket_command_t *command)
{
    ngx_str_t                   arg;
    ngx_http_ticket_batches_t  *batches;

    batches = call->batches;

    arg.data = batches->last;

    batches->last = ngx_http_ticket_key(batches->last, &call->node->sn.str,
                                        "idem", sizeof("idem") - 1);

    batches->last = ngx_sprintf(batches->last, ":%uz:%V:%s:%V",
                                command->user.len, &command->user,
                                call->script == NGX_HTTP_TICKET_SCRIPT_book
                                ? "book" : "cancel",
                                &command->key);

    arg.len = batches->last - arg.data;

    ngx_http_ticket_batch_arg(batches, &arg);
}


static void
ngx_http_ticket_batch_arg_room(ngx_http_ticket_batches_t *batches,
    ngx_str_t *ticket, const char *kind)
{
    ngx_str_t  arg, room;

    ngx_http_ticket_tag(ticket, &room);

    arg.data = batches->last;

    batches->last = ngx_http_ticket_room_key(batches->last, kind, &room);

    arg.len = batches->last - arg.data;

    ngx_http_ticket_batch_arg(batches, &arg);
}


/* when the pass of each command expires, in one string */

static void
ngx_http_ticket_batch_arg_passes(ngx_http_ticket_batch_call_t *call)
{
    ngx_str_t                   arg, digits;
    ngx_queue_t                *q;
    ngx_http_ticket_batches_t  *batches;
    ngx_http_ticket_command_t  *command;

    batches = call->batches;

    arg.data = batches->last;

    for (q = ngx_queue_head(&call->commands);
         q != ngx_queue_sentinel(&call->commands);
         q = ngx_queue_next(q))
    {
        if (batches->last != arg.data) {
            *batches->last++ = ' ';
        }

        command = ngx_http_ticket_batch_command(q);

        ngx_http_ticket_batch_number(batches, &digits, command->pass);
    }

    arg.len = batches->last - arg.data;

    ngx_http_ticket_batch_arg(batches, &arg);
}


static void
ngx_http_ticket_batch_arg(ngx_http_ticket_batches_t *batches, ngx_str_t *arg)
{
    batches->argv[batches->argc] = (const char *) arg->data;
    batches->argvlen[batches->argc] = arg->len;
    batches->argc++;
}


static void
ngx_http_ticket_batch_arg_number(ngx_http_ticket_batches_t *batches,
    uint64_t number)
{
    ngx_str_t  arg;

    ngx_http_ticket_batch_number(batches, &arg, number);
    ngx_http_ticket_batch_arg(batches, &arg);
}


/* digits in the call's buffer */

static void
ngx_http_ticket_batch_number(ngx_http_ticket_batches_t *batches,
    ngx_str_t *digits, uint64_t number)
{
    digits->data = batches->last;

    batches->last = (u_char *) ticket_number_format((char *) batches->last,
                                                    number);

    digits->len = batches->last - digits->data;
}
