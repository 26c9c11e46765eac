/* Step 3 of recovery. */

#include "seal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "log.h"
#include "pause.h"

#define PAGE 500                /* rows that give way, in one statement */

static bool
execute(struct opening *o, const struct sql *sql)
{
    return !sql->failed
        && db_exec(o->db, sql->data, sql->len, NULL) == DB_OK;
}

static void
quote_name(struct opening *o, struct sql *sql)
{
    sql_quote(sql, o->db, o->ticket.data, o->ticket.len);
}

/* lanes before the ticket, as those who apply events lock them */
static bool
seal_lanes(struct opening *o, struct sql *sql, uint64_t old)
{
    sql_reset(sql);
    sql_add(sql, "UPDATE lane_progress SET sealed=1 WHERE ticket_name=");
    quote_name(o, sql);
    sql_addf(sql, " AND epoch<=%" PRIu64, old);
    return execute(o, sql);
}

static enum opened
lock_ticket(struct opening *o, struct sql *sql, uint64_t old)
{
    enum opened opened = OPEN_BUSY;
    MYSQL_RES *res;
    MYSQL_ROW row;

    sql_reset(sql);
    sql_add(sql, "SELECT " DEFINITION_COLUMNS ", epoch FROM tickets"
        " WHERE name=");
    quote_name(o, sql);
    sql_add(sql, " FOR UPDATE");
    if (sql->failed || db_query(o->db, sql->data, sql->len, &res) != DB_OK)
        return OPEN_FAILED;
    if ((row = mysql_fetch_row(res)) != NULL
        && strtoull(row[6], NULL, 10) == old)
        opened = definition_row(&o->definition, row) ? OPEN_DONE : OPEN_FAILED;
    mysql_free_result(res);
    return opened;
}

static bool
begin_epoch(struct opening *o, struct sql *sql)
{
    sql_reset(sql);
    sql_addf(sql, "UPDATE tickets SET epoch=%" PRIu64 " WHERE name=",
        o->epoch);
    quote_name(o, sql);
    if (!execute(o, sql))
        return false;
    sql_reset(sql);
    sql_add(sql, "INSERT INTO lane_progress (ticket_name,lane,epoch) VALUES ");
    for (uint32_t i = 0; i < o->definition.lanes; i++) {
        sql_add(sql, i == 0 ? "(" : ",(");
        quote_name(o, sql);
        sql_addf(sql, ",%" PRIu32 ",%" PRIu64 ")", i, o->epoch);
    }
    return execute(o, sql);
}

/* ------------------------------------------------- more than there is --- */

static bool
ask_held(struct opening *o, struct sql *sql, uint64_t *held)
{
    MYSQL_RES *res;

    sql_reset(sql);
    sql_add(sql, "SELECT COALESCE(SUM(quantity),0) FROM purchases"
        " WHERE ticket_name=");
    quote_name(o, sql);
    if (sql->failed || db_query(o->db, sql->data, sql->len, &res) != DB_OK)
        return false;
    *held = strtoull(mysql_fetch_row(res)[0], NULL, 10);
    mysql_free_result(res);
    return true;
}

enum { GONE_ID, GONE_USER, GONE_QUANTITY, GONE_BOOKING, GONE_MS };

/* the event that made this row, as far as it can be told; its id is that of
 * the booking */
static bool
add_late(struct opening *o, struct sql *sql, MYSQL_ROW row,
    const unsigned long *len)
{
    char json[TICKET_EVENT_JSON_MAX];
    ticket_event_t ev = {
        .type = TICKET_EVENT_BOOKED,
        .time = row[GONE_MS] != NULL ? strtoll(row[GONE_MS], NULL, 10) : 0,
        .user = { row[GONE_USER], len[GONE_USER] },
        .quantity = strtoull(row[GONE_QUANTITY], NULL, 10)
    };
    ticket_slice_t id = { row[GONE_BOOKING], len[GONE_BOOKING] };

    ev.holding = ev.quantity;
    if (ticket_event_id_parse(id, &ev.ticket, &ev.lane, &ev.epoch, &ev.seq)
        != 0 || !ticket_slice_eq(ev.ticket, o->ticket))
        return false;
    ev.booking_id = ev.holding_id = id;
    size_t json_len = ticket_event_encode(json, sizeof json, &ev);
    if (json_len == 0)
        return false;
    sql_add(sql, sql->len == 0 ? "INSERT INTO late_events"
        " (event_id,ticket_name,user_id,booking_id,event) VALUES (" : ",(");
    sql_quote(sql, o->db, id.data, id.len);
    sql_add(sql, ",");
    quote_name(o, sql);
    sql_add(sql, ",");
    sql_quote(sql, o->db, ev.user.data, ev.user.len);
    sql_add(sql, ",");
    sql_quote(sql, o->db, id.data, id.len);
    sql_add(sql, ",");
    sql_quote(sql, o->db, json, json_len);
    sql_add(sql, ")");
    return true;
}

/* one page of rows becomes late events; *over is lowered */
static bool
make_way(struct opening *o, MYSQL_RES *res, uint64_t *over, size_t *gone)
{
    struct sql late = { 0 }, rows = { 0 };
    MYSQL_ROW row;

    while (*over > 0 && (row = mysql_fetch_row(res)) != NULL) {
        if (!add_late(o, &late, row, mysql_fetch_lengths(res)))
            continue;
        uint64_t quantity = strtoull(row[GONE_QUANTITY], NULL, 10);
        *over -= quantity < *over ? quantity : *over;
        sql_add(&rows, rows.len == 0 ? "DELETE FROM purchases WHERE id IN ("
            : ",");
        sql_add(&rows, row[GONE_ID]);
        ++*gone;
    }
    /* it may have been late before, and booked then */
    sql_add(&late, " ON DUPLICATE KEY UPDATE outcome=NULL,settled_at=NULL");
    sql_add(&rows, ")");
    bool good = rows.len <= 1 || (execute(o, &late) && execute(o, &rows));
    sql_free(&late);
    sql_free(&rows);
    return good;
}

/* a number that was passed over was a cancel, and what it gave back is sold */
static bool
overfull(struct opening *o, struct sql *sql)
{
    uint64_t held, over;
    size_t gone = 0, before;
    MYSQL_RES *res;

    if (!ask_held(o, sql, &held))
        return false;
    if (held <= o->definition.capacity)
        return true;
    over = held - o->definition.capacity;
    do {
        before = gone;
        sql_reset(sql);
        sql_add(sql, "SELECT id, user_id, quantity, booking_id,"
            " TIMESTAMPDIFF(MICROSECOND, '1970-01-01', created_at) DIV 1000"
            " FROM purchases FORCE INDEX (ix_ticket) WHERE ticket_name=");
        quote_name(o, sql);
        sql_addf(sql, " ORDER BY created_at DESC, id DESC LIMIT %d", PAGE);
        if (sql->failed
            || db_query(o->db, sql->data, sql->len, &res) != DB_OK)
            return false;
        bool good = make_way(o, res, &over, &gone);
        mysql_free_result(res);
        if (!good)
            return false;
    } while (over > 0 && gone > before);
    sql_reset(sql);
    sql_add(sql, "INSERT INTO reconcile_log (ticket_name,what,detail)"
        " VALUES (");
    quote_name(o, sql);
    sql_addf(sql, ",'overfull','held %" PRIu64 " of %" PRIu64 ": the youngest"
        " %zu bookings are late events now')", held, o->definition.capacity,
        gone);
    log_warn("recovery: ticket %.*s: held %" PRIu64 " of %" PRIu64 ", the"
        " youngest %zu bookings have to be settled anew",
        (int) o->ticket.len, o->ticket.data, held, o->definition.capacity,
        gone);
    return execute(o, sql) && over == 0;
}

enum opened
seal(struct opening *o, uint64_t old)
{
    enum opened opened = OPEN_FAILED;
    struct sql sql = { 0 };

    if (db_begin(o->db) == DB_OK && seal_lanes(o, &sql, old)
        && (opened = lock_ticket(o, &sql, old)) == OPEN_DONE)
    {
        pause_point("seal");
        opened = begin_epoch(o, &sql) && overfull(o, &sql)
            && db_commit(o->db) == DB_OK ? OPEN_DONE : OPEN_FAILED;
    }
    if (opened != OPEN_DONE)
        db_rollback(o->db);
    sql_free(&sql);
    return opened;
}
