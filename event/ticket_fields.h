
/*
 * CloudEvents JSON to the values of the fields an event is made of: only what
 * JSON can say is looked at here, what the values mean is for ticket_decode.c.
 */

#ifndef TICKET_FIELDS_H_INCLUDED
#define TICKET_FIELDS_H_INCLUDED

#include "ticket_event.h"


typedef enum {
    TICKET_FIELD_SPECVERSION = 0,
    TICKET_FIELD_ID,
    TICKET_FIELD_SOURCE,
    TICKET_FIELD_TYPE,
    TICKET_FIELD_SUBJECT,
    TICKET_FIELD_TIME,
    TICKET_FIELD_DATACONTENTTYPE,
    TICKET_FIELD_DATA,

    TICKET_FIELD_TICKET,                /* from here on: in data */
    TICKET_FIELD_LANE,
    TICKET_FIELD_EPOCH,
    TICKET_FIELD_SEQ,
    TICKET_FIELD_USER,
    TICKET_FIELD_QUANTITY,
    TICKET_FIELD_BOOKING_ID,
    TICKET_FIELD_HOLDING,
    TICKET_FIELD_HOLDING_ID,
    TICKET_FIELD_ORIGIN,
    TICKET_FIELD_CAPACITY,
    TICKET_FIELD_PER_USER,
    TICKET_FIELD_LANES,
    TICKET_FIELD_STATE,
    TICKET_FIELD_OPENS_AT,
    TICKET_FIELD_CLOSES_AT,

    TICKET_FIELDS,
    TICKET_FIELD_UNKNOWN = TICKET_FIELDS
} ticket_field_t;


typedef struct {
    ticket_field_t       field;         /* whose value comes next */
    unsigned             depth;
    unsigned             in_data;
    uint32_t             seen;          /* ticket_field_bit() of each field */
    char                *storage;
    ticket_slice_t       value[TICKET_FIELDS];      /* data NULL: null */
    const char          *error;
} ticket_fields_t;


#define ticket_field_bit(field)  ((uint32_t) 1 << (field))


/* Collects the values in `storage`, `len` bytes that live as long as they.
 * `fields` needs no initialisation.  Unknown fields are ignored.  0; -1 with a
 * sentence without user data in fields->error: no JSON object, garbage behind
 * it, a field that is there twice or of another kind, no memory. */
int ticket_fields_parse(ticket_fields_t *fields, const char *json, size_t len,
    char *storage);

/* A field's value; 0, or -1 and fields->error when the text had none. */
int ticket_fields_get(ticket_fields_t *fields, ticket_field_t field,
    ticket_slice_t *value);

/* -1, and fields->error says that this field is malformed. */
int ticket_fields_malformed(ticket_fields_t *fields, ticket_field_t field);

#endif
