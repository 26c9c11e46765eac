/*
 * One queue_enter: into the line, or only asking for one's place.  For
 * whoever does so: a request, a gate, a stream.  Knows nothing of them: it
 * takes a {handler, data} pair.
 */

#ifndef _NGX_HTTP_TICKET_ENTRY_H_INCLUDED_
#define _NGX_HTTP_TICKET_ENTRY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_ticket_room.h"


/* a place that was shown, and is genuine; number 0: none */
typedef struct {
    uint64_t                          number;
    int64_t                           entered;  /* ms, Redis' clock */
} ngx_http_ticket_place_t;


typedef struct ngx_http_ticket_entry_s  ngx_http_ticket_entry_t;

typedef void (*ngx_http_ticket_entry_pt)(void *data,
    ngx_http_ticket_entry_t *entry);


struct ngx_http_ticket_entry_s {
    ngx_queue_t                       queue;    /* of the rooms; first */
    ngx_http_ticket_rooms_t          *rooms;
    ngx_http_ticket_entry_pt          handler;  /* NULL: nobody waits */
    void                             *data;
    uint64_t                          started;  /* ngx_http_ticket_usec() */
    uint64_t                          deadline; /* it does nothing later */

    /* the question */
    ngx_str_t                         name;     /* of the room */
    ngx_str_t                         user;
    ngx_uint_t                        join;     /* 0: he only asks */
    ngx_http_ticket_place_t           place;

    /* The answer, in the handler; gone after it.  WAITING, ADMITTED,
     * NOT_WAITING, QUEUE_CLOSED: the room has a picture; UNKNOWN_QUEUE,
     * RECOVERING, UNAVAILABLE, OVERLOADED, OUTCOME_UNKNOWN: room is NULL. */
    ngx_http_ticket_result_e          result;
    ngx_http_ticket_room_t           *room;
    int64_t                           now;      /* ms, Redis' clock */
    int64_t                           expires;  /* ADMITTED: ms */
    uint64_t                          number;   /* WAITING, and the rest */
    uint64_t                          score;
    int64_t                           rank;     /* how many are ahead; -1:
                                                   it is not to be told */
    int64_t                           waiting;
    int64_t                           live;     /* passes */
    ngx_str_t                         state;    /* QUEUE_CLOSED, NOT_WAITING */

    /* of entry.c alone */
    ngx_http_ticket_room_waiter_t     waiter;
    ngx_http_ticket_redis_waiter_t    starting;
    unsigned                          begins:1; /* waits for a connection */
    unsigned                          awaited:1;    /* waits for a picture */
    unsigned                          wrong:1;
};


/*
 * Asks; nothing is done after `deadline` (ngx_http_ticket_usec(); 0: timeout=
 * from now on), and the answer is UNAVAILABLE then.  NGX_OK: the handler will
 * be called exactly once, never from inside this call, unless ..._forget()
 * comes before.  NGX_DECLINED: no connection; NGX_BUSY: too much is under way;
 * then the handler is not called.
 */
ngx_int_t ngx_http_ticket_entry_start(ngx_http_ticket_main_conf_t *tmcf,
    ngx_http_ticket_redis_conf_t *conf, ngx_str_t *room, ngx_str_t *user,
    ngx_uint_t join, ngx_http_ticket_place_t *place, uint64_t deadline,
    ngx_http_ticket_entry_pt handler, void *data,
    ngx_http_ticket_entry_t **started);

/* nobody waits any more; what was sent is done all the same, if in time */
void ngx_http_ticket_entry_forget(ngx_http_ticket_entry_t *entry);

/* whether anything has been sent: if not, giving up changes nothing */
#define ngx_http_ticket_entry_unsent(entry)                                   \
    ((entry)->awaited || (entry)->begins)


#endif /* _NGX_HTTP_TICKET_ENTRY_H_INCLUDED_ */
