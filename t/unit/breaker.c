/* The breaker: how much of a lane may be refused. */

#include "unit.h"

#include "breaker.h"

/* as many dead letters as it lets through, with some rows before each */
static unsigned
let_through(struct breaker *b, int64_t from, int64_t step, uint32_t rows,
    unsigned max)
{
    unsigned n = 0;

    for (int64_t now = from; n < max; now += step, n++) {
        if (rows > 0)
            breaker_stored(b, now, rows, true);
        if (breaker_trips(b, now))
            break;
        breaker_dead(b, now);
    }
    return n;
}

static void
ten_in_a_row_are_let_through(void **state)
{
    struct breaker b = { 0 };

    (void) state;
    assert_int_equal(let_through(&b, 1000000, 100, 0, 99), 10);

    /* however slowly they come */
    b = (struct breaker) { 0 };
    assert_int_equal(let_through(&b, 1000000, 3600000, 0, 99), 10);

    /* a row ends it, what takes away does not */
    b = (struct breaker) { 0 };
    assert_int_equal(let_through(&b, 1000000, 3600000, 0, 9), 9);
    breaker_stored(&b, 1000000, 500, false);
    assert_int_equal(let_through(&b, 99000000, 3600000, 0, 99), 1);
    breaker_stored(&b, 999000000, 1, true);
    assert_int_equal(let_through(&b, 999000000, 3600000, 0, 99), 10);
}

static void
one_in_a_hundred_is_let_through(void **state)
{
    struct breaker b = { 0 };

    (void) state;
    assert_int_equal(let_through(&b, 1000000, 10, 99, 500), 500);
    b = (struct breaker) { 0 };
    assert_int_equal(let_through(&b, 1000000, 10, 97, 500), 10);

    /* of the last minute only: not more than ten in it */
    b = (struct breaker) { 0 };
    assert_int_equal(let_through(&b, 1000000, 6000, 1, 500), 500);
    b = (struct breaker) { 0 };
    assert_int_equal(let_through(&b, 1000000, 5000, 1, 500), 10);

    /* many events long ago do not help, and after a minute none harm */
    b = (struct breaker) { 0 };
    breaker_stored(&b, 1000000, 1000000, true);
    assert_int_equal(let_through(&b, 1030000, 1, 1, 99), 99);
    b = (struct breaker) { 0 };
    breaker_stored(&b, 1000000, 1000000, true);
    assert_int_equal(let_through(&b, 1060000, 1, 1, 99), 10);
    assert_int_equal(let_through(&b, 1120000, 1, 1, 99), 10);
}

static void
stopped_lanes_are_remembered(void **state)
{
    (void) state;
    assert_false(breaker_latched(7));
    breaker_unlatch(7);
    breaker_latch(7);
    breaker_latch(7);
    breaker_latch(8);
    assert_true(breaker_latched(7) && breaker_latched(8));
    assert_false(breaker_latched(9));
    breaker_unlatch(7);
    assert_true(!breaker_latched(7) && breaker_latched(8));

    /* a table of its size: the newest ones */
    for (uint64_t lane = 1000; lane < 2000; lane++)
        breaker_latch(lane);
    assert_true(breaker_latched(1999));
    assert_false(breaker_latched(1000));
    for (uint64_t lane = 1; lane < 2000; lane++)
        breaker_unlatch(lane);
    assert_false(breaker_latched(1999));
    breaker_latch(5);
    assert_true(breaker_latched(5));
    breaker_unlatch(5);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ten_in_a_row_are_let_through),
        cmocka_unit_test(one_in_a_hundred_is_let_through),
        cmocka_unit_test(stopped_lanes_are_remembered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
