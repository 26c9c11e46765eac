#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_ticket_module.h"


#define NGX_HTTP_TICKET_REDIS_PORT       6379
#define NGX_HTTP_TICKET_REDIS_DB_MAX     1000000


typedef struct {
    ngx_str_t                         name;     /* with the "=" */
    size_t                            offset;
} ngx_http_ticket_redis_option_t;


static ngx_http_ticket_redis_conf_t *ngx_http_ticket_conf_redis_find(
    ngx_http_ticket_main_conf_t *tmcf, ngx_http_ticket_redis_conf_t *conf);
static char *ngx_http_ticket_conf_redis_uri(ngx_conf_t *cf,
    ngx_http_ticket_redis_conf_t *conf);
static char *ngx_http_ticket_conf_redis_userinfo(ngx_conf_t *cf,
    ngx_http_ticket_redis_conf_t *conf, u_char *start, u_char *end);
static char *ngx_http_ticket_conf_redis_addr(ngx_conf_t *cf,
    ngx_http_ticket_redis_conf_t *conf, ngx_str_t *addr);
static char *ngx_http_ticket_conf_redis_unix(ngx_conf_t *cf,
    ngx_http_ticket_redis_conf_t *conf, u_char *start, u_char *end);
static char *ngx_http_ticket_conf_redis_db(ngx_conf_t *cf,
    ngx_http_ticket_redis_conf_t *conf, u_char *start, u_char *end);
static char *ngx_http_ticket_conf_redis_option(ngx_conf_t *cf,
    ngx_http_ticket_redis_conf_t *conf, ngx_str_t *option);
static ngx_int_t ngx_http_ticket_conf_unescape(ngx_pool_t *pool,
    ngx_str_t *dst, u_char *start, u_char *end);


static ngx_http_ticket_redis_option_t  ngx_http_ticket_redis_options[] = {

    { ngx_string("connect_timeout="),
      offsetof(ngx_http_ticket_redis_conf_t, connect_timeout) },

    { ngx_string("timeout="),
      offsetof(ngx_http_ticket_redis_conf_t, timeout) },

    { ngx_string("backoff_max="),
      offsetof(ngx_http_ticket_redis_conf_t, backoff_max) },

    { ngx_null_string, 0 }
};


char *
ngx_http_ticket_conf_redis(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ticket_loc_conf_t *tlcf = conf;

    char                          *rv;
    ngx_str_t                     *value;
    ngx_uint_t                     i;
    ngx_http_ticket_redis_conf_t  *rcf, **rcfp;
    ngx_http_ticket_main_conf_t   *tmcf;

    if (tlcf->redis != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    rcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_ticket_redis_conf_t));
    if (rcf == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    rcf->connect_timeout = NGX_CONF_UNSET_MSEC;
    rcf->timeout = NGX_CONF_UNSET_MSEC;
    rcf->backoff_max = NGX_CONF_UNSET_MSEC;

    for (i = 2; i < cf->args->nelts; i++) {
        rv = ngx_http_ticket_conf_redis_option(cf, rcf, &value[i]);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    ngx_conf_init_msec_value(rcf->connect_timeout, 1000);
    ngx_conf_init_msec_value(rcf->timeout, 2000);
    ngx_conf_init_msec_value(rcf->backoff_max, 2000);

    rcf->uri = value[1];

    /* the same server with the same options: one connection */

    tmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_ticket_module);

    tlcf->redis = ngx_http_ticket_conf_redis_find(tmcf, rcf);

    if (tlcf->redis != NULL) {
        return NGX_CONF_OK;
    }

    rv = ngx_http_ticket_conf_redis_uri(cf, rcf);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    rcfp = ngx_array_push(&tmcf->redis);
    if (rcfp == NULL) {
        return NGX_CONF_ERROR;
    }

    *rcfp = tlcf->redis = rcf;

    return NGX_CONF_OK;
}


static ngx_http_ticket_redis_conf_t *
ngx_http_ticket_conf_redis_find(ngx_http_ticket_main_conf_t *tmcf,
    ngx_http_ticket_redis_conf_t *conf)
{
    ngx_uint_t                      i;
    ngx_http_ticket_redis_conf_t  **rcfp;

    rcfp = tmcf->redis.elts;

    for (i = 0; i < tmcf->redis.nelts; i++) {

        if (rcfp[i]->uri.len == conf->uri.len
            && ngx_memcmp(rcfp[i]->uri.data, conf->uri.data, conf->uri.len)
               == 0
            && rcfp[i]->connect_timeout == conf->connect_timeout
            && rcfp[i]->timeout == conf->timeout
            && rcfp[i]->backoff_max == conf->backoff_max)
        {
            return rcfp[i];
        }
    }

    return NULL;
}


static char *
ngx_http_ticket_conf_redis_option(ngx_conf_t *cf,
    ngx_http_ticket_redis_conf_t *conf, ngx_str_t *option)
{
    ngx_str_t                        value;
    ngx_msec_t                      *field;
    ngx_http_ticket_redis_option_t  *o;

    for (o = ngx_http_ticket_redis_options; o->name.len; o++) {

        if (ngx_strncmp(option->data, o->name.data, o->name.len) != 0) {
            continue;
        }

        value.data = option->data + o->name.len;
        value.len = option->len - o->name.len;

        field = (ngx_msec_t *) ((char *) conf + o->offset);

        if (*field != NGX_CONF_UNSET_MSEC) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "duplicate redis option \"%V\"", option);
            return NGX_CONF_ERROR;
        }

        *field = ngx_parse_time(&value, 0);

        if (*field == (ngx_msec_t) NGX_ERROR || *field == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid redis option \"%V\"", option);
            return NGX_CONF_ERROR;
        }

        return NGX_CONF_OK;
    }

    /* not shown: it may be half of an uri with a space in it */

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "unknown redis option, only \"connect_timeout=\", "
                       "\"timeout=\" and \"backoff_max=\" are supported");

    return NGX_CONF_ERROR;
}


/*
 * redis://[user:password@]host[:port][/db]
 * unix:[user:password@]/path[:db]
 *
 * The messages never show the uri itself.
 */

static char *
ngx_http_ticket_conf_redis_uri(ngx_conf_t *cf,
    ngx_http_ticket_redis_conf_t *conf)
{
    char       *rv;
    u_char     *p, *at, *slash, *end;
    ngx_str_t   addr;
    ngx_uint_t  local;

    p = conf->uri.data;
    end = p + conf->uri.len;

    local = (ngx_strncmp(p, "unix:", 5) == 0);

    if (!local && ngx_strncmp(p, "redis://", 8) != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid redis uri: it must begin with "
                           "\"redis://\" or \"unix:\"");
        return NGX_CONF_ERROR;
    }

    p += local ? 5 : 8;

    slash = ngx_strlchr(p, end, '/');
    if (slash == NULL) {
        slash = end;
    }

    for (at = slash; at > p && at[-1] != '@'; at--) { /* void */ }

    /* half of the password would pass for a host */

    if (at == p && !local && ngx_strlchr(slash, end, '@') != NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid redis uri: a \"/\" before \"@\" must be "
                           "percent-encoded");
        return NGX_CONF_ERROR;
    }

    if (at > p) {
        rv = ngx_http_ticket_conf_redis_userinfo(cf, conf, p, at - 1);
        if (rv != NGX_CONF_OK) {
            return rv;
        }

        p = at;
    }

    if (local) {
        return ngx_http_ticket_conf_redis_unix(cf, conf, p, end);
    }

    if (slash + 1 < end) {
        rv = ngx_http_ticket_conf_redis_db(cf, conf, slash + 1, end);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    addr.data = p;
    addr.len = slash - p;

    return ngx_http_ticket_conf_redis_addr(cf, conf, &addr);
}


static char *
ngx_http_ticket_conf_redis_userinfo(ngx_conf_t *cf,
    ngx_http_ticket_redis_conf_t *conf, u_char *start, u_char *end)
{
    u_char  *colon;

    colon = ngx_strlchr(start, end, ':');

    if (colon == NULL
        || ngx_http_ticket_conf_unescape(cf->pool, &conf->user, start, colon)
           != NGX_OK
        || ngx_http_ticket_conf_unescape(cf->pool, &conf->password, colon + 1,
                                         end)
           != NGX_OK
        || conf->password.len == 0)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid redis uri: what is before \"@\" must be "
                           "\"user:password\" or \":password\", "
                           "percent-encoded");
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_ticket_conf_redis_unix(ngx_conf_t *cf,
    ngx_http_ticket_redis_conf_t *conf, u_char *start, u_char *end)
{
    char       *rv;
    u_char     *colon, *p;
    ngx_str_t   addr;

    /* ":" and digits at the end are the database */

    for (colon = end; colon > start && colon[-1] >= '0' && colon[-1] <= '9';
         colon--)
    {
        /* void */
    }

    if (colon < end && colon > start && colon[-1] == ':') {
        rv = ngx_http_ticket_conf_redis_db(cf, conf, colon, end);
        if (rv != NGX_CONF_OK) {
            return rv;
        }

        end = colon - 1;
    }

    if (end == start || *start != '/') {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid redis uri: \"unix:\" needs an absolute "
                           "path");
        return NGX_CONF_ERROR;
    }

    addr.len = sizeof("unix:") - 1 + (end - start);
    addr.data = ngx_pnalloc(cf->pool, addr.len + 1);
    if (addr.data == NULL) {
        return NGX_CONF_ERROR;
    }

    p = ngx_cpymem(addr.data, "unix:", sizeof("unix:") - 1);
    p = ngx_cpymem(p, start, end - start);
    *p = '\0';

    return ngx_http_ticket_conf_redis_addr(cf, conf, &addr);
}


static char *
ngx_http_ticket_conf_redis_db(ngx_conf_t *cf,
    ngx_http_ticket_redis_conf_t *conf, u_char *start, u_char *end)
{
    ngx_int_t  db;

    db = ngx_atoi(start, end - start);

    if (db == NGX_ERROR || db > NGX_HTTP_TICKET_REDIS_DB_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid redis uri: the database must be a number");
        return NGX_CONF_ERROR;
    }

    conf->db = (ngx_uint_t) db;

    return NGX_CONF_OK;
}


static char *
ngx_http_ticket_conf_redis_addr(ngx_conf_t *cf,
    ngx_http_ticket_redis_conf_t *conf, ngx_str_t *addr)
{
    u_char     *p;
    ngx_url_t   u;

    ngx_memzero(&u, sizeof(ngx_url_t));

    u.url = *addr;
    u.default_port = NGX_HTTP_TICKET_REDIS_PORT;

    /* names are resolved here and now: hiredis would block a worker */

    if (ngx_parse_url(cf->pool, &u) != NGX_OK || u.naddrs == 0) {

        if (u.err && u.host.len && u.port) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "%s in redis uri: \"%V\"", u.err, &u.host);

        } else {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid redis uri: %s",
                               u.err ? u.err : "no address");
        }

        return NGX_CONF_ERROR;
    }

    conf->addrs = u.addrs;
    conf->naddrs = u.naddrs;

    conf->name.len = addr->len + sizeof(":/") - 1 + 2 * NGX_INT_T_LEN;
    conf->name.data = ngx_pnalloc(cf->pool, conf->name.len);
    if (conf->name.data == NULL) {
        return NGX_CONF_ERROR;
    }

    if (u.family == AF_UNIX) {
        p = ngx_sprintf(conf->name.data, "%V:%ui", addr, conf->db);

    } else if (u.no_port) {
        p = ngx_sprintf(conf->name.data, "%V:%d/%ui", addr, (int) u.port,
                        conf->db);

    } else {
        p = ngx_sprintf(conf->name.data, "%V/%ui", addr, conf->db);
    }

    conf->name.len = p - conf->name.data;

    return NGX_CONF_OK;
}


/* NGX_ERROR: a "%" without two hex digits */

static ngx_int_t
ngx_http_ticket_conf_unescape(ngx_pool_t *pool, ngx_str_t *dst, u_char *start,
    u_char *end)
{
    u_char     *p;
    ngx_int_t   c;

    p = ngx_pnalloc(pool, end - start + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    dst->data = p;

    while (start < end) {

        if (*start != '%') {
            *p++ = *start++;
            continue;
        }

        if (end - start < 3) {
            return NGX_ERROR;
        }

        c = ngx_hextoi(start + 1, 2);

        if (c == NGX_ERROR) {
            return NGX_ERROR;
        }

        *p++ = (u_char) c;
        start += 3;
    }

    dst->len = p - dst->data;

    return NGX_OK;
}
