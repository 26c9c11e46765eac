/* Accept headers as browsers, curl and libraries send them, and as nobody should. */

#include "unit.h"
#include "ngx_http_ticket_accept.h"

static int
page(const char *const *values, size_t n)
{
    ticket_accept_t accept;

    ticket_accept_init(&accept);
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(values[i]);
        char *copy = exact(values[i], len);

        ticket_accept_add(&accept, (ticket_slice_t) { copy, len });
        free(copy);
    }
    return ticket_accept_page(&accept);
}

static void
test_pages(void **state)
{
    static const char *const wants[] = {
        "text/html",
        "TEXT/HTML",
        "text/html;q=0.001",
        " text/html ; level=1 ; q=0.5 ",
        "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
        "text/html, */*; q=0.01",
        "text/html, */*",
        "text/html, application/*",
        "application/json;q=0.9, text/html",
        "application/json;q=0, text/html;q=0.1",
        "application/json;q=0.1, text/html;q=0.5, */*",
        "text/html;q=0.1, text/html;q=1.000, application/json;q=0.5",
        "text/html;Q=1",
        ",,text/html,",
        "application/json;q=2, text/html;q=0.1",
    };

    (void) state;
    for (size_t i = 0; i < COUNT(wants); i++)
        check(page(&wants[i], 1), wants[i], strlen(wants[i]));
}

static void
test_data(void **state)
{
    static const char *const wants[] = {
        "",
        "*/*",
        "text/*",
        "application/json",
        "application/json, text/plain, */*",
        "application/json, text/html",
        "application/json;q=0.5, text/html;q=0.5",
        "text/html;q=0",
        "text/html;q=0.5, */*",
        "text/html;q=0.5, application/*;q=0.6, */*;q=0.1",
        "text/html5",
        "text/htm",
        "xtext/html",
        "text /html",
        "image/avif,image/webp,*/*;q=0.8",
        "text/html;q=",
        "text/html;q=1.5",
        "text/html;q=-1",
        "text/html;q=0.1234",
        "text/html;q=0.1x",
        "text/html;q=10",
        "text/html;q=x",
        ";q=1",
        ",",
        ";",
    };

    (void) state;
    for (size_t i = 0; i < COUNT(wants); i++)
        check(!page(&wants[i], 1), wants[i], strlen(wants[i]));
}

static void
test_several_headers(void **state)
{
    static const char *const both[] = { "text/html;q=0.9", "application/json" };
    static const char *const html[] = { "application/json;q=0.2", "text/html" };

    (void) state;
    assert_false(page(both, 2));
    assert_true(page(html, 2));
    assert_false(page(NULL, 0));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pages),
        cmocka_unit_test(test_data),
        cmocka_unit_test(test_several_headers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
