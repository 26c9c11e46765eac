/* Ids, lanes, encoding and unpacking; that both roads lead to the same bytes. */

#include "unit.h"
#include "events.h"

static const char *const types[] = { "", "booked", "cancelled", "rejected", "defined" };

/* the JSON that an example must be, in memory of its own */
static char *
expected_json(const example_t *e, size_t *len)
{
    char *text = malloc(TICKET_EVENT_JSON_MAX);
    const char *second = e->event.time == TIME ? "00.123" : "00.000";

    assert_non_null(text);
    *len = (size_t) snprintf(text, TICKET_EVENT_JSON_MAX,
        "{\"specversion\":\"1.0\",\"id\":\"vip@concert:0:3-7\",\"source\":\"/ticket-office\",\"type\":\"ticket.%s\","
        "\"subject\":\"vip@concert\",\"time\":\"2026-11-21T10:00:%sZ\",\"datacontenttype\":\"application/json\","
        "\"data\":{\"ticket\":\"vip@concert\",\"lane\":0,\"epoch\":3,\"seq\":7,%s}}",
        types[e->event.type], second, e->json);
    return text;
}

static int
unpack(const char *ticket, uint32_t lane, const char *id, const char *field, ticket_slice_t value, ticket_event_t *ev,
    const char **error)
{
    return ticket_event_unpack(slice(ticket), lane, slice(id), slice(field), value, ev, error);
}

static void
each_example_is_the_same_by_every_road(void **state)
{
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(examples); i++) {
        const example_t *e = &examples[i];
        const char *error;
        ticket_event_t unpacked, decoded;
        ticket_slice_t value = { exact(e->packed, strlen(e->packed)), strlen(e->packed) };
        char buf[TICKET_EVENT_JSON_MAX], *storage;
        size_t len, n;
        char *json = expected_json(e, &len);

        /* the edge, from the script's answer */
        n = ticket_event_encode(buf, sizeof(buf), &e->event);
        check(n == len && memcmp(buf, json, len) == 0, buf, n);

        /* the persister, from the outbox */
        error = "";
        check(unpack("vip@concert", 0, e->id, "1", value, &unpacked, &error) == 0, error, strlen(error));
        assert_null(error);
        memset(buf, 0, sizeof(buf));
        n = ticket_event_encode(buf, sizeof(buf), &unpacked);
        check(n == len && memcmp(buf, json, len) == 0, buf, n);

        /* and from Kafka */
        storage = malloc(len);
        assert_non_null(storage);
        error = "";
        check(ticket_event_decode(json, len, &decoded, storage, &error) == 0, error, strlen(error));
        assert_null(error);
        memset(json, 0, len);
        n = ticket_event_encode(json, len, &decoded);
        check(n == len && memcmp(buf, json, len) == 0, json, n);

        assert_int_equal(decoded.type, e->event.type);
        assert_true(decoded.time == e->event.time && decoded.time == unpacked.time);
        assert_true(decoded.quantity == e->event.quantity && decoded.quantity == unpacked.quantity);
        assert_true(decoded.holding == e->event.holding && decoded.holding == unpacked.holding);
        assert_true(ticket_slice_eq(decoded.user, unpacked.user));
        assert_true(ticket_slice_eq(decoded.booking_id, unpacked.booking_id));
        assert_true(ticket_slice_eq(decoded.holding_id, unpacked.holding_id));
        assert_true(ticket_slice_eq(decoded.origin, unpacked.origin));
        assert_true(decoded.capacity == unpacked.capacity && decoded.lanes == unpacked.lanes);
        assert_true(decoded.opens_at == unpacked.opens_at && decoded.closes_at == unpacked.closes_at);
        if (e->event.type != TICKET_EVENT_DEFINED) {
            assert_true(decoded.booking_id.len > 0);
            assert_true((decoded.holding > 0) == (decoded.holding_id.len > 0));
        }

        free(json);
        free(storage);
        free((void *) value.data);
    }
}

static void
an_event_that_does_not_fit_is_none(void **state)
{
    size_t i, size;

    (void) state;
    for (i = 0; i < COUNT(examples); i++) {
        char buf[TICKET_EVENT_JSON_MAX];
        size_t len = ticket_event_encode(buf, sizeof(buf), &examples[i].event);

        assert_true(len > 0);
        for (size = 0; size <= len; size++) {
            char *small = malloc(size ? size : 1);

            assert_non_null(small);
            assert_true(ticket_event_encode(small, size, &examples[i].event) == (size == len ? len : 0));
            free(small);
        }
    }
}

static void
the_longest_event_fits(void **state)
{
    char ticket[TICKET_ID_MAX], user[TICKET_ID_MAX], id[TICKET_EVENT_ID_MAX], buf[TICKET_EVENT_JSON_MAX];
    ticket_event_t ev = { TICKET_EVENT_BOOKED, .time = TICKET_TIME_MAX, .lane = 63, .epoch = INT64_MAX,
                          .seq = INT64_MAX, .quantity = 1000000, .holding = 1000000, NO_TIME };
    ticket_slice_t back;
    ticket_event_t decoded;
    char storage[TICKET_EVENT_JSON_MAX];
    const char *error = "";
    uint32_t lane;
    uint64_t epoch, seq;
    size_t n;

    (void) state;
    memset(ticket, '"', sizeof(ticket));
    memset(user, '\\', sizeof(user));
    ev.ticket.data = ticket;
    ev.ticket.len = sizeof(ticket);
    ev.user.data = user;
    ev.user.len = sizeof(user);

    n = ticket_event_id(id, sizeof(id), ev.ticket, 63, INT64_MAX, INT64_MAX);
    assert_int_equal(n, 255 + 1 + 2 + 1 + 19 + 1 + 19);
    ev.booking_id.data = ev.holding_id.data = ev.origin.data = id;
    ev.booking_id.len = ev.holding_id.len = ev.origin.len = n;
    assert_int_equal(ticket_event_id_parse(ev.origin, &back, &lane, &epoch, &seq), 0);
    assert_true(ticket_slice_eq(back, ev.ticket) && lane == 63 && epoch == INT64_MAX && seq == INT64_MAX);

    n = ticket_event_encode(buf, sizeof(buf), &ev);
    assert_true(n > 0 && n < TICKET_EVENT_JSON_MAX);
    check(ticket_event_decode(buf, n, &decoded, storage, &error) == 0, error, strlen(error));
    assert_true(ticket_slice_eq(decoded.user, ev.user) && ticket_slice_eq(decoded.origin, ev.origin));
}

static void
control_characters_are_escaped_should_one_ever_come(void **state)
{
    ticket_event_t ev = examples[0].event;
    char buf[TICKET_EVENT_JSON_MAX + 1];
    size_t n;

    (void) state;
    ev.user.data = "\0\x01\x1f\x20\x7f\n";
    ev.user.len = 6;
    n = ticket_event_encode(buf, TICKET_EVENT_JSON_MAX, &ev);
    buf[n] = '\0';
    assert_non_null(strstr(buf, "\"user\":\"\\u0000\\u0001\\u001f \x7f\\u000a\","));
}

static void
an_unknown_type_is_not_encoded(void **state)
{
    ticket_event_t ev = examples[0].event;
    char buf[TICKET_EVENT_JSON_MAX];

    (void) state;
    ev.type = 0;
    assert_int_equal(ticket_event_encode(buf, sizeof(buf), &ev), 0);
    ev.type = TICKET_EVENT_DEFINED + 1;
    assert_int_equal(ticket_event_encode(buf, sizeof(buf), &ev), 0);
}

static void
ids_are_made_and_split(void **state)
{
    static const struct {
        const char *id, *ticket;
        uint32_t lane;
        uint64_t epoch, seq;
    } good[] = {
        { "concert:0:1-1", "concert", 0, 1, 1 },
        { "vip@concert:63:12-345", "vip@concert", 63, 12, 345 },
        { "a-b:7:9223372036854775807-9223372036854775807", "a-b", 7, INT64_MAX, INT64_MAX },
        { "\xf0\x9f\x8e\xab:1:2-3", "\xf0\x9f\x8e\xab", 1, 2, 3 },
        { "\"\\%s:1:2-3", "\"\\%s", 1, 2, 3 },
    };
    static const ticket_slice_t bad[] = {
        S(""), S(":"), S("::"), S("concert"), S("concert:0"), S("concert:0:"), S("concert:0:1"), S("concert:0:1-"),
        S("concert:0:-1"), S("concert::1-1"), S(":0:1-1"), S("concert:0:1-1:"), S("concert:0:1-1-1"),
        S("concert:0:1-1 "), S(" concert:0:1-1"), S("concert:0:1-1\0"), S("concert:00:1-1"), S("concert:0:01-1"),
        S("concert:0:1-01"), S("concert:0:0-1"), S("concert:0:1-0"), S("concert:64:1-1"), S("concert:-1:1-1"),
        S("concert:+0:1-1"), S("concert:0:1-18446744073709551617"), S("concert:0:9223372036854775808-1"),
        S("concert:4294967296:1-1"), S("con/cert:0:1-1"), S("{concert}:0:1-1"), S("a@b@c:0:1-1"), S(".:0:1-1"),
        S("..:0:1-1"), S("a b:0:1-1"), S("\xff:0:1-1"), S("a:b:0:1-1"), S("concert:0:1_1"), S("concert:x:1-1"),
    };
    char buf[TICKET_EVENT_ID_MAX];
    ticket_slice_t ticket;
    uint32_t lane;
    uint64_t epoch, seq;
    size_t i, n, size;

    (void) state;
    for (i = 0; i < COUNT(good); i++) {
        ticket_slice_t id = { exact(good[i].id, strlen(good[i].id)), strlen(good[i].id) };

        check(ticket_event_id_parse(id, &ticket, &lane, &epoch, &seq) == 0, id.data, id.len);
        check(is(ticket, good[i].ticket) && lane == good[i].lane && epoch == good[i].epoch && seq == good[i].seq,
              id.data, id.len);
        for (size = 0; size <= id.len; size++) {
            n = ticket_event_id(buf, size, ticket, lane, epoch, seq);
            check(n == (size == id.len ? id.len : 0), id.data, id.len);
        }
        assert_memory_equal(buf, id.data, id.len);
        free((void *) id.data);
    }
    for (i = 0; i < COUNT(bad); i++) {
        ticket_slice_t id = { exact(bad[i].data, bad[i].len), bad[i].len };

        check(ticket_event_id_parse(id, &ticket, &lane, &epoch, &seq) == -1, id.data, id.len);
        free((void *) id.data);
    }
}

static void
lanes_are_the_crc_32_of_zlib(void **state)
{
    static const struct {
        const char *user;
        uint32_t crc;
    } known[] = {
        { "123456789", 0xcbf43926 },
        { "a", 0xe8b7be43 },
        { "abc", 0x352441c2 },
        { "The quick brown fox jumps over the lazy dog", 0x414fa339 },
    };
    uint32_t lanes;
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(known); i++) {
        for (lanes = 1; lanes <= TICKET_LANES_MAX; lanes++)
            check(ticket_event_lane(slice(known[i].user), lanes) == known[i].crc % lanes, known[i].user,
                  strlen(known[i].user));
    }
    assert_int_equal(ticket_event_lane(slice("123456789"), UINT32_MAX), 0xcbf43926);
    assert_int_equal(ticket_event_lane(slice("a"), 0), 0);
}

static void
malformed_entries_are_refused(void **state)
{
    static const struct {
        ticket_slice_t value;
        const char *error;
    } cases[] = {
        { S(""), "the entry is of unknown type" },
        { S(" "), "the entry is of unknown type" },
        { S("booked"), "time is malformed" },
        { S("booked "), "the entry is of unknown type" },
        { S("Booked 1 ann 1 1"), "the entry is of unknown type" },
        { S("ticket.booked 1 ann 1 1"), "the entry is of unknown type" },
        { S("refunded 1 ann 1 1"), "the entry is of unknown type" },
        { S("booked x ann 1 1"), "time is malformed" },
        { S("booked -1 ann 1 1"), "time is malformed" },
        { S("booked 1.7e+15 ann 1 1"), "time is malformed" },
        { S("booked 253402300800000 ann 1 1"), "time is malformed" },
        { S("booked 1"), "the entry is malformed" },
        { S("booked 1 ann"), "the entry is malformed" },
        { S("booked 1 ann 1"), "the entry is malformed" },
        { S("booked 1 ann 1 "), "the entry is malformed" },
        { S("booked 1 ann 1 1 "), "the entry is malformed" },
        { S(" booked 1 ann 1 1"), "the entry is of unknown type" },
        { S("booked  1 ann 1 1"), "time is malformed" },
        { S("booked 1  ann 1 1"), "the entry is malformed" },
        { S("booked 1 ann 1 1\n"), "the entry is malformed" },
        { S("booked 1 ann 1\t1"), "the entry is malformed" },
        { S("booked 1 ann -1 1"), "the entry is malformed" },
        { S("booked 1 ann 1.0 1"), "the entry is malformed" },
        { S("booked 1 ann 01 1"), "the entry is malformed" },
        { S("booked 1 ann 0 1"), "quantity is malformed" },
        { S("booked 1 ann 1000001 1"), "the entry is malformed" },
        { S("booked 1 ann 1 1000001"), "the entry is malformed" },
        { S("booked 1 an\xffn 1 1"), "user is malformed" },
        { S("booked 1 an\0n 1 1"), "user is malformed" },
        { S("booked 1 ann 1 1 -"), "booking_id is malformed" },
        { S("booked 1 ann 1 1 concert"), "booking_id is malformed" },
        { S("booked 1 ann 1 1 other:0:1-1"), "booking_id is malformed" },
        { S("booked 1 ann 1 1 = -"), "holding_id is malformed" },
        { S("booked 1 ann 1 1 = x"), "holding_id is malformed" },
        { S("booked 1 ann 1 1 = other:0:1-1"), "holding_id is malformed" },
        { S("booked 1 ann 1 0 = ="), "holding_id without a holding" },
        { S("booked 1 ann 1 0 = concert:0:1-1"), "holding_id without a holding" },
        { S("booked 1 ann 1 1 = = ="), "the entry is malformed" },
        { S("booked 1 ann 1 1 = = x"), "origin is malformed" },
        { S("booked 1 ann 1 1 = = other:0:1-1"), "origin is malformed" },
        { S("booked 1 ann 1 1 = = concert:0:1-1 x"), "the entry is malformed" },
        { S("booked 1 ann 1 1 = = - -"), "the entry is malformed" },
        { S("defined 1"), "the entry is malformed" },
        { S("defined 1 5 1 1 open -"), "the entry is malformed" },
        { S("defined 1 5 1 1 open - - -"), "the entry is malformed" },
        { S("defined 1 5 1 1 ajar - -"), "state is malformed" },
        { S("defined 1 5 1 1 Open - -"), "state is malformed" },
        { S("defined 1 -5 1 1 open - -"), "the entry is malformed" },
        { S("defined 1 1000000000001 1 1 open - -"), "the entry is malformed" },
        { S("defined 1 5 0 1 open - -"), "a definition without a limit or lanes" },
        { S("defined 1 5 1000001 1 open - -"), "the entry is malformed" },
        { S("defined 1 5 1 0 open - -"), "a definition without a limit or lanes" },
        { S("defined 1 5 1 65 open - -"), "the entry is malformed" },
        { S("defined 1 5 1 1 open x -"), "the entry is malformed" },
        { S("defined 1 5 1 1 open -1 -"), "the entry is malformed" },
        { S("defined 1 5 1 1 open - 253402300800000"), "the entry is malformed" },
    };
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(cases); i++) {
        ticket_slice_t value = { exact(cases[i].value.data, cases[i].value.len), cases[i].value.len };
        ticket_event_t ev;
        const char *error = NULL;

        check(unpack("concert", 0, "1-5", "1", value, &ev, &error) == -1, value.data, value.len);
        assert_non_null(error);
        if (strcmp(error, cases[i].error) != 0) {
            print_error("%s, not: %s\n", error, cases[i].error);
            check(0, value.data, value.len);
        }
        free((void *) value.data);
    }
}

static void
an_entry_needs_a_place_and_a_known_format(void **state)
{
    ticket_slice_t booked = slice("booked 1 ann 1 1"), defined = slice("defined 1 5 1 1 open - -");
    ticket_event_t ev;
    const char *error;

    (void) state;
    assert_int_equal(unpack("concert", 1, "1-5", "1", booked, &ev, &error), 0);
    assert_true(is(ev.booking_id, "concert:1:1-5") && is(ev.holding_id, "concert:1:1-5"));

    assert_int_equal(unpack("concert", 1, "1-5", "2", booked, &ev, &error), -2);
    assert_string_equal(error, "the entry is of a newer format");
    assert_int_equal(unpack("concert", 1, "1-5", "12", slice(""), &ev, &error), -2);
    assert_int_equal(unpack("concert", 1, "1-5", "0", booked, &ev, &error), -1);
    assert_int_equal(unpack("concert", 1, "1-5", "", booked, &ev, &error), -1);
    assert_int_equal(unpack("concert", 1, "1-5", "v", booked, &ev, &error), -1);
    assert_int_equal(unpack("concert", 1, "1-5", "01", booked, &ev, &error), -1);
    assert_string_equal(error, "the entry is of no known format");

    assert_int_equal(unpack("concert", 1, "", "1", booked, &ev, &error), -1);
    assert_int_equal(unpack("concert", 1, "5", "1", booked, &ev, &error), -1);
    assert_int_equal(unpack("concert", 1, "1-5-1", "1", booked, &ev, &error), -1);
    assert_int_equal(unpack("concert", 1, "0-5", "1", booked, &ev, &error), -1);
    assert_int_equal(unpack("concert", 1, "1-0", "1", booked, &ev, &error), -1);
    assert_int_equal(unpack("concert", 1, "1-18446744073709551616", "1", booked, &ev, &error), -1);
    assert_string_equal(error, "the stream id is malformed");

    assert_int_equal(unpack("con:cert", 1, "1-5", "1", booked, &ev, &error), -1);
    assert_int_equal(unpack("concert", 64, "1-5", "1", booked, &ev, &error), -1);

    assert_int_equal(unpack("concert", 0, "1-5", "1", defined, &ev, &error), 0);
    assert_int_equal(unpack("concert", 1, "1-5", "1", defined, &ev, &error), -1);
    assert_string_equal(error, "a definition is not on lane 0");
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_example_is_the_same_by_every_road),
        cmocka_unit_test(an_event_that_does_not_fit_is_none),
        cmocka_unit_test(the_longest_event_fits),
        cmocka_unit_test(control_characters_are_escaped_should_one_ever_come),
        cmocka_unit_test(an_unknown_type_is_not_encoded),
        cmocka_unit_test(ids_are_made_and_split),
        cmocka_unit_test(lanes_are_the_crc_32_of_zlib),
        cmocka_unit_test(malformed_entries_are_refused),
        cmocka_unit_test(an_entry_needs_a_place_and_a_known_format),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
