/* JSON bodies: what they give, what is refused and how. */

#include "args_unit.h"

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
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
