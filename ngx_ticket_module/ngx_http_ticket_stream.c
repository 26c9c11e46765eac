
/*
 * When there is something to tell to somebody who waits.  Redis is asked when
 * a stream opens, and again when the room's picture shows that he is not in
 * line or that the line was lost; everything in between comes from the
 * picture, which is one call a tick however many streams there are.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_ticket_call.h"
#include "ngx_http_ticket_queue.h"
#include "ngx_http_ticket_stream.h"


#define NGX_HTTP_TICKET_STREAM_PAUSE   15000    /* ms; at most 15 ticks */
#define NGX_HTTP_TICKET_STREAM_OLD     3000     /* ms; at least 3 ticks */


static void ngx_http_ticket_stream_opened(void *data,
    ngx_http_ticket_entry_t *entry);
static void ngx_http_ticket_stream_open(ngx_http_ticket_stream_t *stream,
    ngx_http_ticket_entry_t *entry);
static void ngx_http_ticket_stream_detach(ngx_http_ticket_ctx_t *ctx);
static void ngx_http_ticket_stream_news(ngx_http_ticket_hook_t *hook,
    ngx_http_ticket_room_news_e news);
static ngx_int_t ngx_http_ticket_stream_picture(
    ngx_http_ticket_stream_t *stream);
static ngx_int_t ngx_http_ticket_stream_tell(ngx_http_ticket_stream_t *stream,
    int64_t rank);
static ngx_int_t ngx_http_ticket_stream_quiet(
    ngx_http_ticket_stream_t *stream);
static ngx_msec_t ngx_http_ticket_stream_pause(
    ngx_http_ticket_stream_t *stream);


void
ngx_http_ticket_action_queue_events(ngx_http_ticket_ctx_t *ctx)
{
    ngx_int_t                  rc;
    ngx_http_request_t        *r;
    ngx_http_ticket_stream_t  *stream;

    r = ctx->request;

    if (r != r->main) {
        ngx_http_ticket_fail(ctx, NGX_HTTP_TICKET_RESULT_BAD_REQUEST,
                             "A stream cannot be a part of another answer.");
        return;
    }

    if (ngx_http_ticket_begin(ctx) != NGX_OK) {
        ngx_http_ticket_fail(ctx, NGX_HTTP_TICKET_RESULT_UNAVAILABLE, NULL);
        return;
    }

    stream = ngx_pcalloc(r->pool, sizeof(ngx_http_ticket_stream_t));
    if (stream == NULL) {
        ngx_http_ticket_fail(ctx, NGX_HTTP_TICKET_RESULT_INTERNAL_ERROR, NULL);
        return;
    }

    stream->ctx = ctx;
    stream->hook.handler = ngx_http_ticket_stream_news;

    ngx_http_ticket_queue_place(r, ctx->tmcf, &ctx->room, &ctx->user, 1,
                                &stream->place);

    rc = ngx_http_ticket_entry_start(ctx->tmcf, ctx->tlcf->redis, &ctx->room,
                                     &ctx->user, 0, &stream->place,
                                     ctx->deadline,
                                     ngx_http_ticket_stream_opened, stream,
                                     &stream->entry);
    if (rc != NGX_OK) {
        ngx_http_ticket_call_refused(ctx, rc);
        return;
    }

    /* who only asks leaves nothing undecided */

    ctx->unsent = 1;

    ngx_http_ticket_wait(ctx, stream, ngx_http_ticket_stream_detach);
}


static void
ngx_http_ticket_stream_opened(void *data, ngx_http_ticket_entry_t *entry)
{
    ngx_http_ticket_stream_t *stream = data;

    ngx_connection_t       *c;
    ngx_http_ticket_ctx_t  *ctx;

    ctx = stream->ctx;
    c = ngx_http_ticket_resume(ctx, entry->started);

    stream->entry = NULL;

    if (entry->result == NGX_HTTP_TICKET_RESULT_WAITING
        || entry->result == NGX_HTTP_TICKET_RESULT_ADMITTED)
    {
        ngx_http_ticket_stream_open(stream, entry);

    } else {
        ngx_http_ticket_fail(ctx, entry->result, NULL);
    }

    ngx_http_ticket_leave(c);
}


static void
ngx_http_ticket_stream_open(ngx_http_ticket_stream_t *stream,
    ngx_http_ticket_entry_t *entry)
{
    ngx_int_t               rc;
    ngx_http_ticket_ctx_t  *ctx;

    ctx = stream->ctx;

    if (ngx_http_ticket_sse_open(ctx, &stream->sse, entry->result) != NGX_OK) {
        return;
    }

    if (entry->result == NGX_HTTP_TICKET_RESULT_ADMITTED) {
        ngx_http_ticket_queue_handed(ctx->request, ctx->tmcf, &ctx->room,
                                     &ctx->user, entry->expires, entry->now,
                                     &stream->place);
        ngx_http_ticket_stream_pass(stream, entry);
        return;
    }

    if (ngx_http_ticket_stream_place(stream, entry) != NGX_OK) {
        ngx_http_finalize_request(ctx->request, NGX_ERROR);
        return;
    }

    ctx->waiting = stream;
    ctx->detach = ngx_http_ticket_stream_detach;

    ngx_http_ticket_room_hang(entry->room, &stream->hook);

    rc = ngx_http_ticket_stream_position(stream, entry->rank, entry->waiting,
                                         NGX_HTTP_TICKET_STREAM_FIRST);
    if (rc == NGX_ERROR) {
        ngx_http_finalize_request(ctx->request, NGX_ERROR);
    }
}


/* the request ends, or gives up */

static void
ngx_http_ticket_stream_detach(ngx_http_ticket_ctx_t *ctx)
{
    ngx_http_ticket_stream_t  *stream;

    stream = ctx->waiting;

    ngx_http_ticket_stream_uncheck(stream);
    ngx_http_ticket_room_unhang(&stream->hook);
}


static void
ngx_http_ticket_stream_news(ngx_http_ticket_hook_t *hook,
    ngx_http_ticket_room_news_e news)
{
    ngx_int_t                  rc;
    ngx_connection_t          *c;
    ngx_http_ticket_stream_t  *stream;

    stream = (ngx_http_ticket_stream_t *)
                 ((u_char *) hook - offsetof(ngx_http_ticket_stream_t, hook));

    c = ngx_http_ticket_enter(stream->ctx);

    switch (news) {

    case NGX_HTTP_TICKET_ROOM_EXIT:
        ngx_http_ticket_stream_reload(stream);
        rc = NGX_DONE;
        break;

    case NGX_HTTP_TICKET_ROOM_GONE:
        ngx_http_ticket_stream_closed(stream,
                                      NGX_HTTP_TICKET_RESULT_UNKNOWN_QUEUE);
        rc = NGX_DONE;
        break;

    case NGX_HTTP_TICKET_ROOM_PICTURE:
        rc = ngx_http_ticket_stream_picture(stream);
        break;

    default: /* NGX_HTTP_TICKET_ROOM_BEAT */
        rc = ngx_http_ticket_stream_quiet(stream);
        break;
    }

    if (rc == NGX_ERROR) {
        ngx_http_finalize_request(stream->ctx->request, NGX_ERROR);

    } else if (rc != NGX_DONE && ngx_http_ticket_sse_late(&stream->sse)) {
        ngx_log_error(NGX_LOG_INFO, c->log, NGX_ETIMEDOUT,
                      "client does not read its events");
        c->timedout = 1;
        ngx_http_finalize_request(stream->ctx->request,
                                  NGX_HTTP_REQUEST_TIME_OUT);
    }

    ngx_http_ticket_leave(c);
}


/* NGX_OK, NGX_ERROR, or NGX_DONE: that was the last event */

static ngx_int_t
ngx_http_ticket_stream_picture(ngx_http_ticket_stream_t *stream)
{
    int64_t                     rank;
    ngx_http_ticket_room_t     *room;
    ngx_http_ticket_picture_t  *picture;

    room = stream->hook.room;
    picture = &room->picture;

    if (stream->life != ngx_http_ticket_stream_life(room)) {
        ngx_http_ticket_stream_check(stream);
        return ngx_http_ticket_stream_quiet(stream);
    }

    if (picture->now <= stream->now) {
        return ngx_http_ticket_stream_quiet(stream);
    }

    rank = ngx_http_ticket_room_rank(picture, stream->score);

    if (rank >= picture->waiting
        && picture->waiting > (int64_t) picture->nhead
        && picture->nsamples == 0)
    {
        /* made when nobody listened: it does not show the end of the line */

        return ngx_http_ticket_stream_quiet(stream);
    }

    if (rank < 0 || rank >= picture->waiting) {
        ngx_http_ticket_stream_check(stream);
        return ngx_http_ticket_stream_quiet(stream);
    }

    if (picture->state == NGX_HTTP_TICKET_ROOM_CLOSED) {
        ngx_http_ticket_stream_closed(stream,
                                      NGX_HTTP_TICKET_RESULT_QUEUE_CLOSED);
        return NGX_DONE;
    }

    return ngx_http_ticket_stream_tell(stream, rank);
}


static ngx_int_t
ngx_http_ticket_stream_tell(ngx_http_ticket_stream_t *stream, int64_t rank)
{
    ngx_uint_t                  flags;
    ngx_http_ticket_picture_t  *picture;

    picture = &stream->hook.room->picture;

    if (ngx_http_ticket_room_drawing(picture, stream->place.number,
                                     picture->now))
    {
        rank = -1;

    } else if (rank >= NGX_HTTP_TICKET_ROOM_HEAD
               && stream->rank >= 0 && rank > stream->rank)
    {
        /* an estimate sends nobody back */

        rank = stream->rank;
    }

    flags = 0;

    if (rank == stream->rank
        && picture->waiting == stream->waiting
        && picture->state == stream->state
        && ngx_http_ticket_room_unlikely(picture, rank) == stream->unlikely
        && !stream->stale)
    {
        if (ngx_current_msec - stream->told
            < ngx_http_ticket_stream_pause(stream))
        {
            return NGX_OK;
        }

        flags = NGX_HTTP_TICKET_STREAM_BEAT;
    }

    return ngx_http_ticket_stream_position(stream, rank, picture->waiting,
                                           flags);
}


/* nobody knows anything new about him */

static ngx_int_t
ngx_http_ticket_stream_quiet(ngx_http_ticket_stream_t *stream)
{
    uint64_t                    age;
    ngx_msec_t                  old;
    ngx_http_ticket_picture_t  *picture;

    picture = &stream->hook.room->picture;

    age = ngx_http_ticket_usec() - picture->seen;
    old = ngx_max(3 * stream->ctx->tmcf->queue_tick,
                  NGX_HTTP_TICKET_STREAM_OLD);

    if (age > (uint64_t) old * 1000 && !stream->stale) {
        return ngx_http_ticket_stream_position(stream, stream->rank,
                                               stream->waiting,
                                               NGX_HTTP_TICKET_STREAM_STALE);
    }

    if (ngx_current_msec - stream->sse.sent
        < ngx_http_ticket_stream_pause(stream))
    {
        return NGX_OK;
    }

    return ngx_http_ticket_stream_heartbeat(stream);
}


/* how long a stream may be silent, ms */

static ngx_msec_t
ngx_http_ticket_stream_pause(ngx_http_ticket_stream_t *stream)
{
    return ngx_min(15 * stream->ctx->tmcf->queue_tick,
                   NGX_HTTP_TICKET_STREAM_PAUSE);
}
