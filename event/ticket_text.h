/*
 * What both programs mean by an id, a number, a time and a clean JSON text.
 *
 * Strings are slices of somebody else's memory and never NUL-terminated.
 */

#ifndef TICKET_TEXT_H_INCLUDED
#define TICKET_TEXT_H_INCLUDED

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define TICKET_ID_MAX             255     /* bytes of a ticket or user id */

#define TICKET_NUMBER_LEN         20      /* digits of UINT64_MAX */
#define TICKET_TIME_LEN           24      /* 2026-11-21T10:00:00.123Z */
#define TICKET_TIME_MAX           253402300799999   /* ms: the end of 9999 */

typedef struct {
    const char  *data;
    size_t       len;
} ticket_slice_t;

#define ticket_slice(literal)  { literal, sizeof(literal) - 1 }

#define ticket_slice_is(s, literal)                                           \
    ((s).len == sizeof(literal) - 1                                           \
     && memcmp((s).data, literal, sizeof(literal) - 1) == 0)

#define ticket_slice_eq(a, b)                                                 \
    ((a).len == (b).len                                                       \
     && ((a).len == 0 || memcmp((a).data, (b).data, (a).len) == 0))

/* 1 when the bytes are an id: strict UTF-8 (RFC 3629), 1 to 255 bytes, no
 * control characters, no white space of Unicode (U+FEFF is none); ticket
 * names also without { } / : and with at most one @, both sides of it
 * non-empty, not . or .. */
int ticket_user_valid(ticket_slice_t id);
int ticket_name_valid(ticket_slice_t name);

/* 1 to 19 digits without sign or leading zero, up to max; 0, or -1. */
int ticket_number_parse(ticket_slice_t text, uint64_t max, uint64_t *number);

/* Its digits, at most TICKET_NUMBER_LEN, not NUL-terminated; returns where
 * they end. */
char *ticket_number_format(char *p, uint64_t number);

/* RFC 3339, UTC, milliseconds: always 24 bytes, not NUL-terminated.  ms
 * outside the years 1970 to 9999 is clamped. */
void ticket_time_format(char buf[TICKET_TIME_LEN], int64_t ms);

/* RFC 3339 with any offset and up to nine digits of fraction, cut to ms;
 * 0, or -1: malformed, a leap second, or outside the years 1970 to 9999. */
int ticket_time_parse(ticket_slice_t text, int64_t *ms);

/* 1 when a JSON text may be given to yajl, which lets pass what this refuses:
 * bytes that are not strict UTF-8 (overlongs, surrogates, beyond U+10FFFF),
 * control characters other than tab, LF and CR (it takes VT and FF for white
 * space), and a surrogate escaped alone, which it reads as "?". */
int ticket_json_clean(const char *json, size_t len);

#endif
