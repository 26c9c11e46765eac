/*
 * The waiting rooms of one Redis as one worker sees them.  Each tick the
 * script queue_advance lets in who is next and draws a picture of the room;
 * from it everybody who waits here is told his place, so that the calls to
 * Redis do not grow with the number of those who wait.
 */

#ifndef _NGX_HTTP_TICKET_ROOM_H_INCLUDED_
#define _NGX_HTTP_TICKET_ROOM_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_ticket_module.h"
#include "ngx_http_ticket_result.h"


#define NGX_HTTP_TICKET_ROOM_HEAD      200  /* scores known one by one */
#define NGX_HTTP_TICKET_ROOM_SAMPLES   129  /* of those behind them */
#define NGX_HTTP_TICKET_ROOM_HEX       64   /* SHA-256, and the seed */

/* numbers of the opening draw are smaller, all others are above */
#define NGX_HTTP_TICKET_ROOM_DRAWN     ((uint64_t) 1 << 22)


typedef enum {
    NGX_HTTP_TICKET_ROOM_OPEN = 0,
    NGX_HTTP_TICKET_ROOM_PAUSED,
    NGX_HTTP_TICKET_ROOM_DRAINING,
    NGX_HTTP_TICKET_ROOM_CLOSED
} ngx_http_ticket_room_state_e;


typedef enum {
    NGX_HTTP_TICKET_DRAW_NONE = 0,
    NGX_HTTP_TICKET_DRAW_COLLECTING,    /* nobody has a position yet */
    NGX_HTTP_TICKET_DRAW_DRAWN
} ngx_http_ticket_draw_e;


/* the answer of the last queue_advance; times in ms of Redis' clock */
typedef struct {
    uint64_t                          seen;     /* ngx_http_ticket_usec();
                                                   0: there is none */
    int64_t                           now;
    ngx_http_ticket_room_state_e      state;
    int64_t                           waiting;
    int64_t                           live;     /* passes */
    int64_t                           left;     /* -1: no tickets to sell */
    int64_t                           capacity;
    int64_t                           pace;     /* 0.001 admissions a second */
    int64_t                           rate;     /* a second; -1: no limit */
    int64_t                           lag;
    int64_t                           issued;
    int64_t                           used;
    int64_t                           expired;
    int64_t                           returned;
    ngx_http_ticket_draw_e            draw;
    int64_t                           opens_at; /* -1: is open */
    int64_t                           drawn;    /* who takes part */
    int64_t                           pass_ttl;
    int64_t                           base;     /* another one: the line was
                                                   lost */
    ngx_uint_t                        unsure;   /* more may be left */

    ngx_uint_t                        hash_len;
    ngx_uint_t                        seed_len; /* 0 until it is drawn */
    u_char                            hash[NGX_HTTP_TICKET_ROOM_HEX];
    u_char                            seed[NGX_HTTP_TICKET_ROOM_HEX];

    ngx_uint_t                        nhead;
    ngx_uint_t                        nsamples;
    uint64_t                          head[NGX_HTTP_TICKET_ROOM_HEAD];
    uint64_t                          samples[NGX_HTTP_TICKET_ROOM_SAMPLES];
} ngx_http_ticket_picture_t;


typedef struct ngx_http_ticket_room_s   ngx_http_ticket_room_t;
typedef struct ngx_http_ticket_rooms_s  ngx_http_ticket_rooms_t;


/* what a stream is told */
typedef enum {
    NGX_HTTP_TICKET_ROOM_PICTURE = 0,   /* room->picture is new */
    NGX_HTTP_TICKET_ROOM_BEAT,          /* nothing new: Redis did not answer,
                                           or a tick is longer than 1 s */
    NGX_HTTP_TICKET_ROOM_GONE,          /* there is no such room any more */
    NGX_HTTP_TICKET_ROOM_EXIT           /* the worker leaves */
} ngx_http_ticket_room_news_e;


typedef struct ngx_http_ticket_hook_s  ngx_http_ticket_hook_t;

/* May take its own hook off, which after GONE it has to, and any other one.
 * After EXIT all take theirs off as soon as they can: the worker waits. */
typedef void (*ngx_http_ticket_hook_pt)(ngx_http_ticket_hook_t *hook,
    ngx_http_ticket_room_news_e news);

struct ngx_http_ticket_hook_s {
    ngx_queue_t                       queue;
    ngx_http_ticket_room_t           *room;     /* NULL: hangs nowhere */
    ngx_http_ticket_hook_pt           handler;
};


/* who waits for the first picture */
typedef struct {
    ngx_queue_t                       queue;
    void                            (*handler)(void *data,
                                          ngx_http_ticket_room_t *room,
                                          ngx_http_ticket_result_e failed);
    void                             *data;
} ngx_http_ticket_room_waiter_t;


struct ngx_http_ticket_room_s {
    ngx_str_node_t                    sn;       /* str: the name */
    ngx_http_ticket_rooms_t          *rooms;
    ngx_str_t                         tickets;  /* it guards; for scripts */
    ngx_http_ticket_picture_t         picture;

    /* of room*.c alone */
    ngx_queue_t                       queue;    /* of all rooms */
    ngx_queue_t                       hooks;    /* told of this news */
    ngx_queue_t                       due;      /* not yet */
    ngx_queue_t                       waiters;
    ngx_event_t                       telling;
    ngx_uint_t                        streams;
    ngx_http_ticket_room_news_e       news;
    ngx_msec_t                        used;     /* ngx_current_msec */
    ngx_msec_t                        listed;   /* by `queues` */
    ngx_msec_t                        asked;
    ngx_uint_t                        again;    /* calls after one another */

    /* of stream.c alone: streams whose place is to be asked for */
    ngx_queue_t                       checks;   /* not yet */
    ngx_uint_t                        checking; /* it is under way */

    unsigned                          in_list:1;    /* `queues` has it */
    unsigned                          asking:1;     /* a call is under way */
    unsigned                          wrong:1;      /* tickets, a moment ago */
    unsigned                          unknown:1;    /* Redis has no such */
    unsigned                          gone:1;       /* all are told so */
};


struct ngx_http_ticket_rooms_s {
    ngx_http_ticket_main_conf_t      *tmcf;
    ngx_http_ticket_redis_conf_t     *conf;
    ngx_log_t                        *log;

    ngx_rbtree_t                      tree;
    ngx_rbtree_node_t                 sentinel;
    ngx_queue_t                       all;
    ngx_uint_t                        n;
    ngx_uint_t                        streams;

    ngx_event_t                       timer;
    ngx_msec_t                        ticked;
    uint64_t                          cursor;   /* of the list */
    ngx_uint_t                        pages;    /* of it, in this tick */
    ngx_queue_t                       entries;  /* of ..._entry.c */
    time_t                            full;     /* logged last */

    unsigned                          scanning:1;
    unsigned                          leaving:1;
};


/* init_process, after the connection; NULL: no memory */
ngx_http_ticket_rooms_t *ngx_http_ticket_rooms_create(ngx_cycle_t *cycle,
    ngx_http_ticket_main_conf_t *tmcf, ngx_http_ticket_redis_conf_t *conf);

/* exit_process, when no call is open any more */
void ngx_http_ticket_rooms_destroy(ngx_http_ticket_rooms_t *rooms);


/* The room of this name, made if need be, which may turn out not to exist:
 * then it is gone in a moment.  NULL: no memory, or too many rooms. */
ngx_http_ticket_room_t *ngx_http_ticket_room_get(
    ngx_http_ticket_rooms_t *rooms, ngx_str_t *name);

/* NGX_OK: the room has a picture.  NGX_AGAIN: the handler is called when it
 * has one, or with `failed` when none is to be had; who gives up removes
 * waiter->queue.  NGX_DECLINED, NGX_BUSY: no call can be made, and the room
 * may be gone. */
ngx_int_t ngx_http_ticket_room_await(ngx_http_ticket_room_t *room,
    ngx_http_ticket_room_waiter_t *waiter);

/* a script said that the room guards these */
ngx_int_t ngx_http_ticket_room_tickets(ngx_http_ticket_room_t *room,
    ngx_str_t *tickets);

/* asks for a new picture now: something was changed */
void ngx_http_ticket_room_refresh(ngx_http_ticket_room_t *room);


/* A stream: from now on hook->handler is called after each tick.  While it
 * hangs there the room stays, and so does a worker that is to exit. */
void ngx_http_ticket_room_hang(ngx_http_ticket_room_t *room,
    ngx_http_ticket_hook_t *hook);
void ngx_http_ticket_room_unhang(ngx_http_ticket_hook_t *hook);


/*
 * What the picture says; room_rank.c.  Ranks are 0-based: how many are ahead.
 */

/* Whose score is not in line, for all the picture shows, has -1: he has a
 * pass, or was taken out.  Exact for the first 200, else interpolated. */
int64_t ngx_http_ticket_room_rank(ngx_http_ticket_picture_t *picture,
    uint64_t score);

/* Redis' clock now, ms */
int64_t ngx_http_ticket_room_now(ngx_http_ticket_picture_t *picture);

/* seconds until it is his turn, -1: nobody knows */
int64_t ngx_http_ticket_room_eta(ngx_http_ticket_picture_t *picture,
    int64_t rank);

/* ms after which to ask again, with jitter; rank -1: the draw is yet to come */
ngx_msec_t ngx_http_ticket_room_poll(ngx_http_ticket_room_t *room,
    int64_t rank);

/* less is to be had than there are live passes and people up to him */
ngx_uint_t ngx_http_ticket_room_unlikely(ngx_http_ticket_picture_t *picture,
    int64_t rank);

/* the draw is yet to come: no position, score or seed may be told to who has
 * this number; now: ms of Redis' clock */
ngx_uint_t ngx_http_ticket_room_drawing(ngx_http_ticket_picture_t *picture,
    uint64_t number, int64_t now);

/* open, paused, draining, closed */
ngx_str_t *ngx_http_ticket_room_state_name(ngx_http_ticket_room_state_e state);


/* room_advance.c, for room.c: one queue_advance, if none is under way */
ngx_int_t ngx_http_ticket_room_advance(ngx_http_ticket_room_t *room);

/* room.c, for room_advance.c: what became of it; the room may be gone */
void ngx_http_ticket_room_answered(ngx_http_ticket_room_t *room,
    ngx_http_ticket_result_e failed);

/* room_hook.c, for room.c: all streams of the room, some at a time; and the
 * handler of room->telling */
void ngx_http_ticket_room_tell(ngx_http_ticket_room_t *room,
    ngx_http_ticket_room_news_e news);
void ngx_http_ticket_room_telling(ngx_event_t *ev);

/* room_list.c, for room.c: goes through the names in `queues` */
void ngx_http_ticket_rooms_list(ngx_http_ticket_rooms_t *rooms);

/* room.c, for room_list.c: `queues` has this name */
void ngx_http_ticket_rooms_listed(ngx_http_ticket_rooms_t *rooms,
    ngx_str_t *name);


#endif /* _NGX_HTTP_TICKET_ROOM_H_INCLUDED_ */
