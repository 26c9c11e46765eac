/* Somebody else's bytes on a terminal. */

#include "escape.h"

#include <stdbool.h>
#include <stdint.h>

/* the length of the character at p, by RFC 3629; 0: none */
static size_t
character(const unsigned char *p, size_t left, uint32_t *code)
{
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    size_t len = *p < 0x80 ? 1 : *p >> 5 == 6 ? 2 : *p >> 4 == 14 ? 3
        : *p >> 3 == 30 ? 4 : 0;

    if (len == 0 || len > left)
        return 0;
    *code = len == 1 ? *p : *p & (0x7fu >> len);
    for (size_t i = 1; i < len; i++) {
        if (p[i] >> 6 != 2)
            return 0;
        *code = *code << 6 | (p[i] & 0x3f);
    }
    if (*code < least[len] || *code > 0x10ffff || *code >> 11 == 27)
        return 0;
    return len;
}

/* moves a cursor, ends a line, or turns the direction of writing */
static bool
harmful(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x61c
        || (code >= 0x200b && code <= 0x200f)
        || (code >= 0x2028 && code <= 0x202e)
        || (code >= 0x2060 && code <= 0x206f) || code == 0xfeff
        || (code >= 0xe0000 && code <= 0xe007f);
}

void
escape_put(FILE *out, const char *data, size_t len)
{
    const unsigned char *p = (const unsigned char *) data;

    for (size_t i = 0; i < len; ) {
        uint32_t code = 0;
        size_t n = character(p + i, len - i, &code);
        if (n == 0)
            fprintf(out, "\\x%02x", p[i]);
        else if (code == '\\')
            fputs("\\\\", out);
        else if (code == '\t' || code == '\n' || code == '\r')
            fprintf(out, "\\%c", code == '\t' ? 't' : code == '\n' ? 'n' : 'r');
        else if (harmful(code))
            fprintf(out, code < 0x80 ? "\\x%02x" : "\\u%04x", code);
        else
            fwrite(p + i, 1, n, out);
        i += n > 0 ? n : 1;
    }
}
