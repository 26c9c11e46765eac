
/*
 * CloudEvents JSON to the values of its fields: yajl's callbacks.
 */

#include "ticket_fields.h"

#include <yajl/yajl_parse.h>


#define TICKET_FIELDS_DEPTH_MAX   16      /* of unknown fields */


typedef enum {
    TICKET_KIND_STRING = 0,
    TICKET_KIND_NULLABLE,               /* a string or null */
    TICKET_KIND_NUMBER,
    TICKET_KIND_OBJECT,
    TICKET_KIND_BOOLEAN                 /* no field is one */
} ticket_kind_t;


typedef struct {
    ticket_slice_t       name;
    ticket_kind_t        kind;
    const char          *missing;
    const char          *malformed;
    const char          *twice;
} ticket_field_conf_t;


static int ticket_fields_value(ticket_fields_t *f, ticket_kind_t kind,
    const char *text, size_t len);
static int ticket_fields_null(void *data);
static int ticket_fields_boolean(void *data, int value);
static int ticket_fields_number(void *data, const char *text, size_t len);
static int ticket_fields_string(void *data, const unsigned char *text,
    size_t len);
static int ticket_fields_open_map(void *data);
static int ticket_fields_open_array(void *data);
static int ticket_fields_open(ticket_fields_t *f);
static int ticket_fields_key(void *data, const unsigned char *key,
    size_t len);
static int ticket_fields_close(void *data);


#define TICKET_FIELD(name, kind)                                              \
    { ticket_slice(name), TICKET_KIND_ ## kind, "the event has no " name,     \
      name " is malformed", name " is given twice" }

/* by ticket_field_t */

static const ticket_field_conf_t  ticket_fields_conf[] = {
    TICKET_FIELD("specversion", STRING),
    TICKET_FIELD("id", STRING),
    TICKET_FIELD("source", STRING),
    TICKET_FIELD("type", STRING),
    TICKET_FIELD("subject", STRING),
    TICKET_FIELD("time", STRING),
    TICKET_FIELD("datacontenttype", STRING),
    TICKET_FIELD("data", OBJECT),
    TICKET_FIELD("ticket", STRING),
    TICKET_FIELD("lane", NUMBER),
    TICKET_FIELD("epoch", NUMBER),
    TICKET_FIELD("seq", NUMBER),
    TICKET_FIELD("user", STRING),
    TICKET_FIELD("quantity", NUMBER),
    TICKET_FIELD("booking_id", STRING),
    TICKET_FIELD("holding", NUMBER),
    TICKET_FIELD("holding_id", NULLABLE),
    TICKET_FIELD("origin", STRING),
    TICKET_FIELD("capacity", NUMBER),
    TICKET_FIELD("per_user", NUMBER),
    TICKET_FIELD("lanes", NUMBER),
    TICKET_FIELD("state", STRING),
    TICKET_FIELD("opens_at", NULLABLE),
    TICKET_FIELD("closes_at", NULLABLE)
};


static const yajl_callbacks  ticket_fields_callbacks = {
    ticket_fields_null,
    ticket_fields_boolean,
    NULL,                               /* integers and doubles come as text */
    NULL,
    ticket_fields_number,
    ticket_fields_string,
    ticket_fields_open_map,
    ticket_fields_key,
    ticket_fields_close,
    ticket_fields_open_array,
    ticket_fields_close
};


int
ticket_fields_parse(ticket_fields_t *f, const char *json, size_t len,
    char *storage)
{
    yajl_handle  handle;
    yajl_status  status;

    memset(f, 0, sizeof(ticket_fields_t));

    f->field = TICKET_FIELD_UNKNOWN;
    f->storage = storage;

    if (!ticket_json_clean(json, len)) {
        f->error = "the event is not JSON";
        return -1;
    }

    handle = yajl_alloc(&ticket_fields_callbacks, NULL, f);

    if (handle == NULL) {
        f->error = "no memory to parse the event";
        return -1;
    }

    status = yajl_parse(handle, (const unsigned char *) json, len);

    if (status == yajl_status_ok) {
        status = yajl_complete_parse(handle);
    }

    yajl_free(handle);

    if (status == yajl_status_ok) {
        return 0;
    }

    if (status != yajl_status_client_canceled) {
        f->error = "the event is not JSON";
    }

    return -1;
}


/* every value that is neither an object nor an array comes here */

static int
ticket_fields_value(ticket_fields_t *f, ticket_kind_t kind, const char *text,
    size_t len)
{
    ticket_kind_t    wanted;
    ticket_slice_t  *value;

    if (f->depth == 0) {
        f->error = "the event is not a JSON object";
        return 0;
    }

    if (f->field == TICKET_FIELD_UNKNOWN) {
        return 1;
    }

    wanted = ticket_fields_conf[f->field].kind;

    if (kind != wanted
        && !(kind == TICKET_KIND_STRING && wanted == TICKET_KIND_NULLABLE))
    {
        f->error = ticket_fields_conf[f->field].malformed;
        return 0;
    }

    if (text) {
        value = &f->value[f->field];
        value->data = f->storage;
        value->len = len;

        memcpy(f->storage, text, len);
        f->storage += len;
    }

    f->field = TICKET_FIELD_UNKNOWN;

    return 1;
}


static int
ticket_fields_null(void *data)
{
    return ticket_fields_value(data, TICKET_KIND_NULLABLE, NULL, 0);
}


static int
ticket_fields_boolean(void *data, int value)
{
    (void) value;

    return ticket_fields_value(data, TICKET_KIND_BOOLEAN, NULL, 0);
}


static int
ticket_fields_number(void *data, const char *text, size_t len)
{
    return ticket_fields_value(data, TICKET_KIND_NUMBER, text, len);
}


static int
ticket_fields_string(void *data, const unsigned char *text, size_t len)
{
    return ticket_fields_value(data, TICKET_KIND_STRING, (const char *) text,
                               len);
}


static int
ticket_fields_open_map(void *data)
{
    ticket_fields_t  *f = data;

    if (f->field == TICKET_FIELD_DATA) {
        f->in_data = 1;
        f->field = TICKET_FIELD_UNKNOWN;
    }

    return ticket_fields_open(f);
}


static int
ticket_fields_open_array(void *data)
{
    ticket_fields_t  *f = data;

    if (f->depth == 0) {
        f->error = "the event is not a JSON object";
        return 0;
    }

    return ticket_fields_open(f);
}


static int
ticket_fields_open(ticket_fields_t *f)
{
    if (f->field != TICKET_FIELD_UNKNOWN) {
        f->error = ticket_fields_conf[f->field].malformed;
        return 0;
    }

    if (++f->depth > TICKET_FIELDS_DEPTH_MAX) {
        f->error = "the event is nested too deeply";
        return 0;
    }

    return 1;
}


static int
ticket_fields_key(void *data, const unsigned char *key, size_t len)
{
    ticket_fields_t  *f = data;

    int             i, last;
    ticket_slice_t  name;

    f->field = TICKET_FIELD_UNKNOWN;

    if (f->depth == 1) {
        i = TICKET_FIELD_SPECVERSION;
        last = TICKET_FIELD_DATA;

    } else if (f->depth == 2 && f->in_data) {
        i = TICKET_FIELD_TICKET;
        last = TICKET_FIELD_CLOSES_AT;

    } else {
        return 1;
    }

    name.data = (const char *) key;
    name.len = len;

    while (i <= last && !ticket_slice_eq(name, ticket_fields_conf[i].name)) {
        i++;
    }

    if (i > last) {
        return 1;
    }

    if (f->seen & ticket_field_bit(i)) {
        f->error = ticket_fields_conf[i].twice;
        return 0;
    }

    f->seen |= ticket_field_bit(i);
    f->field = (ticket_field_t) i;

    return 1;
}


static int
ticket_fields_close(void *data)
{
    ticket_fields_t  *f = data;

    f->depth--;

    if (f->depth == 1) {
        f->in_data = 0;
    }

    return 1;
}


int
ticket_fields_get(ticket_fields_t *f, ticket_field_t field,
    ticket_slice_t *value)
{
    if (!(f->seen & ticket_field_bit(field))) {
        f->error = ticket_fields_conf[field].missing;
        return -1;
    }

    *value = f->value[field];

    return 0;
}


int
ticket_fields_malformed(ticket_fields_t *f, ticket_field_t field)
{
    f->error = ticket_fields_conf[field].malformed;

    return -1;
}
