
/*
 * Commands' memory.  Hundreds are under way at once and all end together,
 * which is more of one size than malloc() has at hand.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_ticket_batch.h"


#define NGX_HTTP_TICKET_COMMAND_ROOM   192      /* bytes of usual strings */

/* kept for the next ones; the sanitizer is to see who uses a dead one */
#if defined(__SANITIZE_ADDRESS__)
#define NGX_HTTP_TICKET_COMMAND_KEEP   0
#else
#define NGX_HTTP_TICKET_COMMAND_KEEP   1024
#endif


static void ngx_http_ticket_command_copy(ngx_str_t *dst, ngx_str_t *src,
    u_char **p);


/* this worker's; linked by data */
static ngx_http_ticket_command_t  *ngx_http_ticket_command_kept;
static ngx_uint_t                  ngx_http_ticket_command_nkept;


ngx_http_ticket_command_t *
ngx_http_ticket_command_create(ngx_str_t *ticket, ngx_str_t *user,
    ngx_str_t *key, ngx_str_t *asked)
{
    size_t                      room;
    u_char                     *p;
    ngx_http_ticket_command_t  *command;

    room = ticket->len + user->len + key->len + asked->len;
    room = ngx_max(room, NGX_HTTP_TICKET_COMMAND_ROOM);

    command = ngx_http_ticket_command_kept;

    if (room == NGX_HTTP_TICKET_COMMAND_ROOM && command != NULL) {
        ngx_http_ticket_command_kept = command->data;
        ngx_http_ticket_command_nkept--;

    } else {
        command = ngx_alloc(sizeof(ngx_http_ticket_command_t) + room,
                            ngx_cycle->log);
        if (command == NULL) {
            return NULL;
        }
    }

    /* the buffers behind it are used with their length only */

    ngx_memzero(command, offsetof(ngx_http_ticket_command_t, id_buf));

    command->room = room;

    p = (u_char *) command + sizeof(ngx_http_ticket_command_t);

    ngx_http_ticket_command_copy(&command->ticket, ticket, &p);
    ngx_http_ticket_command_copy(&command->user, user, &p);
    ngx_http_ticket_command_copy(&command->key, key, &p);
    ngx_http_ticket_command_copy(&command->asked, asked, &p);

    return command;
}


static void
ngx_http_ticket_command_copy(ngx_str_t *dst, ngx_str_t *src, u_char **p)
{
    dst->data = *p;
    dst->len = src->len;

    if (src->len) {
        *p = ngx_cpymem(*p, src->data, src->len);
    }
}


void
ngx_http_ticket_command_free(ngx_http_ticket_command_t *command)
{
    if (command->room != NGX_HTTP_TICKET_COMMAND_ROOM
        || ngx_http_ticket_command_nkept == NGX_HTTP_TICKET_COMMAND_KEEP)
    {
        ngx_free(command);
        return;
    }

    command->data = ngx_http_ticket_command_kept;

    ngx_http_ticket_command_kept = command;
    ngx_http_ticket_command_nkept++;
}
