/* Forms, query strings and single values: what they give, what is refused and how. */

#include "args_unit.h"

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
