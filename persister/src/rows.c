/* The rows of one ticket, in pages. */

#include "rows.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
rows_init(struct rows *rows, struct db *db, ticket_slice_t ticket)
{
    *rows = (struct rows) { .db = db, .ticket = ticket };
    strcpy(rows->created, "1000-01-01");
}

void
rows_free(struct rows *rows)
{
    sql_free(&rows->sql);
}

enum db_result
rows_next(struct rows *rows, MYSQL_RES **res)
{
    struct sql *sql = &rows->sql;
    MYSQL_ROW row;

    sql_reset(sql);
    sql_add(sql, "SELECT user_id, quantity, booking_id,"
        " TIMESTAMPDIFF(MICROSECOND, '1970-01-01', created_at) DIV 1000,"
        " id, created_at FROM purchases FORCE INDEX (ix_ticket)"
        " WHERE ticket_name=");
    sql_quote(sql, rows->db, rows->ticket.data, rows->ticket.len);
    sql_addf(sql, " AND created_at>='%s' AND (created_at>'%s' OR id>%" PRIu64
        ") ORDER BY created_at, id LIMIT %d", rows->created, rows->created,
        rows->id, ROWS_PAGE);
    if (sql->failed)
        return DB_TRANSIENT;
    enum db_result r = db_query(rows->db, sql->data, sql->len, res);
    if (r != DB_OK)
        return r;

    my_ulonglong n = mysql_num_rows(*res);
    if (n > 0) {
        mysql_data_seek(*res, n - 1);
        row = mysql_fetch_row(*res);
        rows->id = strtoull(row[ROW_ID], NULL, 10);
        snprintf(rows->created, sizeof rows->created, "%s", row[ROW_CREATED]);
        mysql_data_seek(*res, 0);
    }
    return DB_OK;
}
