
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
    char                      *storage;
    ticket_args_code_t         code;
    const char               **detail;
} ticket_args_json_t;


static int ticket_args_json_fail(ticket_args_json_t *ctx,
    ticket_args_code_t code, const char *sentence);
static int ticket_args_json_value(ticket_args_json_t *ctx,
    ticket_args_kind_t kind, const char *text, size_t len);
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
    ticket_args_json_close
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


/* every value that is neither an object nor an array comes here */

static int
ticket_args_json_value(ticket_args_json_t *ctx, ticket_args_kind_t kind,
    const char *text, size_t len)
{
    ticket_slice_t              value;
    const ticket_args_field_t  *field;

    if (!ctx->open) {
        return ticket_args_json_open_array(ctx);
    }

    field = ctx->field;

    if (kind != field->kind
        && !(kind == TICKET_ARGS_STRING && field->kind == TICKET_ARGS_TIME))
    {
        return ticket_args_json_fail(ctx, TICKET_ARGS_BAD_REQUEST,
                                     field->type);
    }

    value.data = NULL;
    value.len = len;

    if (text) {
        memcpy(ctx->storage, text, len);
        value.data = ctx->storage;
        ctx->storage += len;
    }

    ctx->code = ticket_args_set(ctx->args, field, value, ctx->detail);

    return ctx->code == TICKET_ARGS_OK;
}


static int
ticket_args_json_null(void *data)
{
    return ticket_args_json_value(data, TICKET_ARGS_TIME, NULL, 0);
}


static int
ticket_args_json_boolean(void *data, int value)
{
    (void) value;

    return ticket_args_json_open_array(data);
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

    return ticket_args_json_value(ctx, TICKET_ARGS_NUMBER, text, len);
}


static int
ticket_args_json_string(void *data, const unsigned char *text, size_t len)
{
    return ticket_args_json_value(data, TICKET_ARGS_STRING,
                                  (const char *) text, len);
}


static int
ticket_args_json_open_map(void *data)
{
    ticket_args_json_t  *ctx = data;

    if (ctx->open) {
        return ticket_args_json_open_array(ctx);
    }

    ctx->open = 1;

    return 1;
}


/* what no field may be, and no body */

static int
ticket_args_json_open_array(void *data)
{
    ticket_args_json_t  *ctx = data;

    if (ctx->open) {
        return ticket_args_json_fail(ctx, TICKET_ARGS_BAD_REQUEST,
                                     ctx->field->type);
    }

    return ticket_args_json_fail(ctx, TICKET_ARGS_BAD_REQUEST,
                                 "The body must be a JSON object.");
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
