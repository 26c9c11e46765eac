
/*
 * "ticket_pass_keys": the file is read here, in the master, which may read
 * what its workers may not.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_ticket_request.h"


/* keys of the largest size, and comments */
#define NGX_HTTP_TICKET_KEY_FILE_MAX   65536

#define NGX_HTTP_TICKET_PASS_ACTIONS                                          \
    (ngx_http_ticket_bit(NGX_HTTP_TICKET_BOOK)                                \
     | ngx_http_ticket_bit(NGX_HTTP_TICKET_QUEUE)                             \
     | ngx_http_ticket_bit(NGX_HTTP_TICKET_QUEUE_EVENTS))


static ngx_int_t ngx_http_ticket_conf_pass_read(ngx_conf_t *cf,
    ngx_str_t *name, ngx_str_t *text);
static ngx_int_t ngx_http_ticket_conf_pass_content(ngx_conf_t *cf,
    ngx_file_t *file, ngx_str_t *text);
static void ngx_http_ticket_conf_pass_forget(void *data);


char *
ngx_http_ticket_conf_pass_keys(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ticket_main_conf_t *tmcf = conf;

    unsigned         line;
    ngx_str_t       *value, text;
    const char      *error;
    ticket_slice_t   slice;

    if (tmcf->pass_keys != NULL) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_conf_full_name(cf->cycle, &value[1], 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    tmcf->pass_keys = ngx_pcalloc(cf->pool, sizeof(ticket_pass_keys_t));
    if (tmcf->pass_keys == NULL) {
        return NGX_CONF_ERROR;
    }

    if (ngx_http_ticket_conf_pass_read(cf, &value[1], &text) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    ngx_http_ticket_slice(slice, &text);

    if (ticket_pass_keys_parse(tmcf->pass_keys, slice, &line, &error) == 0) {
        return NGX_CONF_OK;
    }

    if (line) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\", line %ui: %s",
                           &value[1], (ngx_uint_t) line, error);
    } else {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\": %s",
                           &value[1], error);
    }

    return NGX_CONF_ERROR;
}


static ngx_int_t
ngx_http_ticket_conf_pass_read(ngx_conf_t *cf, ngx_str_t *name,
    ngx_str_t *text)
{
    ngx_int_t   rc;
    ngx_file_t  file;

    ngx_memzero(&file, sizeof(ngx_file_t));

    file.name = *name;
    file.log = cf->log;

    /* a pipe would make the master wait for who writes to it */

    file.fd = ngx_open_file(name->data, NGX_FILE_RDONLY|NGX_FILE_NONBLOCK,
                            NGX_FILE_OPEN, 0);

    if (file.fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_open_file_n " \"%V\" failed", name);
        return NGX_ERROR;
    }

    rc = ngx_http_ticket_conf_pass_content(cf, &file, text);

    if (ngx_close_file(file.fd) == NGX_FILE_ERROR) {
        ngx_log_error(NGX_LOG_ALERT, cf->log, ngx_errno,
                      ngx_close_file_n " \"%V\" failed", name);
    }

    return rc;
}


static ngx_int_t
ngx_http_ticket_conf_pass_content(ngx_conf_t *cf, ngx_file_t *file,
    ngx_str_t *text)
{
    ssize_t              n;
    ngx_pool_cleanup_t  *cln;

    if (ngx_fd_info(file->fd, &file->info) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_fd_info_n " \"%V\" failed", &file->name);
        return NGX_ERROR;
    }

    if (!ngx_is_file(&file->info)
        || ngx_file_size(&file->info) > NGX_HTTP_TICKET_KEY_FILE_MAX)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" is not a file of at most %uz bytes",
                           &file->name,
                           (size_t) NGX_HTTP_TICKET_KEY_FILE_MAX);
        return NGX_ERROR;
    }

    if (ngx_file_access(&file->info) & S_IROTH) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "everybody can read the secrets in \"%V\"",
                           &file->name);
    }

    text->len = (size_t) ngx_file_size(&file->info);

    text->data = ngx_pnalloc(cf->pool, text->len);
    if (text->data == NULL) {
        return NGX_ERROR;
    }

    cln = ngx_pool_cleanup_add(cf->pool, sizeof(ngx_str_t));
    if (cln == NULL) {
        return NGX_ERROR;
    }

    *(ngx_str_t *) cln->data = *text;
    cln->handler = ngx_http_ticket_conf_pass_forget;

    n = ngx_read_file(file, text->data, text->len, 0);

    if (n == NGX_ERROR) {
        return NGX_ERROR;
    }

    text->len = (size_t) n;

    return NGX_OK;
}


/* the memory of an old configuration is used again for other things */

static void
ngx_http_ticket_conf_pass_forget(void *data)
{
    ngx_str_t  *text = data;

    ngx_explicit_memzero(text->data, text->len);
}


char *
ngx_http_ticket_conf_pass_check(ngx_conf_t *cf,
    ngx_http_ticket_loc_conf_t *conf)
{
    ngx_http_ticket_main_conf_t  *tmcf;

    tmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_ticket_module);

    if (tmcf->pass_keys != NULL
        || !ngx_http_ticket_guarded(conf)
        || (conf->actions != 0
            && !(conf->actions & NGX_HTTP_TICKET_PASS_ACTIONS)))
    {
        return NGX_CONF_OK;
    }

    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "\"ticket_queue\" needs \"ticket_pass_keys\" in %s:%ui",
                  conf->file, conf->line);

    return NGX_CONF_ERROR;
}
