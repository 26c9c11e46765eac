#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_ticket_module.h"


#define NGX_HTTP_TICKET_TOPIC_MAX   249


static char *ngx_http_ticket_conf_kafka_option(ngx_conf_t *cf,
    ngx_http_ticket_kafka_conf_t *conf, ngx_str_t *option);
static char *ngx_http_ticket_conf_kafka_property(ngx_conf_t *cf,
    ngx_http_ticket_kafka_conf_t *conf, ngx_str_t *option);
static ngx_uint_t ngx_http_ticket_conf_topic_valid(ngx_str_t *topic);


char *
ngx_http_ticket_conf_kafka(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ticket_main_conf_t *tmcf = conf;

    char                          *rv;
    ngx_str_t                     *value;
    ngx_uint_t                     i;
    ngx_http_ticket_kafka_conf_t  *kcf;

    kcf = &tmcf->kafka;

    if (kcf->enabled != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        kcf->enabled = 0;
        return NGX_CONF_OK;
    }

    kcf->enabled = 1;
    kcf->flush_timeout = NGX_CONF_UNSET_MSEC;

    kcf->properties = ngx_array_create(cf->pool, 4, sizeof(ngx_keyval_t));
    if (kcf->properties == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 1; i < cf->args->nelts; i++) {
        rv = ngx_http_ticket_conf_kafka_option(cf, kcf, &value[i]);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    if (kcf->brokers.len == 0 || kcf->topic.len == 0) {
        return "needs \"brokers=\" and \"topic=\", or \"off\"";
    }

    ngx_conf_init_msec_value(kcf->flush_timeout, 5000);

    return ngx_http_ticket_kafka_check(cf, kcf);
}


static char *
ngx_http_ticket_conf_kafka_option(ngx_conf_t *cf,
    ngx_http_ticket_kafka_conf_t *conf, ngx_str_t *option)
{
    ngx_str_t  *field, time;

    if (ngx_strncmp(option->data, "flush_timeout=", 14) == 0) {

        if (conf->flush_timeout != NGX_CONF_UNSET_MSEC) {
            return "has duplicate \"flush_timeout=\"";
        }

        time.data = option->data + 14;
        time.len = option->len - 14;

        conf->flush_timeout = ngx_parse_time(&time, 0);

        if (conf->flush_timeout == (ngx_msec_t) NGX_ERROR) {
            return "has invalid \"flush_timeout=\"";
        }

        return NGX_CONF_OK;
    }

    if (ngx_strncmp(option->data, "brokers=", 8) == 0) {
        field = &conf->brokers;

    } else if (ngx_strncmp(option->data, "topic=", 6) == 0) {
        field = &conf->topic;

    } else {
        return ngx_http_ticket_conf_kafka_property(cf, conf, option);
    }

    if (field->len) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate kafka option \"%V\"", option);
        return NGX_CONF_ERROR;
    }

    field->data = ngx_strlchr(option->data, option->data + option->len, '=')
                  + 1;
    field->len = option->data + option->len - field->data;

    if (field->len == 0
        || (field == &conf->topic
            && !ngx_http_ticket_conf_topic_valid(field)))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid kafka option \"%V\"", option);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_ticket_conf_kafka_property(ngx_conf_t *cf,
    ngx_http_ticket_kafka_conf_t *conf, ngx_str_t *option)
{
    u_char        *p;
    ngx_uint_t     i;
    ngx_keyval_t  *property;

    p = ngx_strlchr(option->data, option->data + option->len, '=');

    if (p == NULL || p == option->data) {

        /* not shown: it may be half of a secret */

        return "has a parameter that is not \"property=value\"";
    }

    /* librdkafka takes strings that end with a zero */

    *p = '\0';

    property = conf->properties->elts;

    for (i = 0; i < conf->properties->nelts; i++) {
        if (ngx_strcmp(property[i].key.data, option->data) == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "duplicate property of librdkafka \"%s\"",
                               option->data);
            return NGX_CONF_ERROR;
        }
    }

    property = ngx_array_push(conf->properties);
    if (property == NULL) {
        return NGX_CONF_ERROR;
    }

    property->key.data = option->data;
    property->key.len = p - option->data;
    property->value.data = p + 1;
    property->value.len = option->data + option->len - (p + 1);

    return NGX_CONF_OK;
}


/* as Kafka has it */

static ngx_uint_t
ngx_http_ticket_conf_topic_valid(ngx_str_t *topic)
{
    u_char      ch;
    ngx_uint_t  i, dots;

    dots = 0;

    for (i = 0; i < topic->len; i++) {
        ch = topic->data[i];

        if (ch == '.') {
            dots++;
            continue;
        }

        if ((ch >= '0' && ch <= '9') || (ch >= 'A' && ch <= 'Z')
            || (ch >= 'a' && ch <= 'z') || ch == '_' || ch == '-')
        {
            continue;
        }

        return 0;
    }

    return topic->len <= NGX_HTTP_TICKET_TOPIC_MAX
           && (dots != topic->len || dots > 2);
}


char *
ngx_http_ticket_conf_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ticket_main_conf_t *tmcf = conf;

    u_char          *p;
    ssize_t          size;
    ngx_str_t       *value, name, s;
    ngx_shm_zone_t  *zone;

    if (tmcf->zone != NULL) {
        return "is duplicate";
    }

    value = cf->args->elts;

    p = ngx_strlchr(value[1].data, value[1].data + value[1].len, ':');

    if (p == NULL || p == value[1].data) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid zone \"%V\", it must be \"name:size\"",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    name.data = value[1].data;
    name.len = p - name.data;

    s.data = p + 1;
    s.len = value[1].data + value[1].len - s.data;

    size = ngx_parse_size(&s);

    if (size == NGX_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid zone size \"%V\"",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    if (size < (ssize_t) NGX_HTTP_TICKET_ZONE_MIN) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "zone \"%V\" is too small, it needs %uzk",
                           &value[1], NGX_HTTP_TICKET_ZONE_MIN / 1024);
        return NGX_CONF_ERROR;
    }

    zone = ngx_shared_memory_add(cf, &name, size, &ngx_http_ticket_module);
    if (zone == NULL) {
        return NGX_CONF_ERROR;
    }

    zone->init = ngx_http_ticket_shm_init;
    zone->data = tmcf;

    tmcf->zone = zone;

    return NGX_CONF_OK;
}
