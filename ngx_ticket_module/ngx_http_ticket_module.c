
/*
 * The module: its directives, its configuration, its start and its end.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_ticket_request.h"
#include "ngx_http_ticket_gate.h"
#include "ngx_http_ticket_queue.h"


#define NGX_HTTP_TICKET_MAX_PENDING   4096
#define NGX_HTTP_TICKET_MAX_BACKLOG   2000000
#define NGX_HTTP_TICKET_QUEUE_TICK    1000


#define NGX_HTTP_TICKET_LOCAL_ACTIONS                                         \
    (ngx_http_ticket_bit(NGX_HTTP_TICKET_METRICS)                             \
     | ngx_http_ticket_bit(NGX_HTTP_TICKET_HEALTH)                            \
     | ngx_http_ticket_bit(NGX_HTTP_TICKET_READY))


static void *ngx_http_ticket_create_main_conf(ngx_conf_t *cf);
static char *ngx_http_ticket_init_main_conf(ngx_conf_t *cf, void *conf);
static char *ngx_http_ticket_default_inputs(ngx_conf_t *cf,
    ngx_http_ticket_main_conf_t *tmcf);
static ngx_http_ticket_input_t *ngx_http_ticket_default_input(ngx_conf_t *cf,
    const char *variable);
static void *ngx_http_ticket_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_ticket_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_http_ticket_merge_actions(ngx_conf_t *cf,
    ngx_http_ticket_loc_conf_t *prev, ngx_http_ticket_loc_conf_t *conf);
static char *ngx_http_ticket_check(ngx_conf_t *cf,
    ngx_http_ticket_loc_conf_t *conf, ngx_http_core_loc_conf_t *clcf);

static ngx_int_t ngx_http_ticket_init_process(ngx_cycle_t *cycle);
static void ngx_http_ticket_exit_process(ngx_cycle_t *cycle);


static ngx_conf_num_bounds_t  ngx_http_ticket_pending_bounds = {
    ngx_conf_check_num_bounds, 1, 1000000
};


static ngx_command_t  ngx_http_ticket_commands[] = {

    { ngx_string("ticket_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_ticket_conf_zone,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("ticket_kafka"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_http_ticket_conf_kafka,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("ticket_max_pending"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_ticket_main_conf_t, max_pending),
      &ngx_http_ticket_pending_bounds },

    { ngx_string("ticket_redis"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_ticket_conf_redis,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("ticket_max_backlog"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_ticket_loc_conf_t, max_backlog),
      NULL },

    { ngx_string("ticket"),
      NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_ticket_conf_ticket,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("ticket_name"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_ticket_conf_input,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_ticket_loc_conf_t, name),
      NULL },

    { ngx_string("ticket_user"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_ticket_conf_input,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_ticket_loc_conf_t, user),
      NULL },

    { ngx_string("ticket_quantity"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_ticket_conf_input,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_ticket_loc_conf_t, quantity),
      NULL },

    { ngx_string("ticket_idempotency_key"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_ticket_conf_input,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_ticket_loc_conf_t, key),
      NULL },

    { ngx_string("ticket_queue"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_ticket_conf_queue,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("ticket_pass_keys"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_ticket_conf_pass_keys,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("ticket_pass"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_ticket_conf_input,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_ticket_loc_conf_t, pass),
      NULL },

    { ngx_string("ticket_queue_page"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_set_complex_value_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_ticket_loc_conf_t, queue_page),
      NULL },

    { ngx_string("ticket_queue_fail"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_ticket_loc_conf_t, queue_fail_open),
      &ngx_http_ticket_conf_queue_fails },

    { ngx_string("ticket_queue_bypass"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_set_complex_value_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_ticket_loc_conf_t, queue_bypass),
      NULL },

    { ngx_string("ticket_queue_tick"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_ticket_main_conf_t, queue_tick),
      &ngx_http_ticket_conf_queue_tick_post },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_ticket_module_ctx = {
    ngx_http_ticket_add_variables,         /* preconfiguration */
    ngx_http_ticket_gate_init,             /* postconfiguration */

    ngx_http_ticket_create_main_conf,      /* create main configuration */
    ngx_http_ticket_init_main_conf,        /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_ticket_create_loc_conf,       /* create location configuration */
    ngx_http_ticket_merge_loc_conf         /* merge location configuration */
};


ngx_module_t  ngx_http_ticket_module = {
    NGX_MODULE_V1,
    &ngx_http_ticket_module_ctx,           /* module context */
    ngx_http_ticket_commands,              /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_http_ticket_init_process,          /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_ticket_exit_process,          /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static void *
ngx_http_ticket_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_ticket_main_conf_t  *tmcf;

    tmcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_ticket_main_conf_t));
    if (tmcf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&tmcf->redis, cf->pool, 2,
                       sizeof(ngx_http_ticket_redis_conf_t *))
        != NGX_OK)
    {
        return NULL;
    }

    tmcf->kafka.enabled = NGX_CONF_UNSET_UINT;
    tmcf->kafka.flush_timeout = NGX_CONF_UNSET_MSEC;
    tmcf->max_pending = NGX_CONF_UNSET_UINT;
    tmcf->queue_tick = NGX_CONF_UNSET_MSEC;

    return tmcf;
}


static char *
ngx_http_ticket_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_http_ticket_main_conf_t *tmcf = conf;

    ngx_str_t  name = ngx_string("ticket");

    ngx_conf_init_uint_value(tmcf->kafka.enabled, 0);
    ngx_conf_init_msec_value(tmcf->kafka.flush_timeout, 5000);
    ngx_conf_init_uint_value(tmcf->max_pending, NGX_HTTP_TICKET_MAX_PENDING);
    ngx_conf_init_msec_value(tmcf->queue_tick, NGX_HTTP_TICKET_QUEUE_TICK);

    if (!tmcf->used) {
        return NGX_CONF_OK;
    }

    if (tmcf->zone == NULL) {
        tmcf->zone = ngx_shared_memory_add(cf, &name,
                                           NGX_HTTP_TICKET_ZONE_DEFAULT,
                                           &ngx_http_ticket_module);
        if (tmcf->zone == NULL) {
            return NGX_CONF_ERROR;
        }

        tmcf->zone->init = ngx_http_ticket_shm_init;
        tmcf->zone->data = tmcf;
    }

    return ngx_http_ticket_default_inputs(cf, tmcf);
}


static char *
ngx_http_ticket_default_inputs(ngx_conf_t *cf,
    ngx_http_ticket_main_conf_t *tmcf)
{
    tmcf->key = ngx_http_ticket_default_input(cf, "$http_idempotency_key");
    tmcf->pass_header = ngx_http_ticket_default_input(cf,
                                                      "$http_ticket_pass");
    tmcf->pass_cookie = ngx_http_ticket_default_input(cf,
                                                      "$cookie_ticket_pass");

    if (tmcf->key == NULL || tmcf->pass_header == NULL
        || tmcf->pass_cookie == NULL)
    {
        return NGX_CONF_ERROR;
    }

    return ngx_http_ticket_queue_inputs(cf, tmcf);
}


static ngx_http_ticket_input_t *
ngx_http_ticket_default_input(ngx_conf_t *cf, const char *variable)
{
    ngx_str_t  value;

    value.data = (u_char *) variable;
    value.len = ngx_strlen(variable);

    return ngx_http_ticket_conf_input_compile(cf, &value);
}


static void *
ngx_http_ticket_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_ticket_loc_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_ticket_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     conf->actions = 0;
     *     conf->max_body = 0;
     *     conf->queue_mode = NGX_HTTP_TICKET_QUEUE_UNSET;
     *     conf->file = NULL;
     *     conf->line = 0;
     */

    conf->name = NGX_CONF_UNSET_PTR;
    conf->user = NGX_CONF_UNSET_PTR;
    conf->quantity = NGX_CONF_UNSET_PTR;
    conf->key = NGX_CONF_UNSET_PTR;
    conf->redis = NGX_CONF_UNSET_PTR;
    conf->queue = NGX_CONF_UNSET_PTR;
    conf->pass = NGX_CONF_UNSET_PTR;
    conf->queue_page = NGX_CONF_UNSET_PTR;
    conf->queue_bypass = NGX_CONF_UNSET_PTR;
    conf->queue_fail_open = NGX_CONF_UNSET_UINT;
    conf->max_backlog = NGX_CONF_UNSET_UINT;

    return conf;
}


static char *
ngx_http_ticket_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_ticket_loc_conf_t *prev = parent;
    ngx_http_ticket_loc_conf_t *conf = child;

    ngx_http_ticket_main_conf_t  *tmcf;

    tmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_ticket_module);

    ngx_conf_merge_ptr_value(conf->name, prev->name, NULL);
    ngx_conf_merge_ptr_value(conf->user, prev->user, NULL);
    ngx_conf_merge_ptr_value(conf->quantity, prev->quantity, NULL);
    ngx_conf_merge_ptr_value(conf->key, prev->key, tmcf->key);
    ngx_conf_merge_ptr_value(conf->redis, prev->redis, NULL);
    ngx_conf_merge_uint_value(conf->max_backlog, prev->max_backlog,
                              NGX_HTTP_TICKET_MAX_BACKLOG);

    ngx_conf_merge_ptr_value(conf->pass, prev->pass, NULL);
    ngx_conf_merge_ptr_value(conf->queue_page, prev->queue_page, NULL);
    ngx_conf_merge_ptr_value(conf->queue_bypass, prev->queue_bypass, NULL);
    ngx_conf_merge_uint_value(conf->queue_fail_open, prev->queue_fail_open, 0);

    if (ngx_http_ticket_merge_actions(cf, prev, conf) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    if (ngx_http_ticket_conf_queue_merge(cf, prev, conf) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    return ngx_http_ticket_conf_pass_check(cf, conf);
}


static char *
ngx_http_ticket_merge_actions(ngx_conf_t *cf, ngx_http_ticket_loc_conf_t *prev,
    ngx_http_ticket_loc_conf_t *conf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (conf->actions == 0) {

        /* an "if" or a "limit_except" is the location it stands in */

        if (prev->actions == 0 || !(clcf->noname || clcf->lmt_excpt)) {
            return NGX_CONF_OK;
        }

        conf->actions = prev->actions;
        conf->file = prev->file;
        conf->line = prev->line;

        if (clcf->lmt_excpt && clcf->handler == NULL) {
            clcf->handler = ngx_http_ticket_handler;
        }
    }

    /*
     * bodies are refused by us, with an answer that programs understand; a
     * smaller client_max_body_size is heeded
     */

    conf->max_body = NGX_HTTP_TICKET_BODY_MAX;

    if (clcf->client_max_body_size > 0
        && clcf->client_max_body_size < (off_t) conf->max_body)
    {
        conf->max_body = (size_t) clcf->client_max_body_size;
    }

    clcf->client_max_body_size = 0;

    return ngx_http_ticket_check(cf, conf, clcf);
}


static char *
ngx_http_ticket_check(ngx_conf_t *cf, ngx_http_ticket_loc_conf_t *conf,
    ngx_http_core_loc_conf_t *clcf)
{
    ngx_uint_t                    actions;
    ngx_http_ticket_main_conf_t  *tmcf;

    tmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_ticket_module);

    actions = conf->actions & NGX_HTTP_TICKET_USER_ACTIONS;

    if (actions && conf->user == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"ticket %V\" needs \"ticket_user\" in %s:%ui",
                      ngx_http_ticket_first_action(actions),
                      conf->file, conf->line);
        return NGX_CONF_ERROR;
    }

    actions = conf->actions & ~NGX_HTTP_TICKET_LOCAL_ACTIONS;

    if (tmcf->redis.nelts == 0) {
        actions |= conf->actions
                   & ngx_http_ticket_bit(NGX_HTTP_TICKET_READY);
    }

    if (actions && (conf->redis == NULL || tmcf->redis.nelts == 0)) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"ticket %V\" needs \"ticket_redis\" in %s:%ui",
                      ngx_http_ticket_first_action(actions),
                      conf->file, conf->line);
        return NGX_CONF_ERROR;
    }

    if (clcf->handler != NULL && clcf->handler != ngx_http_ticket_handler) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"ticket\" is not the only one to answer in its "
                      "location in %s:%ui", conf->file, conf->line);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* whatever goes wrong here, the worker has to serve: as 503, if need be */

static ngx_int_t
ngx_http_ticket_init_process(ngx_cycle_t *cycle)
{
    ngx_uint_t                      i;
    ngx_http_ticket_worker_t       *worker;
    ngx_http_ticket_main_conf_t    *tmcf;
    ngx_http_ticket_redis_conf_t   *conf, **confs;

    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    tmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_ticket_module);

    if (tmcf == NULL || !tmcf->used || tmcf->sh == NULL) {
        return NGX_OK;
    }

    tmcf->started = 1;

    ngx_rbtree_init(&tmcf->flights, &tmcf->sentinel,
                    ngx_str_rbtree_insert_value);

    worker = &tmcf->sh->workers[ngx_process_slot];

    ngx_memzero(worker, sizeof(ngx_http_ticket_worker_t));
    worker->redis_all = tmcf->redis.nelts;
    worker->pid = ngx_pid;

    if (tmcf->kafka.enabled) {
        tmcf->producer = ngx_http_ticket_kafka_create(cycle, &tmcf->kafka,
                                                      tmcf->sh);
    }

    confs = tmcf->redis.elts;

    for (i = 0; i < tmcf->redis.nelts; i++) {
        conf = confs[i];

        conf->redis = ngx_http_ticket_redis_create(cycle, conf, tmcf->sh);

        if (conf->redis == NULL) {
            continue;
        }

        conf->batches = ngx_http_ticket_batches_create(cycle, conf->redis,
                                                       tmcf->max_pending,
                                                       tmcf->sh);

        if (tmcf->queues) {
            conf->rooms = ngx_http_ticket_rooms_create(cycle, tmcf, conf);
        }
    }

    return NGX_OK;
}


static void
ngx_http_ticket_exit_process(ngx_cycle_t *cycle)
{
    ngx_uint_t                      i;
    ngx_http_ticket_main_conf_t    *tmcf;
    ngx_http_ticket_redis_conf_t  **confs;

    tmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_ticket_module);

    if (tmcf == NULL || !tmcf->started) {
        return;
    }

    /* requests still open are cut off: nobody is answered from here on */

    tmcf->exiting = 1;

    confs = tmcf->redis.elts;

    for (i = 0; i < tmcf->redis.nelts; i++) {
        if (confs[i]->batches != NULL) {
            ngx_http_ticket_batches_destroy(confs[i]->batches);
            confs[i]->batches = NULL;
        }
    }

    for (i = 0; i < tmcf->redis.nelts; i++) {
        if (confs[i]->redis != NULL) {
            ngx_http_ticket_redis_destroy(confs[i]->redis);
            confs[i]->redis = NULL;
        }

        if (confs[i]->rooms != NULL) {
            ngx_http_ticket_rooms_destroy(confs[i]->rooms);
            confs[i]->rooms = NULL;
        }
    }

    if (tmcf->producer != NULL) {
        ngx_http_ticket_kafka_destroy(tmcf->producer);
        tmcf->producer = NULL;
    }

    ngx_memzero(&tmcf->sh->workers[ngx_process_slot],
                sizeof(ngx_http_ticket_worker_t));
}
