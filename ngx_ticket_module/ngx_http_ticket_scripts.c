#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_sha1.h>
#include "ngx_http_ticket_scripts.h"
#include "ticket_scripts.h"


typedef struct {
    const char  *name;
    ngx_str_t    text;
} ngx_http_ticket_script_t;


#define ngx_http_ticket_script(name)                                          \
    { #name, ngx_string(ticket_script_##name) }


/* in the order of ngx_http_ticket_script_e */

static ngx_http_ticket_script_t  ngx_http_ticket_scripts[] = {
    ngx_http_ticket_script(book),
    ngx_http_ticket_script(cancel),
    ngx_http_ticket_script(booking),
    ngx_http_ticket_script(ticket),
    ngx_http_ticket_script(define),
    ngx_http_ticket_script(delete),
    ngx_http_ticket_script(bookings),
    ngx_http_ticket_script(queue_enter),
    ngx_http_ticket_script(queue_advance),
    ngx_http_ticket_script(queue_leave),
    ngx_http_ticket_script(queue_define),
    ngx_http_ticket_script(queue_room),
    ngx_http_ticket_script(selftest)
};


const char *
ngx_http_ticket_script_name(ngx_uint_t script)
{
    return ngx_http_ticket_scripts[script].name;
}


#define ngx_http_ticket_code(name)                                            \
    case TICKET_CODE_##name:                                                  \
        return #name;

const char *
ngx_http_ticket_code_name(ngx_uint_t code)
{
    switch (code) {
    TICKET_CODES(ngx_http_ticket_code)
    default:
        return "unknown";
    }
}


ngx_str_t *
ngx_http_ticket_script_text(ngx_uint_t script)
{
    return &ngx_http_ticket_scripts[script].text;
}


void
ngx_http_ticket_script_sha1(ngx_uint_t script, u_char *hex)
{
    u_char       digest[20];
    ngx_str_t   *text;
    ngx_sha1_t   sha1;

    text = &ngx_http_ticket_scripts[script].text;

    ngx_sha1_init(&sha1);
    ngx_sha1_update(&sha1, text->data, text->len);
    ngx_sha1_final(digest, &sha1);

    ngx_hex_dump(hex, digest, sizeof(digest));
}
