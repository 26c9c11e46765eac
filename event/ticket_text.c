
/*
 * Ids, numbers, times and JSON texts: what is well-formed and what is not.
 */

#include "ticket_text.h"


#define TICKET_DAY                86400
#define TICKET_DAYS_1970          719468  /* from 0000-03-01 to 1970-01-01 */


static size_t ticket_utf8_next(const unsigned char *p,
    const unsigned char *end, uint32_t *code);
static int ticket_code_refused(uint32_t code);
static int ticket_hex4(const char *p, uint32_t *value);
static int ticket_digits(const char *p, size_t n, uint32_t *value);
static char *ticket_two_digits(char *p, uint32_t n, char after);
static int64_t ticket_days(uint32_t year, uint32_t month, uint32_t day);


/* the length of the character at p, or 0 when it is not one */

static size_t
ticket_utf8_next(const unsigned char *p, const unsigned char *end,
    uint32_t *code)
{
    size_t    i, n;
    uint32_t  c, least;

    c = *p;

    if (c < 0x80) {
        *code = c;
        return 1;
    }

    if (c >= 0xc2 && c <= 0xdf) {
        n = 2;
        c &= 0x1f;
        least = 0x80;

    } else if (c >= 0xe0 && c <= 0xef) {
        n = 3;
        c &= 0x0f;
        least = 0x800;

    } else if (c >= 0xf0 && c <= 0xf4) {
        n = 4;
        c &= 0x07;
        least = 0x10000;

    } else {
        return 0;
    }

    if ((size_t) (end - p) < n) {
        return 0;
    }

    for (i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }

        c = (c << 6) | (p[i] & 0x3f);
    }

    if (c < least || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) {
        return 0;
    }

    *code = c;

    return n;
}


/* control characters, and what has Unicode's property White_Space */

static int
ticket_code_refused(uint32_t code)
{
    return code <= 0x20
           || (code >= 0x7f && code <= 0xa0)
           || code == 0x1680
           || (code >= 0x2000 && code <= 0x200a)
           || code == 0x2028
           || code == 0x2029
           || code == 0x202f
           || code == 0x205f
           || code == 0x3000;
}


int
ticket_user_valid(ticket_slice_t id)
{
    size_t                n;
    uint32_t              code;
    const unsigned char  *p, *end;

    if (id.len == 0 || id.len > TICKET_ID_MAX) {
        return 0;
    }

    p = (const unsigned char *) id.data;
    end = p + id.len;

    while (p < end) {

        if (*p > 0x20 && *p < 0x7f) {
            p++;
            continue;
        }

        n = ticket_utf8_next(p, end, &code);

        if (n == 0 || ticket_code_refused(code)) {
            return 0;
        }

        p += n;
    }

    return 1;
}


int
ticket_name_valid(ticket_slice_t name)
{
    size_t  i, at;

    if (!ticket_user_valid(name)
        || ticket_slice_is(name, ".")
        || ticket_slice_is(name, ".."))
    {
        return 0;
    }

    at = 0;

    for (i = 0; i < name.len; i++) {

        switch (name.data[i]) {

        case '{':
        case '}':
        case '/':
        case ':':
            return 0;

        case '@':
            if (at || i == 0 || i == name.len - 1) {
                return 0;
            }

            at = i;
            break;

        default:
            break;
        }
    }

    return 1;
}


static int
ticket_hex4(const char *p, uint32_t *value)
{
    int       i;
    char      c;
    uint32_t  n;

    n = 0;

    for (i = 0; i < 4; i++) {
        c = p[i];

        if (c >= '0' && c <= '9') {
            n = n * 16 + (uint32_t) (c - '0');

        } else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') {
            n = n * 16 + (uint32_t) ((c | 0x20) - 'a' + 10);

        } else {
            return -1;
        }
    }

    *value = n;

    return 0;
}


int
ticket_json_clean(const char *json, size_t len)
{
    size_t       n;
    uint32_t     code, low;
    const char  *p, *end;

    p = json;
    end = json + len;

    while (p < end) {

        if (*p >= 0x20 && *p < 0x7f && *p != '\\') {
            p++;
            continue;
        }

        if (*p != '\\') {
            n = ticket_utf8_next((const unsigned char *) p,
                                 (const unsigned char *) end, &code);

            if (n == 0
                || (code < 0x20 && code != '\t' && code != '\n'
                    && code != '\r'))
            {
                return 0;
            }

            p += n;
            continue;
        }

        /* outside of strings yajl refuses a backslash */

        if (end - p < 2) {
            return 0;
        }

        if (p[1] != 'u') {
            if ((unsigned char) p[1] < 0x20 || (unsigned char) p[1] > 0x7e) {
                return 0;
            }

            p += 2;
            continue;
        }

        if (end - p < 6 || ticket_hex4(p + 2, &code) != 0
            || (code >= 0xdc00 && code <= 0xdfff))
        {
            return 0;
        }

        p += 6;

        if (code < 0xd800 || code > 0xdbff) {
            continue;
        }

        if (end - p < 6 || p[0] != '\\' || p[1] != 'u'
            || ticket_hex4(p + 2, &low) != 0
            || low < 0xdc00 || low > 0xdfff)
        {
            return 0;
        }

        p += 6;
    }

    return 1;
}


int
ticket_number_parse(ticket_slice_t text, uint64_t max, uint64_t *number)
{
    size_t    i;
    uint64_t  n;

    /* 19 digits always fit */

    if (text.len == 0 || text.len > 19
        || (text.data[0] == '0' && text.len > 1))
    {
        return -1;
    }

    n = 0;

    for (i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return -1;
        }

        n = n * 10 + (uint64_t) (text.data[i] - '0');
    }

    if (n > max) {
        return -1;
    }

    *number = n;

    return 0;
}


char *
ticket_number_format(char *p, uint64_t number)
{
    int       len;
    char     *digit;
    uint64_t  bound;

    len = 1;

    for (bound = 10; number >= bound && len < TICKET_NUMBER_LEN; bound *= 10) {
        len++;
    }

    digit = p + len;

    do {
        *--digit = (char) ('0' + number % 10);
        number /= 10;
    } while (number);

    return p + len;
}


/* days from 1970-01-01; years are counted from March, so that leap days come
 * last */

static int64_t
ticket_days(uint32_t year, uint32_t month, uint32_t day)
{
    uint32_t  y, days;

    y = (month > 2) ? year : year - 1;

    days = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    days += y * 365 + y / 4 - y / 100 + y / 400;

    return (int64_t) days - TICKET_DAYS_1970;
}


void
ticket_time_format(char buf[TICKET_TIME_LEN], int64_t ms)
{
    char      *p;
    uint32_t   frac, sec, days, era, doe, yoe, doy, m, year;

    if (ms < 0) {
        ms = 0;

    } else if (ms > TICKET_TIME_MAX) {
        ms = TICKET_TIME_MAX;
    }

    frac = (uint32_t) (ms % 1000);
    ms /= 1000;

    sec = (uint32_t) (ms % TICKET_DAY);
    days = (uint32_t) (ms / TICKET_DAY) + TICKET_DAYS_1970;

    /* an era is 400 years of 146097 days, beginning in March */

    era = days / 146097;
    doe = days % 146097;
    yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    m = (5 * doy + 2) / 153;

    year = era * 400 + yoe + (m >= 10);

    p = ticket_two_digits(buf, year / 100, (char) ('0' + year / 10 % 10));
    *p++ = (char) ('0' + year % 10);
    *p++ = '-';
    p = ticket_two_digits(p, (m < 10) ? m + 3 : m - 9, '-');
    p = ticket_two_digits(p, doy - (153 * m + 2) / 5 + 1, 'T');
    p = ticket_two_digits(p, sec / 3600, ':');
    p = ticket_two_digits(p, sec / 60 % 60, ':');
    p = ticket_two_digits(p, sec % 60, '.');
    p = ticket_two_digits(p, frac / 10, (char) ('0' + frac % 10));
    *p = 'Z';
}


static char *
ticket_two_digits(char *p, uint32_t n, char after)
{
    *p++ = (char) ('0' + n / 10);
    *p++ = (char) ('0' + n % 10);
    *p++ = after;

    return p;
}


static int
ticket_digits(const char *p, size_t n, uint32_t *value)
{
    size_t  i;

    *value = 0;

    for (i = 0; i < n; i++) {
        if (p[i] < '0' || p[i] > '9') {
            return -1;
        }

        *value = *value * 10 + (uint32_t) (p[i] - '0');
    }

    return 0;
}


int
ticket_time_parse(ticket_slice_t text, int64_t *ms)
{
    int64_t              t;
    uint32_t             year, month, day, hour, min, sec, frac, last;
    uint32_t             off_hour, off_min;
    const char          *p, *end;
    static const char    days[] = {
        31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31
    };

    /* the shortest: 2026-11-21T10:00:00Z */

    if (text.len < 20) {
        return -1;
    }

    p = text.data;
    end = p + text.len;

    if (ticket_digits(p, 4, &year) != 0 || p[4] != '-'
        || ticket_digits(p + 5, 2, &month) != 0 || p[7] != '-'
        || ticket_digits(p + 8, 2, &day) != 0 || (p[10] | 0x20) != 't'
        || ticket_digits(p + 11, 2, &hour) != 0 || p[13] != ':'
        || ticket_digits(p + 14, 2, &min) != 0 || p[16] != ':'
        || ticket_digits(p + 17, 2, &sec) != 0)
    {
        return -1;
    }

    p += 19;

    /* one year of slack, which an offset may bring back */

    if (year < 1969 || month < 1 || month > 12
        || hour > 23 || min > 59 || sec > 59)
    {
        return -1;
    }

    last = (uint32_t) days[month - 1];

    if (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)) {
        last = 29;
    }

    if (day < 1 || day > last) {
        return -1;
    }

    frac = 0;

    if (*p == '.') {
        const char  *first;

        first = ++p;

        while (p < end && *p >= '0' && *p <= '9') {
            if (p - first < 3) {
                frac = frac * 10 + (uint32_t) (*p - '0');
            }

            p++;
        }

        if (p == first || p - first > 9) {
            return -1;
        }

        if (p - first < 3) {
            frac *= (p - first == 1) ? 100 : 10;
        }
    }

    t = ticket_days(year, month, day) * TICKET_DAY
        + (int64_t) (hour * 3600 + min * 60 + sec);

    if (end - p == 1 && (*p | 0x20) == 'z') {
        /* UTC */

    } else if (end - p == 6 && (*p == '+' || *p == '-') && p[3] == ':'
               && ticket_digits(p + 1, 2, &off_hour) == 0 && off_hour <= 23
               && ticket_digits(p + 4, 2, &off_min) == 0 && off_min <= 59)
    {
        off_min = off_hour * 3600 + off_min * 60;
        t += (*p == '+') ? - (int64_t) off_min : (int64_t) off_min;

    } else {
        return -1;
    }

    t = t * 1000 + frac;

    if (t < 0 || t > TICKET_TIME_MAX) {
        return -1;
    }

    *ms = t;

    return 0;
}
