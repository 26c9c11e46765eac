/* The rows of one ticket, in pages. */

#ifndef PERSISTER_ROWS_H
#define PERSISTER_ROWS_H

#include <stdint.h>
#include "db.h"
#include "ticket_event.h"

#define ROWS_PAGE 1000

enum { ROW_USER, ROW_QUANTITY, ROW_BOOKING_ID, ROW_MS, ROW_ID, ROW_CREATED };

struct rows {
    struct db     *db;
    ticket_slice_t ticket;
    struct sql     sql;
    char           created[32];         /* of the last row seen */
    uint64_t       id;
};

void rows_init(struct rows *rows, struct db *db, ticket_slice_t ticket);
void rows_free(struct rows *rows);

/* the next page, to be freed by the caller; the last one is empty */
enum db_result rows_next(struct rows *rows, MYSQL_RES **res);

#endif
