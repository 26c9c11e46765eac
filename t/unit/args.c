/* Bodies, query strings and single values: what they give, what is refused and how. */

#include "unit.h"

#include "ngx_http_ticket_args.h"

#define BOOKING     TICKET_ARGS_BOOKING
#define DEFINITION  TICKET_ARGS_DEFINITION
#define ID          "concert:0:1-1"

#define BAD         TICKET_ARGS_BAD_REQUEST
#define UNKNOWN     TICKET_ARGS_UNKNOWN_FIELD
#define QUANTITY    TICKET_ARGS_INVALID_QUANTITY

typedef ticket_args_code_t (*parser_t)(ticket_args_t *args, unsigned fields, ticket_slice_t text, char *storage,
    const char **detail);

typedef struct {
    ticket_slice_t text;
    ticket_args_code_t code;
    const char *detail;
} refused_t;

/* text and storage are exactly as large as the text; the text is gone before the values are looked at */
static ticket_args_code_t
parse(parser_t parser, ticket_args_t *args, unsigned fields, ticket_slice_t text, char **storage, const char **detail)
{
    ticket_slice_t copy = { exact(text.data, text.len), text.len };
    ticket_args_code_t code;

    *storage = malloc(text.len ? text.len : 1);
    assert_non_null(*storage);
    memset(args, 0xa5, sizeof(*args));
    *detail = NULL;
    code = parser(args, fields, copy, *storage, detail);
    memset((char *) copy.data, 'x', copy.len);
    free((void *) copy.data);
    return code;
}

static void
try_refused(parser_t parser, unsigned fields, const refused_t *cases, size_t count)
{
    size_t i;

    for (i = 0; i < count; i++) {
        ticket_args_t args;
        char *storage;
        const char *detail;
        ticket_args_code_t code = parse(parser, &args, fields, cases[i].text, &storage, &detail);

        if (code != cases[i].code || detail == NULL || strcmp(detail, cases[i].detail) != 0) {
            print_error("%s: %s\nnot %s: %s\n", ticket_args_code_name(code), detail ? detail : "-",
                        ticket_args_code_name(cases[i].code), cases[i].detail);
            check(0, cases[i].text.data, cases[i].text.len);
        }
        free(storage);
    }
}

/* parses what must be right; the storage is the caller's */
static char *
accept(parser_t parser, ticket_args_t *args, unsigned fields, ticket_slice_t text)
{
    char *storage;
    const char *detail;

    if (parse(parser, args, fields, text, &storage, &detail) != TICKET_ARGS_OK) {
        print_error("%s\n", detail);
        check(0, text.data, text.len);
    }
    return storage;
}

static void
json_bookings_are_read(void **state)
{
    ticket_args_t args;
    char *s;

    (void) state;
    s = accept(ticket_args_json, &args, BOOKING, slice("{}"));
    assert_int_equal(args.given, 0);
    assert_true(args.quantity == 0 && args.ticket.len == 0 && args.opens_at == 0);
    free(s);

    s = accept(ticket_args_json, &args, BOOKING,
               slice(" {\"ticket\":\"vip@concert\", \"quantity\":2,\r\n"
                     "\t\"booking_id\":\"" ID "\",\"pass\":\"p-1\"} "));
    assert_int_equal(args.given, BOOKING);
    assert_true(is(args.ticket, "vip@concert") && args.quantity == 2 && is(args.booking_id, ID)
                && is(args.pass, "p-1"));
    free(s);

    s = accept(ticket_args_json, &args, BOOKING,
               slice("{\"\\u0074icket\":\"\\ud83c\\udfab\\\"\\\\\\/\\u00e9\xc3\xa9\",\"quantity\":1000000}"));
    assert_int_equal(args.given, TICKET_ARG_TICKET | TICKET_ARG_QUANTITY);
    assert_true(is(args.ticket, "\xf0\x9f\x8e\xab\"\\/\xc3\xa9\xc3\xa9") && args.quantity == 1000000);
    free(s);

    /* names are judged by the caller, whatever they hold */
    s = accept(ticket_args_json, &args, BOOKING, slice("{\"ticket\":\"a\\u0000b c/\"}"));
    assert_true(args.ticket.len == 6 && memcmp(args.ticket.data, "a\0b c/", 6) == 0);
    assert_false(ticket_name_valid(args.ticket));
    free(s);

    s = accept(ticket_args_json, &args, BOOKING, slice("{\"ticket\":\"\"}"));
    assert_true(args.given == TICKET_ARG_TICKET && args.ticket.len == 0);
    free(s);
}

static void
json_bookings_with_mistakes_are_refused(void **state)
{
    static const char invalid[] = "The body is not valid JSON.";
    static const char object[] = "The body must be a JSON object.";
    static const char unknown[] = "The body has a field that this action does not know.";
    static const char range[] = "quantity must be an integer from 1 to 1000000.";
    static const char integer[] = "quantity must be an integer without fraction or exponent.";
    static const char text[] = "ticket must be a string.";
    static const char id[] = "booking_id must be the id of a booking.";
    static const char pass[] = "pass must be 1 to 1024 visible ASCII characters.";
    static const refused_t cases[] = {
        { S(""), BAD, invalid },
        { S(" "), BAD, invalid },
        { S("\0"), BAD, invalid },
        { S("{"), BAD, invalid },
        { S("{}x"), BAD, invalid },
        { S("{}{}"), BAD, invalid },
        { S("{} {}"), BAD, invalid },
        { S("{}\0"), BAD, invalid },
        { S("\xef\xbb\xbf{}"), BAD, invalid },
        { S("\v{}"), BAD, invalid },
        { S("{}//"), BAD, invalid },
        { S("{\"ticket\":\"a\",}"), BAD, invalid },
        { S("{'ticket':'a'}"), BAD, invalid },
        { S("{ticket:\"a\"}"), BAD, invalid },
        { S("{\"ticket\":\"a\"]"), BAD, invalid },
        { S("{\"ticket\":\"a"), BAD, invalid },
        { S("{\"ticket\":\"a\n\"}"), BAD, invalid },
        { S("{\"ticket\":\"\\ud800\"}"), BAD, invalid },
        { S("{\"ticket\":\"\\udfab\\ud83c\"}"), BAD, invalid },
        { S("{\"ticket\":\"\\u12\"}"), BAD, invalid },
        { S("{\"ticket\":\"\\x41\"}"), BAD, invalid },
        { S("{\"ticket\":\"\xc3\"}"), BAD, invalid },
        { S("{\"ticket\":\"\xc0\xaf\"}"), BAD, invalid },
        { S("{\"ticket\":\"\xed\xa0\xbc\xed\xbe\xab\"}"), BAD, invalid },
        { S("{\"quantity\":+1}"), BAD, invalid },
        { S("{\"quantity\":1.}"), BAD, invalid },
        { S("{\"quantity\":Infinity}"), BAD, invalid },
        { S("ticket=a&quantity=1"), BAD, invalid },

        { S("[]"), BAD, object },
        { S("[{}]"), BAD, object },
        { S("null"), BAD, object },
        { S("true"), BAD, object },
        { S("1"), BAD, object },
        { S("1.5"), BAD, object },
        { S("\"ticket\""), BAD, object },

        { S("{\"user\":\"ann\"}"), UNKNOWN, unknown },
        { S("{\"Ticket\":\"a\"}"), UNKNOWN, unknown },
        { S("{\"\":\"a\"}"), UNKNOWN, unknown },
        { S("{\"ticket\\u0000\":\"a\"}"), UNKNOWN, unknown },
        { S("{\"capacity\":5}"), UNKNOWN, unknown },
        { S("{\"limit\":5}"), UNKNOWN, unknown },
        { S("{\"x\":[[[[]]]]}"), UNKNOWN, unknown },

        { S("{\"ticket\":\"a\",\"ticket\":\"a\"}"), BAD, "ticket is given twice." },
        { S("{\"ticket\":\"a\",\"tick\\u0065t\":\"b\"}"), BAD, "ticket is given twice." },
        { S("{\"quantity\":1,\"quantity\":1}"), BAD, "quantity is given twice." },

        { S("{\"ticket\":null}"), BAD, text },
        { S("{\"ticket\":1}"), BAD, text },
        { S("{\"ticket\":1.5}"), BAD, text },
        { S("{\"ticket\":true}"), BAD, text },
        { S("{\"ticket\":{}}"), BAD, text },
        { S("{\"ticket\":[\"a\"]}"), BAD, text },
        { S("{\"ticket\":{\"ticket\":\"a\"}}"), BAD, text },

        { S("{\"quantity\":null}"), BAD, integer },
        { S("{\"quantity\":\"1\"}"), BAD, integer },
        { S("{\"quantity\":1.0}"), BAD, integer },
        { S("{\"quantity\":1e0}"), BAD, integer },
        { S("{\"quantity\":1E2}"), BAD, integer },
        { S("{\"quantity\":-1.5}"), BAD, integer },
        { S("{\"quantity\":false}"), BAD, integer },
        { S("{\"quantity\":[1]}"), BAD, integer },
        { S("{\"quantity\":0}"), QUANTITY, range },
        { S("{\"quantity\":01}"), QUANTITY, range },      /* the 0 is seen before the rest */
        { S("{\"quantity\":0x1}"), QUANTITY, range },
        { S("{\"quantity\":-0}"), QUANTITY, range },
        { S("{\"quantity\":-1}"), QUANTITY, range },
        { S("{\"quantity\":1000001}"), QUANTITY, range },
        { S("{\"quantity\":4294967297}"), QUANTITY, range },
        { S("{\"quantity\":18446744073709551617}"), QUANTITY, range },
        { S("{\"quantity\":100000000000000000000000000000000000000000}"), QUANTITY, range },

        { S("{\"booking_id\":\"\"}"), BAD, id },
        { S("{\"booking_id\":\"concert\"}"), BAD, id },
        { S("{\"booking_id\":\"concert:0:1-1 2\"}"), BAD, id },
        { S("{\"booking_id\":7}"), BAD, "booking_id must be a string." },
        { S("{\"pass\":\"\"}"), BAD, pass },
        { S("{\"pass\":\"a b\"}"), BAD, pass },
        { S("{\"pass\":\"\xc3\xa9\"}"), BAD, pass },
        { S("{\"pass\":\"\\u007f\"}"), BAD, pass },
    };

    (void) state;
    try_refused(ticket_args_json, BOOKING, cases, COUNT(cases));
}

static void
passes_have_a_longest(void **state)
{
    char text[2048];
    ticket_args_t args;
    char *s;
    const char *detail;
    int n;

    (void) state;
    for (n = TICKET_PASS_MAX; n <= TICKET_PASS_MAX + 1; n++) {
        ticket_args_code_t code;
        ticket_slice_t body = { text, (size_t) sprintf(text, "pass=%0*d", n, 0) };

        code = parse(ticket_args_form, &args, BOOKING, body, &s, &detail);
        assert_int_equal(code, n == TICKET_PASS_MAX ? TICKET_ARGS_OK : TICKET_ARGS_BAD_REQUEST);
        free(s);
    }
}

static void
json_depth_does_not_matter(void **state)
{
    static char text[100000];
    ticket_slice_t body = { text, sizeof(text) };
    ticket_args_t args;
    char *s;
    const char *detail;

    (void) state;
    memset(text, '[', sizeof(text));
    assert_int_equal(parse(ticket_args_json, &args, BOOKING, body, &s, &detail), TICKET_ARGS_BAD_REQUEST);
    free(s);
    memcpy(text, "{\"ticket\":", 10);
    assert_int_equal(parse(ticket_args_json, &args, BOOKING, body, &s, &detail), TICKET_ARGS_BAD_REQUEST);
    free(s);
}

static void
definitions_are_read(void **state)
{
    ticket_args_t args;
    char *s;

    (void) state;
    s = accept(ticket_args_json, &args, DEFINITION,
               slice("{\"capacity\":1000000000000,\"per_user\":1000000,\"lanes\":64,\"state\":\"paused\","
                     "\"opens_at\":\"2026-11-21T10:00:00Z\",\"closes_at\":\"2026-11-21T12:00:00.001+01:00\"}"));
    assert_int_equal(args.given, DEFINITION);
    assert_true(args.capacity == 1000000000000 && args.per_user == 1000000 && args.lanes == 64);
    assert_true(is(args.state, "paused") && args.opens_at == 1795255200000 && args.closes_at == 1795258800001);
    free(s);

    s = accept(ticket_args_json, &args, DEFINITION,
               slice("{\"capacity\":0,\"per_user\":1,\"lanes\":1,\"opens_at\":null,\"closes_at\":null}"));
    assert_int_equal(args.given, DEFINITION & ~(unsigned) TICKET_ARG_STATE);
    assert_true(args.capacity == 0 && args.per_user == 1 && args.lanes == 1);
    assert_true(args.opens_at == -1 && args.closes_at == -1 && args.state.len == 0);
    free(s);

    /* one alone, and one that is taken away */
    s = accept(ticket_args_json, &args, DEFINITION, slice("{\"closes_at\":\"1970-01-01T00:00:00Z\"}"));
    assert_true(args.given == TICKET_ARG_CLOSES_AT && args.closes_at == 0);
    free(s);
    s = accept(ticket_args_json, &args, DEFINITION,
               slice("{\"closes_at\":null,\"opens_at\":\"2026-11-21T10:00:00Z\"}"));
    assert_true(args.closes_at == -1 && args.opens_at == 1795255200000);
    free(s);

    s = accept(ticket_args_form, &args, DEFINITION,
               slice("capacity=100&per_user=2&lanes=4&state=closed&"
                     "opens_at=2026-11-21T11%3A00:00%2B01:00&closes_at="));
    assert_int_equal(args.given, DEFINITION);
    assert_true(args.capacity == 100 && args.per_user == 2 && args.lanes == 4 && is(args.state, "closed"));
    assert_true(args.opens_at == 1795255200000 && args.closes_at == -1);
    free(s);
}

static void
definitions_with_mistakes_are_refused(void **state)
{
    static const char unknown[] = "The body has a field that this action does not know.";
    static const char capacity[] = "capacity must be an integer from 0 to 1000000000000.";
    static const char per_user[] = "per_user must be an integer from 1 to 1000000.";
    static const char lanes[] = "lanes must be an integer from 1 to 64.";
    static const char states[] = "state must be open, paused or closed.";
    static const char opens[] = "opens_at must be an RFC 3339 time from 1970 to 9999, or null.";
    static const char closes[] = "closes_at must be an RFC 3339 time from 1970 to 9999, or null.";
    static const char order[] = "closes_at must be later than opens_at.";
    static const refused_t cases[] = {
        { S("{\"ticket\":\"a\"}"), UNKNOWN, unknown },
        { S("{\"remaining\":5}"), UNKNOWN, unknown },
        { S("{\"epoch\":5}"), UNKNOWN, unknown },
        { S("{\"capacity\":-1}"), BAD, capacity },
        { S("{\"capacity\":1000000000001}"), BAD, capacity },
        { S("{\"capacity\":1e3}"), BAD, "capacity must be an integer without fraction or exponent." },
        { S("{\"capacity\":\"100\"}"), BAD, "capacity must be an integer without fraction or exponent." },
        { S("{\"capacity\":null}"), BAD, "capacity must be an integer without fraction or exponent." },
        { S("{\"capacity\":1,\"capacity\":2}"), BAD, "capacity is given twice." },
        { S("{\"per_user\":0}"), BAD, per_user },
        { S("{\"per_user\":1000001}"), BAD, per_user },
        { S("{\"lanes\":0}"), BAD, lanes },
        { S("{\"lanes\":65}"), BAD, lanes },
        { S("{\"state\":\"deleted\"}"), BAD, states },
        { S("{\"state\":\"recovering\"}"), BAD, states },
        { S("{\"state\":\"Open\"}"), BAD, states },
        { S("{\"state\":\"\"}"), BAD, states },
        { S("{\"state\":\"open\\u0000\"}"), BAD, states },
        { S("{\"state\":null}"), BAD, "state must be a string." },
        { S("{\"opens_at\":\"\"}"), BAD, opens },
        { S("{\"opens_at\":\"tomorrow\"}"), BAD, opens },
        { S("{\"opens_at\":\"2026-11-21T10:00:00\"}"), BAD, opens },
        { S("{\"opens_at\":\"2026-02-30T10:00:00Z\"}"), BAD, opens },
        { S("{\"opens_at\":1795255200000}"), BAD, "opens_at must be a string or null." },
        { S("{\"opens_at\":false}"), BAD, "opens_at must be a string or null." },
        { S("{\"opens_at\":[]}"), BAD, "opens_at must be a string or null." },
        { S("{\"opens_at\":null,\"opens_at\":null}"), BAD, "opens_at is given twice." },
        { S("{\"closes_at\":\"1969-12-31T23:59:59Z\"}"), BAD, closes },
        { S("{\"opens_at\":\"2026-11-21T10:00:00Z\",\"closes_at\":\"2026-11-21T10:00:00Z\"}"), BAD, order },
        { S("{\"closes_at\":\"2026-11-21T10:00:00Z\",\"opens_at\":\"2026-11-21T10:00:01Z\"}"), BAD, order },
    };

    (void) state;
    try_refused(ticket_args_json, DEFINITION, cases, COUNT(cases));
}

static void
forms_are_decoded(void **state)
{
    ticket_args_t args;
    char *s;

    (void) state;
    s = accept(ticket_args_form, &args, BOOKING, slice(""));
    assert_int_equal(args.given, 0);
    free(s);

    s = accept(ticket_args_form, &args, BOOKING,
               slice("ticket=vip%40concert&quantity=3&booking_id=concert%3A0%3a1-1"));
    assert_true(is(args.ticket, "vip@concert") && args.quantity == 3 && is(args.booking_id, ID));
    assert_int_equal(args.given, BOOKING & ~(unsigned) TICKET_ARG_PASS);
    free(s);

    s = accept(ticket_args_form, &args, BOOKING, slice("&&tick%65t=a+b%2B%26%3d=%25&&%71uantity=%31&"));
    assert_true(is(args.ticket, "a b+&==%") && args.quantity == 1);
    free(s);

    s = accept(ticket_args_form, &args, BOOKING, slice("ticket"));
    assert_true(args.given == TICKET_ARG_TICKET && args.ticket.len == 0);
    free(s);

    s = accept(ticket_args_form, &args, BOOKING, slice("ticket=%00%ff"));
    assert_true(args.ticket.len == 2 && memcmp(args.ticket.data, "\0\xff", 2) == 0);
    free(s);

    /* nothing but & separates */
    s = accept(ticket_args_form, &args, BOOKING, slice("ticket=a;quantity=2"));
    assert_true(is(args.ticket, "a;quantity=2"));
    free(s);
}

static void
forms_with_mistakes_are_refused(void **state)
{
    static const char unknown[] = "The body has a field that this action does not know.";
    static const char name[] = "A field's name is not percent-encoded correctly.";
    static const char ticket[] = "ticket is not percent-encoded correctly.";
    static const char range[] = "quantity must be an integer from 1 to 1000000.";
    static const refused_t cases[] = {
        { S("user=ann"), UNKNOWN, unknown },
        { S("ticket=a&x"), UNKNOWN, unknown },
        { S("=a"), UNKNOWN, unknown },
        { S("="), UNKNOWN, unknown },
        { S("Ticket=a"), UNKNOWN, unknown },
        { S("ticket%00=a"), UNKNOWN, unknown },
        { S(" ticket=a"), UNKNOWN, unknown },
        { S("+ticket=a"), UNKNOWN, unknown },
        { S("{\"ticket\":\"a\"}"), UNKNOWN, unknown },
        { S("tic%6=a"), BAD, name },
        { S("%=a"), BAD, name },
        { S("tick%zzt"), BAD, name },
        { S("ticket=%"), BAD, ticket },
        { S("ticket=%4"), BAD, ticket },
        { S("ticket=%4g"), BAD, ticket },
        { S("ticket=%g4"), BAD, ticket },
        { S("ticket=% 4"), BAD, ticket },
        { S("ticket=%+1"), BAD, ticket },
        { S("ticket=%-1"), BAD, ticket },
        { S("ticket=%%41"), BAD, ticket },
        { S("ticket=a%4&quantity=1"), BAD, ticket },
        { S("quantity=%"), BAD, "quantity is not percent-encoded correctly." },
        { S("ticket=a&ticket=a"), BAD, "ticket is given twice." },
        { S("ticket=a&tick%65t=b"), BAD, "ticket is given twice." },
        { S("ticket&ticket"), BAD, "ticket is given twice." },
        { S("quantity="), QUANTITY, range },
        { S("quantity"), QUANTITY, range },
        { S("quantity=0"), QUANTITY, range },
        { S("quantity=01"), QUANTITY, range },
        { S("quantity=-1"), QUANTITY, range },
        { S("quantity=+1"), QUANTITY, range },
        { S("quantity=%2B1"), QUANTITY, range },
        { S("quantity=1+"), QUANTITY, range },
        { S("quantity=1%00"), QUANTITY, range },
        { S("quantity=1.0"), QUANTITY, range },
        { S("quantity=1000001"), QUANTITY, range },
        { S("quantity=18446744073709551617"), QUANTITY, range },
        { S("booking_id="), BAD, "booking_id must be the id of a booking." },
        { S("booking_id=concert%3A0%3A1-1%20"), BAD, "booking_id must be the id of a booking." },
        { S("pass="), BAD, "pass must be 1 to 1024 visible ASCII characters." },
    };

    (void) state;
    try_refused(ticket_args_form, BOOKING, cases, COUNT(cases));
}

static void
a_query_may_hold_what_others_need(void **state)
{
    static const refused_t cases[] = {
        { S("x=1&ticket=a&x=2&ticket=b"), BAD, "ticket is given twice." },
        { S("ticket=%"), BAD, "ticket is not percent-encoded correctly." },
        { S("quantity=0"), QUANTITY, "quantity must be an integer from 1 to 1000000." },
    };
    ticket_args_t args;
    char *s;

    (void) state;
    s = accept(ticket_args_query, &args, BOOKING,
               slice("utm_source=x%&%zz=1&=&capacity=x&ticket=concert&user=bob&user=eve&%74icke=x&quantity=2&"));
    assert_true(args.given == (TICKET_ARG_TICKET | TICKET_ARG_QUANTITY) && is(args.ticket, "concert")
                && args.quantity == 2);
    free(s);

    /* what the action does not know is nobody's business */
    s = accept(ticket_args_query, &args, TICKET_ARG_TICKET, slice("quantity=x&quantity=%&ticket=a"));
    assert_int_equal(args.given, TICKET_ARG_TICKET);
    free(s);

    try_refused(ticket_args_query, BOOKING, cases, COUNT(cases));
}

static void
lists_have_a_limit_and_a_cursor(void **state)
{
    static const char limit[] = "limit must be an integer from 1 to 1000.";
    static const char cursor[] = "cursor must be a cursor from an earlier answer.";
    static const refused_t cases[] = {
        { S("limit=0"), BAD, limit },
        { S("limit=1001"), BAD, limit },
        { S("limit="), BAD, limit },
        { S("limit=ten"), BAD, limit },
        { S("cursor="), BAD, cursor },
        { S("cursor=-1"), BAD, cursor },
        { S("cursor=1+COUNT+5"), BAD, cursor },
        { S("cursor=123456789012345678901"), BAD, cursor },
        { S("cursor=18446744073709551616"), BAD, cursor },
    };
    ticket_args_t args;
    char *s;

    (void) state;
    s = accept(ticket_args_query, &args, TICKET_ARGS_LIST, slice("limit=1000&cursor=18446744073709551615"));
    assert_true(args.limit == 1000 && is(args.cursor, "18446744073709551615"));
    free(s);
    s = accept(ticket_args_query, &args, TICKET_ARGS_LIST, slice("cursor=0"));
    assert_true(args.given == TICKET_ARG_CURSOR && is(args.cursor, "0"));
    free(s);

    try_refused(ticket_args_query, TICKET_ARGS_LIST, cases, COUNT(cases));
}

static void
body_and_query_must_agree(void **state)
{
    static const struct {
        const char *body, *query, *ticket;
        uint64_t quantity;
        const char *detail;
    } cases[] = {
        { "", "", "", 0, NULL },
        { "ticket=a", "", "a", 0, NULL },
        { "", "ticket=a", "a", 0, NULL },
        { "ticket=a", "ticket=a", "a", 0, NULL },
        { "ticket=a", "quantity=2", "a", 2, NULL },
        { "quantity=2", "ticket=a&quantity=2", "a", 2, NULL },
        { "ticket=", "ticket=", "", 0, NULL },
        { "ticket=a", "ticket=b", "", 0, "ticket is given in the body and, differently, in the query." },
        { "ticket=a", "ticket=A", "", 0, "ticket is given in the body and, differently, in the query." },
        { "ticket=a", "ticket=", "", 0, "ticket is given in the body and, differently, in the query." },
        { "ticket=", "ticket=a", "", 0, "ticket is given in the body and, differently, in the query." },
        { "quantity=1", "quantity=2", "", 0, "quantity is given in the body and, differently, in the query." },
        { "booking_id=a:0:1-1", "booking_id=a:0:1-2", "", 0,
          "booking_id is given in the body and, differently, in the query." },
        { "pass=x", "pass=y", "", 0, "pass is given in the body and, differently, in the query." },
    };
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(cases); i++) {
        ticket_args_t args, query;
        char *s1 = accept(ticket_args_form, &args, BOOKING, slice(cases[i].body));
        char *s2 = accept(ticket_args_query, &query, BOOKING, slice(cases[i].query));
        unsigned given = args.given | query.given;
        const char *detail = NULL;
        ticket_args_code_t code = ticket_args_merge(&args, &query, &detail);

        if (cases[i].detail) {
            check(code == TICKET_ARGS_AMBIGUOUS && strcmp(detail, cases[i].detail) == 0, detail, strlen(detail));
        } else {
            check(code == TICKET_ARGS_OK && args.given == given && args.quantity == cases[i].quantity
                  && is(args.ticket, cases[i].ticket), cases[i].query, strlen(cases[i].query));
        }
        free(s1);
        free(s2);
    }
}

static void
quantities_are_plain_digits(void **state)
{
    static const ticket_slice_t bad[] = {
        S(""), S("0"), S("00"), S("01"), S("-1"), S("+1"), S(" 1"), S("1 "), S("1.0"), S("1e1"), S("0x1"), S("1\0"),
        S("one"), S("1000001"), S("4294967297"), S("18446744073709551617"), S("1,000"),
    };
    uint32_t quantity = 0;
    const char *detail;
    size_t i;

    (void) state;
    assert_int_equal(ticket_args_quantity(slice("1"), &quantity, &detail), TICKET_ARGS_OK);
    assert_int_equal(quantity, 1);
    assert_int_equal(ticket_args_quantity(slice("1000000"), &quantity, &detail), TICKET_ARGS_OK);
    assert_int_equal(quantity, 1000000);
    for (i = 0; i < COUNT(bad); i++) {
        ticket_slice_t s = { exact(bad[i].data, bad[i].len), bad[i].len };

        detail = NULL;
        check(ticket_args_quantity(s, &quantity, &detail) == TICKET_ARGS_INVALID_QUANTITY && detail, s.data, s.len);
        free((void *) s.data);
    }
}

static void
single_values_are_decoded(void **state)
{
    static const struct {
        ticket_slice_t text, value;
    } good[] = {
        { S(""), S("") },
        { S("concert"), S("concert") },
        { S("a+b"), S("a b") },
        { S("%2B%2b"), S("++") },
        { S("%00"), S("\0") },
        { S("%F0%9f%8E%ab"), S("\xf0\x9f\x8e\xab") },
        { S("%2541"), S("%41") },
        { S("a%3D"), S("a=") },
        { S("\xff\0x"), S("\xff\0x") },
    };
    static const ticket_slice_t bad[] = {
        S("%"), S("%4"), S("%4g"), S("%g4"), S("a%"), S("a%4"), S("%%"), S("%u0041"), S("% 41"), S("%\0" "0"),
        S("%4\xff"),
    };
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(good); i++) {
        ticket_slice_t s = { exact(good[i].text.data, good[i].text.len), good[i].text.len }, value;
        char *storage = malloc(s.len ? s.len : 1);

        assert_non_null(storage);
        check(ticket_args_unescape(s, storage, &value) == 0 && ticket_slice_eq(value, good[i].value), s.data, s.len);
        free(storage);
        free((void *) s.data);
    }
    for (i = 0; i < COUNT(bad); i++) {
        ticket_slice_t s = { exact(bad[i].data, bad[i].len), bad[i].len }, value;
        char *storage = malloc(s.len);

        assert_non_null(storage);
        check(ticket_args_unescape(s, storage, &value) == -1, s.data, s.len);
        free(storage);
        free((void *) s.data);
    }
}

static void
media_types_are_recognized(void **state)
{
    static const struct {
        ticket_slice_t text;
        ticket_media_t media;
    } cases[] = {
        { S("application/json"), TICKET_MEDIA_JSON },
        { S("Application/JSON"), TICKET_MEDIA_JSON },
        { S(" application/json\t"), TICKET_MEDIA_JSON },
        { S("application/json;"), TICKET_MEDIA_JSON },
        { S("application/json;charset=utf-8"), TICKET_MEDIA_JSON },
        { S("application/json ; Charset=\"UTF-8\" ; x=y"), TICKET_MEDIA_JSON },
        { S("application/json; charset=utf8"), TICKET_MEDIA_JSON },
        { S("application/json; profile=\"a;charset=latin1\\\";charset=latin1\""), TICKET_MEDIA_JSON },
        { S("application/json;\""), TICKET_MEDIA_JSON },
        { S("application/json;\"\\"), TICKET_MEDIA_JSON },
        { S("application/x-www-form-urlencoded"), TICKET_MEDIA_FORM },
        { S("application/x-www-form-urlencoded; charset=UTF-8"), TICKET_MEDIA_FORM },
        { S(""), TICKET_MEDIA_UNSUPPORTED },
        { S(";"), TICKET_MEDIA_UNSUPPORTED },
        { S("application/json; charset=iso-8859-1"), TICKET_MEDIA_UNSUPPORTED },
        { S("application/json;x=1;charset=utf-16"), TICKET_MEDIA_UNSUPPORTED },
        { S("application/json;charset="), TICKET_MEDIA_UNSUPPORTED },
        { S("application/jsonx"), TICKET_MEDIA_UNSUPPORTED },
        { S("application/jso"), TICKET_MEDIA_UNSUPPORTED },
        { S("xpplication/json"), TICKET_MEDIA_UNSUPPORTED },
        { S("application/json, text/plain"), TICKET_MEDIA_UNSUPPORTED },
        { S("application/json x"), TICKET_MEDIA_UNSUPPORTED },
        { S("application/json\0"), TICKET_MEDIA_UNSUPPORTED },
        { S("application/problem+json"), TICKET_MEDIA_UNSUPPORTED },
        { S("application/merge-patch+json"), TICKET_MEDIA_UNSUPPORTED },
        { S("text/json"), TICKET_MEDIA_UNSUPPORTED },
        { S("text/plain"), TICKET_MEDIA_UNSUPPORTED },
        { S("multipart/form-data; boundary=x"), TICKET_MEDIA_UNSUPPORTED },
        { S("\"application/json\""), TICKET_MEDIA_UNSUPPORTED },
    };
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(cases); i++) {
        ticket_slice_t s = { exact(cases[i].text.data, cases[i].text.len), cases[i].text.len };

        check(ticket_args_media(s) == cases[i].media, s.data, s.len);
        free((void *) s.data);
    }
}

static void
codes_have_the_names_clients_see(void **state)
{
    (void) state;
    assert_string_equal(ticket_args_code_name(TICKET_ARGS_BAD_REQUEST), "bad_request");
    assert_string_equal(ticket_args_code_name(TICKET_ARGS_UNKNOWN_FIELD), "unknown_field");
    assert_string_equal(ticket_args_code_name(TICKET_ARGS_INVALID_QUANTITY), "invalid_quantity");
    assert_string_equal(ticket_args_code_name(TICKET_ARGS_AMBIGUOUS), "ambiguous");
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_bookings_are_read),
        cmocka_unit_test(json_bookings_with_mistakes_are_refused),
        cmocka_unit_test(passes_have_a_longest),
        cmocka_unit_test(json_depth_does_not_matter),
        cmocka_unit_test(definitions_are_read),
        cmocka_unit_test(definitions_with_mistakes_are_refused),
        cmocka_unit_test(forms_are_decoded),
        cmocka_unit_test(forms_with_mistakes_are_refused),
        cmocka_unit_test(a_query_may_hold_what_others_need),
        cmocka_unit_test(lists_have_a_limit_and_a_cursor),
        cmocka_unit_test(body_and_query_must_agree),
        cmocka_unit_test(quantities_are_plain_digits),
        cmocka_unit_test(single_values_are_decoded),
        cmocka_unit_test(media_types_are_recognized),
        cmocka_unit_test(codes_have_the_names_clients_see),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
