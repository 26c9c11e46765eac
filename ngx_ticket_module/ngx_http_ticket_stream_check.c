
/*
 * Where somebody who waits stands, asked again for his stream: when the
 * picture does not show him, or the line may have been lost.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_ticket_queue.h"
#include "ngx_http_ticket_queue_metrics.h"
#include "ngx_http_ticket_stream.h"


/*
 * Questions of the streams of a room that are under way.  When thousands are
 * admitted at once, the next is asked when one is answered: they go as fast as
 * Redis answers, and a booking meets no more than these few before it.
 */
#define NGX_HTTP_TICKET_STREAM_CHECKS  32


static void ngx_http_ticket_stream_checks(ngx_http_ticket_room_t *room);
static void ngx_http_ticket_stream_checked(void *data,
    ngx_http_ticket_entry_t *entry);


ngx_int_t
ngx_http_ticket_stream_place(ngx_http_ticket_stream_t *stream,
    ngx_http_ticket_entry_t *entry)
{
    ngx_http_ticket_ctx_t     *ctx;
    ngx_http_ticket_token_t    token;
    ngx_http_ticket_waiter_t   waiter;

    ctx = stream->ctx;

    stream->score = entry->score;
    stream->now = entry->now;
    stream->life = ngx_http_ticket_stream_life(entry->room);

    if (stream->id.len != 0 && stream->place.number == entry->number) {
        return NGX_OK;
    }

    if (stream->place.number != entry->number) {
        stream->place.number = entry->number;
        stream->place.entered = entry->now;
    }

    waiter.room = entry->room;
    waiter.user = &ctx->user;
    waiter.number = entry->number;
    waiter.now = entry->now;

    if (ngx_http_ticket_queue_sign_place(ctx->tmcf, &waiter, &stream->place,
                                         &token)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    stream->id.data = ngx_pnalloc(ctx->request->pool, token.len);
    if (stream->id.data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(stream->id.data, token.data, token.len);
    stream->id.len = token.len;

    return NGX_OK;
}


uint64_t
ngx_http_ticket_stream_life(ngx_http_ticket_room_t *room)
{
    ngx_http_ticket_redis_info_t  *info;

    info = ngx_http_ticket_redis_info(room->rooms->conf->redis);

    return (uint64_t) room->picture.base
           ^ (uint64_t) ngx_crc32_short(info->replid, sizeof(info->replid) - 1)
             << 32;
}


void
ngx_http_ticket_stream_check(ngx_http_ticket_stream_t *stream)
{
    ngx_http_ticket_room_t  *room;

    room = stream->hook.room;

    if (!stream->queued && stream->entry == NULL) {
        stream->queued = 1;
        ngx_queue_insert_tail(&room->checks, &stream->queue);
    }

    ngx_http_ticket_stream_checks(room);
}


void
ngx_http_ticket_stream_uncheck(ngx_http_ticket_stream_t *stream)
{
    if (stream->queued) {
        stream->queued = 0;
        ngx_queue_remove(&stream->queue);
    }

    if (stream->entry == NULL) {
        return;
    }

    ngx_http_ticket_entry_forget(stream->entry);
    stream->entry = NULL;

    if (stream->hook.room != NULL) {
        stream->hook.room->checking--;
    }
}


/* what cannot be asked at the moment is at the next news */

static void
ngx_http_ticket_stream_checks(ngx_http_ticket_room_t *room)
{
    ngx_int_t                  rc;
    ngx_queue_t               *q;
    ngx_http_ticket_ctx_t     *ctx;
    ngx_http_ticket_stream_t  *stream;

    while (room->checking < NGX_HTTP_TICKET_STREAM_CHECKS
           && !ngx_queue_empty(&room->checks))
    {
        q = ngx_queue_head(&room->checks);
        stream = ngx_queue_data(q, ngx_http_ticket_stream_t, queue);
        ctx = stream->ctx;

        rc = ngx_http_ticket_entry_start(ctx->tmcf, ctx->tlcf->redis,
                                         &ctx->room, &ctx->user, 0,
                                         &stream->place, 0,
                                         ngx_http_ticket_stream_checked,
                                         stream, &stream->entry);
        if (rc != NGX_OK) {
            return;
        }

        stream->queued = 0;
        ngx_queue_remove(q);
        room->checking++;
    }
}


static void
ngx_http_ticket_stream_checked(void *data, ngx_http_ticket_entry_t *entry)
{
    ngx_http_ticket_stream_t *stream = data;

    ngx_int_t                rc;
    ngx_connection_t        *c;
    ngx_http_ticket_room_t  *room;

    room = stream->hook.room;
    c = ngx_http_ticket_enter(stream->ctx);

    stream->entry = NULL;
    room->checking--;

    rc = NGX_OK;

    switch (entry->result) {

    case NGX_HTTP_TICKET_RESULT_WAITING:
        rc = ngx_http_ticket_stream_place(stream, entry);

        if (rc == NGX_OK) {
            rc = ngx_http_ticket_stream_position(stream, entry->rank,
                                                 entry->waiting, 0);
        }

        break;

    case NGX_HTTP_TICKET_RESULT_ADMITTED:
        ngx_http_ticket_queue_waited(stream->ctx->tmcf, stream->place.entered,
                                     entry->now);
        ngx_http_ticket_stream_pass(stream, entry);
        break;

    case NGX_HTTP_TICKET_RESULT_NOT_WAITING:
    case NGX_HTTP_TICKET_RESULT_QUEUE_CLOSED:
    case NGX_HTTP_TICKET_RESULT_UNKNOWN_QUEUE:
        ngx_http_ticket_stream_closed(stream, entry->result);
        break;

    default:

        /* asked again at the next picture */

        break;
    }

    if (rc == NGX_ERROR) {
        ngx_http_finalize_request(stream->ctx->request, NGX_ERROR);
    }

    /* rooms that nobody hangs on are deleted by their timer only */

    ngx_http_ticket_stream_checks(room);

    ngx_http_ticket_leave(c);
}
