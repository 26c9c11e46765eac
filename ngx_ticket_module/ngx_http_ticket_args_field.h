
/*
 * What a field of a request is (ngx_http_ticket_args_field.c), for the two
 * roads values come by: pairs (ngx_http_ticket_args.c) and JSON
 * (ngx_http_ticket_args_json.c).
 */

#ifndef _NGX_HTTP_TICKET_ARGS_FIELD_H_INCLUDED_
#define _NGX_HTTP_TICKET_ARGS_FIELD_H_INCLUDED_


#include "ngx_http_ticket_args.h"


typedef enum {
    TICKET_ARGS_STRING = 0,
    TICKET_ARGS_NUMBER,
    TICKET_ARGS_TIME,                   /* a string or null */
    TICKET_ARGS_OPTION,                 /* a number or null, which is 0 */
    TICKET_ARGS_NAMES,                  /* an array of names, or null */
    TICKET_ARGS_BOOLEAN
} ticket_args_kind_t;


typedef struct {
    ticket_slice_t             name;
    unsigned                   bit;
    ticket_args_kind_t         kind;
    size_t                     offset;  /* in ticket_args_t */

    /* what a string must be */
    int                      (*valid)(ticket_slice_t text);

    /* what a number must be */
    uint64_t                   min;
    uint64_t                   max;

    /* sentences */
    const char                *type;
    const char                *range;
    const char                *twice;
    const char                *escape;
    const char                *ambiguous;
} ticket_args_field_t;


/* all of them, one after the other; NULL: there are no more */
const ticket_args_field_t *ticket_args_field(size_t i);

/* NULL: no field of this name among `fields` */
const ticket_args_field_t *ticket_args_find(unsigned fields,
    ticket_slice_t name);
ticket_args_code_t ticket_args_fail(const char **detail,
    ticket_args_code_t code, const char *sentence);

/* Checks and stores one value; `text` without data is null.  A list: names with
 * one space between them; a boolean: true or false. */
ticket_args_code_t ticket_args_set(ticket_args_t *args,
    const ticket_args_field_t *field, ticket_slice_t text,
    const char **detail);

/* what concerns more than one field */
ticket_args_code_t ticket_args_check(ticket_args_t *args,
    const char **detail);


#endif /* _NGX_HTTP_TICKET_ARGS_FIELD_H_INCLUDED_ */
