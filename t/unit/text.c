/* Ids, numbers, times, and what yajl may be given. */

#include "unit.h"

static int
user_valid(const char *data, size_t len)
{
    char *copy = exact(data, len);
    ticket_slice_t s = { copy, len };
    int rc = ticket_user_valid(s);

    free(copy);
    return rc;
}

static int
name_valid(const char *text)
{
    char *copy = exact(text, strlen(text));
    ticket_slice_t s = { copy, strlen(text) };
    int rc = ticket_name_valid(s);

    free(copy);
    return rc;
}

static void
ids_of_all_scripts_are_valid(void **state)
{
    static const char *const good[] = {
        "a", "Ann", "ann", "42", ".", "..", "-", "=", "a@b.example", "@@", "a:b/c", "{x}", "\"", "\\", "'", "%41",
        "a+b",
        "\xc3\xa9" /* é */, "e\xcc\x81" /* e and a combining acute */, "\xe7\xa5\xa8", "\xf0\x9f\x8e\xab",
        "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x94\xa7" /* joined by U+200D, which is no white space */,
        "\xef\xbb\xbf" /* U+FEFF is none either */, "\xef\xbf\xbe" /* U+FFFE, a noncharacter */, "\xef\xbf\xbf",
        "\xe2\x80\x8b" /* U+200B */, "\xe1\xa0\x8e" /* U+180E */, "\xf4\x8f\xbf\xbf" /* U+10FFFF */, "\xc2\xad",
    };
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(good); i++)
        check(user_valid(good[i], strlen(good[i])), good[i], strlen(good[i]));
}

static void
ids_are_from_1_to_255_bytes(void **state)
{
    char id[256];

    (void) state;
    memset(id, 'a', sizeof(id));
    assert_false(user_valid(id, 0));
    assert_true(user_valid(id, 1));
    assert_true(user_valid(id, 255));
    assert_false(user_valid(id, 256));

    /* the 255th byte ends a character, or cuts it */
    memcpy(id + 251, "\xf0\x9f\x8e\xab", 4);
    assert_true(user_valid(id, 255));
    assert_false(user_valid(id, 254));
    assert_false(user_valid(id, 253));
    assert_false(user_valid(id, 252));
}

static int
is_refused(uint32_t c)
{
    static const uint32_t spaces[] = {
        0x1680, 0x2000, 0x2001, 0x2002, 0x2003, 0x2004, 0x2005, 0x2006, 0x2007, 0x2008, 0x2009, 0x200a, 0x2028,
        0x2029,
        0x202f, 0x205f, 0x3000,
    };
    size_t i;

    /* Cc, U+0020 and U+00A0 */
    if (c <= 0x20 || (c >= 0x7f && c <= 0xa0))
        return 1;
    for (i = 0; i < COUNT(spaces); i++) {
        if (c == spaces[i])
            return 1;
    }
    return (c >= 0xd800 && c <= 0xdfff) || c > 0x10ffff;
}

static void
every_code_point_is_decided_as_unicode_says(void **state)
{
    uint32_t c;

    (void) state;
    for (c = 0; c <= 0x1fffff; c++) {
        unsigned char b[4];
        size_t n;
        ticket_slice_t s;

        if (c < 0x80) {
            n = 1;
            b[0] = (unsigned char) c;
        } else if (c < 0x800) {
            n = 2;
            b[0] = (unsigned char) (0xc0 | c >> 6);
        } else if (c < 0x10000) {
            n = 3;
            b[0] = (unsigned char) (0xe0 | c >> 12);
        } else {
            n = 4;
            b[0] = (unsigned char) (0xf0 | c >> 18);
        }
        if (n > 3)
            b[n - 3] = (unsigned char) (0x80 | (c >> 12 & 0x3f));
        if (n > 2)
            b[n - 2] = (unsigned char) (0x80 | (c >> 6 & 0x3f));
        if (n > 1)
            b[n - 1] = (unsigned char) (0x80 | (c & 0x3f));
        s.data = (const char *) b;
        s.len = n;
        check(ticket_user_valid(s) == !is_refused(c), s.data, s.len);
    }
}

/* the grammar of RFC 3629, section 4 */
static int
is_utf8(const unsigned char *b, size_t len)
{
#define TAIL(i)  (len > (i) && b[i] >= 0x80 && b[i] <= 0xbf)
#define SECOND(first, low, high)  (b[0] == (first) && len > 1 && b[1] >= (low) && b[1] <= (high))
    size_t n;

    for (; len > 0; b += n, len -= n) {
        if (b[0] <= 0x7f)
            n = 1;
        else if (b[0] >= 0xc2 && b[0] <= 0xdf && TAIL(1))
            n = 2;
        else if ((SECOND(0xe0, 0xa0, 0xbf) || (b[0] >= 0xe1 && b[0] <= 0xec && TAIL(1)) || SECOND(0xed, 0x80, 0x9f)
                  || (b[0] >= 0xee && b[0] <= 0xef && TAIL(1))) && TAIL(2))
            n = 3;
        else if ((SECOND(0xf0, 0x90, 0xbf) || (b[0] >= 0xf1 && b[0] <= 0xf3 && TAIL(1)) || SECOND(0xf4, 0x80, 0x8f))
                 && TAIL(2) && TAIL(3))
            n = 4;
        else
            return 0;
    }
    return 1;
}

/* every first byte, followed by three that matter, in the middle of a text and at its end */
static void
utf8_is_exactly_that_of_rfc_3629(void **state)
{
    static const unsigned char tails[] = {
        0x20, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc2, 0xe0, 0xed, 0xf0, 0xff,
    };
    unsigned char b[6] = { 'a', 0, 0, 0, 0, 'z' };
    unsigned first;
    size_t i, j, k, len;

    (void) state;
    for (first = 0x20; first <= 0xff; first++) {
        if (first == '\\')
            continue;
        b[1] = (unsigned char) first;
        for (i = 0; i < COUNT(tails); i++) {
            b[2] = tails[i];
            for (j = 0; j < COUNT(tails); j++) {
                b[3] = tails[j];
                for (k = 0; k < COUNT(tails); k++) {
                    b[4] = tails[k];
                    for (len = 2; len <= sizeof(b); len++) {
                        const char *text = (const char *) b;

                        check(ticket_json_clean(text, len) == is_utf8(b, len), text, len);
                    }
                }
            }
        }
    }
}

static void
names_have_one_group_and_no_separators(void **state)
{
    static const char *const good[] = {
        "concert", "vip@concert", "a@b", "...", ".a", "a.", "..@x", "x@..", "a-b", "a=b", "a b" + 2, "\"", "\\",
        "%7B", "*", "[x]",
        "\xf0\x9f\x8e\xab@\xe7\xa5\xa8",
    };
    static const char *const bad[] = {
        "", ".", "..", "@", "a@", "@a", "a@b@c", "a@@b", "@@", "{", "}", "{a}", "a/b", "/", "a:b", ":", "a b", "a\tb",
        "a\nb", "a\x7f",
        "a\xc2\xa0", "\xff", "vip@con:cert", "vip@{concert}", "vi/p@concert", "a\xe2\x80\xa8" "b", "a\xe3\x80\x80",
    };
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(good); i++)
        check(name_valid(good[i]), good[i], strlen(good[i]));
    for (i = 0; i < COUNT(bad); i++)
        check(!name_valid(bad[i]), bad[i], strlen(bad[i]));
}

static void
numbers_are_plain_digits(void **state)
{
    static const struct {
        const char *text;
        uint64_t max, number;
    } good[] = {
        { "0", 0, 0 }, { "1", 1, 1 }, { "10", 10, 10 }, { "1000000", 1000000, 1000000 },
        { "9223372036854775807", INT64_MAX, INT64_MAX }, { "9999999999999999999", UINT64_MAX,
        UINT64_C(9999999999999999999) },
    };
    static const ticket_slice_t bad[] = {
        S(""), S("-"), S("-1"), S("-0"), S("+1"), S("01"), S("00"), S("1 "), S(" 1"), S("1.0"), S("1e3"), S("0x1"),
        S("1\0"), S("\0"),
        S("9223372036854775808"), S("10000000000000000000"), S("18446744073709551617"), S("99999999999999999999"),
        S("1_0"), S("1,0"),
        S("\xd9\xa1") /* an Arabic one */, S(":"), S("/"),
    };
    char buf[TICKET_NUMBER_LEN];
    uint64_t n;
    size_t i;

    (void) state;
    assert_int_equal(ticket_number_format(buf, UINT64_MAX) - buf, sizeof(buf));
    assert_memory_equal(buf, "18446744073709551615", sizeof(buf));
    for (i = 0; i < COUNT(good); i++) {
        size_t len = (size_t) (ticket_number_format(buf, good[i].number) - buf);

        check(len == strlen(good[i].text) && memcmp(buf, good[i].text, len) == 0, good[i].text, strlen(good[i].text));
        check(ticket_number_parse(slice(good[i].text), good[i].max, &n) == 0 && n == good[i].number, good[i].text,
              strlen(good[i].text));
        if (good[i].number)
            check(ticket_number_parse(slice(good[i].text), good[i].number - 1, &n) == -1, good[i].text,
            strlen(good[i].text));
    }
    for (i = 0; i < COUNT(bad); i++) {
        char *copy = exact(bad[i].data, bad[i].len);
        ticket_slice_t s = { copy, bad[i].len };

        check(ticket_number_parse(s, INT64_MAX, &n) == -1, s.data, s.len);
        free(copy);
    }
}

static void
times_are_written_in_utc_with_milliseconds(void **state)
{
    static const struct {
        int64_t ms;
        const char *text;
    } cases[] = {
        { 0, "1970-01-01T00:00:00.000Z" },
        { 1, "1970-01-01T00:00:00.001Z" },
        { 951782399999, "2000-02-28T23:59:59.999Z" },
        { 951782400000, "2000-02-29T00:00:00.000Z" },
        { 951868800000, "2000-03-01T00:00:00.000Z" },
        { 1795255200123, "2026-11-21T10:00:00.123Z" },
        { 4107542399000, "2100-02-28T23:59:59.000Z" },
        { 4107542400000, "2100-03-01T00:00:00.000Z" },
        { 253402300799999, "9999-12-31T23:59:59.999Z" },
        { 253402300800000, "9999-12-31T23:59:59.999Z" },
        { INT64_MAX, "9999-12-31T23:59:59.999Z" },
        { -1, "1970-01-01T00:00:00.000Z" },
        { INT64_MIN, "1970-01-01T00:00:00.000Z" },
    };
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(cases); i++) {
        char *buf = malloc(TICKET_TIME_LEN);

        assert_non_null(buf);
        ticket_time_format(buf, cases[i].ms);
        check(memcmp(buf, cases[i].text, TICKET_TIME_LEN) == 0, buf, TICKET_TIME_LEN);
        free(buf);
    }
}

static void
each_day_to_the_end_of_9999_comes_back(void **state)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    int year, month, day;
    int64_t today = 0, ms;
    char buf[TICKET_TIME_LEN], expected[64];
    ticket_slice_t s = { buf, TICKET_TIME_LEN };

    (void) state;
    for (year = 1970; year <= 9999; year++) {
        int leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

        for (month = 1; month <= 12; month++) {
            int last = days[month - 1] + (month == 2 && leap);

            snprintf(expected, sizeof(expected), "%04d-%02d-..T04:05:06.789Z", year, month);
            for (day = 1; day <= last; day++, today++) {
                expected[8] = (char) ('0' + day / 10);
                expected[9] = (char) ('0' + day % 10);
                ticket_time_format(buf, today * 86400000 + 14706789);
                if (memcmp(buf, expected, TICKET_TIME_LEN) != 0 || ticket_time_parse(s, &ms) != 0
                    || ms != today * 86400000 + 14706789)
                    check(0, expected, TICKET_TIME_LEN);
            }
            /* the day after the last does not exist */
            expected[8] = (char) ('0' + day / 10);
            expected[9] = (char) ('0' + day % 10);
            memcpy(buf, expected, TICKET_TIME_LEN);
            check(ticket_time_parse(s, &ms) == -1, buf, TICKET_TIME_LEN);
        }
    }
}

static void
times_are_read_with_any_offset(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {
        { "2026-11-21T10:00:00Z", 1795255200000 },
        { "2026-11-21t10:00:00z", 1795255200000 },
        { "2026-11-21T10:00:00.1Z", 1795255200100 },
        { "2026-11-21T10:00:00.12Z", 1795255200120 },
        { "2026-11-21T10:00:00.123Z", 1795255200123 },
        { "2026-11-21T10:00:00.123999999Z", 1795255200123 },
        { "2026-11-21T11:00:00+01:00", 1795255200000 },
        { "2026-11-21T04:30:00.5-05:30", 1795255200500 },
        { "2026-11-21T10:00:00-00:00", 1795255200000 },
        { "2026-11-22T09:59:00+23:59", 1795255200000 },
        { "1970-01-01T01:00:00+01:00", 0 },
        { "1969-12-31T23:00:00-01:00", 0 },
        { "9999-12-31T23:59:59.999Z", 253402300799999 },
    };
    static const ticket_slice_t bad[] = {
        S(""), S("Z"), S("2026-11-21"), S("2026-11-21T10:00:00"), S("2026-11-21T10:00Z"), S("2026-11-21 10:00:00Z"),
        S("20261121T100000Z"),
        S("2026-11-21T10:00:00.Z"), S("2026-11-21T10:00:00."), S("2026-11-21T10:00:00.123"),
        S("2026-11-21T10:00:00.1234567890Z"),
        S("2026-11-21T10:00:00,123Z"), S("2026-11-21T10:00:00ZZ"), S("2026-11-21T10:00:00Z "),
        S(" 2026-11-21T10:00:00Z"),
        S("2026-11-21T10:00:00Z\0"), S("2026-11-21T10:00:00+0100"), S("2026-11-21T10:00:00+01"),
        S("2026-11-21T10:00:00+01:0"),
        S("2026-11-21T10:00:00+24:00"), S("2026-11-21T10:00:00+01:60"), S("2026-11-21T10:00:00+1:000"),
        S("2026-11-21T24:00:00Z"),
        S("2026-11-21T10:60:00Z"), S("2026-12-31T23:59:60Z"), S("2026-13-01T10:00:00Z"), S("2026-00-01T10:00:00Z"),
        S("2026-11-00T10:00:00Z"), S("2026-11-31T10:00:00Z"), S("2026-02-29T10:00:00Z"), S("2100-02-29T10:00:00Z"),
        S("-026-11-21T10:00:00Z"), S("+2026-11-21T10:00:00Z"), S("12026-11-21T10:00:00Z"),
        S("1969-12-31T23:59:59.999Z"),
        S("1970-01-01T00:00:00+00:01"), S("0000-01-01T00:00:00Z"), S("9999-12-31T23:59:59-00:01"),
        S("2026-1a-21T10:00:00Z"),
        S("2026-11-21T10:0::00Z"), S("2026-11-21T0::00:00Z"), S("2026-11-21T10:00:0:Z"), S("2026-11-21T10x00:00Z"),
        S("2026-11-21T10:00x00Z"), S("2026-11x21T10:00:00Z"), S("2026x11-21T10:00:00Z"), S("2026-11-21T10:00:00+01x00"),
        S("2026-11-21T10:00:00x01:00"), S("2026-11-21T10:00:00+0::00"), S("2026-11-21T10:00:00+00:0:"),
        S("2026-11-21T10:00:-1Z"), S("Sat, 21 Nov 2026 10:00:00 GMT"), S("1795255200000"),
        S("1795255200000000000000"),
    };
    int64_t ms;
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(good); i++) {
        char *copy = exact(good[i].text, strlen(good[i].text));
        ticket_slice_t s = { copy, strlen(good[i].text) };

        check(ticket_time_parse(s, &ms) == 0 && ms == good[i].ms, s.data, s.len);
        free(copy);
    }
    for (i = 0; i < COUNT(bad); i++) {
        char *copy = exact(bad[i].data, bad[i].len);
        ticket_slice_t s = { copy, bad[i].len };

        check(ticket_time_parse(s, &ms) == -1, s.data, s.len);
        free(copy);
    }
}

static void
yajl_is_not_given_what_it_lets_pass(void **state)
{
    static const ticket_slice_t clean[] = {
        S(""), S("{}"), S(" \t\r\n{}"), S("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\""), S("\"\\ud83c\\udfab\""),
        S("\"\\uD83C\\uDFAB\""),
        S("\"\\ud800\\udc00\\udbff\\udfff\""),
        S("\"\\\\ud800\""), S("\"\xf0\x9f\x8e\xab\""), S("\"\\u0000\""), S("\"\x7f\""),
    };
    static const ticket_slice_t dirty[] = {
        S("\v{}"), S("{}\f"), S("{}\0"), S("\"\x01\""), S("\"\\ud800\""), S("\"\\udfff\""), S("\"\\udfab\\ud83c\""),
        S("\"\\ud83c\\ud83c\""),
        S("\"\\ud83cx\""), S("\"\\ud83cxudfab\""), S("\"\\ud83c\\ndfab\""),
        S("\"\\udc00\""), S("\"\\ud83c\\n\""), S("\"\\ud83c\\u0041\""), S("\"\\ud83c\\\\udfab\""), S("\"\\ud83c"),
        S("\"\\ud83c\\"),
        S("\"\\ud83c\\u"), S("\"\\ud83c\\udfa"), S("\\"), S("\\u"), S("\\u00"), S("\\u00g0"), S("\\uD8 0"),
        S("\"\xc0\x80\""), S("\"\xff\""),
        S("\"\xed\xa0\xbc\xed\xbe\xab\"") /* CESU-8 */, S("\"\xf4\x90\x80\x80\""), S("\"\xe2\x82\""), S("\"\xe2\x82"),
        S("\\\xc3\xa9"),
        S("\\\n"),
    };
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(clean); i++) {
        char *copy = exact(clean[i].data, clean[i].len);

        check(ticket_json_clean(copy, clean[i].len), clean[i].data, clean[i].len);
        free(copy);
    }
    for (i = 0; i < COUNT(dirty); i++) {
        char *copy = exact(dirty[i].data, dirty[i].len);

        check(!ticket_json_clean(copy, dirty[i].len), dirty[i].data, dirty[i].len);
        free(copy);
    }
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_of_all_scripts_are_valid),
        cmocka_unit_test(ids_are_from_1_to_255_bytes),
        cmocka_unit_test(every_code_point_is_decided_as_unicode_says),
        cmocka_unit_test(utf8_is_exactly_that_of_rfc_3629),
        cmocka_unit_test(names_have_one_group_and_no_separators),
        cmocka_unit_test(numbers_are_plain_digits),
        cmocka_unit_test(times_are_written_in_utc_with_milliseconds),
        cmocka_unit_test(each_day_to_the_end_of_9999_comes_back),
        cmocka_unit_test(times_are_read_with_any_offset),
        cmocka_unit_test(yajl_is_not_given_what_it_lets_pass),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
