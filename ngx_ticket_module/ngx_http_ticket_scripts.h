/*
 * The Lua scripts the edge uses, as they are sent to Redis.
 */

#ifndef _NGX_HTTP_TICKET_SCRIPTS_H_INCLUDED_
#define _NGX_HTTP_TICKET_SCRIPTS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_HTTP_TICKET_SHA1_LEN   40


/* `script` is a ngx_http_ticket_script_e */

const char *ngx_http_ticket_script_name(ngx_uint_t script);
ngx_str_t *ngx_http_ticket_script_text(ngx_uint_t script);

/* a TICKET_CODE_* as lua/codes calls it, for logs */
const char *ngx_http_ticket_code_name(ngx_uint_t code);

/* the name EVALSHA takes: NGX_HTTP_TICKET_SHA1_LEN hex digits */
void ngx_http_ticket_script_sha1(ngx_uint_t script, u_char *hex);


#endif /* _NGX_HTTP_TICKET_SCRIPTS_H_INCLUDED_ */
