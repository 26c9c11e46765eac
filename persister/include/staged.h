/* A hash made in Redis beside the one it is to replace (open.lua renames it). */

#ifndef PERSISTER_STAGED_H
#define PERSISTER_STAGED_H

#include <mysql.h>
#include "rebuild.h"

#define STAGED_VALUE_MAX (TICKET_EVENT_ID_MAX + 48)

struct staged {
    struct rds *rds;
    char        key[RDS_KEY_MAX];
    size_t      key_len;
};

/* writes the value of a row's field (its first column) into STAGED_VALUE_MAX
 * bytes; the length, as snprintf has it */
typedef int (*staged_value)(char *value, MYSQL_ROW row, void *data);

/* K:<name>:new:<epoch>, emptied.  This and the next are false when Redis did
 * not do it, or there is no memory. */
bool staged_begin(struct staged *staged, const struct opening *o,
    const char *name);

/* a page of rows in one HSET; an empty one is none */
bool staged_page(struct staged *staged, MYSQL_RES *res, staged_value value,
    void *data);

#endif
