/* The definition of a waiting room, as JSON and as a form: what it gives, what is refused and how. */

#include "args_unit.h"

#define ROOM  TICKET_ARGS_ROOM

static void
rooms_are_read(void **state)
{
    ticket_args_t args;
    char *s;

    (void) state;
    s = accept(ticket_args_json, &args, ROOM,
               slice("{\"capacity\":1,\"rate\":1000000,\"share\":75,\"pass_ttl\":86400,\"state\":\"draining\","
                     "\"tickets\":[\"concert\", \"vip@concert\"],\"max_lag\":3600000,"
                     "\"opens_at\":\"1970-01-01T00:00:01Z\",\"opening_draw\":true}"));
    assert_int_equal(args.given, ROOM);
    assert_true(args.room_capacity == 1 && args.rate == 1000000 && args.share == 75 && args.pass_ttl == 86400
                && is(args.room_state, "draining") && is(args.tickets, "concert vip@concert")
                && args.max_lag == 3600000 && args.opens_at == 1000 && args.opening_draw == 1);
    assert_true(args.capacity == 0 && args.state.len == 0);
    free(s);

    s = accept(ticket_args_form, &args, ROOM,
               slice("capacity=1&rate=1000000&share=75&pass_ttl=86400&state=draining&tickets=concert+vip%40concert"
                     "&max_lag=3600000&opens_at=1970-01-01T00:00:01Z&opening_draw=true"));
    assert_int_equal(args.given, ROOM);
    assert_true(args.room_capacity == 1 && args.rate == 1000000 && args.share == 75 && args.pass_ttl == 86400
                && is(args.room_state, "draining") && is(args.tickets, "concert vip@concert")
                && args.max_lag == 3600000 && args.opens_at == 1000 && args.opening_draw == 1);
    free(s);
}

static void
nothing_is_a_value_too(void **state)
{
    static const unsigned nulls = TICKET_ARG_RATE | TICKET_ARG_SHARE | TICKET_ARG_TICKETS | TICKET_ARG_OPENS_AT;
    ticket_args_t args;
    char *s;

    (void) state;
    s = accept(ticket_args_json, &args, ROOM,
               slice("{\"rate\":null,\"share\":null,\"tickets\":null,\"opens_at\":null,\"opening_draw\":false}"));
    assert_int_equal(args.given, nulls | TICKET_ARG_OPENING_DRAW);
    assert_true(args.rate == 0 && args.share == 0 && args.tickets.len == 0 && args.opens_at == -1
                && args.opening_draw == 0);
    free(s);

    s = accept(ticket_args_form, &args, ROOM, slice("rate=&share=&tickets=&opens_at=&opening_draw=false"));
    assert_int_equal(args.given, nulls | TICKET_ARG_OPENING_DRAW);
    assert_true(args.rate == 0 && args.share == 0 && args.tickets.len == 0 && args.opens_at == -1
                && args.opening_draw == 0);
    free(s);

    s = accept(ticket_args_json, &args, ROOM, slice("{\"tickets\":[ ],\"capacity\":2}"));
    assert_int_equal(args.given, TICKET_ARG_TICKETS | TICKET_ARG_ROOM_CAPACITY);
    assert_true(args.tickets.len == 0 && args.room_capacity == 2);
    free(s);

    /* sixteen, and the last field after them is read */
    s = accept(ticket_args_json, &args, ROOM,
               slice("{\"tickets\":[\"a\",\"b\",\"c\",\"d\",\"e\",\"f\",\"g\",\"h\",\"i\",\"j\",\"k\",\"l\",\"m\",\"n\","
                     "\"o\",\"\\u00fc\"],\"state\":\"open\"}"));
    assert_true(is(args.tickets, "a b c d e f g h i j k l m n o \xc3\xbc") && is(args.room_state, "open"));
    free(s);
}

static void
rooms_with_mistakes_are_refused(void **state)
{
    static const char invalid[] = "The body is not valid JSON.";
    static const char unknown[] = "The body has a field that this action does not know.";
    static const char integer[] = "capacity must be an integer without fraction or exponent.";
    static const char capacity[] = "capacity must be an integer from 1 to 1000000000000.";
    static const char option[] = "rate must be an integer without fraction or exponent, or null.";
    static const char rate[] = "rate must be an integer from 1 to 1000000, or null.";
    static const char share[] = "share must be an integer from 1 to 100, or null.";
    static const char ttl[] = "pass_ttl must be an integer from 1 to 86400.";
    static const char states[] = "state must be open, paused, draining or closed.";
    static const char array[] = "tickets must be an array of strings or null.";
    static const char names[] = "tickets must be at most 16 names of tickets, each once, or null.";
    static const char lag[] = "max_lag must be an integer from 1 to 3600000.";
    static const char draw[] = "opening_draw must be true or false.";
    static const refused_t cases[] = {
        { S("{\"per_user\":1}"), UNKNOWN, unknown },
        { S("{\"seed\":\"a\"}"), UNKNOWN, unknown },
        { S("{\"capacity\":0}"), BAD, capacity },
        { S("{\"capacity\":1000000000001}"), BAD, capacity },
        { S("{\"capacity\":null}"), BAD, integer },
        { S("{\"capacity\":[]}"), BAD, integer },
        { S("{\"capacity\":true}"), BAD, integer },
        { S("{\"rate\":0}"), BAD, rate },
        { S("{\"rate\":1000001}"), BAD, rate },
        { S("{\"rate\":\"1\"}"), BAD, option },
        { S("{\"rate\":1.5}"), BAD, option },
        { S("{\"rate\":[1]}"), BAD, option },
        { S("{\"rate\":1,\"rate\":null}"), BAD, "rate is given twice." },
        { S("{\"share\":0}"), BAD, share },
        { S("{\"share\":101}"), BAD, share },
        { S("{\"pass_ttl\":0}"), BAD, ttl },
        { S("{\"pass_ttl\":86401}"), BAD, ttl },
        { S("{\"state\":\"deleted\"}"), BAD, states },
        { S("{\"max_lag\":0}"), BAD, lag },
        { S("{\"max_lag\":3600001}"), BAD, lag },
        { S("{\"opening_draw\":null}"), BAD, draw },
        { S("{\"opening_draw\":1}"), BAD, draw },
        { S("{\"opening_draw\":\"true\"}"), BAD, draw },
        { S("{\"tickets\":\"concert\"}"), BAD, array },
        { S("{\"tickets\":1}"), BAD, array },
        { S("{\"tickets\":true}"), BAD, array },
        { S("{\"tickets\":{}}"), BAD, array },
        { S("{\"tickets\":[1]}"), BAD, array },
        { S("{\"tickets\":[null]}"), BAD, array },
        { S("{\"tickets\":[true]}"), BAD, array },
        { S("{\"tickets\":[[]]}"), BAD, array },
        { S("{\"tickets\":[\"a\",[\"b\"]]}"), BAD, array },
        { S("{\"tickets\":[{}]}"), BAD, array },
        { S("{\"tickets\":[{\"tickets\":[]}]}"), BAD, array },
        { S("{\"tickets\":[\"\"]}"), BAD, names },
        { S("{\"tickets\":[\"a b\"]}"), BAD, names },
        { S("{\"tickets\":[\"a\\u0000\"]}"), BAD, names },
        { S("{\"tickets\":[\"a/b\"]}"), BAD, names },
        { S("{\"tickets\":[\"a\",\"b\",\"a\"]}"), BAD, names },
        { S("{\"tickets\":[\"a\",\"b\",\"c\",\"d\",\"e\",\"f\",\"g\",\"h\",\"i\",\"j\",\"k\",\"l\",\"m\",\"n\",\"o\","
            "\"p\",\"q\"]}"), BAD, names },
        { S("{\"tickets\":[],\"tickets\":[]}"), BAD, "tickets is given twice." },
        { S("{\"tickets\":[\"a\"}"), BAD, invalid },
        { S("{\"tickets\":[\"a\",]}"), BAD, invalid },
    };
    static const refused_t forms[] = {
        { S("tickets=a++b"), BAD, names },
        { S("tickets=+a"), BAD, names },
        { S("tickets=a+"), BAD, names },
        { S("tickets=+"), BAD, names },
        { S("opening_draw="), BAD, draw },
        { S("opening_draw=yes"), BAD, draw },
        { S("capacity="), BAD, capacity },
        { S("rate=x"), BAD, rate },
    };

    (void) state;
    try_refused(ticket_args_json, ROOM, cases, COUNT(cases));
    try_refused(ticket_args_form, ROOM, forms, COUNT(forms));
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(rooms_are_read),
        cmocka_unit_test(nothing_is_a_value_too),
        cmocka_unit_test(rooms_with_mistakes_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
