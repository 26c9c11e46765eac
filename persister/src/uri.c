/* Redis addresses. */

#include "uri.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int
hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* %XX decoded; false: malformed, a NUL, or too long */
static bool
decode(const char *text, size_t len, char *out, size_t size)
{
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        int c = (unsigned char) text[i];
        if (c == '%') {
            if (i + 2 >= len || hex(text[i + 1]) < 0 || hex(text[i + 2]) < 0)
                return false;
            c = hex(text[i + 1]) * 16 + hex(text[i + 2]);
            i += 2;
        }
        if (c == 0 || n + 1 >= size)
            return false;
        out[n++] = (char) c;
    }
    out[n] = '\0';
    return true;
}

/* digits only, up to max; -1 otherwise */
static int
number(const char *text, size_t len, int max)
{
    int value = 0;

    if (len == 0 || len > 5)
        return -1;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        value = value * 10 + (text[i] - '0');
    }
    return value <= max ? value : -1;
}

static bool
parse_credentials(const char *text, size_t len, struct uri *uri)
{
    const char *colon = memchr(text, ':', len);

    if (colon == NULL)
        return false;
    size_t user = (size_t) (colon - text);
    return decode(text, user, uri->user, sizeof uri->user)
        && decode(colon + 1, len - user - 1, uri->password,
               sizeof uri->password)
        && uri->password[0] != '\0';
}

static bool
parse_server(const char *text, size_t len, struct uri *uri)
{
    const char *host = text, *rest;
    size_t host_len;

    if (len > 0 && text[0] == '[') {
        const char *end = memchr(text, ']', len);
        if (end == NULL)
            return false;
        host = text + 1;
        host_len = (size_t) (end - host);
        rest = end + 1;
    } else {
        const char *colon = memchr(text, ':', len);
        rest = colon != NULL ? colon : text + len;
        host_len = (size_t) (rest - text);
    }

    size_t left = len - (size_t) (rest - text);
    if (left > 0 && *rest != ':')
        return false;
    uri->port = left > 0 ? number(rest + 1, left - 1, 65535) : 6379;
    return host_len > 0 && uri->port > 0
        && decode(host, host_len, uri->host, sizeof uri->host);
}

bool
uri_parse(const char *text, struct uri *uri, const char **why)
{
    memset(uri, 0, sizeof *uri);

    if (strncmp(text, "unix:", 5) == 0) {
        size_t len = strlen(text + 5);
        *why = "unix: needs an absolute path of at most 107 bytes";
        if (text[5] != '/' || len >= sizeof uri->path)
            return false;
        memcpy(uri->path, text + 5, len + 1);
        return true;
    }

    *why = "must be redis://[user:password@]host:port/db or unix:/path";
    if (strncmp(text, "redis://", 8) != 0)
        return false;
    text += 8;

    size_t len = strcspn(text, "/");
    const char *slash = text + len;
    if (*slash == '/' && slash[1] != '\0') {
        uri->db = number(slash + 1, strlen(slash + 1), 99999);
        *why = "the database after the last / must be a number";
        if (uri->db < 0)
            return false;
    }

    /* the last @: one in a password should be written %40, but often is not */
    const char *at = memrchr(text, '@', len);
    if (at != NULL) {
        *why = "before the @ must stand user:password or :password, "
               "with anything special written as %XX";
        if (!parse_credentials(text, (size_t) (at - text), uri))
            return false;
        len -= (size_t) (at - text) + 1;
        text = at + 1;
    }

    *why = "needs a host, and its port must be a number from 1 to 65535";
    return parse_server(text, len, uri);
}

const char *
uri_address(const struct uri *uri, char *buf, size_t size)
{
    if (uri->path[0] != '\0')
        snprintf(buf, size, "%s", uri->path);
    else if (strchr(uri->host, ':') != NULL)
        snprintf(buf, size, "[%s]:%d", uri->host, uri->port);
    else
        snprintf(buf, size, "%s:%d", uri->host, uri->port);
    return buf;
}
