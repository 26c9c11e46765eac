
/*
 * The inputs of a request as text, turned into checked values.
 */

#include "ngx_http_ticket_args_field.h"


static int ticket_args_any_valid(ticket_slice_t text);
static int ticket_args_id_valid(ticket_slice_t text);
static int ticket_args_pass_valid(ticket_slice_t text);
static int ticket_args_state_valid(ticket_slice_t text);
static int ticket_args_cursor_valid(ticket_slice_t text);

static ticket_args_code_t ticket_args_pairs(ticket_args_t *args,
    unsigned fields, ticket_slice_t text, char *storage, int query,
    const char **detail);
static int ticket_args_hex(int c);

static ticket_slice_t ticket_args_word(const char **p, const char *end);
static int ticket_args_same(ticket_slice_t word, const char *lower,
    size_t len);


#define ticket_args_is(word, lower)                                           \
    ticket_args_same(word, lower, sizeof(lower) - 1)


#define TICKET_ARGS_FIELD(name, NAME, kind, valid, min, max, type, range)     \
    { ticket_slice(#name), TICKET_ARG_ ## NAME, TICKET_ARGS_ ## kind,         \
      offsetof(ticket_args_t, name), valid, min, max,                         \
      #name " must be " type ".", #name " must be " range ".",                \
      #name " is given twice.", #name " is not percent-encoded correctly.",   \
      #name " is given in the body and, differently, in the query." }

#define TICKET_ARGS_TEXT(name, NAME, valid, range)                            \
    TICKET_ARGS_FIELD(name, NAME, STRING, valid, 0, 0, "a string", range)

#define TICKET_ARGS_COUNT(name, NAME, min, max, range)                        \
    TICKET_ARGS_FIELD(name, NAME, NUMBER, NULL, min, max,                     \
                      "an integer without fraction or exponent", range)

#define TICKET_ARGS_INSTANT(name, NAME)                                       \
    TICKET_ARGS_FIELD(name, NAME, TIME, NULL, 0, 0, "a string or null",       \
                      "an RFC 3339 time from 1970 to 9999, or null")


static const ticket_args_field_t  ticket_args_fields[] = {

    TICKET_ARGS_TEXT(ticket, TICKET, ticket_args_any_valid,
                     "a string"),
    TICKET_ARGS_COUNT(quantity, QUANTITY, 1, TICKET_QUANTITY_MAX,
                      "an integer from 1 to 1000000"),
    TICKET_ARGS_TEXT(booking_id, BOOKING_ID, ticket_args_id_valid,
                     "the id of a booking"),
    TICKET_ARGS_TEXT(pass, PASS, ticket_args_pass_valid,
                     "1 to 1024 visible ASCII characters"),

    TICKET_ARGS_COUNT(capacity, CAPACITY, 0, TICKET_CAPACITY_MAX,
                      "an integer from 0 to 1000000000000"),
    TICKET_ARGS_COUNT(per_user, PER_USER, 1, TICKET_QUANTITY_MAX,
                      "an integer from 1 to 1000000"),
    TICKET_ARGS_COUNT(lanes, LANES, 1, TICKET_LANES_MAX,
                      "an integer from 1 to 64"),
    TICKET_ARGS_TEXT(state, STATE, ticket_args_state_valid,
                     "open, paused or closed"),
    TICKET_ARGS_INSTANT(opens_at, OPENS_AT),
    TICKET_ARGS_INSTANT(closes_at, CLOSES_AT),

    TICKET_ARGS_COUNT(limit, LIMIT, 1, TICKET_LIMIT_MAX,
                      "an integer from 1 to 1000"),
    TICKET_ARGS_TEXT(cursor, CURSOR, ticket_args_cursor_valid,
                     "a cursor from an earlier answer")
};

#define TICKET_ARGS_FIELDS                                                    \
    (sizeof(ticket_args_fields) / sizeof(ticket_args_field_t))


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

        if (field->kind == TICKET_ARGS_TIME && value.len == 0) {
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

    for (i = 0; i < TICKET_ARGS_FIELDS; i++) {

        field = &ticket_args_fields[i];

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


const ticket_args_field_t *
ticket_args_find(unsigned fields, ticket_slice_t name)
{
    size_t  i;

    for (i = 0; i < TICKET_ARGS_FIELDS; i++) {
        if ((ticket_args_fields[i].bit & fields)
            && ticket_slice_eq(ticket_args_fields[i].name, name))
        {
            return &ticket_args_fields[i];
        }
    }

    return NULL;
}


ticket_args_code_t
ticket_args_fail(const char **detail, ticket_args_code_t code,
    const char *sentence)
{
    *detail = sentence;

    return code;
}


/* `text` without data is null */

ticket_args_code_t
ticket_args_set(ticket_args_t *args, const ticket_args_field_t *field,
    ticket_slice_t text, const char **detail)
{
    int       ok;
    char     *p;
    int64_t   ms;
    uint64_t  n;

    p = (char *) args + field->offset;

    switch (field->kind) {

    case TICKET_ARGS_STRING:
        ok = field->valid(text);
        *(ticket_slice_t *) p = text;
        break;

    case TICKET_ARGS_NUMBER:
        n = 0;
        ok = ticket_number_parse(text, field->max, &n) == 0
             && n >= field->min;
        *(uint64_t *) p = n;
        break;

    default: /* TICKET_ARGS_TIME */
        ms = -1;
        ok = text.data == NULL || ticket_time_parse(text, &ms) == 0;
        *(int64_t *) p = ms;
        break;
    }

    if (!ok) {
        return ticket_args_fail(detail,
                                (field->bit == TICKET_ARG_QUANTITY)
                                ? TICKET_ARGS_INVALID_QUANTITY
                                : TICKET_ARGS_BAD_REQUEST,
                                field->range);
    }

    args->given |= field->bit;

    return TICKET_ARGS_OK;
}


/* names are not judged here */

static int
ticket_args_any_valid(ticket_slice_t text)
{
    (void) text;

    return 1;
}


static int
ticket_args_id_valid(ticket_slice_t text)
{
    uint32_t        lane;
    uint64_t        epoch, seq;
    ticket_slice_t  ticket;

    return ticket_event_id_parse(text, &ticket, &lane, &epoch, &seq) == 0;
}


static int
ticket_args_pass_valid(ticket_slice_t text)
{
    size_t  i;

    for (i = 0; i < text.len; i++) {
        if (text.data[i] < 0x21 || text.data[i] > 0x7e) {
            return 0;
        }
    }

    return text.len >= 1 && text.len <= TICKET_PASS_MAX;
}


static int
ticket_args_state_valid(ticket_slice_t text)
{
    return ticket_slice_is(text, "open")
           || ticket_slice_is(text, "paused")
           || ticket_slice_is(text, "closed");
}


static int
ticket_args_cursor_valid(ticket_slice_t text)
{
    size_t             i;
    static const char  last[] = "18446744073709551615";

    for (i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return 0;
        }
    }

    /* Redis has cursors of 64 bits */

    if (text.len == sizeof(last) - 1) {
        return memcmp(text.data, last, sizeof(last) - 1) <= 0;
    }

    return text.len >= 1 && text.len < sizeof(last) - 1;
}


/* what concerns more than one field */

ticket_args_code_t
ticket_args_check(ticket_args_t *args, const char **detail)
{
    if ((args->given & TICKET_ARG_OPENS_AT)
        && (args->given & TICKET_ARG_CLOSES_AT)
        && args->closes_at != -1
        && args->closes_at <= args->opens_at)
    {
        return ticket_args_fail(detail, TICKET_ARGS_BAD_REQUEST,
                                TICKET_ARGS_HOURS);
    }

    return TICKET_ARGS_OK;
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
