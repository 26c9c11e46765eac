
/*
 * Texts that grow, and JSON.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_ticket_json.h"
#include "ticket_event.h"


#define NGX_HTTP_TICKET_TEXT_FIRST   512
#define NGX_HTTP_TICKET_PRINTF_MAX   512


static u_char *ngx_http_ticket_text_grow(ngx_http_ticket_text_t *text,
    size_t len);
static u_char *ngx_http_ticket_json_key(ngx_http_ticket_text_t *text,
    const char *key, size_t len);


/* NULL: no memory, now or earlier */

static ngx_inline u_char *
ngx_http_ticket_text_room(ngx_http_ticket_text_t *text, size_t len)
{
    if ((size_t) (text->end - text->pos) >= len && !text->failed) {
        return text->pos;
    }

    return ngx_http_ticket_text_grow(text, len);
}


static u_char *
ngx_http_ticket_text_grow(ngx_http_ticket_text_t *text, size_t len)
{
    size_t   used, size;
    u_char  *p;

    if (text->failed || text->pool == NULL) {
        text->failed = 1;
        return NULL;
    }

    used = text->pos - text->start;
    size = ngx_max((size_t) (text->end - text->start) * 2,
                   NGX_HTTP_TICKET_TEXT_FIRST);

    while (size - used < len) {
        size *= 2;
    }

    p = ngx_pnalloc(text->pool, size);
    if (p == NULL) {
        text->failed = 1;
        return NULL;
    }

    if (used) {
        ngx_memcpy(p, text->start, used);

        /* only what was allocated by itself is really given back */
        (void) ngx_pfree(text->pool, text->start);
    }

    text->start = p;
    text->pos = p + used;
    text->end = p + size;

    return text->pos;
}


void
ngx_http_ticket_text_add(ngx_http_ticket_text_t *text, const void *data,
    size_t len)
{
    u_char  *p;

    p = ngx_http_ticket_text_room(text, len);

    if (p != NULL && len) {
        text->pos = ngx_cpymem(p, data, len);
    }
}


void
ngx_http_ticket_text_printf(ngx_http_ticket_text_t *text, const char *fmt, ...)
{
    u_char   *p;
    va_list   args;

    p = ngx_http_ticket_text_room(text, NGX_HTTP_TICKET_PRINTF_MAX);
    if (p == NULL) {
        return;
    }

    va_start(args, fmt);
    text->pos = ngx_vslprintf(p, p + NGX_HTTP_TICKET_PRINTF_MAX, fmt, args);
    va_end(args);
}


/* a comma where one is due, the key, and room for `len` bytes behind it */

static u_char *
ngx_http_ticket_json_key(ngx_http_ticket_text_t *text, const char *key,
    size_t len)
{
    u_char  *p;
    size_t   key_len;

    key_len = (key != NULL) ? ngx_strlen(key) : 0;

    p = ngx_http_ticket_text_room(text, sizeof(",\"\":") - 1 + key_len + len);
    if (p == NULL) {
        return NULL;
    }

    if (p != text->start && p[-1] != '{' && p[-1] != '[') {
        *p++ = ',';
    }

    if (key != NULL) {
        *p++ = '"';
        p = ngx_cpymem(p, key, key_len);
        *p++ = '"';
        *p++ = ':';
    }

    return p;
}


void
ngx_http_ticket_json_open(ngx_http_ticket_text_t *text, const char *key,
    u_char bracket)
{
    u_char  *p;

    p = ngx_http_ticket_json_key(text, key, 1);
    if (p == NULL) {
        return;
    }

    *p++ = bracket;

    text->pos = p;
}


void
ngx_http_ticket_json_close(ngx_http_ticket_text_t *text, u_char bracket)
{
    ngx_http_ticket_text_add(text, &bracket, 1);
}


void
ngx_http_ticket_json_str(ngx_http_ticket_text_t *text, const char *key,
    const ngx_str_t *value)
{
    u_char     *p;
    uintptr_t   escape;

    escape = ngx_escape_json(NULL, value->data, value->len);

    p = ngx_http_ticket_json_key(text, key, value->len + escape + 2);
    if (p == NULL) {
        return;
    }

    *p++ = '"';

    if (escape) {
        p = (u_char *) ngx_escape_json(p, value->data, value->len);

    } else {
        p = ngx_cpymem(p, value->data, value->len);
    }

    *p++ = '"';

    text->pos = p;
}


void
ngx_http_ticket_json_uint(ngx_http_ticket_text_t *text, const char *key,
    uint64_t value)
{
    u_char  *p;

    p = ngx_http_ticket_json_key(text, key, TICKET_NUMBER_LEN);
    if (p == NULL) {
        return;
    }

    text->pos = (u_char *) ticket_number_format((char *) p, value);
}


void
ngx_http_ticket_json_text(ngx_http_ticket_text_t *text, const char *key,
    const ngx_str_t *value)
{
    if (value->len == 0) {
        ngx_http_ticket_json_word(text, key, "null");
        return;
    }

    ngx_http_ticket_json_str(text, key, value);
}


void
ngx_http_ticket_json_number(ngx_http_ticket_text_t *text, const char *key,
    int64_t value)
{
    if (value < 0) {
        ngx_http_ticket_json_word(text, key, "null");
        return;
    }

    ngx_http_ticket_json_uint(text, key, (uint64_t) value);
}


void
ngx_http_ticket_json_time(ngx_http_ticket_text_t *text, const char *key,
    int64_t ms)
{
    char       buf[TICKET_TIME_LEN];
    ngx_str_t  value;

    if (ms < 0) {
        ngx_http_ticket_json_word(text, key, "null");
        return;
    }

    ticket_time_format(buf, ms);

    value.data = (u_char *) buf;
    value.len = TICKET_TIME_LEN;

    ngx_http_ticket_json_str(text, key, &value);
}


void
ngx_http_ticket_json_word(ngx_http_ticket_text_t *text, const char *key,
    const char *word)
{
    u_char  *p;
    size_t   len;

    len = ngx_strlen(word);

    p = ngx_http_ticket_json_key(text, key, len);
    if (p == NULL) {
        return;
    }

    text->pos = ngx_cpymem(p, word, len);
}


void
ngx_http_ticket_json_cursor(ngx_http_ticket_text_t *text,
    const ngx_str_t *cursor)
{
    if (cursor->len == 0 || (cursor->len == 1 && cursor->data[0] == '0')) {
        ngx_http_ticket_json_word(text, "cursor", "null");
        return;
    }

    ngx_http_ticket_json_str(text, "cursor", cursor);
}
