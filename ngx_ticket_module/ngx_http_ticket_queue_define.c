
/*
 * The definition of a waiting room, from what a request says to what the
 * script queue_define takes.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include "ngx_http_ticket_keys.h"
#include "ngx_http_ticket_queue_admin.h"


#define NGX_HTTP_TICKET_SEED_BYTES   32


static ngx_uint_t ngx_http_ticket_queue_define_own(ngx_str_t *room,
    ticket_slice_t *names);
static void ngx_http_ticket_queue_define_number(ngx_http_ticket_call_t *call,
    ngx_uint_t given, uint64_t value, const char *otherwise);


const char *
ngx_http_ticket_queue_define_check(ngx_http_ticket_ctx_t *ctx)
{
    ticket_args_t  *args;

    args = &ctx->args;

    if (ctx->request->method == NGX_HTTP_PUT) {

        if (!(args->given & TICKET_ARG_ROOM_CAPACITY)) {
            return "A waiting room's definition needs its capacity.";
        }

        if (args->opening_draw
            && (!(args->given & TICKET_ARG_OPENS_AT) || args->opens_at < 0))
        {
            return "An opening draw needs opens_at.";
        }

    } else if (!(args->given & TICKET_ARGS_ROOM)) {
        return "No field to be changed is given.";
    }

    if (!ngx_http_ticket_queue_define_own(&ctx->room, &args->tickets)) {
        return "A waiting room guards the ticket of its name and those of its"
               " group.";
    }

    return NULL;
}


/* all are S or x@S, so that they share its hash slot */

static ngx_uint_t
ngx_http_ticket_queue_define_own(ngx_str_t *room, ticket_slice_t *names)
{
    ngx_str_t  rest, name, tag;

    rest.data = (u_char *) names->data;
    rest.len = names->len;

    while (ngx_http_ticket_next_name(&rest, &name) == NGX_OK) {
        ngx_http_ticket_tag(&name, &tag);

        if (tag.len != room->len
            || ngx_memcmp(tag.data, room->data, tag.len) != 0)
        {
            return 0;
        }
    }

    return 1;
}


/* PUT gives the whole definition, with defaults; PATCH leaves the rest alone,
 * which an empty argument means */

void
ngx_http_ticket_queue_define_fields(ngx_http_ticket_ctx_t *ctx,
    ngx_http_ticket_call_t *call)
{
    unsigned        given;
    ngx_uint_t      put;
    ticket_args_t  *args;

    args = &ctx->args;
    given = args->given;
    put = (ctx->request->method == NGX_HTTP_PUT);

    ngx_http_ticket_queue_define_number(call, given & TICKET_ARG_ROOM_CAPACITY,
                                       args->room_capacity, "");
    ngx_http_ticket_queue_define_number(call, given & TICKET_ARG_RATE,
                                       args->rate, put ? "-" : "");
    ngx_http_ticket_queue_define_number(call, given & TICKET_ARG_SHARE,
                                       args->share, put ? "-" : "");
    ngx_http_ticket_queue_define_number(call, given & TICKET_ARG_PASS_TTL,
                                       args->pass_ttl * 1000,
                                       put ? "60000" : "");

    if (ctx->request->method == NGX_HTTP_DELETE) {
        ngx_http_ticket_call_literal(call, "deleted");

    } else if (given & TICKET_ARG_ROOM_STATE) {
        ngx_http_ticket_call_str(call, args->room_state.data,
                                 args->room_state.len);
    } else {
        ngx_http_ticket_call_str(call, "open", put ? 4 : 0);
    }

    if ((given & TICKET_ARG_TICKETS) && args->tickets.len) {
        ngx_http_ticket_call_str(call, args->tickets.data, args->tickets.len);

    } else {
        ngx_http_ticket_call_str(call, "-",
                                 put || (given & TICKET_ARG_TICKETS) ? 1 : 0);
    }

    ngx_http_ticket_queue_define_number(call, given & TICKET_ARG_MAX_LAG,
                                       args->max_lag, put ? "1000" : "");
    ngx_http_ticket_queue_define_number(call, given & TICKET_ARG_OPENS_AT,
                                       (uint64_t) ngx_max(args->opens_at, 0),
                                       put ? "-" : "");

    if (given & TICKET_ARG_OPENING_DRAW) {
        ngx_http_ticket_call_int(call, args->opening_draw);

    } else {
        ngx_http_ticket_call_str(call, "0", put ? 1 : 0);
    }
}


/* 0 that was given: there shall be none */

static void
ngx_http_ticket_queue_define_number(ngx_http_ticket_call_t *call,
    ngx_uint_t given, uint64_t value, const char *otherwise)
{
    if (given && value) {
        ngx_http_ticket_call_int(call, (int64_t) value);

    } else if (given) {
        ngx_http_ticket_call_literal(call, "-");

    } else {
        ngx_http_ticket_call_str(call, otherwise, ngx_strlen(otherwise));
    }
}


/* Taken by a room that has none yet: unpredictable, and fixed by its hash
 * before anybody enters. */

ngx_int_t
ngx_http_ticket_queue_define_seed(ngx_http_ticket_ctx_t *ctx,
    ngx_http_ticket_call_t *call)
{
    u_char  *seed, *hash, bytes[NGX_HTTP_TICKET_SEED_BYTES],
            digest[SHA256_DIGEST_LENGTH];

    seed = ngx_pnalloc(ctx->request->pool, 4 * NGX_HTTP_TICKET_SEED_BYTES);

    if (seed == NULL || RAND_bytes(bytes, sizeof(bytes)) != 1) {
        return NGX_ERROR;
    }

    hash = ngx_hex_dump(seed, bytes, sizeof(bytes));

    (void) SHA256(seed, hash - seed, digest);
    (void) ngx_hex_dump(hash, digest, sizeof(digest));

    ngx_http_ticket_call_str(call, (char *) seed, 2 * sizeof(bytes));
    ngx_http_ticket_call_str(call, (char *) hash, 2 * sizeof(digest));

    return NGX_OK;
}
