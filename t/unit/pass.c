/* Tokens of a waiting room: what is signed is verified, anything else is not; key files. */

#include "unit.h"

#include "ngx_http_ticket_pass.h"

#define SECRET1  "0123456789abcdefghijklmnopqrstuv"
#define SECRET2  "another/secret+of=more:than#32,characters!"

#define EXPIRES  UINT64_C(1795255260123)
#define ISSUED   UINT64_C(1795255200123)

/* keys whose text is exactly as large as it has to be */
typedef struct {
    char *text;
    ticket_pass_keys_t keys;
} ring_t;

static void
ring_open(ring_t *ring, const char *text)
{
    ticket_slice_t slice_of = { ring->text = exact(text, strlen(text)), strlen(text) };
    unsigned line;
    const char *error;

    if (ticket_pass_keys_parse(&ring->keys, slice_of, &line, &error) != 0)
        fail_msg("line %u: %s", line, error);
    assert_null(error);
    assert_int_equal(line, 0);
}

static void
ring_close(ring_t *ring)
{
    free(ring->text);
}

static char *
sign(const ring_t *ring, ticket_pass_kind_e kind, const char *S, const char *user, uint64_t a, uint64_t b)
{
    char buf[TICKET_PASS_TOKEN_MAX], *text;
    size_t n = ticket_pass_sign(&ring->keys, kind, slice(S), slice(user), a, b, buf, sizeof(buf));

    assert_int_not_equal(n, 0);
    text = calloc(1, n + 1);
    memcpy(text, buf, n);
    return text;
}

static ticket_pass_verdict_e
verify_bytes(const ring_t *ring, ticket_pass_kind_e kind, const char *S, const char *user, const char *data, size_t len)
{
    ticket_slice_t text = { exact(data, len), len };
    uint64_t a = 7, b = 8;
    ticket_pass_verdict_e verdict = ticket_pass_verify(&ring->keys, kind, slice(S), slice(user), text, &a, &b);

    if (verdict != TICKET_PASS_OK)
        assert_true(a == 7 && b == 8);
    free((char *) text.data);
    return verdict;
}

static ticket_pass_verdict_e
verify(const ring_t *ring, ticket_pass_kind_e kind, const char *S, const char *user, const char *token)
{
    return verify_bytes(ring, kind, S, user, token, strlen(token));
}

/* computed by Python's hmac and base64 */
static void
a_token_is_the_one_others_would_make(void **state)
{
    static const struct {
        ticket_pass_kind_e kind;
        const char *S, *user;
        uint64_t a, b;
        const char *token;
    } cases[] = {
        { TICKET_PASS_PASS, "concert", "ann", EXPIRES, ISSUED,
          "k1.1795255260123.1795255200123.Y29uY2VydA.YW5u.XpCqlcw_bGL567lDoTK4nqKrCwMcQlFjkK8uI5qa1wk" },
        { TICKET_PASS_PLACE, "concert", "ann", UINT64_C(1795255200123001), ISSUED,
          "k1.1795255200123001.1795255200123.Y29uY2VydA.YW5u.FwejB2nRBB8LczsTcP_XYjCM1lKzdPBE4KtGMQU5KX8" },
        { TICKET_PASS_PASS, "\xe7\xa5\xa8\xc3\xa9", "\xc3\xb0\xf0\x9f\x8e\xab~?>", 0, INT64_MAX,
          "k1.0.9223372036854775807.56Wow6k.w7Dwn46rfj8-.DNonePyyETWJLP4JFWHBQIQrRNNr61kADHcI95QIVR0" },
    };
    ring_t ring;
    size_t i;

    (void) state;
    ring_open(&ring, "k1 " SECRET1 "\n");
    for (i = 0; i < COUNT(cases); i++) {
        char *token = sign(&ring, cases[i].kind, cases[i].S, cases[i].user, cases[i].a, cases[i].b);
        uint64_t a, b;

        assert_string_equal(token, cases[i].token);
        assert_int_equal(ticket_pass_verify(&ring.keys, cases[i].kind, slice(cases[i].S), slice(cases[i].user),
                                            slice(token), &a, &b), TICKET_PASS_OK);
        assert_true(a == cases[i].a && b == cases[i].b);
        free(token);
    }
    ring_close(&ring);
}

static void
a_token_changed_anywhere_is_invalid(void **state)
{
    ring_t ring;
    char *token, *copy;
    size_t n, i;
    int c;

    (void) state;
    ring_open(&ring, "k1 " SECRET1 "\nk2 " SECRET2);
    token = sign(&ring, TICKET_PASS_PASS, "vip@concert", "ann@example.org", EXPIRES, ISSUED);
    n = strlen(token);
    copy = malloc(2 * n);

    for (i = 0; i < n; i++) {
        memcpy(copy, token, n);
        for (c = 0; c < 256; c++) {
            copy[i] = (char) c;
            if (copy[i] != token[i])
                check(verify_bytes(&ring, TICKET_PASS_PASS, "vip@concert", "ann@example.org", copy, n)
                      == TICKET_PASS_INVALID, copy, n);
        }
        memcpy(copy + i, token + i + 1, n - i - 1);         /* one byte fewer */
        check(verify_bytes(&ring, TICKET_PASS_PASS, "vip@concert", "ann@example.org", copy, n - 1)
              == TICKET_PASS_INVALID, copy, n - 1);
        memcpy(copy + i + 1, token + i, n - i);             /* one twice */
        copy[i] = token[i];
        check(verify_bytes(&ring, TICKET_PASS_PASS, "vip@concert", "ann@example.org", copy, n + 1)
              == TICKET_PASS_INVALID, copy, n + 1);
        check(verify_bytes(&ring, TICKET_PASS_PASS, "vip@concert", "ann@example.org", token, i)
              == TICKET_PASS_INVALID, token, i);            /* cut */
    }
    assert_int_equal(verify(&ring, TICKET_PASS_PASS, "vip@concert", "ann@example.org", token), TICKET_PASS_OK);
    free(copy);
    free(token);
    ring_close(&ring);
}

static void
what_is_no_token_is_invalid(void **state)
{
    static const char *const texts[] = {
        "", ".", ".....", "......", "k1", "k1.", "k1.....", "k1.1.2.Y29uY2VydA.YW5u", "k1.1.2.Y29uY2VydA.YW5u.",
        "k1.1.2.Y29uY2VydA.YW5u.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "\xff\xfe",
    };
    char longer[TICKET_PASS_TOKEN_MAX + 2];
    ring_t ring;
    size_t i;

    (void) state;
    ring_open(&ring, "k1 " SECRET1);
    for (i = 0; i < COUNT(texts); i++)
        check(verify(&ring, TICKET_PASS_PASS, "concert", "ann", texts[i]) == TICKET_PASS_INVALID, texts[i],
              strlen(texts[i]));
    for (i = sizeof(longer) - 2; i < sizeof(longer); i++) {
        memset(longer, 'A', i);
        memcpy(longer, "k1.1.2.", 7);
        longer[100] = longer[200] = '.';
        assert_int_equal(verify_bytes(&ring, TICKET_PASS_PASS, "concert", "ann", longer, i), TICKET_PASS_INVALID);
    }
    ring_close(&ring);
}

static void
a_token_of_another_room_or_user_is_foreign(void **state)
{
    ring_t ring;
    char *token;

    (void) state;
    ring_open(&ring, "k1 " SECRET1);
    token = sign(&ring, TICKET_PASS_PASS, "concert", "ann", EXPIRES, ISSUED);
    assert_int_equal(verify(&ring, TICKET_PASS_PASS, "concert", "ann", token), TICKET_PASS_OK);
    assert_int_equal(verify(&ring, TICKET_PASS_PASS, "concert", "bob", token), TICKET_PASS_FOREIGN);
    assert_int_equal(verify(&ring, TICKET_PASS_PASS, "concert", "an", token), TICKET_PASS_FOREIGN);
    assert_int_equal(verify(&ring, TICKET_PASS_PASS, "concert", "ann\xc3\xa9", token), TICKET_PASS_FOREIGN);
    assert_int_equal(verify(&ring, TICKET_PASS_PASS, "concert", "", token), TICKET_PASS_FOREIGN);
    assert_int_equal(verify(&ring, TICKET_PASS_PASS, "Concert", "ann", token), TICKET_PASS_FOREIGN);
    assert_int_equal(verify(&ring, TICKET_PASS_PASS, "vip@concert", "ann", token), TICKET_PASS_FOREIGN);
    /* nor is what is between them */
    assert_int_equal(verify(&ring, TICKET_PASS_PASS, "concer", "tann", token), TICKET_PASS_FOREIGN);
    /* a token of nobody's key is not told apart */
    token[0] = 'x';
    assert_int_equal(verify(&ring, TICKET_PASS_PASS, "concert", "bob", token), TICKET_PASS_INVALID);
    free(token);
    ring_close(&ring);
}

static void
a_place_is_no_pass(void **state)
{
    ring_t ring;
    char *pass, *place;

    (void) state;
    ring_open(&ring, "k1 " SECRET1);
    pass = sign(&ring, TICKET_PASS_PASS, "concert", "ann", EXPIRES, ISSUED);
    place = sign(&ring, TICKET_PASS_PLACE, "concert", "ann", EXPIRES, ISSUED);
    assert_string_not_equal(pass, place);
    assert_int_equal(verify(&ring, TICKET_PASS_PLACE, "concert", "ann", place), TICKET_PASS_OK);
    assert_int_equal(verify(&ring, TICKET_PASS_PASS, "concert", "ann", place), TICKET_PASS_INVALID);
    assert_int_equal(verify(&ring, TICKET_PASS_PLACE, "concert", "ann", pass), TICKET_PASS_INVALID);
    free(pass);
    free(place);
    ring_close(&ring);
}

static void
keys_are_rotated(void **state)
{
    ring_t before, both, after, reused;
    char *old, *new;

    (void) state;
    ring_open(&before, "old " SECRET1);
    ring_open(&both, "new " SECRET2 "\nold " SECRET1);
    ring_open(&after, "new " SECRET2);
    ring_open(&reused, "old " SECRET2);

    old = sign(&before, TICKET_PASS_PASS, "concert", "ann", EXPIRES, ISSUED);
    new = sign(&both, TICKET_PASS_PASS, "concert", "ann", EXPIRES, ISSUED);
    assert_memory_equal(old, "old.", 4);
    assert_memory_equal(new, "new.", 4);

    assert_int_equal(verify(&both, TICKET_PASS_PASS, "concert", "ann", old), TICKET_PASS_OK);
    assert_int_equal(verify(&both, TICKET_PASS_PASS, "concert", "ann", new), TICKET_PASS_OK);
    assert_int_equal(verify(&after, TICKET_PASS_PASS, "concert", "ann", new), TICKET_PASS_OK);
    assert_int_equal(verify(&after, TICKET_PASS_PASS, "concert", "ann", old), TICKET_PASS_INVALID);
    assert_int_equal(verify(&before, TICKET_PASS_PASS, "concert", "ann", new), TICKET_PASS_INVALID);
    /* the same id, another secret */
    assert_int_equal(verify(&reused, TICKET_PASS_PASS, "concert", "ann", old), TICKET_PASS_INVALID);

    free(old);
    free(new);
    ring_close(&before);
    ring_close(&both);
    ring_close(&after);
    ring_close(&reused);
}

static void
the_largest_token_fits(void **state)
{
    char id[TICKET_ID_MAX + 2], buf[TICKET_PASS_TOKEN_MAX];
    ticket_pass_keys_t none;
    ring_t ring;
    char *token, *small;
    size_t n, i;

    (void) state;
    ring_open(&ring, "sixteen-letters_ " SECRET1);
    memset(id, '\xff', sizeof(id));
    id[TICKET_ID_MAX] = '\0';
    token = sign(&ring, TICKET_PASS_PLACE, id, id, INT64_MAX, INT64_MAX);
    n = strlen(token);
    assert_true(n <= TICKET_PASS_TOKEN_MAX && n >= TICKET_PASS_TOKEN_MAX - 2);
    assert_int_equal(verify(&ring, TICKET_PASS_PLACE, id, id, token), TICKET_PASS_OK);

    for (i = 0; i <= n; i++) {
        small = malloc(i ? i : 1);
        assert_int_equal(ticket_pass_sign(&ring.keys, TICKET_PASS_PLACE, slice(id), slice(id), INT64_MAX, INT64_MAX,
                                          small, i), i < n ? 0 : n);
        free(small);
    }

    assert_int_equal(ticket_pass_sign(&ring.keys, TICKET_PASS_PASS, slice(id), slice(""), 1, 2, buf, sizeof(buf)), 0);
    assert_int_equal(ticket_pass_sign(&ring.keys, TICKET_PASS_PASS, slice(""), slice(id), 1, 2, buf, sizeof(buf)), 0);
    assert_int_equal(ticket_pass_sign(&ring.keys, TICKET_PASS_PASS, slice("S"), slice("u"),
                                      (uint64_t) INT64_MAX + 1, 2, buf, sizeof(buf)), 0);
    assert_int_equal(ticket_pass_sign(&ring.keys, TICKET_PASS_PASS, slice("S"), slice("u"), 1, UINT64_MAX, buf,
                                      sizeof(buf)), 0);
    id[TICKET_ID_MAX] = 'x';
    id[TICKET_ID_MAX + 1] = '\0';
    assert_int_equal(ticket_pass_sign(&ring.keys, TICKET_PASS_PASS, slice(id), slice("u"), 1, 2, buf, sizeof(buf)), 0);
    assert_int_equal(ticket_pass_sign(&ring.keys, TICKET_PASS_PASS, slice("S"), slice(id), 1, 2, buf, sizeof(buf)), 0);
    assert_int_equal(verify(&ring, TICKET_PASS_PLACE, id, id, token), TICKET_PASS_FOREIGN);

    memset(&none, 0, sizeof(none));
    assert_int_equal(ticket_pass_sign(&none, TICKET_PASS_PASS, slice("S"), slice("u"), 1, 2, buf, sizeof(buf)), 0);
    free(token);
    ring_close(&ring);
}

static void
a_key_file_is_lines_of_ids_and_secrets(void **state)
{
    char last[TICKET_PASS_SECRET_MAX + 8];
    ring_t ring;

    (void) state;
    ring_open(&ring, "# of 2026\n\n  # indented\n\tB-_9\t " SECRET1 " \r\n   \n\r\na " SECRET2);
    assert_int_equal(ring.keys.n, 2);
    assert_true(is(ring.keys.keys[0].kid, "B-_9") && is(ring.keys.keys[0].secret, SECRET1));
    assert_true(is(ring.keys.keys[1].kid, "a") && is(ring.keys.keys[1].secret, SECRET2));
    ring_close(&ring);

    memset(last, 'x', sizeof(last));
    memcpy(last, "k ", 2);
    last[2 + TICKET_PASS_SECRET_MAX] = '\0';
    ring_open(&ring, last);
    assert_int_equal(ring.keys.keys[0].secret.len, TICKET_PASS_SECRET_MAX);
    ring_close(&ring);
}

static void
key_files_with_mistakes_are_refused(void **state)
{
    static const char id[] = "a key's id has 1 to 16 characters of A-Z a-z 0-9 _ -";
    static const char few[] = "a secret has at least 32 characters";
    static const char words[] = "a line has a key's id and its secret, and nothing else";
    static const char visible[] = "a secret has visible ASCII characters only";
    static const char none[] = "there is no key";
    static const struct {
        ticket_slice_t text;
        unsigned line;
        const char *error;
    } cases[] = {
        { S(""), 0, none },
        { S("\n"), 0, none },
        { S("# k " SECRET1 "\n\n"), 0, none },
        { S("k"), 1, few },
        { S("k \n"), 1, few },
        { S("k 0123456789abcdefghijklmnopqrstu\n"), 1, few },
        { S("k " SECRET1 "\nlonger 0123456789abcdefghijklmnopqrstu\n"), 2, few },
        { S(SECRET1 "\n"), 1, id },
        { S("#\nk.1 " SECRET1), 2, id },
        { S("k: " SECRET1), 1, id },
        { S("seventeen-letters " SECRET1), 1, id },
        { S("\xef\xbb\xbfk " SECRET1), 1, id },
        { S("k\0 " SECRET1), 1, id },
        { S("k " SECRET1 " # the old one"), 1, words },
        { S("k " SECRET1 "\n\nk2 " SECRET2 " x\n"), 3, words },
        { S("k 0123456789abcdefghijklmnopqrstu\xc3\xa9"), 1, visible },
        { S("k 0123456789abcdefghijklmnopqrstuv\0"), 1, visible },
        { S("k 0123456789abcdef\v0123456789abcdef"), 1, visible },
        { S("k " SECRET1 "\nk2 " SECRET2 "\nk " SECRET2), 3, "this key's id was used before" },
    };
    char text[2 * TICKET_PASS_SECRET_MAX];
    ticket_pass_keys_t keys;
    ticket_slice_t copy;
    unsigned line;
    const char *error;
    size_t i, n;

    (void) state;
    for (i = 0; i < COUNT(cases); i++) {
        copy.data = exact(cases[i].text.data, cases[i].text.len);
        copy.len = cases[i].text.len;
        check(ticket_pass_keys_parse(&keys, copy, &line, &error) == -1, copy.data, copy.len);
        check(line == cases[i].line && strcmp(error, cases[i].error) == 0, copy.data, copy.len);
        free((char *) copy.data);
    }

    memset(text, 'x', sizeof(text));
    memcpy(text, "k ", 2);
    copy.data = text;
    copy.len = 2 + TICKET_PASS_SECRET_MAX + 1;
    assert_int_equal(ticket_pass_keys_parse(&keys, copy, &line, &error), -1);
    assert_string_equal(error, "a secret has at most 1024 characters");

    for (i = 0, n = 0; i < TICKET_PASS_KEYS_MAX + 1; i++)
        n += (size_t) sprintf(text + n, "k%zu %s\n", i, SECRET1);
    copy.len = n;
    assert_int_equal(ticket_pass_keys_parse(&keys, copy, &line, &error), -1);
    assert_string_equal(error, "there are more than 16 keys");
    assert_int_equal(line, 17);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_is_the_one_others_would_make),
        cmocka_unit_test(a_token_changed_anywhere_is_invalid),
        cmocka_unit_test(what_is_no_token_is_invalid),
        cmocka_unit_test(a_token_of_another_room_or_user_is_foreign),
        cmocka_unit_test(a_place_is_no_pass),
        cmocka_unit_test(keys_are_rotated),
        cmocka_unit_test(the_largest_token_fits),
        cmocka_unit_test(a_key_file_is_lines_of_ids_and_secrets),
        cmocka_unit_test(key_files_with_mistakes_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
