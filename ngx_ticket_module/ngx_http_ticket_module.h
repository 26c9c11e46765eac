/*
 * What the files of the module share: configuration and the module itself.
 */

#ifndef _NGX_HTTP_TICKET_MODULE_H_INCLUDED_
#define _NGX_HTTP_TICKET_MODULE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_ticket_shm.h"
#include "ngx_http_ticket_redis.h"
#include "ngx_http_ticket_batch.h"
#include "ngx_http_ticket_kafka.h"
#include "ngx_http_ticket_pass.h"


/* the smallest ticket_zone, and the one made when none is given */
#define NGX_HTTP_TICKET_ZONE_MIN      (512 * 1024)
#define NGX_HTTP_TICKET_ZONE_DEFAULT  (2 * 1024 * 1024)


typedef enum {
    NGX_HTTP_TICKET_BOOK = 0,
    NGX_HTTP_TICKET_CANCEL,
    NGX_HTTP_TICKET_BOOKING,
    NGX_HTTP_TICKET_TICKET,
    NGX_HTTP_TICKET_ADMIN,
    NGX_HTTP_TICKET_BOOKINGS,
    NGX_HTTP_TICKET_QUEUE,
    NGX_HTTP_TICKET_QUEUE_EVENTS,
    NGX_HTTP_TICKET_QUEUE_ADMIN,
    NGX_HTTP_TICKET_METRICS,
    NGX_HTTP_TICKET_HEALTH,
    NGX_HTTP_TICKET_READY,
    NGX_HTTP_TICKET_GATE,       /* no name for "ticket": a location that
                                   has a room and no action */
    NGX_HTTP_TICKET_ACTIONS
} ngx_http_ticket_action_e;


/* what "ticket_queue" says of a location */
typedef enum {
    NGX_HTTP_TICKET_QUEUE_UNSET = 0,
    NGX_HTTP_TICKET_QUEUE_OFF,
    NGX_HTTP_TICKET_QUEUE_ON,       /* the room of the ticket's hash tag */
    NGX_HTTP_TICKET_QUEUE_NAMED     /* ..._loc_conf_t.queue is its name */
} ngx_http_ticket_queue_mode_e;


/* what brings a place */
typedef enum {
    NGX_HTTP_TICKET_FROM_HEADER = 0,    /* $http_ticket_place */
    NGX_HTTP_TICKET_FROM_EVENT,         /* $http_last_event_id */
    NGX_HTTP_TICKET_FROM_COOKIE,        /* $cookie_ticket_place */
    NGX_HTTP_TICKET_FROM_LAST
} ngx_http_ticket_from_e;


/* where a directive says an input comes from */
typedef struct {
    ngx_http_complex_value_t          value;
    ngx_int_t                         index;    /* the value is this variable
                                                   alone; NGX_ERROR: is not */
    unsigned                          encoded:1;    /* $arg_...: nginx has not
                                                       decoded it */
} ngx_http_ticket_input_t;


typedef struct {
    ngx_shm_zone_t                   *zone;
    ngx_array_t                       redis;    /* of ..._redis_conf_t * */
    ngx_http_ticket_kafka_conf_t      kafka;
    ngx_uint_t                        max_pending;
    ngx_uint_t                        used;     /* some location answers */
    ngx_uint_t                        queues;   /* some location has a room */
    ngx_msec_t                        queue_tick;
    ngx_int_t                         place[NGX_HTTP_TICKET_FROM_LAST];
    ngx_http_ticket_input_t          *key;      /* $http_idempotency_key */
    ngx_http_ticket_input_t          *pass_header;  /* $http_ticket_pass */
    ngx_http_ticket_input_t          *pass_cookie;  /* $cookie_ticket_pass */
    ticket_pass_keys_t               *pass_keys;    /* NULL: none */

    /* set by the zone's init, in the master */
    ngx_http_ticket_shctx_t          *sh;
    ngx_slab_pool_t                  *shpool;

    /* this worker's, set in init_process */
    ngx_http_ticket_kafka_t          *producer;
    ngx_uint_t                        started;
    ngx_uint_t                        exiting;  /* answer nobody any more */
    ngx_uint_t                        calls;    /* single calls in flight */
    ngx_rbtree_t                      flights;  /* of availability */
    ngx_rbtree_node_t                 sentinel;
} ngx_http_ticket_main_conf_t;


typedef struct {
    ngx_uint_t                        actions;  /* bits 1 << action */
    ngx_http_ticket_input_t          *name;
    ngx_http_ticket_input_t          *user;
    ngx_http_ticket_input_t          *quantity;
    ngx_http_ticket_input_t          *key;
    ngx_http_ticket_redis_conf_t     *redis;

    ngx_http_ticket_queue_mode_e      queue_mode;
    ngx_http_ticket_input_t          *queue;
    ngx_http_ticket_input_t          *pass;
    ngx_http_complex_value_t         *queue_page;   /* NULL: none */
    ngx_http_complex_value_t         *queue_bypass;
    ngx_uint_t                        queue_fail_open;

    ngx_uint_t                        max_backlog;
    size_t                            max_body;

    /* where "ticket" stands, for what can be checked after merging only */
    u_char                           *file;
    ngx_uint_t                        line;
} ngx_http_ticket_loc_conf_t;


/* setters with parameters, ngx_http_ticket_conf.c and ..._conf_redis.c */
char *ngx_http_ticket_conf_redis(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_ticket_conf_kafka(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_ticket_conf_zone(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* setter of the inputs, and what it does; NULL: no memory, or a line in the
 * log.  ngx_http_ticket_conf_input.c */
char *ngx_http_ticket_conf_input(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
ngx_http_ticket_input_t *ngx_http_ticket_conf_input_compile(ngx_conf_t *cf,
    ngx_str_t *text);

/* setter of "ticket_queue", and what is checked of a location that names a
 * room; ngx_http_ticket_conf_queue.c */
char *ngx_http_ticket_conf_queue(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_ticket_conf_queue_merge(ngx_conf_t *cf,
    ngx_http_ticket_loc_conf_t *prev, ngx_http_ticket_loc_conf_t *conf);

/* whether a "ticket_queue_page" is a path of this host, and no header more */
ngx_uint_t ngx_http_ticket_conf_queue_page_valid(ngx_str_t *page);

extern ngx_conf_enum_t  ngx_http_ticket_conf_queue_fails[];
extern ngx_conf_post_t  ngx_http_ticket_conf_queue_tick_post;

/* setter of "ticket_pass_keys", and whether a location lacks it;
 * ngx_http_ticket_conf_pass.c */
char *ngx_http_ticket_conf_pass_keys(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_ticket_conf_pass_check(ngx_conf_t *cf,
    ngx_http_ticket_loc_conf_t *conf);

/* setter of "ticket", ngx_http_ticket_method.c */
char *ngx_http_ticket_conf_ticket(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* init of the zone: `data` of both the old and the new one is the main conf */
ngx_int_t ngx_http_ticket_shm_init(ngx_shm_zone_t *zone, void *old);

/* preconfiguration: the $ticket_ variables */
ngx_int_t ngx_http_ticket_add_variables(ngx_conf_t *cf);


extern ngx_module_t  ngx_http_ticket_module;


#endif /* _NGX_HTTP_TICKET_MODULE_H_INCLUDED_ */
