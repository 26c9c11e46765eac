/* What the tests of ngx_http_ticket_args*.c share: how a parser is called. */

#ifndef ARGS_UNIT_H_INCLUDED
#define ARGS_UNIT_H_INCLUDED

#include "unit.h"

#include "ngx_http_ticket_args.h"

#define BOOKING     TICKET_ARGS_BOOKING
#define DEFINITION  TICKET_ARGS_DEFINITION
#define ID          "concert:0:1-1"

#define BAD         TICKET_ARGS_BAD_REQUEST
#define UNKNOWN     TICKET_ARGS_UNKNOWN_FIELD
#define QUANTITY    TICKET_ARGS_INVALID_QUANTITY

typedef ticket_args_code_t (*parser_t)(ticket_args_t *args, unsigned fields, ticket_slice_t text, char *storage,
    const char **detail);

typedef struct {
    ticket_slice_t text;
    ticket_args_code_t code;
    const char *detail;
} refused_t;

/* text and storage are exactly as large as the text; the text is gone before the values are looked at */
static inline ticket_args_code_t
parse(parser_t parser, ticket_args_t *args, unsigned fields, ticket_slice_t text, char **storage, const char **detail)
{
    ticket_slice_t copy = { exact(text.data, text.len), text.len };
    ticket_args_code_t code;

    *storage = malloc(text.len ? text.len : 1);
    assert_non_null(*storage);
    memset(args, 0xa5, sizeof(*args));
    *detail = NULL;
    code = parser(args, fields, copy, *storage, detail);
    memset((char *) copy.data, 'x', copy.len);
    free((void *) copy.data);
    return code;
}

static inline void
try_refused(parser_t parser, unsigned fields, const refused_t *cases, size_t count)
{
    size_t i;

    for (i = 0; i < count; i++) {
        ticket_args_t args;
        char *storage;
        const char *detail;
        ticket_args_code_t code = parse(parser, &args, fields, cases[i].text, &storage, &detail);

        if (code != cases[i].code || detail == NULL || strcmp(detail, cases[i].detail) != 0) {
            print_error("%s: %s\nnot %s: %s\n", ticket_args_code_name(code), detail ? detail : "-",
                        ticket_args_code_name(cases[i].code), cases[i].detail);
            check(0, cases[i].text.data, cases[i].text.len);
        }
        free(storage);
    }
}

/* parses what must be right; the storage is the caller's */
static inline char *
accept(parser_t parser, ticket_args_t *args, unsigned fields, ticket_slice_t text)
{
    char *storage;
    const char *detail;

    if (parse(parser, args, fields, text, &storage, &detail) != TICKET_ARGS_OK) {
        print_error("%s\n", detail);
        check(0, text.data, text.len);
    }
    return storage;
}

#endif
