
/*
 * The directive "ticket": which actions a location answers, and which of them
 * a method means.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_ticket_request.h"


static ngx_uint_t ngx_http_ticket_conf_action(ngx_str_t *name);
static char *ngx_http_ticket_conf_methods(ngx_conf_t *cf, ngx_uint_t actions);


ngx_str_t  ngx_http_ticket_action_names[] = {
    ngx_string("book"),
    ngx_string("cancel"),
    ngx_string("booking"),
    ngx_string("ticket"),
    ngx_string("admin"),
    ngx_string("bookings"),
    ngx_string("queue"),
    ngx_string("queue_events"),
    ngx_string("queue_admin"),
    ngx_string("metrics"),
    ngx_string("health"),
    ngx_string("ready"),
    ngx_string("gate"),
    ngx_null_string
};


ngx_uint_t
ngx_http_ticket_methods(ngx_uint_t action, ngx_uint_t actions)
{
    switch (action) {

    case NGX_HTTP_TICKET_BOOK:
        return NGX_HTTP_POST;

    case NGX_HTTP_TICKET_CANCEL:
        if (actions == (ngx_uint_t) 1 << NGX_HTTP_TICKET_CANCEL) {
            return NGX_HTTP_POST|NGX_HTTP_DELETE;
        }

        return NGX_HTTP_DELETE;

    case NGX_HTTP_TICKET_QUEUE:
        return NGX_HTTP_TICKET_READ|NGX_HTTP_POST|NGX_HTTP_DELETE;

    case NGX_HTTP_TICKET_ADMIN:
    case NGX_HTTP_TICKET_QUEUE_ADMIN:
        return NGX_HTTP_TICKET_READ
               |NGX_HTTP_PUT|NGX_HTTP_PATCH|NGX_HTTP_DELETE;

    default:
        return NGX_HTTP_TICKET_READ;
    }
}


ngx_str_t *
ngx_http_ticket_first_action(ngx_uint_t actions)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_HTTP_TICKET_ACTIONS - 1; i++) {
        if (actions & ngx_http_ticket_bit(i)) {
            break;
        }
    }

    return &ngx_http_ticket_action_names[i];
}


char *
ngx_http_ticket_conf_ticket(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ticket_loc_conf_t *tlcf = conf;

    ngx_str_t                    *value;
    ngx_uint_t                    i, action;
    ngx_http_core_loc_conf_t     *clcf;
    ngx_http_ticket_main_conf_t  *tmcf;

    if (tlcf->actions) {
        return "is duplicate";
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        action = ngx_http_ticket_conf_action(&value[i]);

        if (action == NGX_HTTP_TICKET_GATE) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "unknown action \"%V\"", &value[i]);
            return NGX_CONF_ERROR;
        }

        if (tlcf->actions & ngx_http_ticket_bit(action)) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "duplicate action \"%V\"", &value[i]);
            return NGX_CONF_ERROR;
        }

        tlcf->actions |= ngx_http_ticket_bit(action);
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->handler != NULL) {
        return "is not the only one to answer in its location";
    }

    clcf->handler = ngx_http_ticket_handler;

    tmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_ticket_module);
    tmcf->used = 1;

    if (tlcf->actions & NGX_HTTP_TICKET_QUEUE_ACTIONS) {
        tmcf->queues = 1;
    }

    tlcf->file = cf->conf_file->file.name.data;
    tlcf->line = cf->conf_file->line;

    return ngx_http_ticket_conf_methods(cf, tlcf->actions);
}


static ngx_uint_t
ngx_http_ticket_conf_action(ngx_str_t *name)
{
    ngx_str_t   *known;
    ngx_uint_t   i;

    for (i = 0; i < NGX_HTTP_TICKET_GATE; i++) {
        known = &ngx_http_ticket_action_names[i];

        if (known->len == name->len
            && ngx_strncmp(known->data, name->data, name->len) == 0)
        {
            break;
        }
    }

    return i;
}


/* the method has to tell what is wanted */

static char *
ngx_http_ticket_conf_methods(ngx_conf_t *cf, ngx_uint_t actions)
{
    ngx_uint_t  i, j;

    for (i = 0; i < NGX_HTTP_TICKET_ACTIONS; i++) {
        for (j = i + 1; j < NGX_HTTP_TICKET_ACTIONS; j++) {

            if (!(actions & ngx_http_ticket_bit(i))
                || !(actions & ngx_http_ticket_bit(j))
                || !(ngx_http_ticket_methods(i, actions)
                     & ngx_http_ticket_methods(j, actions)))
            {
                continue;
            }

            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "actions \"%V\" and \"%V\" of one location "
                               "have a method in common",
                               &ngx_http_ticket_action_names[i],
                               &ngx_http_ticket_action_names[j]);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}
