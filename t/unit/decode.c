/* JSON from Kafka: what is refused, and for what reason; what is ignored. */

#include "unit.h"

#define BOOKED                                                                                                        \
    "{\"specversion\":\"1.0\",\"id\":\"concert:2:1-5\",\"source\":\"/ticket-office\",\"type\":\"ticket.booked\","     \
    "\"subject\":\"concert\",\"time\":\"2026-11-21T10:00:00.123Z\",\"datacontenttype\":\"application/json\","         \
    "\"data\":{\"ticket\":\"concert\",\"lane\":2,\"epoch\":1,\"seq\":5,\"user\":\"ann\",\"quantity\":1,"              \
    "\"booking_id\":\"concert:2:1-5\",\"holding\":1,\"holding_id\":\"concert:2:1-5\"}}"

#define DEFINED                                                                                                       \
    "{\"specversion\":\"1.0\",\"id\":\"concert:0:1-5\",\"source\":\"/ticket-office\",\"type\":\"ticket.defined\","    \
    "\"subject\":\"concert\",\"time\":\"2026-11-21T10:00:00.123Z\",\"datacontenttype\":\"application/json\","         \
    "\"data\":{\"ticket\":\"concert\",\"lane\":0,\"epoch\":1,\"seq\":5,\"capacity\":100,\"per_user\":2,\"lanes\":4,"  \
    "\"state\":\"open\",\"opens_at\":null,\"closes_at\":null}}"

typedef struct {
    const char *old;            /* what is replaced in the JSON, */
    ticket_slice_t now;         /* by what */
    const char *error;          /* NULL: it is read all the same */
} change_t;

/* the memory is exactly as large as the text, and so is the storage */
static const char *
decode(const char *json, size_t len, ticket_event_t *ev, char **storage)
{
    char *copy = exact(json, len);
    const char *error = "nothing was said";
    int rc;

    *storage = malloc(len ? len : 1);
    assert_non_null(*storage);
    rc = ticket_event_decode(copy, len, ev, *storage, &error);
    memset(copy, 'x', len);
    free(copy);

    assert_int_equal(rc, error ? -1 : 0);
    return error;
}

static void
try_change(const char *json, const change_t *c)
{
    char text[4096], *storage;
    const char *at = strstr(json, c->old), *error;
    ticket_event_t ev;
    size_t before, len;

    check(at != NULL, c->old, strlen(c->old));
    before = (size_t) (at - json);
    memcpy(text, json, before);
    memcpy(text + before, c->now.data, c->now.len);
    len = strlen(at + strlen(c->old));
    memcpy(text + before + c->now.len, at + strlen(c->old), len);
    len += before + c->now.len;

    error = decode(text, len, &ev, &storage);
    if ((error == NULL) != (c->error == NULL) || (error && strcmp(error, c->error) != 0)) {
        print_error("%s, not: %s\n", error ? error : "read", c->error ? c->error : "read");
        check(0, text, len);
    }
    free(storage);
}

static void
bookings_with_mistakes_are_refused(void **state)
{
    static const change_t changes[] = {
        { "{", S(""), "the event is not a JSON object" },
        { "{", S("["), "the event is not a JSON object" },
        { "{", S("\xef\xbb\xbf{"), "the event is not JSON" },
        { "{", S("\v{"), "the event is not JSON" },
        { "{", S("/**/{"), "the event is not JSON" },
        { "}}", S("}"), "the event is not JSON" },
        { "}}", S("}},"), "the event is not JSON" },
        { "}}", S("}}x"), "the event is not JSON" },
        { "}}", S("}}\0"), "the event is not JSON" },
        { "}}", S("}}{}"), "the event is not JSON" },
        { "}}", S("}} {}"), "the event is not JSON" },
        { "}}", S(",}}"), "the event is not JSON" },
        { "ann", S("a\tn"), "the event is not JSON" },
        { "ann", S("a\0n"), "the event is not JSON" },
        { "ann", S("a\xffn"), "the event is not JSON" },
        { "ann", S("\xed\xa0\xbc"), "the event is not JSON" },
        { "ann", S("\\ud83c"), "the event is not JSON" },
        { "ann", S("\\udfab\\ud83c"), "the event is not JSON" },
        { "ann", S("\\x41"), "the event is not JSON" },
        { "\"ann\"", S("'ann'"), "the event is not JSON" },
        { "\"ann\"", S("ann"), "the event is not JSON" },
        { "\"quantity\":1", S("\"quantity\":01"), "the event is not JSON" },
        { "\"quantity\":1", S("\"quantity\":+1"), "the event is not JSON" },
        { "\"quantity\":1", S("\"quantity\":NaN"), "the event is not JSON" },

        { "\"specversion\":\"1.0\",", S(""), "the event has no specversion" },
        { "\"id\":\"concert:2:1-5\",", S(""), "the event has no id" },
        { "\"source\":\"/ticket-office\",", S(""), "the event has no source" },
        { "\"type\":\"ticket.booked\",", S(""), "the event has no type" },
        { "\"subject\":\"concert\",", S(""), "the event has no subject" },
        { "\"time\":\"2026-11-21T10:00:00.123Z\",", S(""), "the event has no time" },
        { "\"datacontenttype\":\"application/json\",", S(""), "the event has no datacontenttype" },
        { "\"data\":", S("\"date\":"), "the event has no data" },
        { "\"ticket\":\"concert\",", S(""), "the event has no ticket" },
        { "\"lane\":2,", S(""), "the event has no lane" },
        { "\"epoch\":1,", S(""), "the event has no epoch" },
        { "\"seq\":5,", S(""), "the event has no seq" },
        { "\"user\":\"ann\",", S(""), "the event has no user" },
        { "\"quantity\":1,", S(""), "the event has no quantity" },
        { "\"booking_id\":\"concert:2:1-5\",", S(""), "the event has no booking_id" },
        { "\"holding\":1,", S(""), "the event has no holding" },
        { ",\"holding_id\":\"concert:2:1-5\"", S(""), "the event has no holding_id" },

        { "\"id\":", S("\"id\":\"x\",\"id\":"), "id is given twice" },
        { "\"id\":", S("\"i\\u0064\":\"x\",\"id\":"), "id is given twice" },
        { "\"data\":", S("\"data\":{},\"data\":"), "data is given twice" },
        { "}}", S("},\"data\":{}}"), "data is given twice" },
        { "}}", S("},\"type\":\"ticket.cancelled\"}"), "type is given twice" },
        { "\"user\":", S("\"user\":\"bob\",\"user\":"), "user is given twice" },
        { "\"user\":", S("\"\\u0075ser\":\"bob\",\"user\":"), "user is given twice" },
        { "\"holding\":", S("\"holding\":1,\"holding\":"), "holding is given twice" },

        { "\"1.0\"", S("\"2.0\""), "specversion is malformed" },
        { "\"1.0\"", S("1.0"), "specversion is malformed" },
        { "/ticket-office", S("/"), "source is malformed" },
        { "application/json", S("application/xml"), "datacontenttype is malformed" },
        { "ticket.booked", S("ticket.refunded"), "the event is of unknown type" },
        { "ticket.booked", S("ticket."), "the event is of unknown type" },
        { "ticket.booked", S("booked"), "the event is of unknown type" },
        { "ticket.booked", S(""), "the event is of unknown type" },
        { "ticket.booked", S("ticket.booked "), "the event is of unknown type" },
        { "\"ticket.booked\"", S("null"), "type is malformed" },
        { "\"ticket.booked\"", S("[\"ticket.booked\"]"), "type is malformed" },
        { "\"subject\":\"concert\"", S("\"subject\":\"concerto\""), "subject is malformed" },
        { "2026-11-21T10:00:00.123Z", S("2026-11-31T10:00:00.123Z"), "time is malformed" },
        { "2026-11-21T10:00:00.123Z", S(""), "time is malformed" },
        { "\"2026-11-21T10:00:00.123Z\"", S("1795255200123"), "time is malformed" },
        { "\"data\":{", S("\"data\":[{"), "data is malformed" },
        { "\"data\":{", S("\"data\":null,\"x\":{"), "data is malformed" },
        { "\"data\":{", S("\"data\":true,\"x\":{"), "data is malformed" },
        { "\"data\":{", S("\"data\":\"\",\"x\":{"), "data is malformed" },

        { "\"id\":\"concert:2:1-5\"", S("\"id\":\"concert\""), "id is malformed" },
        { "\"id\":\"concert:2:1-5\"", S("\"id\":\"\""), "id is malformed" },
        { "\"id\":\"concert:2:1-5\"", S("\"id\":\"concert:2:1-6\""), "id does not match the data" },
        { "\"id\":\"concert:2:1-5\"", S("\"id\":\"concert:2:2-5\""), "id does not match the data" },
        { "\"id\":\"concert:2:1-5\"", S("\"id\":\"concert:3:1-5\""), "id does not match the data" },
        { "\"id\":\"concert:2:1-5\"", S("\"id\":\"concerto:2:1-5\""), "id does not match the data" },
        { "\"lane\":2", S("\"lane\":3"), "id does not match the data" },
        { "\"lane\":2", S("\"lane\":64"), "lane is malformed" },
        { "\"lane\":2", S("\"lane\":-2"), "lane is malformed" },
        { "\"lane\":2", S("\"lane\":2.0"), "lane is malformed" },
        { "\"lane\":2", S("\"lane\":\"2\""), "lane is malformed" },
        { "\"lane\":2", S("\"lane\":4294967298"), "lane is malformed" },
        { "\"epoch\":1", S("\"epoch\":1e0"), "epoch is malformed" },
        { "\"epoch\":1", S("\"epoch\":0"), "id does not match the data" },
        { "\"seq\":5", S("\"seq\":9223372036854775808"), "seq is malformed" },
        { "\"seq\":5", S("\"seq\":18446744073709551621"), "seq is malformed" },
        { "\"seq\":5", S("\"seq\":null"), "seq is malformed" },
        { "\"seq\":5", S("\"seq\":{}"), "seq is malformed" },
        { "\"seq\":5", S("\"seq\":true"), "seq is malformed" },

        { "\"ann\"", S("null"), "user is malformed" },
        { "\"ann\"", S("7"), "user is malformed" },
        { "\"ann\"", S("\"\""), "user is malformed" },
        { "\"ann\"", S("\"a n\""), "user is malformed" },
        { "\"ann\"", S("\"a\\u0000n\""), "user is malformed" },
        { "\"ann\"", S("\"a\\nn\""), "user is malformed" },
        { "\"ann\"", S("\"a\\u00a0n\""), "user is malformed" },
        { "\"ann\"", S("[\"ann\"]"), "user is malformed" },
        { "\"quantity\":1", S("\"quantity\":0"), "quantity is malformed" },
        { "\"quantity\":1", S("\"quantity\":1000001"), "quantity is malformed" },
        { "\"quantity\":1", S("\"quantity\":false"), "quantity is malformed" },
        { "\"booking_id\":\"concert:2:1-5\"", S("\"booking_id\":\"\""), "booking_id is malformed" },
        { "\"booking_id\":\"concert:2:1-5\"", S("\"booking_id\":null"), "booking_id is malformed" },
        { "\"booking_id\":\"concert:2:1-5\"", S("\"booking_id\":\"x\""), "booking_id is malformed" },
        { "\"booking_id\":\"concert:2:1-5\"", S("\"booking_id\":\"other:2:1-5\""), "booking_id is malformed" },
        { "\"holding\":1", S("\"holding\":0"), "holding_id without a holding" },
        { "\"holding\":1", S("\"holding\":1000001"), "holding is malformed" },
        { "\"holding_id\":\"concert:2:1-5\"", S("\"holding_id\":null"), "holding_id is malformed" },
        { "\"holding_id\":\"concert:2:1-5\"", S("\"holding_id\":\"\""), "holding_id is malformed" },
        { "\"holding_id\":\"concert:2:1-5\"", S("\"holding_id\":\"other:2:1-5\""), "holding_id is malformed" },
        { "}}", S(",\"origin\":\"\"}}"), "origin is malformed" },
        { "}}", S(",\"origin\":null}}"), "origin is malformed" },
        { "}}", S(",\"origin\":\"concert\"}}"), "origin is malformed" },
        { "}}", S(",\"origin\":\"other:2:1-5\"}}"), "origin is malformed" },
    };
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(changes); i++)
        try_change(BOOKED, &changes[i]);
}

static void
definitions_with_mistakes_are_refused(void **state)
{
    static const change_t changes[] = {
        { "\"capacity\":100,", S(""), "the event has no capacity" },
        { "\"per_user\":2,", S(""), "the event has no per_user" },
        { "\"lanes\":4,", S(""), "the event has no lanes" },
        { "\"state\":\"open\",", S(""), "the event has no state" },
        { "\"opens_at\":null,", S(""), "the event has no opens_at" },
        { ",\"closes_at\":null", S(""), "the event has no closes_at" },
        { "\"capacity\":100", S("\"capacity\":1000000000001"), "capacity is malformed" },
        { "\"capacity\":100", S("\"capacity\":-1"), "capacity is malformed" },
        { "\"capacity\":100", S("\"capacity\":1e2"), "capacity is malformed" },
        { "\"per_user\":2", S("\"per_user\":0"), "a definition without a limit or lanes" },
        { "\"lanes\":4", S("\"lanes\":0"), "a definition without a limit or lanes" },
        { "\"lanes\":4", S("\"lanes\":65"), "lanes is malformed" },
        { "\"open\"", S("\"ajar\""), "state is malformed" },
        { "\"open\"", S("null"), "state is malformed" },
        { "\"opens_at\":null", S("\"opens_at\":\"\""), "opens_at is malformed" },
        { "\"opens_at\":null", S("\"opens_at\":0"), "opens_at is malformed" },
        { "\"opens_at\":null", S("\"opens_at\":\"soon\""), "opens_at is malformed" },
        { "\"closes_at\":null", S("\"closes_at\":{}"), "closes_at is malformed" },
    };
    char text[1024], *storage;
    const char *from = DEFINED;
    ticket_event_t ev;
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(changes); i++)
        try_change(DEFINED, &changes[i]);

    /* another lane, in both places */
    for (i = 0; from[i] != '\0'; i++)
        text[i] = from[i];
    text[i] = '\0';
    *strstr(text, ":0:1-5") = '@';
    assert_string_equal(decode(text, i, &ev, &storage), "id is malformed");
    free(storage);
    memcpy(strstr(text, "@0:1-5"), ":7:1-5", 6);
    memcpy(strstr(text, "\"lane\":0"), "\"lane\":7", 8);
    assert_string_equal(decode(text, i, &ev, &storage), "a definition is not on lane 0");
    free(storage);
}

static void
what_is_unknown_is_ignored_and_order_is_free(void **state)
{
    static const change_t changes[] = {
        { "{", S(" \t\r\n{ "), NULL },
        { "}}", S("}} \t\r\n"), NULL },
        { "{", S("{\"traceparent\":\"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\","), NULL },
        { "{", S("{\"x\":null,\"y\":true,\"z\":-1.5e300,\"\":\"\",\"w\":99999999999999999999,"), NULL },
        { "{", S("{\"x\":{\"id\":1,\"data\":{\"user\":7}},"), NULL },
        { "{", S("{\"x\":[{\"id\":1},[[{\"user\":[]}]],\"id\"],"), NULL },
        { "}}", S(",\"x\":{\"user\":\"bob\",\"data\":{\"user\":\"eve\"}}}}"), NULL },
        { "}}", S(",\"data\":{\"user\":\"bob\"},\"id\":\"x\"}}"), NULL },
        { "}}", S("},\"user\":\"bob\",\"quantity\":7}"), NULL },
        { "}}", S(",\"x\":1,\"x\":2}}"), NULL },
        { "}}", S(",\"capacity\":5,\"state\":\"whatever\"}}"), NULL },
        { "}}", S(",\"User\":\"bob\",\"use\":\"bob\",\"users\":\"bob\"}}"), NULL },
        { "}}", S(",\"origin\":\"concert:7:1-1\"}}"), NULL },
        { "\"id\"", S("\"\\u0069d\""), NULL },
        { "10:00:00.123Z", S("11:00:00.123999+01:00"), NULL },
        { "ann", S("\\u0061\\u006en"), NULL },
        { "ann", S("\\ud83c\\udfab"), NULL },
        { "ann", S("\\\"\\\\\\/"), NULL },
        { "ticket.booked", S("ticket.cancelled"), NULL },
        { "ticket.booked", S("ticket.rejected"), NULL },
        { "\"specversion\":\"1.0\",\"id\":\"concert:2:1-5\"", S("\"id\":\"concert:2:1-5\",\"specversion\":\"1.0\""),
          NULL },
    };
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(changes); i++)
        try_change(BOOKED, &changes[i]);
}

static void
nothing_but_an_object_is_an_event(void **state)
{
    static const struct {
        ticket_slice_t json;
        const char *error;
    } cases[] = {
        { S(""), "the event is not JSON" },
        { S(" "), "the event is not JSON" },
        { S("\0"), "the event is not JSON" },
        { S("{"), "the event is not JSON" },
        { S("}"), "the event is not JSON" },
        { S("\""), "the event is not JSON" },
        { S("{}"), "the event has no specversion" },
        { S("[]"), "the event is not a JSON object" },
        { S("[{}]"), "the event is not a JSON object" },
        { S("null"), "the event is not a JSON object" },
        { S("true"), "the event is not a JSON object" },
        { S("\"ticket.booked\""), "the event is not a JSON object" },
        { S("1 "), "the event is not a JSON object" },
        { S("1"), "the event is not a JSON object" },
        { S("{\"x\"}"), "the event is not JSON" },
        { S("{\"x\":}"), "the event is not JSON" },
        { S("{1:2}"), "the event is not JSON" },
    };
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(cases); i++) {
        ticket_event_t ev;
        char *storage;
        const char *error = decode(cases[i].json.data, cases[i].json.len, &ev, &storage);

        if (error == NULL || strcmp(error, cases[i].error) != 0) {
            print_error("%s, not: %s\n", error ? error : "read", cases[i].error);
            check(0, cases[i].json.data, cases[i].json.len);
        }
        free(storage);
    }
}

/* a text that is cut anywhere is refused, and nothing is read behind its end */
static void
every_beginning_of_an_event_is_refused(void **state)
{
    static const char *const events[] = { BOOKED, DEFINED };
    size_t i, len;

    (void) state;
    for (i = 0; i < COUNT(events); i++) {
        for (len = 0; len < strlen(events[i]); len++) {
            ticket_event_t ev;
            char *storage;

            check(decode(events[i], len, &ev, &storage) != NULL, events[i], len);
            free(storage);
        }
    }
}

static void
depth_is_bounded(void **state)
{
    static char text[200000];
    const char *event = BOOKED;
    ticket_event_t ev;
    char *storage;
    size_t n, depth;

    (void) state;
    for (depth = 1; depth <= 80000; depth = depth < 20 ? depth + 1 : depth * 2) {
        const char *error;

        n = (size_t) sprintf(text, "{\"x\":");
        memset(text + n, '[', depth);
        n += depth;
        memset(text + n, ']', depth);
        n += depth;
        n += (size_t) sprintf(text + n, ",%s", event + 1);
        error = decode(text, n, &ev, &storage);
        if (depth < 16)
            assert_null(error);
        else
            assert_string_equal(error, "the event is nested too deeply");
        free(storage);
    }
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(bookings_with_mistakes_are_refused),
        cmocka_unit_test(definitions_with_mistakes_are_refused),
        cmocka_unit_test(what_is_unknown_is_ignored_and_order_is_free),
        cmocka_unit_test(nothing_but_an_object_is_an_event),
        cmocka_unit_test(every_beginning_of_an_event_is_refused),
        cmocka_unit_test(depth_is_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
