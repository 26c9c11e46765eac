
/*
 * Places and passes: where requests bring them, how answers carry them.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_ticket_guard.h"
#include "ngx_http_ticket_queue.h"
#include "ngx_http_ticket_queue_metrics.h"


static ngx_int_t ngx_http_ticket_queue_sign(ngx_http_ticket_main_conf_t *tmcf,
    ticket_pass_kind_e kind, ngx_str_t *room, ngx_str_t *user, int64_t a,
    int64_t b, ngx_http_ticket_token_t *token);
static ngx_int_t ngx_http_ticket_queue_header(ngx_http_request_t *r,
    const char *name, u_char *value, size_t len);


static ngx_str_t  ngx_http_ticket_queue_variables[] = {
    ngx_string("http_ticket_place"),
    ngx_string("http_last_event_id"),
    ngx_string("cookie_ticket_place")
};


char *
ngx_http_ticket_queue_inputs(ngx_conf_t *cf,
    ngx_http_ticket_main_conf_t *tmcf)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_HTTP_TICKET_FROM_LAST; i++) {

        tmcf->place[i] = ngx_http_get_variable_index(cf,
                                         &ngx_http_ticket_queue_variables[i]);

        if (tmcf->place[i] == NGX_ERROR) {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


void
ngx_http_ticket_queue_place(ngx_http_request_t *r,
    ngx_http_ticket_main_conf_t *tmcf, ngx_str_t *room, ngx_str_t *user,
    ngx_uint_t stream, ngx_http_ticket_place_t *place)
{
    uint64_t                    number, entered;
    ngx_uint_t                  i;
    ticket_slice_t              text, who, name;
    ngx_http_variable_value_t  *vv;

    ngx_http_ticket_slice(name, room);
    ngx_http_ticket_slice(who, user);

    place->number = 0;
    place->entered = 0;

    for (i = 0; i < NGX_HTTP_TICKET_FROM_LAST; i++) {

        if (i == NGX_HTTP_TICKET_FROM_EVENT && !stream) {
            continue;
        }

        vv = ngx_http_get_flushed_variable(r, tmcf->place[i]);

        if (vv == NULL || vv->not_found || vv->len == 0) {
            continue;
        }

        ngx_http_ticket_slice(text, vv);

        if (ticket_pass_verify(tmcf->pass_keys, TICKET_PASS_PLACE, name, who,
                               text, &number, &entered)
            == TICKET_PASS_OK)
        {
            place->number = number;
            place->entered = (int64_t) entered;
            return;
        }
    }
}


ngx_int_t
ngx_http_ticket_queue_sign_place(ngx_http_ticket_main_conf_t *tmcf,
    ngx_http_ticket_waiter_t *waiter, ngx_http_ticket_place_t *shown,
    ngx_http_ticket_token_t *token)
{
    int64_t  entered;

    entered = (shown != NULL && shown->number == waiter->number)
              ? shown->entered : waiter->now;

    return ngx_http_ticket_queue_sign(tmcf, TICKET_PASS_PLACE,
                                      &waiter->room->sn.str, waiter->user,
                                      (int64_t) waiter->number, entered,
                                      token);
}


ngx_int_t
ngx_http_ticket_queue_sign_pass(ngx_http_ticket_main_conf_t *tmcf,
    ngx_http_ticket_room_t *room, ngx_str_t *user, int64_t expires,
    ngx_http_ticket_token_t *token)
{
    int64_t  issued;

    issued = expires - room->picture.pass_ttl;

    return ngx_http_ticket_queue_sign(tmcf, TICKET_PASS_PASS, &room->sn.str,
                                      user, expires, ngx_max(issued, 0),
                                      token);
}


static ngx_int_t
ngx_http_ticket_queue_sign(ngx_http_ticket_main_conf_t *tmcf,
    ticket_pass_kind_e kind, ngx_str_t *room, ngx_str_t *user, int64_t a,
    int64_t b, ngx_http_ticket_token_t *token)
{
    ticket_slice_t  name, who;

    ngx_http_ticket_slice(name, room);
    ngx_http_ticket_slice(who, user);

    token->len = ticket_pass_sign(tmcf->pass_keys, kind, name, who,
                                  (uint64_t) a, (uint64_t) b,
                                  (char *) token->data, sizeof(token->data));

    return token->len ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_http_ticket_queue_cookie(ngx_http_request_t *r, ticket_pass_kind_e kind,
    ngx_http_ticket_token_t *token, time_t seconds)
{
    size_t   len;
    u_char  *p, *value;

    static ngx_str_t  names[] = {
        ngx_string("ticket_pass"),
        ngx_string("ticket_place")
    };

    len = names[kind].len + (token ? token->len : 0) + NGX_TIME_T_LEN
          + sizeof("=; Path=/; HttpOnly; SameSite=Lax; Max-Age=; Secure");

    value = ngx_pnalloc(r->pool, len);
    if (value == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(value, names[kind].data, names[kind].len);
    *p++ = '=';

    if (token != NULL) {
        p = ngx_cpymem(p, token->data, token->len);
    }

    p = ngx_sprintf(p, "; Path=/; HttpOnly; SameSite=Lax; Max-Age=%T",
                    token != NULL ? ngx_max(seconds, 0) : 0);

#if (NGX_HTTP_SSL)
    if (r->connection->ssl) {
        p = ngx_cpymem(p, "; Secure", sizeof("; Secure") - 1);
    }
#endif

    return ngx_http_ticket_queue_header(r, "Set-Cookie", value, p - value);
}


ngx_int_t
ngx_http_ticket_queue_retry_after(ngx_http_request_t *r, ngx_msec_t poll)
{
    u_char  *p, *value;

    value = ngx_pnalloc(r->pool, NGX_INT_T_LEN);
    if (value == NULL) {
        return NGX_ERROR;
    }

    p = ngx_sprintf(value, "%M", (poll + 999) / 1000);

    return ngx_http_ticket_queue_header(r, "Retry-After", value, p - value);
}


static ngx_int_t
ngx_http_ticket_queue_header(ngx_http_request_t *r, const char *name,
    u_char *value, size_t len)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->hash = 1;
    h->key.data = (u_char *) name;
    h->key.len = ngx_strlen(name);
    h->value.data = value;
    h->value.len = len;
    h->lowcase_key = NULL;
#if (nginx_version >= 1023000)
    h->next = NULL;
#endif

    return NGX_OK;
}


void
ngx_http_ticket_queue_handed(ngx_http_request_t *r,
    ngx_http_ticket_main_conf_t *tmcf, ngx_str_t *room, ngx_str_t *user,
    int64_t expires, int64_t now, ngx_http_ticket_place_t *place)
{
    uint64_t   shown;
    ngx_str_t  pass;

    if (place->number == 0) {
        return;
    }

    if (ngx_http_ticket_guard_find(r, NULL, &pass) == NGX_OK
        && ngx_http_ticket_guard_verify(r, room, user, &pass, &shown)
           == NGX_HTTP_TICKET_RESULT_NONE
        && shown == (uint64_t) expires)
    {
        return;
    }

    ngx_http_ticket_queue_waited(tmcf, place->entered, now);
}
