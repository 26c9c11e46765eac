
/*
 * Tokens of a waiting room: signing, verifying, and the keys for it.
 */

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "ngx_http_ticket_pass.h"


#define TICKET_PASS_MAC       32            /* bytes of a SHA-256 */
#define TICKET_PASS_MAC_LEN   ticket_pass_base64_len(TICKET_PASS_MAC)
#define TICKET_PASS_FIELDS    6

/* EVP_EncodeBlock() pads, and ends with a zero */
#define ticket_pass_padded_len(n)  (((n) + 2) / 3 * 4 + 1)


static const char *ticket_pass_keys_line(ticket_pass_keys_t *keys,
    ticket_slice_t line);
static ticket_slice_t ticket_pass_word(const char **p, const char *end);
static int ticket_pass_kid_valid(ticket_slice_t kid);
static int ticket_pass_visible(ticket_slice_t text);
static const ticket_pass_key_t *ticket_pass_key(
    const ticket_pass_keys_t *keys, ticket_slice_t kid);
static int ticket_pass_split(ticket_slice_t text,
    ticket_slice_t fields[TICKET_PASS_FIELDS]);
static int ticket_pass_mac(const ticket_pass_key_t *key,
    ticket_pass_kind_e kind, ticket_slice_t text, char *mac);
static char *ticket_pass_base64(char *p, const void *data, size_t len);
static int ticket_pass_names(ticket_slice_t field, ticket_slice_t id);


static const ticket_slice_t  ticket_pass_kinds[] = {
    ticket_slice("pass."),
    ticket_slice("place.")
};


int
ticket_pass_keys_parse(ticket_pass_keys_t *keys, ticket_slice_t text,
    unsigned *line, const char **error)
{
    const char      *p, *end, *last;
    ticket_slice_t   s;

    memset(keys, 0, sizeof(ticket_pass_keys_t));

    *line = 0;
    *error = NULL;

    p = text.data;
    end = p + text.len;

    for ( /* void */ ; p < end; p = last + 1) {

        last = memchr(p, '\n', (size_t) (end - p));

        if (last == NULL) {
            last = end;
        }

        (*line)++;

        s.data = p;
        s.len = (size_t) (last - p);

        *error = ticket_pass_keys_line(keys, s);

        if (*error != NULL) {
            return -1;
        }
    }

    *line = 0;

    if (keys->n == 0) {
        *error = "there is no key";
        return -1;
    }

    return 0;
}


static const char *
ticket_pass_keys_line(ticket_pass_keys_t *keys, ticket_slice_t line)
{
    const char         *p, *end;
    ticket_slice_t      kid, secret;
    ticket_pass_key_t  *key;

    p = line.data;
    end = p + line.len;

    kid = ticket_pass_word(&p, end);

    if (kid.len == 0 || kid.data[0] == '#') {
        return NULL;
    }

    secret = ticket_pass_word(&p, end);

    if (!ticket_pass_kid_valid(kid)) {
        return "a key's id has 1 to 16 characters of A-Z a-z 0-9 _ -";
    }

    if (ticket_pass_word(&p, end).len != 0) {
        return "a line has a key's id and its secret, and nothing else";
    }

    if (secret.len < TICKET_PASS_SECRET_MIN) {
        return "a secret has at least 32 characters";
    }

    if (secret.len > TICKET_PASS_SECRET_MAX) {
        return "a secret has at most 1024 characters";
    }

    if (!ticket_pass_visible(secret)) {
        return "a secret has visible ASCII characters only";
    }

    if (ticket_pass_key(keys, kid) != NULL) {
        return "this key's id was used before";
    }

    if (keys->n == TICKET_PASS_KEYS_MAX) {
        return "there are more than 16 keys";
    }

    key = &keys->keys[keys->n++];

    key->kid = kid;
    key->secret = secret;

    return NULL;
}


/* the next bytes between blanks; a CR counts as one */

static ticket_slice_t
ticket_pass_word(const char **p, const char *end)
{
    const char      *s;
    ticket_slice_t   word;

    s = *p;

    while (s < end && (*s == ' ' || *s == '\t' || *s == '\r')) {
        s++;
    }

    word.data = s;

    while (s < end && *s != ' ' && *s != '\t' && *s != '\r') {
        s++;
    }

    word.len = (size_t) (s - word.data);

    *p = s;

    return word;
}


static int
ticket_pass_kid_valid(ticket_slice_t kid)
{
    char    c;
    size_t  i;

    for (i = 0; i < kid.len; i++) {
        c = kid.data[i];

        if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')
              || (c >= '0' && c <= '9') || c == '_' || c == '-'))
        {
            return 0;
        }
    }

    return kid.len >= 1 && kid.len <= TICKET_PASS_KID_MAX;
}


static int
ticket_pass_visible(ticket_slice_t text)
{
    size_t  i;

    for (i = 0; i < text.len; i++) {
        if (text.data[i] < 0x21 || text.data[i] > 0x7e) {
            return 0;
        }
    }

    return 1;
}


static const ticket_pass_key_t *
ticket_pass_key(const ticket_pass_keys_t *keys, ticket_slice_t kid)
{
    unsigned  i;

    for (i = 0; i < keys->n; i++) {
        if (ticket_slice_eq(keys->keys[i].kid, kid)) {
            return &keys->keys[i];
        }
    }

    return NULL;
}


size_t
ticket_pass_sign(const ticket_pass_keys_t *keys, ticket_pass_kind_e kind,
    ticket_slice_t S, ticket_slice_t user, uint64_t a, uint64_t b, char *buf,
    size_t size)
{
    char                      *p, token[TICKET_PASS_TOKEN_MAX + 4];
    size_t                     len;
    ticket_slice_t             text;
    const ticket_pass_key_t   *key;

    if (keys->n == 0
        || S.len < 1 || S.len > TICKET_ID_MAX
        || user.len < 1 || user.len > TICKET_ID_MAX
        || a > INT64_MAX || b > INT64_MAX)
    {
        return 0;
    }

    key = &keys->keys[0];

    memcpy(token, key->kid.data, key->kid.len);
    p = token + key->kid.len;

    *p++ = '.';
    p = ticket_number_format(p, a);
    *p++ = '.';
    p = ticket_number_format(p, b);
    *p++ = '.';
    p = ticket_pass_base64(p, S.data, S.len);
    *p++ = '.';
    p = ticket_pass_base64(p, user.data, user.len);

    text.data = token;
    text.len = (size_t) (p - token);

    *p++ = '.';

    if (ticket_pass_mac(key, kind, text, p) != 0) {
        return 0;
    }

    len = (size_t) (p - token) + TICKET_PASS_MAC_LEN;

    if (len > size) {
        return 0;
    }

    memcpy(buf, token, len);

    return len;
}


ticket_pass_verdict_e
ticket_pass_verify(const ticket_pass_keys_t *keys, ticket_pass_kind_e kind,
    ticket_slice_t S, ticket_slice_t user, ticket_slice_t text, uint64_t *a,
    uint64_t *b)
{
    char                      mac[TICKET_PASS_MAC_LEN + 4];
    uint64_t                  first, second;
    ticket_slice_t            fields[TICKET_PASS_FIELDS], given;
    const ticket_pass_key_t  *key;

    if (ticket_pass_split(text, fields) != 0) {
        return TICKET_PASS_INVALID;
    }

    key = ticket_pass_key(keys, fields[0]);

    if (key == NULL) {
        return TICKET_PASS_INVALID;
    }

    given = fields[5];
    text.len -= given.len + 1;

    if (given.len != TICKET_PASS_MAC_LEN
        || ticket_pass_mac(key, kind, text, mac) != 0
        || CRYPTO_memcmp(mac, given.data, given.len) != 0)
    {
        return TICKET_PASS_INVALID;
    }

    /* nothing above was ours before the mac said so; all below is */

    if (ticket_number_parse(fields[1], INT64_MAX, &first) != 0
        || ticket_number_parse(fields[2], INT64_MAX, &second) != 0)
    {
        return TICKET_PASS_INVALID;
    }

    if (!ticket_pass_names(fields[3], S)
        || !ticket_pass_names(fields[4], user))
    {
        return TICKET_PASS_FOREIGN;
    }

    *a = first;
    *b = second;

    return TICKET_PASS_OK;
}


/* 0: exactly six fields, none longer than a token's may be */

static int
ticket_pass_split(ticket_slice_t text,
    ticket_slice_t fields[TICKET_PASS_FIELDS])
{
    size_t       i;
    const char  *p, *end, *dot;

    if (text.len == 0 || text.len > TICKET_PASS_TOKEN_MAX) {
        return -1;
    }

    p = text.data;
    end = p + text.len;

    for (i = 0; i < TICKET_PASS_FIELDS - 1; i++) {

        dot = memchr(p, '.', (size_t) (end - p));

        if (dot == NULL) {
            return -1;
        }

        fields[i].data = p;
        fields[i].len = (size_t) (dot - p);

        p = dot + 1;
    }

    /* a dot in the last one makes its length wrong */

    fields[i].data = p;
    fields[i].len = (size_t) (end - p);

    return 0;
}


/* TICKET_PASS_MAC_LEN bytes and a few for padding; -1: no memory */

static int
ticket_pass_mac(const ticket_pass_key_t *key, ticket_pass_kind_e kind,
    ticket_slice_t text, char *mac)
{
    char            data[sizeof("place.") + TICKET_PASS_TOKEN_MAX];
    unsigned        len;
    unsigned char   md[EVP_MAX_MD_SIZE];
    ticket_slice_t  name;

    name = ticket_pass_kinds[kind];

    memcpy(data, name.data, name.len);
    memcpy(data + name.len, text.data, text.len);

    len = 0;

    if (HMAC(EVP_sha256(), key->secret.data, (int) key->secret.len,
             (const unsigned char *) data, name.len + text.len, md, &len)
        == NULL
        || len != TICKET_PASS_MAC)
    {
        return -1;
    }

    (void) ticket_pass_base64(mac, md, len);

    return 0;
}


/* writes up to three bytes more than it returns the end of */

static char *
ticket_pass_base64(char *p, const void *data, size_t len)
{
    char  *last, *end;

    end = p + EVP_EncodeBlock((unsigned char *) p, data, (int) len);

    for (last = p; last < end && *last != '='; last++) {

        if (*last == '+') {
            *last = '-';

        } else if (*last == '/') {
            *last = '_';
        }
    }

    return last;
}


/* bytes have one spelling, so that nothing has to be decoded */

static int
ticket_pass_names(ticket_slice_t field, ticket_slice_t id)
{
    char            buf[ticket_pass_padded_len(TICKET_ID_MAX)];
    ticket_slice_t  name;

    if (id.len < 1 || id.len > TICKET_ID_MAX) {
        return 0;
    }

    name.data = buf;
    name.len = (size_t) (ticket_pass_base64(buf, id.data, id.len) - buf);

    return ticket_slice_eq(field, name);
}
