
/*
 * The inputs of a request as a JSON object.
 */

#include "ngx_http_ticket_args_field.h"

#include <yajl/yajl_parse.h>


typedef struct {
    ticket_args_t             *args;
    unsigned                   fields;
    const ticket_args_field_t *field;   /* whose value comes next */
    unsigned                   open;    /* in the object */
    char                      *list;    /* in an array: where its text begins */
    char                      *storage;
    ticket_args_code_t         code;
    const char               **detail;
} ticket_args_json_t;


static int ticket_args_json_fail(ticket_args_json_t *ctx,
    ticket_args_code_t code, const char *sentence);
static int ticket_args_json_refuse(ticket_args_json_t *ctx);
static int ticket_args_json_value(ticket_args_json_t *ctx, unsigned kinds,
    const char *text, size_t len);
static int ticket_args_json_set(ticket_args_json_t *ctx, ticket_slice_t value);
static int ticket_args_json_null(void *data);
static int ticket_args_json_boolean(void *data, int value);
static int ticket_args_json_number(void *data, const char *text, size_t len);
static int ticket_args_json_string(void *data, const unsigned char *text,
    size_t len);
static int ticket_args_json_open_map(void *data);
static int ticket_args_json_open_array(void *data);
static int ticket_args_json_key(void *data, const unsigned char *key,
    size_t len);
static int ticket_args_json_close(void *data);
static int ticket_args_json_close_array(void *data);


#define ticket_args_kind(kind)  (1u << TICKET_ARGS_ ## kind)


static const yajl_callbacks  ticket_args_json_callbacks = {
    ticket_args_json_null,
    ticket_args_json_boolean,
    NULL,                               /* integers and doubles come as text */
    NULL,
    ticket_args_json_number,
    ticket_args_json_string,
    ticket_args_json_open_map,
    ticket_args_json_key,
    ticket_args_json_close,
    ticket_args_json_open_array,
    ticket_args_json_close_array
};


ticket_args_code_t
ticket_args_json(ticket_args_t *args, unsigned fields, ticket_slice_t text,
    char *storage, const char **detail)
{
    yajl_handle         handle;
    yajl_status         status;
    ticket_args_json_t  ctx;

    memset(args, 0, sizeof(ticket_args_t));
    memset(&ctx, 0, sizeof(ticket_args_json_t));

    ctx.args = args;
    ctx.fields = fields;
    ctx.storage = storage;
    ctx.detail = detail;

    if (!ticket_json_clean(text.data, text.len)) {
        return ticket_args_fail(detail, TICKET_ARGS_BAD_REQUEST,
                                "The body is not valid JSON.");
    }

    handle = yajl_alloc(&ticket_args_json_callbacks, NULL, &ctx);

    if (handle == NULL) {
        return ticket_args_fail(detail, TICKET_ARGS_BAD_REQUEST,
                                "The body could not be parsed.");
    }

    status = yajl_parse(handle, (const unsigned char *) text.data, text.len);

    if (status == yajl_status_ok) {
        status = yajl_complete_parse(handle);
    }

    yajl_free(handle);

    if (status == yajl_status_client_canceled) {
        return ctx.code;
    }

    if (status != yajl_status_ok) {
        return ticket_args_fail(detail, TICKET_ARGS_BAD_REQUEST,
                                "The body is not valid JSON.");
    }

    return ticket_args_check(args, detail);
}


static int
ticket_args_json_fail(ticket_args_json_t *ctx, ticket_args_code_t code,
    const char *sentence)
{
    ctx->code = ticket_args_fail(ctx->detail, code, sentence);

    return 0;
}


/* what no field may be, and no body */

static int
ticket_args_json_refuse(ticket_args_json_t *ctx)
{
    if (ctx->open) {
        return ticket_args_json_fail(ctx, TICKET_ARGS_BAD_REQUEST,
                                     ctx->field->type);
    }

    return ticket_args_json_fail(ctx, TICKET_ARGS_BAD_REQUEST,
                                 "The body must be a JSON object.");
}


/* every value that is neither an object nor an array comes here; kinds: of the
 * fields that may have it */

static int
ticket_args_json_value(ticket_args_json_t *ctx, unsigned kinds,
    const char *text, size_t len)
{
    ticket_slice_t  value;

    if (!ctx->open || ctx->list || !(kinds & (1u << ctx->field->kind))) {
        return ticket_args_json_refuse(ctx);
    }

    value.data = NULL;
    value.len = len;

    if (text) {
        memcpy(ctx->storage, text, len);
        value.data = ctx->storage;
        ctx->storage += len;
    }

    return ticket_args_json_set(ctx, value);
}


static int
ticket_args_json_set(ticket_args_json_t *ctx, ticket_slice_t value)
{
    ctx->code = ticket_args_set(ctx->args, ctx->field, value, ctx->detail);

    return ctx->code == TICKET_ARGS_OK;
}


static int
ticket_args_json_null(void *data)
{
    return ticket_args_json_value(data, ticket_args_kind(TIME)
                                        | ticket_args_kind(OPTION)
                                        | ticket_args_kind(NAMES), NULL, 0);
}


static int
ticket_args_json_boolean(void *data, int value)
{
    return ticket_args_json_value(data, ticket_args_kind(BOOLEAN),
                                  value ? "true" : "false", value ? 4 : 5);
}


static int
ticket_args_json_number(void *data, const char *text, size_t len)
{
    ticket_args_json_t  *ctx = data;

    size_t  i;

    if (ctx->open) {
        for (i = 0; i < len; i++) {
            if (text[i] == '.' || text[i] == 'e' || text[i] == 'E') {
                return ticket_args_json_fail(ctx, TICKET_ARGS_BAD_REQUEST,
                                             ctx->field->type);
            }
        }
    }

    return ticket_args_json_value(ctx, ticket_args_kind(NUMBER)
                                       | ticket_args_kind(OPTION), text, len);
}


static int
ticket_args_json_string(void *data, const unsigned char *text, size_t len)
{
    ticket_args_json_t  *ctx = data;

    ticket_slice_t  name;

    if (ctx->list == NULL) {
        return ticket_args_json_value(ctx, ticket_args_kind(STRING)
                                           | ticket_args_kind(TIME),
                                      (const char *) text, len);
    }

    name.data = (const char *) text;
    name.len = len;

    /* a space in a name would make two of it */

    if (!ticket_name_valid(name)) {
        return ticket_args_json_fail(ctx, TICKET_ARGS_BAD_REQUEST,
                                     ctx->field->range);
    }

    if (ctx->storage != ctx->list) {
        *ctx->storage++ = ' ';
    }

    memcpy(ctx->storage, text, len);
    ctx->storage += len;

    return 1;
}


static int
ticket_args_json_open_map(void *data)
{
    ticket_args_json_t  *ctx = data;

    if (ctx->open) {
        return ticket_args_json_refuse(ctx);
    }

    ctx->open = 1;

    return 1;
}


static int
ticket_args_json_open_array(void *data)
{
    ticket_args_json_t  *ctx = data;

    if (!ctx->open || ctx->list || ctx->field->kind != TICKET_ARGS_NAMES) {
        return ticket_args_json_refuse(ctx);
    }

    ctx->list = ctx->storage;

    return 1;
}


static int
ticket_args_json_close_array(void *data)
{
    ticket_args_json_t  *ctx = data;

    ticket_slice_t  value;

    value.data = ctx->list;
    value.len = (size_t) (ctx->storage - ctx->list);

    ctx->list = NULL;

    return ticket_args_json_set(ctx, value);
}


static int
ticket_args_json_key(void *data, const unsigned char *key, size_t len)
{
    ticket_args_json_t  *ctx = data;

    ticket_slice_t  name;

    name.data = (const char *) key;
    name.len = len;

    ctx->field = ticket_args_find(ctx->fields, name);

    if (ctx->field == NULL) {
        return ticket_args_json_fail(ctx, TICKET_ARGS_UNKNOWN_FIELD,
                                     "The body has a field that this action "
                                     "does not know.");
    }

    if (ctx->args->given & ctx->field->bit) {
        return ticket_args_json_fail(ctx, TICKET_ARGS_BAD_REQUEST,
                                     ctx->field->twice);
    }

    return 1;
}


static int
ticket_args_json_close(void *data)
{
    (void) data;

    return 1;
}
