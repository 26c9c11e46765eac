/*
 * A text that grows in a pool, or (pool NULL) has the room it was given, and
 * JSON in it.  Commas come by themselves.  Running out of memory is remembered
 * and asked for once, at the end.
 */

#ifndef _NGX_HTTP_TICKET_JSON_H_INCLUDED_
#define _NGX_HTTP_TICKET_JSON_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


typedef struct {
    ngx_pool_t                       *pool;
    u_char                           *start;
    u_char                           *pos;
    u_char                           *end;
    unsigned                          failed:1;     /* no memory */
} ngx_http_ticket_text_t;


/* as it is */
void ngx_http_ticket_text_add(ngx_http_ticket_text_t *text, const void *data,
    size_t len);
void ngx_http_ticket_text_printf(ngx_http_ticket_text_t *text,
    const char *fmt, ...);

#define ngx_http_ticket_text_literal(text, s)                                 \
    ngx_http_ticket_text_add(text, s, sizeof(s) - 1)


/* '{' '[' '}' ']'; key: a member's, or NULL: a value of its own */
void ngx_http_ticket_json_open(ngx_http_ticket_text_t *text, const char *key,
    u_char bracket);
void ngx_http_ticket_json_close(ngx_http_ticket_text_t *text, u_char bracket);

void ngx_http_ticket_json_str(ngx_http_ticket_text_t *text, const char *key,
    const ngx_str_t *value);
void ngx_http_ticket_json_uint(ngx_http_ticket_text_t *text, const char *key,
    uint64_t value);
/* null when it is empty */
void ngx_http_ticket_json_text(ngx_http_ticket_text_t *text, const char *key,
    const ngx_str_t *value);
/* null when it is negative */
void ngx_http_ticket_json_number(ngx_http_ticket_text_t *text, const char *key,
    int64_t value);
/* RFC 3339, or null when ms is negative */
void ngx_http_ticket_json_time(ngx_http_ticket_text_t *text, const char *key,
    int64_t ms);
/* where a list goes on: "cursor", null at its end, which SCAN calls 0 */
void ngx_http_ticket_json_cursor(ngx_http_ticket_text_t *text,
    const ngx_str_t *cursor);
/* "true", "false", "null" */
void ngx_http_ticket_json_word(ngx_http_ticket_text_t *text, const char *key,
    const char *word);

#define ngx_http_ticket_json_bool(text, key, value)                           \
    ngx_http_ticket_json_word(text, key, (value) ? "true" : "false")


#endif /* _NGX_HTTP_TICKET_JSON_H_INCLUDED_ */
