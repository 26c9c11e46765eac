
/*
 * The events of a stream, as text.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_ticket_queue.h"
#include "ngx_http_ticket_stream.h"


/* names and users have 255 bytes, six times as many when each is escaped */
#define NGX_HTTP_TICKET_STREAM_TEXT    8192

#define NGX_HTTP_TICKET_STREAM_RETRY   1000     /* ms, at least */


static void ngx_http_ticket_stream_begin(ngx_http_ticket_text_t *text,
    const char *first, ngx_str_t *id, ngx_msec_t retry);
static ngx_int_t ngx_http_ticket_stream_send(ngx_http_ticket_stream_t *stream,
    ngx_http_ticket_text_t *text);
static void ngx_http_ticket_stream_end(ngx_http_ticket_stream_t *stream,
    ngx_http_ticket_result_e result, ngx_http_ticket_text_t *text);
static ngx_msec_t ngx_http_ticket_stream_retry(ngx_uint_t streams);


/* one event at a time is written, and copied when it is sent */
static u_char  ngx_http_ticket_stream_text[NGX_HTTP_TICKET_STREAM_TEXT];

static ngx_str_t  ngx_http_ticket_stream_state = ngx_string("closed");


ngx_int_t
ngx_http_ticket_stream_position(ngx_http_ticket_stream_t *stream,
    int64_t rank, int64_t waiting, ngx_uint_t flags)
{
    ngx_int_t                  rc;
    ngx_msec_t                 retry;
    ngx_http_ticket_room_t    *room;
    ngx_http_ticket_text_t     text;
    ngx_http_ticket_waiter_t   waiter;

    room = stream->hook.room;

    retry = (flags & NGX_HTTP_TICKET_STREAM_FIRST)
            ? ngx_http_ticket_stream_retry(room->rooms->streams) : 0;

    ngx_http_ticket_stream_begin(&text, (flags & NGX_HTTP_TICKET_STREAM_BEAT)
                                        ? ":\n\nevent: position"
                                        : "event: position",
                                 &stream->id, retry);

    waiter.room = room;
    waiter.user = &stream->ctx->user;
    waiter.number = stream->place.number;
    waiter.rank = rank;
    waiter.waiting = waiting;
    waiter.now = room->picture.now;

    (void) ngx_http_ticket_queue_waiting(&text, &waiter, NULL);

    if (flags & NGX_HTTP_TICKET_STREAM_STALE) {

        /* one more member before the bracket */

        text.pos--;
        ngx_http_ticket_json_bool(&text, "stale", 1);
        ngx_http_ticket_json_close(&text, '}');
    }

    rc = ngx_http_ticket_stream_send(stream, &text);

    if (rc == NGX_OK) {
        stream->rank = rank;
        stream->waiting = waiting;
        stream->state = room->picture.state;
        stream->unlikely = ngx_http_ticket_room_unlikely(&room->picture, rank);
        stream->stale = (flags & NGX_HTTP_TICKET_STREAM_STALE) ? 1 : 0;
        stream->told = ngx_current_msec;
    }

    return rc;
}


ngx_int_t
ngx_http_ticket_stream_heartbeat(ngx_http_ticket_stream_t *stream)
{
    return ngx_http_ticket_sse_send(&stream->sse, (u_char *) ":\n\n",
                                    sizeof(":\n\n") - 1);
}


void
ngx_http_ticket_stream_pass(ngx_http_ticket_stream_t *stream,
    ngx_http_ticket_entry_t *entry)
{
    ngx_http_ticket_ctx_t    *ctx;
    ngx_http_ticket_text_t    text;
    ngx_http_ticket_token_t   token;

    ctx = stream->ctx;

    ngx_http_ticket_stream_begin(&text, "event: pass", NULL, 0);

    if (ngx_http_ticket_queue_sign_pass(ctx->tmcf, entry->room, &ctx->user,
                                        entry->expires, &token)
        == NGX_OK)
    {
        ngx_http_ticket_queue_admitted(&text, &ctx->room, &ctx->user,
                                       entry->expires, entry->now, &token);
    } else {
        text.failed = 1;
    }

    ngx_http_ticket_stream_end(stream, NGX_HTTP_TICKET_RESULT_ADMITTED, &text);
}


void
ngx_http_ticket_stream_closed(ngx_http_ticket_stream_t *stream,
    ngx_http_ticket_result_e result)
{
    ngx_str_t                        token, detail;
    ngx_http_ticket_text_t           text;
    const ngx_http_ticket_result_t  *row;

    row = &ngx_http_ticket_results[result];

    token = row->token;
    detail = row->detail;

    ngx_http_ticket_stream_begin(&text, "event: closed", NULL, 0);

    ngx_http_ticket_json_open(&text, NULL, '{');
    ngx_http_ticket_json_str(&text, "queue", &stream->ctx->room);
    ngx_http_ticket_json_str(&text, "user", &stream->ctx->user);
    ngx_http_ticket_json_str(&text, "state", &ngx_http_ticket_stream_state);
    ngx_http_ticket_json_str(&text, "code", &token);
    ngx_http_ticket_json_str(&text, "detail", &detail);
    ngx_http_ticket_json_close(&text, '}');

    ngx_http_ticket_stream_end(stream, result, &text);
}


void
ngx_http_ticket_stream_reload(ngx_http_ticket_stream_t *stream)
{
    ngx_msec_t              retry;
    ngx_http_ticket_text_t  text;

    retry = ngx_http_ticket_stream_retry(stream->hook.room->rooms->streams);

    ngx_http_ticket_stream_begin(&text, "event: reload", NULL, retry);

    ngx_http_ticket_json_open(&text, NULL, '{');
    ngx_http_ticket_json_str(&text, "queue", &stream->ctx->room);
    ngx_http_ticket_json_uint(&text, "retry_after_ms", retry);
    ngx_http_ticket_json_close(&text, '}');

    ngx_http_ticket_stream_end(stream, NGX_HTTP_TICKET_RESULT_WAITING, &text);
}


/* the text is of the JSON object alone; the lines before it are not its own */

static void
ngx_http_ticket_stream_begin(ngx_http_ticket_text_t *text, const char *first,
    ngx_str_t *id, ngx_msec_t retry)
{
    u_char  *p;

    p = ngx_http_ticket_stream_text;

    if (retry) {
        p = ngx_sprintf(p, "retry: %M\n", retry);
    }

    p = ngx_sprintf(p, "%s\n", first);

    if (id != NULL) {
        p = ngx_sprintf(p, "id: %V\n", id);
    }

    p = ngx_cpymem(p, "data: ", sizeof("data: ") - 1);

    ngx_memzero(text, sizeof(ngx_http_ticket_text_t));

    text->start = p;
    text->pos = p;
    text->end = ngx_http_ticket_stream_text + NGX_HTTP_TICKET_STREAM_TEXT;
}


static ngx_int_t
ngx_http_ticket_stream_send(ngx_http_ticket_stream_t *stream,
    ngx_http_ticket_text_t *text)
{
    ngx_http_ticket_text_literal(text, "\n\n");

    if (text->failed) {
        return NGX_ERROR;
    }

    return ngx_http_ticket_sse_send(&stream->sse, ngx_http_ticket_stream_text,
                                    text->pos - ngx_http_ticket_stream_text);
}


static void
ngx_http_ticket_stream_end(ngx_http_ticket_stream_t *stream,
    ngx_http_ticket_result_e result, ngx_http_ticket_text_t *text)
{
    ngx_http_ticket_ctx_t  *ctx;

    ctx = stream->ctx;

    /* from here on the stream is nobody's but nginx', which sends the rest */

    if (ctx->detach != NULL) {
        ctx->detach(ctx);
        ngx_http_ticket_detached(ctx);
    }

    ngx_http_ticket_text_literal(text, "\n\n");

    if (text->failed) {
        ngx_http_ticket_count(ctx, NGX_HTTP_TICKET_RESULT_INTERNAL_ERROR);
        ngx_http_finalize_request(ctx->request, NGX_ERROR);
        return;
    }

    ngx_http_ticket_count(ctx, result);

    ngx_http_ticket_sse_end(&stream->sse, ngx_http_ticket_stream_text,
                            text->pos - ngx_http_ticket_stream_text);
}


/* thousands that were cut off in one moment come back over some seconds */

static ngx_msec_t
ngx_http_ticket_stream_retry(ngx_uint_t streams)
{
    return NGX_HTTP_TICKET_STREAM_RETRY
           + ngx_random() % (NGX_HTTP_TICKET_STREAM_RETRY + streams);
}
