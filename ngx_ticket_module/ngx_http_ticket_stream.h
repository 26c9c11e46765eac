/*
 * A user who waits in a room and hears of it over server-sent events.
 */

#ifndef _NGX_HTTP_TICKET_STREAM_H_INCLUDED_
#define _NGX_HTTP_TICKET_STREAM_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_ticket_entry.h"
#include "ngx_http_ticket_sse.h"


typedef struct {
    ngx_http_ticket_sse_t             sse;
    ngx_http_ticket_ctx_t            *ctx;
    ngx_http_ticket_hook_t            hook;
    ngx_http_ticket_entry_t          *entry;    /* the question under way */
    ngx_queue_t                       queue;    /* of room->checks */

    ngx_http_ticket_place_t           place;
    uint64_t                          score;
    int64_t                           now;      /* ms, Redis' clock; a picture
                                                   that is not younger may not
                                                   yet have him */
    uint64_t                          life;     /* of the room */
    ngx_str_t                         id;       /* of events: the place,
                                                   signed */

    /* what he was told last */
    ngx_msec_t                        told;     /* ngx_current_msec */
    int64_t                           rank;     /* how many are ahead; -1: the
                                                   draw is yet to come */
    int64_t                           waiting;
    ngx_http_ticket_room_state_e      state;    /* of the room */
    unsigned                          unlikely:1;
    unsigned                          stale:1;

    unsigned                          queued:1;     /* in room->checks */
} ngx_http_ticket_stream_t;


/*
 * ngx_http_ticket_stream_check.c
 */

/* Redis said that he waits, and where; NGX_ERROR: no memory */
ngx_int_t ngx_http_ticket_stream_place(ngx_http_ticket_stream_t *stream,
    ngx_http_ticket_entry_t *entry);

/* Another one: the room's line was lost with the server's memory, or the
 * server is another one, which may lack those who came last. */
uint64_t ngx_http_ticket_stream_life(ngx_http_ticket_room_t *room);

/* Asks where he stands, when it is his turn to ask, and tells him; the request
 * may be finalized then, and not before. */
void ngx_http_ticket_stream_check(ngx_http_ticket_stream_t *stream);

/* he need not be told any more, of his first question either */
void ngx_http_ticket_stream_uncheck(ngx_http_ticket_stream_t *stream);


/*
 * ngx_http_ticket_stream_event.c: each sends one event (WHATWG HTML, 9.2.5)
 * with a JSON object as its data.  NGX_OK, NGX_BUSY: left out; NGX_ERROR: the
 * request has to be ended.
 */

/* "position": the place as POST /queues/S tells it.  FIRST: with `retry:`.
 * STALE: with "stale": true, because nobody knows how the line is.  BEAT: with
 * a heartbeat. */
ngx_int_t ngx_http_ticket_stream_position(ngx_http_ticket_stream_t *stream,
    int64_t rank, int64_t waiting, ngx_uint_t flags);

#define NGX_HTTP_TICKET_STREAM_FIRST  1
#define NGX_HTTP_TICKET_STREAM_STALE  2
#define NGX_HTTP_TICKET_STREAM_BEAT   4

/* a comment, so that nobody in between takes the stream for dead */
ngx_int_t ngx_http_ticket_stream_heartbeat(ngx_http_ticket_stream_t *stream);

/*
 * The last event; then the request is counted and finalized.
 */

/* "pass": what POST /queues/S answers who is admitted */
void ngx_http_ticket_stream_pass(ngx_http_ticket_stream_t *stream,
    ngx_http_ticket_entry_t *entry);

/* "closed", with the code of the result: QUEUE_CLOSED, UNKNOWN_QUEUE or
 * NOT_WAITING */
void ngx_http_ticket_stream_closed(ngx_http_ticket_stream_t *stream,
    ngx_http_ticket_result_e result);

/* "reload": the worker leaves; with `retry:` so that they do not all come back
 * in one moment */
void ngx_http_ticket_stream_reload(ngx_http_ticket_stream_t *stream);


#endif /* _NGX_HTTP_TICKET_STREAM_H_INCLUDED_ */
