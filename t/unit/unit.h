/*
 * What the unit tests share.  Inputs are always copied into memory of exactly
 * their size, without a NUL behind them, so that ASan sees every byte read too
 * far.
 */

#ifndef UNIT_H_INCLUDED
#define UNIT_H_INCLUDED

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ticket_event.h"

#define COUNT(array)  (sizeof(array) / sizeof((array)[0]))

/* may hold \0 */
#define S(literal)    { literal, sizeof(literal) - 1 }

static inline char *
exact(const char *data, size_t len)
{
    char *copy = malloc(len ? len : 1);

    assert_non_null(copy);
    if (len)
        memcpy(copy, data, len);
    return copy;
}

static inline ticket_slice_t
slice(const char *text)
{
    ticket_slice_t s = { text, strlen(text) };

    return s;
}

static inline int
is(ticket_slice_t s, const char *text)
{
    return s.len == strlen(text) && (s.len == 0 || memcmp(s.data, text, s.len) == 0);
}

/* fails with the input that made it fail */
#define check(ok, input, length) do {                                         \
        if (!(ok)) {                                                          \
            fail_input(input, length);                                        \
            assert_true(ok);                                                  \
        }                                                                     \
    } while (0)

static inline void
fail_input(const char *data, size_t len)
{
    char text[1024];
    size_t i, n = 0;

    for (i = 0; i < len && n < sizeof(text) - 5; i++) {
        unsigned char c = (unsigned char) data[i];

        if (c >= 0x20 && c < 0x7f)
            text[n++] = (char) c;
        else
            n += (size_t) sprintf(text + n, "\\x%02x", c);
    }
    text[n] = '\0';
    print_error("with this input: %s\n", text);
}

#endif
