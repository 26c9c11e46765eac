#include "ngx_http_ticket_accept.h"


#define TICKET_ACCEPT_ONE    1000


static ticket_slice_t ticket_accept_part(const char **p, const char *end,
    char separator);
static int ticket_accept_is(ticket_slice_t word, const char *name);
static int ticket_accept_weight(ticket_slice_t text);


void
ticket_accept_init(ticket_accept_t *accept)
{
    accept->html = -1;
    accept->json = -1;
    accept->application = -1;
    accept->any = -1;
}


void
ticket_accept_add(ticket_accept_t *accept, ticket_slice_t value)
{
    int             weight, *known;
    const char     *p, *q, *end, *last;
    ticket_slice_t  range, type, parameter;

    p = value.data;
    end = p + value.len;

    while (p < end) {
        range = ticket_accept_part(&p, end, ',');

        q = range.data;
        last = q + range.len;

        type = ticket_accept_part(&q, last, ';');
        weight = TICKET_ACCEPT_ONE;

        while (q < last) {
            parameter = ticket_accept_part(&q, last, ';');

            if (parameter.len >= 2
                && (parameter.data[0] | 0x20) == 'q'
                && parameter.data[1] == '=')
            {
                parameter.data += 2;
                parameter.len -= 2;

                weight = ticket_accept_weight(parameter);
                break;
            }
        }

        if (ticket_accept_is(type, "text/html")) {
            known = &accept->html;

        } else if (ticket_accept_is(type, "application/json")) {
            known = &accept->json;

        } else if (ticket_accept_is(type, "application/*")) {
            known = &accept->application;

        } else if (ticket_accept_is(type, "*/*")) {
            known = &accept->any;

        } else {
            continue;
        }

        if (weight > *known) {
            *known = weight;
        }
    }
}


int
ticket_accept_page(const ticket_accept_t *accept)
{
    if (accept->html <= 0) {
        return 0;
    }

    if (accept->json >= 0) {
        return accept->html > accept->json;
    }

    if (accept->application >= 0) {
        return accept->html >= accept->application;
    }

    return accept->html >= accept->any;
}


/* the bytes up to the next separator, without the blanks around them */

static ticket_slice_t
ticket_accept_part(const char **p, const char *end, char separator)
{
    const char      *begin, *last;
    ticket_slice_t   part;

    begin = *p;
    last = memchr(begin, separator, end - begin);

    if (last == NULL) {
        last = end;
        *p = end;

    } else {
        *p = last + 1;
    }

    while (begin < last && (*begin == ' ' || *begin == '\t')) {
        begin++;
    }

    while (last > begin && (last[-1] == ' ' || last[-1] == '\t')) {
        last--;
    }

    part.data = begin;
    part.len = last - begin;

    return part;
}


/* case does not matter; `name` is in lower case */

static int
ticket_accept_is(ticket_slice_t word, const char *name)
{
    char    ch;
    size_t  i;

    if (word.len != strlen(name)) {
        return 0;
    }

    for (i = 0; i < word.len; i++) {
        ch = word.data[i];

        if (ch >= 'A' && ch <= 'Z') {
            ch |= 0x20;
        }

        if (ch != name[i]) {
            return 0;
        }
    }

    return 1;
}


/* 0, 0.123, 1, 1.000; -1: something else, as if the type were not named */

static int
ticket_accept_weight(ticket_slice_t text)
{
    int     weight, unit;
    size_t  i;

    if (text.len == 0 || text.len > sizeof("0.123") - 1
        || (text.data[0] != '0' && text.data[0] != '1')
        || (text.len > 1 && text.data[1] != '.'))
    {
        return -1;
    }

    unit = TICKET_ACCEPT_ONE;
    weight = (text.data[0] - '0') * unit;

    for (i = 2; i < text.len; i++) {

        if (text.data[i] < '0' || text.data[i] > '9') {
            return -1;
        }

        unit /= 10;
        weight += (text.data[i] - '0') * unit;
    }

    return weight <= TICKET_ACCEPT_ONE ? weight : -1;
}
