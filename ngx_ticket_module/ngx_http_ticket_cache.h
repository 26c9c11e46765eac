/*
 * What a ticket has left, at most 200 ms old, for everybody who only looks:
 * one table in shared memory for all workers, and one question to Redis at a
 * time for each ticket.
 */

#ifndef _NGX_HTTP_TICKET_CACHE_H_INCLUDED_
#define _NGX_HTTP_TICKET_CACHE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_HTTP_TICKET_CACHE_SETS   256
#define NGX_HTTP_TICKET_CACHE_WAYS   4

/* microseconds: no older answer is given; older ones are asked for anew while
 * they are still given */
#define NGX_HTTP_TICKET_CACHE_AGE    200000
#define NGX_HTTP_TICKET_CACHE_SOFT   100000


/* -1: none, or not known */

typedef struct {
    int64_t                           capacity;
    int64_t                           remaining;
    int64_t                           per_user;
    int64_t                           lanes;
    int64_t                           opens_at;     /* ms */
    int64_t                           closes_at;
    size_t                            state_len;
    u_char                            state[16];
    ngx_uint_t                        persisted;
} ngx_http_ticket_status_t;


typedef struct {
    u_char                            key[16];      /* MD5: server, ticket */
    uint64_t                          sent;     /* when asked; 0: empty */
    uint64_t                          claimed;  /* somebody asks since */
    ngx_http_ticket_status_t          status;
} ngx_http_ticket_cache_entry_t;


typedef struct {
    ngx_http_ticket_cache_entry_t     entries[NGX_HTTP_TICKET_CACHE_SETS]
                                             [NGX_HTTP_TICKET_CACHE_WAYS];
} ngx_http_ticket_cache_t;


#endif /* _NGX_HTTP_TICKET_CACHE_H_INCLUDED_ */
