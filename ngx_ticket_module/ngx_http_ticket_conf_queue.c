
/*
 * The directives of the waiting room: what "ticket_queue" means in a location
 * depends on the actions it has.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_ticket_request.h"


#define NGX_HTTP_TICKET_TICK_MIN   100
#define NGX_HTTP_TICKET_TICK_MAX   60000


static char *ngx_http_ticket_conf_queue_tick(ngx_conf_t *cf, void *post,
    void *data);
static char *ngx_http_ticket_conf_queue_gate(ngx_conf_t *cf,
    ngx_http_ticket_loc_conf_t *conf);


ngx_conf_enum_t  ngx_http_ticket_conf_queue_fails[] = {
    { ngx_string("closed"), 0 },
    { ngx_string("open"), 1 },
    { ngx_null_string, 0 }
};


ngx_conf_post_t  ngx_http_ticket_conf_queue_tick_post = {
    ngx_http_ticket_conf_queue_tick
};


char *
ngx_http_ticket_conf_queue(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ticket_loc_conf_t *tlcf = conf;

    ngx_str_t                    *value;
    ngx_http_ticket_main_conf_t  *tmcf;

    if (tlcf->queue_mode != NGX_HTTP_TICKET_QUEUE_UNSET) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        tlcf->queue_mode = NGX_HTTP_TICKET_QUEUE_OFF;
        return NGX_CONF_OK;
    }

    tmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_ticket_module);
    tmcf->used = 1;
    tmcf->queues = 1;

    tlcf->file = cf->conf_file->file.name.data;
    tlcf->line = cf->conf_file->line;

    if (ngx_strcmp(value[1].data, "on") == 0) {
        tlcf->queue_mode = NGX_HTTP_TICKET_QUEUE_ON;
        return NGX_CONF_OK;
    }

    tlcf->queue_mode = NGX_HTTP_TICKET_QUEUE_NAMED;
    tlcf->queue = ngx_http_ticket_conf_input_compile(cf, &value[1]);

    return tlcf->queue ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static char *
ngx_http_ticket_conf_queue_tick(ngx_conf_t *cf, void *post, void *data)
{
    ngx_msec_t *tick = data;

    if (*tick < NGX_HTTP_TICKET_TICK_MIN || *tick > NGX_HTTP_TICKET_TICK_MAX) {
        return "must be between 100ms and 60s";
    }

    return NGX_CONF_OK;
}


char *
ngx_http_ticket_conf_queue_merge(ngx_conf_t *cf,
    ngx_http_ticket_loc_conf_t *prev, ngx_http_ticket_loc_conf_t *conf)
{
    ngx_uint_t  actions;

    if (conf->queue_mode == NGX_HTTP_TICKET_QUEUE_UNSET) {
        conf->queue_mode = prev->queue_mode;
        conf->queue = prev->queue;

        if (conf->actions == 0) {
            conf->file = prev->file;
            conf->line = prev->line;
        }
    }

    ngx_conf_merge_ptr_value(conf->queue, NULL, NULL);

    actions = conf->actions & NGX_HTTP_TICKET_QUEUE_ACTIONS;

    if (actions
        && conf->queue_mode != NGX_HTTP_TICKET_QUEUE_NAMED
        && conf->actions != ngx_http_ticket_bit(NGX_HTTP_TICKET_QUEUE_ADMIN))
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"ticket %V\" needs \"ticket_queue\" with a name "
                      "in %s:%ui", ngx_http_ticket_first_action(actions),
                      conf->file, conf->line);
        return NGX_CONF_ERROR;
    }

    if (conf->queue_mode == NGX_HTTP_TICKET_QUEUE_ON
        && !(conf->actions & ngx_http_ticket_bit(NGX_HTTP_TICKET_BOOK)))
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"ticket_queue on\" needs \"ticket book\", a gate "
                      "needs the room's name in %s:%ui",
                      conf->file, conf->line);
        return NGX_CONF_ERROR;
    }

    if (conf->actions == 0
        && conf->queue_mode == NGX_HTTP_TICKET_QUEUE_NAMED)
    {
        return ngx_http_ticket_conf_queue_gate(cf, conf);
    }

    return NGX_CONF_OK;
}


ngx_uint_t
ngx_http_ticket_conf_queue_page_valid(ngx_str_t *page)
{
    size_t  i;

    if (page->len == 0 || page->data[0] != '/'
        || (page->len > 1 && (page->data[1] == '/' || page->data[1] == '\\')))
    {
        return 0;
    }

    for (i = 0; i < page->len; i++) {
        if (page->data[i] <= 0x20 || page->data[i] == 0x7f) {
            return 0;
        }
    }

    return 1;
}


static char *
ngx_http_ticket_conf_queue_gate(ngx_conf_t *cf,
    ngx_http_ticket_loc_conf_t *conf)
{
    const char                   *missing;
    ngx_http_ticket_main_conf_t  *tmcf;

    tmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_ticket_module);

    missing = NULL;

    if (conf->user == NULL) {
        missing = "ticket_user";

    } else if (conf->redis == NULL || tmcf->redis.nelts == 0) {
        missing = "ticket_redis";
    }

    if (missing != NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"ticket_queue\" needs \"%s\" in %s:%ui",
                      missing, conf->file, conf->line);
        return NGX_CONF_ERROR;
    }

    if (conf->queue_page != NULL && conf->queue_page->lengths == NULL
        && !ngx_http_ticket_conf_queue_page_valid(&conf->queue_page->value))
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"ticket_queue_page\" must be a path on this host, "
                      "not \"%V\", for \"ticket_queue\" in %s:%ui",
                      &conf->queue_page->value, conf->file, conf->line);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}
