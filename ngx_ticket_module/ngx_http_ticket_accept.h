/*
 * Whether the Accept headers of a request ask for a page or for data (RFC
 * 9110, 12.5.1).  Pure functions: no I/O, no nginx; unit-tested without it.
 */

#ifndef _NGX_HTTP_TICKET_ACCEPT_H_INCLUDED_
#define _NGX_HTTP_TICKET_ACCEPT_H_INCLUDED_


#include "ticket_text.h"


/* weights in thousandths; -1: not named */
typedef struct {
    int                  html;          /* text/html */
    int                  json;          /* application/json */
    int                  application;   /* application/... */
    int                  any;           /* anything */
} ticket_accept_t;


void ticket_accept_init(ticket_accept_t *accept);

/* The value of one header more.  What cannot be read is left out, and of a
 * type that is named twice the larger weight counts. */
void ticket_accept_add(ticket_accept_t *accept, ticket_slice_t value);

/* 1: text/html is named, wanted more than JSON where that is named, too, and
 * else no less than what JSON is an instance of.  Programs that take anything
 * are so told from browsers. */
int ticket_accept_page(const ticket_accept_t *accept);


#endif /* _NGX_HTTP_TICKET_ACCEPT_H_INCLUDED_ */
