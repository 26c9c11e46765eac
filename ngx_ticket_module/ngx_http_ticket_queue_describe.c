
/*
 * A waiting room as its office sees it, in JSON and in the log.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_ticket_keys.h"
#include "ngx_http_ticket_queue_admin.h"


static ngx_uint_t ngx_http_ticket_queue_pair_find(redisReply *reply,
    const char *name);
static void ngx_http_ticket_queue_pair(redisReply *reply, const char *name,
    ngx_str_t *value);
static int64_t ngx_http_ticket_queue_pair_int(redisReply *reply,
    const char *name);
static void ngx_http_ticket_queue_pair_json(ngx_http_ticket_text_t *text,
    redisReply *reply, const char *name);
static void ngx_http_ticket_queue_names(ngx_http_ticket_text_t *text,
    redisReply *reply);
static void ngx_http_ticket_queue_seconds(ngx_http_ticket_text_t *text,
    int64_t ms);
static void ngx_http_ticket_queue_draw(ngx_http_ticket_text_t *text,
    redisReply *reply);
static void ngx_http_ticket_queue_counts(ngx_http_ticket_text_t *text,
    redisReply *reply);


void
ngx_http_ticket_queue_describe(ngx_http_ticket_text_t *text, ngx_str_t *room,
    redisReply *reply)
{
    ngx_str_t  value;

    ngx_http_ticket_json_open(text, NULL, '{');
    ngx_http_ticket_json_str(text, "queue", room);

    ngx_http_ticket_queue_pair_json(text, reply, "capacity");
    ngx_http_ticket_queue_pair_json(text, reply, "rate");
    ngx_http_ticket_queue_pair_json(text, reply, "share");
    ngx_http_ticket_queue_pair_json(text, reply, "rows_per_s");

    ngx_http_ticket_queue_seconds(text,
                            ngx_http_ticket_queue_pair_int(reply, "pass_ttl"));

    ngx_http_ticket_queue_pair(reply, "state", &value);
    ngx_http_ticket_json_str(text, "state", &value);

    ngx_http_ticket_queue_names(text, reply);
    ngx_http_ticket_queue_pair_json(text, reply, "max_lag");

    ngx_http_ticket_json_time(text, "opens_at",
                            ngx_http_ticket_queue_pair_int(reply, "opens_at"));
    ngx_http_ticket_queue_draw(text, reply);
    ngx_http_ticket_queue_counts(text, reply);

    ngx_http_ticket_queue_pair(reply, "changed_by", &value);
    ngx_http_ticket_json_text(text, "changed_by", &value);

    ngx_http_ticket_json_time(text, "changed_at",
                          ngx_http_ticket_queue_pair_int(reply, "changed_at"));

    ngx_http_ticket_json_close(text, '}');
}


/* the value's element: name, value, name, value ... from element 2 on; one
 * behind the last: there is none */

static ngx_uint_t
ngx_http_ticket_queue_pair_find(redisReply *reply, const char *name)
{
    size_t      len;
    ngx_str_t   found;
    ngx_uint_t  i;

    len = ngx_strlen(name);

    for (i = 2; i + 1 < reply->elements; i += 2) {
        ngx_http_ticket_call_reply_str(reply, i, &found);

        if (found.len == len && ngx_memcmp(found.data, name, len) == 0) {
            return i + 1;
        }
    }

    return reply->elements;
}


static void
ngx_http_ticket_queue_pair(redisReply *reply, const char *name,
    ngx_str_t *value)
{
    ngx_http_ticket_call_reply_str(reply,
                                 ngx_http_ticket_queue_pair_find(reply, name),
                                 value);
}


/* -1: there is none */

static int64_t
ngx_http_ticket_queue_pair_int(redisReply *reply, const char *name)
{
    return ngx_http_ticket_call_reply_int(reply,
                                ngx_http_ticket_queue_pair_find(reply, name));
}


static void
ngx_http_ticket_queue_pair_json(ngx_http_ticket_text_t *text,
    redisReply *reply, const char *name)
{
    ngx_http_ticket_json_number(text, name,
                                ngx_http_ticket_queue_pair_int(reply, name));
}


static void
ngx_http_ticket_queue_names(ngx_http_ticket_text_t *text, redisReply *reply)
{
    ngx_str_t  names, name;

    ngx_http_ticket_queue_pair(reply, "tickets", &names);

    ngx_http_ticket_json_open(text, "tickets", '[');

    while (ngx_http_ticket_next_name(&names, &name) == NGX_OK) {
        ngx_http_ticket_json_str(text, NULL, &name);
    }

    ngx_http_ticket_json_close(text, ']');
}


static void
ngx_http_ticket_queue_seconds(ngx_http_ticket_text_t *text, int64_t ms)
{
    u_char  seconds[NGX_INT64_LEN + sizeof(".000")];

    if (ms < 0) {
        ngx_http_ticket_json_word(text, "pass_ttl", "null");

    } else if (ms % 1000 == 0) {
        ngx_http_ticket_json_uint(text, "pass_ttl", (uint64_t) ms / 1000);

    } else {
        *ngx_sprintf(seconds, "%L.%03L", ms / 1000, ms % 1000) = '\0';
        ngx_http_ticket_json_word(text, "pass_ttl", (char *) seconds);
    }
}


static void
ngx_http_ticket_queue_draw(ngx_http_ticket_text_t *text, redisReply *reply)
{
    ngx_str_t   hash, seed;
    ngx_uint_t  draw;

    draw = (ngx_http_ticket_queue_pair_int(reply, "draw") == 1);

    ngx_http_ticket_json_bool(text, "opening_draw", draw);

    if (!draw) {
        return;
    }

    ngx_http_ticket_queue_pair(reply, "draw_hash", &hash);
    ngx_http_ticket_queue_pair(reply, "seed", &seed);

    /* not even to the office: who knows it knows every place */

    if (ngx_http_ticket_call_reply_int(reply, 1)
        < ngx_http_ticket_queue_pair_int(reply, "opens_at"))
    {
        seed.len = 0;
    }

    ngx_http_ticket_json_open(text, "draw", '{');
    ngx_http_ticket_json_text(text, "hash", &hash);
    ngx_http_ticket_json_text(text, "seed", &seed);
    ngx_http_ticket_json_uint(text, "entries",
             (uint64_t) ngx_max(ngx_http_ticket_queue_pair_int(reply, "drawn"),
                                0));
    ngx_http_ticket_json_close(text, '}');
}


static void
ngx_http_ticket_queue_counts(ngx_http_ticket_text_t *text, redisReply *reply)
{
    int64_t       n;
    const char  **name;

    static const char  *names[] = {
        "waiting", "live", "issued", "used", "expired", "returned", NULL
    };

    for (name = names; *name; name++) {
        n = ngx_http_ticket_queue_pair_int(reply, *name);

        if (n >= 0) {
            ngx_http_ticket_json_uint(text, *name, (uint64_t) n);
        }
    }
}


u_char *
ngx_http_ticket_queue_changes(u_char *p, u_char *last, ticket_args_t *args)
{
    ngx_uint_t  i;

    struct {
        unsigned     bit;
        const char  *name;
        uint64_t     value;
    } numbers[] = {
        { TICKET_ARG_ROOM_CAPACITY, "capacity", args->room_capacity },
        { TICKET_ARG_RATE, "rate", args->rate },
        { TICKET_ARG_SHARE, "share", args->share },
        { TICKET_ARG_PASS_TTL, "pass_ttl", args->pass_ttl },
        { TICKET_ARG_MAX_LAG, "max_lag", args->max_lag },
        { TICKET_ARG_OPENING_DRAW, "opening_draw", args->opening_draw },
        { TICKET_ARG_OPENS_AT, "opens_at",
          (uint64_t) ngx_max(args->opens_at, 0) }
    };

    for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {

        if (!(args->given & numbers[i].bit)) {
            continue;
        }

        if (numbers[i].value == 0 && numbers[i].bit != TICKET_ARG_OPENING_DRAW)
        {
            p = ngx_slprintf(p, last, " %s=none", numbers[i].name);

        } else {
            p = ngx_slprintf(p, last, " %s=%uL", numbers[i].name,
                             numbers[i].value);
        }
    }

    if (args->given & TICKET_ARG_ROOM_STATE) {
        p = ngx_slprintf(p, last, " state=%*s", args->room_state.len,
                         args->room_state.data);
    }

    if (args->given & TICKET_ARG_TICKETS) {
        p = ngx_slprintf(p, last, " tickets=\"%*s\"", args->tickets.len,
                         args->tickets.data);
    }

    return p;
}
