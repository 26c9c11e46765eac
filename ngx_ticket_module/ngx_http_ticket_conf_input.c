
/*
 * The directives that say where an input of a request comes from.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_ticket_module.h"


static ngx_int_t ngx_http_ticket_conf_variable(ngx_str_t *text,
    ngx_str_t *name);


char *
ngx_http_ticket_conf_input(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char  *p = conf;

    ngx_str_t                 *value;
    ngx_http_ticket_input_t  **input;

    input = (ngx_http_ticket_input_t **) (p + cmd->offset);

    if (*input != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    *input = ngx_http_ticket_conf_input_compile(cf, &value[1]);

    return *input ? NGX_CONF_OK : NGX_CONF_ERROR;
}


ngx_http_ticket_input_t *
ngx_http_ticket_conf_input_compile(ngx_conf_t *cf, ngx_str_t *text)
{
    ngx_str_t                          name;
    ngx_http_ticket_input_t           *input;
    ngx_http_compile_complex_value_t   ccv;

    input = ngx_pcalloc(cf->pool, sizeof(ngx_http_ticket_input_t));
    if (input == NULL) {
        return NULL;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = text;
    ccv.complex_value = &input->value;

    if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
        return NULL;
    }

    input->index = NGX_ERROR;

    if (ngx_http_ticket_conf_variable(text, &name) != NGX_OK) {
        return input;
    }

    /* read as it is, without a copy by the script engine */

    input->index = ngx_http_get_variable_index(cf, &name);

    if (input->index == NGX_ERROR) {
        return NULL;
    }

    input->encoded = (name.len > 4
                      && ngx_strncasecmp(name.data, (u_char *) "arg_", 4)
                         == 0);

    return input;
}


/* the name in $name or ${name}; NGX_DECLINED: it is something else */

static ngx_int_t
ngx_http_ticket_conf_variable(ngx_str_t *text, ngx_str_t *name)
{
    u_char  ch;
    size_t  i;

    *name = *text;

    if (name->len < 2 || name->data[0] != '$') {
        return NGX_DECLINED;
    }

    name->data++;
    name->len--;

    if (name->data[0] == '{' && name->data[name->len - 1] == '}') {
        name->data++;
        name->len -= 2;
    }

    for (i = 0; i < name->len; i++) {
        ch = name->data[i];

        if (!((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z')
              || (ch >= '0' && ch <= '9') || ch == '_'))
        {
            return NGX_DECLINED;
        }
    }

    /* $1 to $9 are captures */

    if (name->len == 0 || (name->data[0] >= '1' && name->data[0] <= '9')) {
        return NGX_DECLINED;
    }

    return NGX_OK;
}
