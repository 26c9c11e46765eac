
/*
 * The inputs of a request as text, turned into checked values.
 */

#include "ngx_http_ticket_args_field.h"


static ticket_args_code_t ticket_args_pairs(ticket_args_t *args,
    unsigned fields, ticket_slice_t text, char *storage, int query,
    const char **detail);
static int ticket_args_hex(int c);

static ticket_slice_t ticket_args_word(const char **p, const char *end);
static int ticket_args_same(ticket_slice_t word, const char *lower,
    size_t len);


#define ticket_args_is(word, lower)                                           \
    ticket_args_same(word, lower, sizeof(lower) - 1)


ticket_args_code_t
ticket_args_form(ticket_args_t *args, unsigned fields, ticket_slice_t text,
    char *storage, const char **detail)
{
    return ticket_args_pairs(args, fields, text, storage, 0, detail);
}


ticket_args_code_t
ticket_args_query(ticket_args_t *args, unsigned fields, ticket_slice_t text,
    char *storage, const char **detail)
{
    return ticket_args_pairs(args, fields, text, storage, 1, detail);
}


static ticket_args_code_t
ticket_args_pairs(ticket_args_t *args, unsigned fields, ticket_slice_t text,
    char *storage, int query, const char **detail)
{
    const char                 *p, *end, *last, *equals;
    ticket_slice_t              name, value;
    ticket_args_code_t          code;
    const ticket_args_field_t  *field;

    memset(args, 0, sizeof(ticket_args_t));

    p = text.data;
    end = p + text.len;

    for ( /* void */ ; p < end; p = last + 1) {

        last = memchr(p, '&', (size_t) (end - p));

        if (last == NULL) {
            last = end;
        }

        if (last == p) {
            continue;
        }

        equals = memchr(p, '=', (size_t) (last - p));

        name.data = p;
        name.len = (size_t) ((equals ? equals : last) - p);

        value.data = equals ? equals + 1 : last;
        value.len = (size_t) (last - value.data);

        /* the name may be overwritten by the value: it is looked up first */

        if (ticket_args_unescape(name, storage, &name) == 0) {
            field = ticket_args_find(fields, name);

        } else if (query) {
            field = NULL;

        } else {
            return ticket_args_fail(detail, TICKET_ARGS_BAD_REQUEST,
                                    "A field's name is not percent-encoded "
                                    "correctly.");
        }

        if (field == NULL) {

            if (query) {
                continue;
            }

            return ticket_args_fail(detail, TICKET_ARGS_UNKNOWN_FIELD,
                                    "The body has a field that this action "
                                    "does not know.");
        }

        if (args->given & field->bit) {
            return ticket_args_fail(detail, TICKET_ARGS_BAD_REQUEST,
                                    field->twice);
        }

        if (ticket_args_unescape(value, storage, &value) != 0) {
            return ticket_args_fail(detail, TICKET_ARGS_BAD_REQUEST,
                                    field->escape);
        }

        storage += value.len;

        if (value.len == 0
            && (field->kind == TICKET_ARGS_TIME
                || field->kind == TICKET_ARGS_OPTION
                || field->kind == TICKET_ARGS_NAMES))
        {
            value.data = NULL;
        }

        code = ticket_args_set(args, field, value, detail);

        if (code != TICKET_ARGS_OK) {
            return code;
        }
    }

    return ticket_args_check(args, detail);
}


ticket_args_code_t
ticket_args_merge(ticket_args_t *args, const ticket_args_t *query,
    const char **detail)
{
    int                         same;
    char                       *to;
    size_t                      i;
    const char                 *from;
    const ticket_args_field_t  *field;

    for (i = 0; (field = ticket_args_field(i)) != NULL; i++) {

        if (!(query->given & field->bit & TICKET_ARGS_BOOKING)) {
            continue;
        }

        to = (char *) args + field->offset;
        from = (const char *) query + field->offset;

        if (!(args->given & field->bit)) {
            memcpy(to, from, (field->kind == TICKET_ARGS_NUMBER)
                             ? sizeof(uint64_t) : sizeof(ticket_slice_t));
            args->given |= field->bit;
            continue;
        }

        if (field->kind == TICKET_ARGS_NUMBER) {
            same = *(const uint64_t *) to == *(const uint64_t *) from;

        } else {
            same = ticket_slice_eq(*(const ticket_slice_t *) to,
                                   *(const ticket_slice_t *) from);
        }

        if (!same) {
            return ticket_args_fail(detail, TICKET_ARGS_AMBIGUOUS,
                                    field->ambiguous);
        }
    }

    return TICKET_ARGS_OK;
}


ticket_args_code_t
ticket_args_quantity(ticket_slice_t text, uint32_t *quantity,
    const char **detail)
{
    uint64_t  n;

    if (ticket_number_parse(text, TICKET_QUANTITY_MAX, &n) != 0 || n == 0) {
        return ticket_args_fail(detail, TICKET_ARGS_INVALID_QUANTITY,
                                "quantity must be an integer from 1 to "
                                "1000000.");
    }

    *quantity = (uint32_t) n;

    return TICKET_ARGS_OK;
}


int
ticket_args_unescape(ticket_slice_t text, char *storage,
    ticket_slice_t *value)
{
    int          high, low;
    char        *dst;
    const char  *p, *end;

    end = text.data + text.len;

    for (p = text.data; p < end && *p != '+' && *p != '%'; p++) { /* void */ }

    dst = storage + (p - text.data);

    if (p != text.data) {
        memcpy(storage, text.data, (size_t) (p - text.data));
    }

    for ( /* void */ ; p < end; p++) {

        if (*p == '+') {
            *dst++ = ' ';
            continue;
        }

        if (*p != '%') {
            *dst++ = *p;
            continue;
        }

        if (end - p < 3) {
            return -1;
        }

        high = ticket_args_hex(p[1]);
        low = ticket_args_hex(p[2]);

        if (high < 0 || low < 0) {
            return -1;
        }

        *dst++ = (char) (high * 16 + low);
        p += 2;
    }

    value->data = storage;
    value->len = (size_t) (dst - storage);

    return 0;
}


static int
ticket_args_hex(int c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    c |= 0x20;

    return (c >= 'a' && c <= 'f') ? c - 'a' + 10 : -1;
}


ticket_media_t
ticket_args_media(ticket_slice_t content_type)
{
    const char      *p, *end;
    ticket_slice_t   word, name;
    ticket_media_t   media;

    p = content_type.data;
    end = p + content_type.len;

    word = ticket_args_word(&p, end);

    if (ticket_args_is(word, "application/json")) {
        media = TICKET_MEDIA_JSON;

    } else if (ticket_args_is(word, "application/x-www-form-urlencoded")) {
        media = TICKET_MEDIA_FORM;

    } else {
        return TICKET_MEDIA_UNSUPPORTED;
    }

    while (p < end) {
        word = ticket_args_word(&p, end);

        name.data = word.data;
        name.len = sizeof("charset=") - 1;

        if (word.len < name.len || !ticket_args_is(name, "charset=")) {
            continue;
        }

        if (!ticket_args_is(word, "charset=utf-8")
            && !ticket_args_is(word, "charset=\"utf-8\"")
            && !ticket_args_is(word, "charset=utf8"))
        {
            return TICKET_MEDIA_UNSUPPORTED;
        }
    }

    return media;
}


/* the bytes up to the next semicolon, without the blanks around them */

static ticket_slice_t
ticket_args_word(const char **p, const char *end)
{
    int              quoted;
    const char      *s;
    ticket_slice_t   word;

    quoted = 0;

    for (s = *p; s < end; s++) {

        if (*s == '"') {
            quoted = !quoted;

        } else if (*s == '\\' && quoted && end - s > 1) {
            s++;

        } else if (*s == ';' && !quoted) {
            break;
        }
    }

    word.data = *p;
    word.len = (size_t) (s - *p);

    *p = (s < end) ? s + 1 : end;

    while (word.len && (word.data[0] == ' ' || word.data[0] == '\t')) {
        word.data++;
        word.len--;
    }

    while (word.len && (word.data[word.len - 1] == ' '
                        || word.data[word.len - 1] == '\t'))
    {
        word.len--;
    }

    return word;
}


static int
ticket_args_same(ticket_slice_t word, const char *lower, size_t len)
{
    char    c;
    size_t  i;

    if (word.len != len) {
        return 0;
    }

    for (i = 0; i < len; i++) {
        c = word.data[i];

        if (c >= 'A' && c <= 'Z') {
            c |= 0x20;
        }

        if (c != lower[i]) {
            return 0;
        }
    }

    return 1;
}


const char *
ticket_args_code_name(ticket_args_code_t code)
{
    static const char *const  names[] = {
        "ok",
        "bad_request",
        "unknown_field",
        "invalid_quantity",
        "ambiguous"
    };

    return names[code];
}
