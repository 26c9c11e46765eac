/*
 * The signed tokens of a waiting room, and the file of the keys that sign
 * them.  A pass lets its user book until it expires; a place is a number in
 * the line, to be shown again after Redis lost the line.  Pure functions: no
 * I/O, no request, no nginx type; unit-tested and fuzzed without nginx.
 *
 * A token is
 *
 *     kid.a.b.S.user.mac
 *
 * kid names the key; a and b are numbers (a pass: when it expires and when it
 * was issued, in ms; a place: the number and when it was given, in ms); S, the
 * room, and the user are base64url without padding (RFC 4648, 5), and so is
 * mac: HMAC-SHA-256 (RFC 2104) of the kind, a dot, and all before the last
 * dot.  With the kind in it a place is never taken for a pass.  A token has
 * visible ASCII characters only, none that a cookie or a query would have to
 * quote.
 *
 * Tokens and secrets belong into no log.
 */

#ifndef _NGX_HTTP_TICKET_PASS_H_INCLUDED_
#define _NGX_HTTP_TICKET_PASS_H_INCLUDED_


#include "ticket_text.h"


#define TICKET_PASS_KEYS_MAX      16
#define TICKET_PASS_KID_MAX       16        /* bytes */
#define TICKET_PASS_SECRET_MIN    32
#define TICKET_PASS_SECRET_MAX    1024

/* of n bytes in base64url */
#define ticket_pass_base64_len(n)  (((n) * 4 + 2) / 3)

/* the largest token */
#define TICKET_PASS_TOKEN_MAX                                                 \
    (TICKET_PASS_KID_MAX + 2 * TICKET_NUMBER_LEN                              \
     + 2 * ticket_pass_base64_len(TICKET_ID_MAX)                              \
     + ticket_pass_base64_len(32) + 5)


typedef struct {
    ticket_slice_t       kid;
    ticket_slice_t       secret;
} ticket_pass_key_t;


/* the first signs, all verify: old keys stay until their tokens are over */
typedef struct {
    unsigned             n;                 /* at least 1 */
    ticket_pass_key_t    keys[TICKET_PASS_KEYS_MAX];
} ticket_pass_keys_t;


typedef enum {
    TICKET_PASS_PASS = 0,
    TICKET_PASS_PLACE
} ticket_pass_kind_e;


typedef enum {
    TICKET_PASS_OK = 0,
    TICKET_PASS_INVALID,        /* malformed, an unknown kid, a wrong mac */
    TICKET_PASS_FOREIGN         /* ours, of another room or user */
} ticket_pass_verdict_e;


/*
 * Reads a key file: lines "kid secret", empty ones and those that begin with
 * '#'.  A kid is 1 to 16 of A-Z a-z 0-9 _ -, a secret 32 to 1024 visible ASCII
 * characters; blanks separate them.  *keys points into `text`, which has to
 * live as long.
 *
 * 0; or -1 with *error, a static sentence that repeats nothing of the file,
 * and *line, from 1, or 0 when it concerns no single line.
 */
int ticket_pass_keys_parse(ticket_pass_keys_t *keys, ticket_slice_t text,
    unsigned *line, const char **error);

/*
 * Writes a token, not NUL-terminated, into `buf`; returns its length, or 0: it
 * does not fit into `size` bytes (TICKET_PASS_TOKEN_MAX always do), S or user
 * has not 1 to 255 bytes, a number is above INT64_MAX, or OpenSSL has no
 * memory.
 */
size_t ticket_pass_sign(const ticket_pass_keys_t *keys,
    ticket_pass_kind_e kind, ticket_slice_t S, ticket_slice_t user,
    uint64_t a, uint64_t b, char *buf, size_t size);

/*
 * Whether `text` is a token of this kind, room and user, and its numbers.
 * They are set for TICKET_PASS_OK only.  Whether it has expired is not judged
 * here: the caller compares.
 */
ticket_pass_verdict_e ticket_pass_verify(const ticket_pass_keys_t *keys,
    ticket_pass_kind_e kind, ticket_slice_t S, ticket_slice_t user,
    ticket_slice_t text, uint64_t *a, uint64_t *b);


#endif /* _NGX_HTTP_TICKET_PASS_H_INCLUDED_ */
