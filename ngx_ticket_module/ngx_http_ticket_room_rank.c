
/*
 * What a picture of a room says to somebody who waits.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_ticket_room.h"


#define NGX_HTTP_TICKET_POLL_MAX    30000       /* ms */
#define NGX_HTTP_TICKET_POLL_RANK   20          /* ms for each ahead */


static ngx_uint_t ngx_http_ticket_room_below(uint64_t *scores, ngx_uint_t n,
    uint64_t score);


static ngx_str_t  ngx_http_ticket_room_states[] = {
    ngx_string("open"),
    ngx_string("paused"),
    ngx_string("draining"),
    ngx_string("closed")
};


ngx_str_t *
ngx_http_ticket_room_state_name(ngx_http_ticket_room_state_e state)
{
    return &ngx_http_ticket_room_states[state];
}


/* how many of n ascending scores are smaller */

static ngx_uint_t
ngx_http_ticket_room_below(uint64_t *scores, ngx_uint_t n, uint64_t score)
{
    ngx_uint_t  low, high, middle;

    low = 0;
    high = n;

    while (low < high) {
        middle = (low + high) / 2;

        if (scores[middle] < score) {
            low = middle + 1;

        } else {
            high = middle;
        }
    }

    return low;
}


int64_t
ngx_http_ticket_room_rank(ngx_http_ticket_picture_t *picture, uint64_t score)
{
    int64_t     waiting, first, last, rank;
    uint64_t    low, high;
    ngx_uint_t  i;

    i = ngx_http_ticket_room_below(picture->head, picture->nhead, score);

    if (i < picture->nhead) {
        return picture->head[i] == score ? (int64_t) i : -1;
    }

    /* behind them, or newer than the picture */

    waiting = picture->waiting;

    if (picture->nhead == 0 || waiting <= (int64_t) picture->nhead
        || picture->nsamples == 0)
    {
        return picture->nhead == 0 ? -1 : ngx_max(waiting, (int64_t) i);
    }

    i = ngx_http_ticket_room_below(picture->samples, picture->nsamples, score);

    if (i == picture->nsamples) {
        return waiting;
    }

    /* sample j has the rank 200 + j * (waiting - 201) / 128 */

    last = NGX_HTTP_TICKET_ROOM_HEAD
           + (int64_t) i * (waiting - NGX_HTTP_TICKET_ROOM_HEAD - 1)
             / (NGX_HTTP_TICKET_ROOM_SAMPLES - 1);

    if (i == 0) {
        first = NGX_HTTP_TICKET_ROOM_HEAD - 1;
        low = picture->head[picture->nhead - 1];

    } else {
        first = NGX_HTTP_TICKET_ROOM_HEAD
                + (int64_t) (i - 1) * (waiting - NGX_HTTP_TICKET_ROOM_HEAD - 1)
                  / (NGX_HTTP_TICKET_ROOM_SAMPLES - 1);
        low = picture->samples[i - 1];
    }

    high = picture->samples[i];

    if (high <= low || score >= high) {
        return last;
    }

    rank = first + (int64_t) ((double) (score - low) / (double) (high - low)
                              * (double) (last - first) + 0.5);

    return ngx_max(rank, NGX_HTTP_TICKET_ROOM_HEAD);
}


int64_t
ngx_http_ticket_room_now(ngx_http_ticket_picture_t *picture)
{
    return picture->now
           + (int64_t) ((ngx_http_ticket_usec() - picture->seen) / 1000);
}


int64_t
ngx_http_ticket_room_eta(ngx_http_ticket_picture_t *picture, int64_t rank)
{
    double   pace;
    int64_t  until;

    if (rank < 0
        || picture->seen == 0
        || picture->state == NGX_HTTP_TICKET_ROOM_PAUSED
        || picture->state == NGX_HTTP_TICKET_ROOM_CLOSED)
    {
        return -1;
    }

    if (picture->pace > 0) {
        pace = (double) picture->pace / 1000;

    } else if (picture->pass_ttl > 0) {

        /* not measured yet: as if everybody kept his pass to its end */

        pace = (double) picture->capacity * 1000 / (double) picture->pass_ttl;

        if (picture->rate > 0) {
            pace = ngx_min(pace, (double) picture->rate);
        }

    } else {
        return -1;
    }

    until = 0;

    if (picture->opens_at > 0) {
        until = picture->opens_at - ngx_http_ticket_room_now(picture);
        until = ngx_max(until, 0);
    }

    return (int64_t) ((double) rank / pace + (double) until / 1000 + 0.999);
}


ngx_msec_t
ngx_http_ticket_room_poll(ngx_http_ticket_room_t *room, int64_t rank)
{
    int64_t                     eta, ms, tick;
    ngx_http_ticket_picture_t  *picture;

    picture = &room->picture;
    tick = (int64_t) room->rooms->tmcf->queue_tick;

    eta = ngx_http_ticket_room_eta(picture, rank);

    if (eta >= 0) {
        ms = eta * 1000 / 4;

    } else if (rank >= 0) {
        ms = rank * NGX_HTTP_TICKET_POLL_RANK;

    } else {
        ms = (picture->opens_at - ngx_http_ticket_room_now(picture)) / 4;
    }

    ms = ngx_min(ms, NGX_HTTP_TICKET_POLL_MAX);

    /* whoever may be let in any moment shall not sleep through his pass */

    if (rank >= 0 && rank < picture->capacity && picture->pass_ttl > 0) {
        ms = ngx_min(ms, picture->pass_ttl / 3);
    }

    ms = ngx_max(ms, tick);

    /* 80 % to 120 % of it, so that they do not all come in one moment */

    return (ngx_msec_t) (ms * (int64_t) (800 + ngx_random() % 401) / 1000);
}


ngx_uint_t
ngx_http_ticket_room_unlikely(ngx_http_ticket_picture_t *picture,
    int64_t rank)
{
    return picture->seen != 0
           && picture->left >= 0
           && !picture->unsure
           && rank >= 0
           && picture->left < picture->live + rank + 1;
}


ngx_uint_t
ngx_http_ticket_room_drawing(ngx_http_ticket_picture_t *picture,
    uint64_t number, int64_t now)
{
    if (picture->draw == NGX_HTTP_TICKET_DRAW_COLLECTING) {
        return now < picture->opens_at;
    }

    /* a draw this picture does not know of yet */

    return picture->draw == NGX_HTTP_TICKET_DRAW_NONE
           && number > 0
           && number < NGX_HTTP_TICKET_ROOM_DRAWN;
}
