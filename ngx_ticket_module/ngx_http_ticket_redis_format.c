
/*
 * Commands as Redis reads them: an array of bulk strings (RESP2,
 * https://redis.io/docs/latest/develop/reference/protocol-spec/).  A batch has
 * hundreds of arguments; hiredis prints the head of each one with snprintf(),
 * which was the largest single part of what a booking cost.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_ticket_redis_peer.h"
#include "ticket_text.h"


/* a sign, the number, CR LF */
#define NGX_HTTP_TICKET_REDIS_HEAD   (1 + TICKET_NUMBER_LEN + 2)


static char *ngx_http_ticket_redis_format_head(char *p, char sign, size_t n);


size_t
ngx_http_ticket_redis_format_max(ngx_uint_t argc, const size_t *argvlen)
{
    size_t      size;
    ngx_uint_t  i;

    size = NGX_HTTP_TICKET_REDIS_HEAD;

    for (i = 0; i < argc; i++) {
        size += NGX_HTTP_TICKET_REDIS_HEAD + argvlen[i] + 2;
    }

    return size;
}


size_t
ngx_http_ticket_redis_format(char *buf, ngx_uint_t argc, const char **argv,
    const size_t *argvlen)
{
    char        *p;
    ngx_uint_t   i;

    p = ngx_http_ticket_redis_format_head(buf, '*', argc);

    for (i = 0; i < argc; i++) {
        p = ngx_http_ticket_redis_format_head(p, '$', argvlen[i]);

        if (argvlen[i]) {
            ngx_memcpy(p, argv[i], argvlen[i]);
            p += argvlen[i];
        }

        *p++ = CR;
        *p++ = LF;
    }

    return p - buf;
}


static char *
ngx_http_ticket_redis_format_head(char *p, char sign, size_t n)
{
    *p++ = sign;
    p = ticket_number_format(p, n);
    *p++ = CR;
    *p++ = LF;

    return p;
}
