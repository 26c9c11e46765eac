/* Numbers a drain passes over. */

#include "skipped.h"

#include <inttypes.h>
#include "log.h"
#include "metrics.h"

#define DETAIL_MAX 4000         /* bytes of ranges in one line of the log */

/* "(ticket,lane,epoch,seq)", and in `ranges` "5-7 9" */
static size_t
numbers(struct worker *w, struct lane *lane, uint32_t n, struct sql *ranges)
{
    struct sql *sql = &w->store.sql;
    uint64_t applied = lane->picture.applied, first = 0;
    size_t found = 0;

    sql_reset(sql);
    sql_reset(ranges);
    sql_add(sql, "INSERT INTO lane_skipped (ticket_name,lane,epoch,seq)"
        " VALUES ");
    for (uint32_t k = 1; k <= n + 1; k++) {
        bool missing = k <= n && lane_at(lane, applied + k) == NULL;
        if (missing) {
            sql_add(sql, found++ > 0 ? ",(" : "(");
            sql_quote(sql, &w->db, lane->ticket.data, lane->ticket.len);
            sql_addf(sql, ",%" PRIu32 ",%" PRIu64 ",%" PRIu64 ")",
                lane->number, lane->picture.epoch, applied + k);
            if (first == 0)
                first = applied + k;
        } else if (first != 0) {
            if (ranges->len < DETAIL_MAX)
                sql_addf(ranges, " %" PRIu64, first);
            if (ranges->len < DETAIL_MAX && applied + k - 1 > first)
                sql_addf(ranges, "-%" PRIu64, applied + k - 1);
            if (lane->skipped_from == 0)
                lane->skipped_from = first;
            first = 0;
        }
    }
    sql_add(sql, " ON DUPLICATE KEY UPDATE seq=VALUES(seq)");
    return found;
}

static enum db_result
execute(struct worker *w, const struct sql *sql)
{
    return sql->failed ? DB_TRANSIENT
        : db_exec(&w->db, sql->data, sql->len, NULL);
}

static enum db_result
write_down(struct worker *w, const struct lane *lane, const struct sql *ranges)
{
    struct sql *sql = &w->store.sql;

    sql_reset(sql);
    sql_add(sql, "INSERT INTO reconcile_log (ticket_name,what,detail)"
        " VALUES (");
    sql_quote(sql, &w->db, lane->ticket.data, lane->ticket.len);
    sql_addf(sql, ",'skipped','lane %" PRIu32 ", epoch %" PRIu64
        ": nobody has%s')", lane->number, lane->picture.epoch,
        ranges->data != NULL ? ranges->data : "");
    return execute(w, sql);
}

/* their bookings may be among what was passed over, and must not come back */
static enum db_result
void_cancelled(struct worker *w, const struct lane *lane, uint32_t n)
{
    struct sql *sql = &w->store.sql;
    uint64_t applied = lane->picture.applied;
    size_t found = 0;

    sql_reset(sql);
    sql_add(sql, "INSERT INTO void_bookings (booking_id) VALUES ");
    for (uint32_t k = 1; k <= n; k++) {
        const struct record *r = lane_at(lane, applied + k);
        if (r == NULL || r->type != TICKET_EVENT_CANCELLED
            || r->seq < lane->skipped_from)
            continue;
        ticket_slice_t id = record_booking_id(r);
        sql_add(sql, found++ > 0 ? ",(" : "(");
        sql_quote(sql, &w->db, id.data, id.len);
        sql_add(sql, ")");
    }
    sql_add(sql, " ON DUPLICATE KEY UPDATE booking_id=VALUES(booking_id)");
    return found > 0 ? execute(w, sql) : DB_OK;
}

enum db_result
skipped_store(struct worker *w, const struct item *items, size_t n)
{
    struct sql ranges = { 0 };
    enum db_result r = DB_OK;

    for (size_t i = 0; i < n && r == DB_OK; i++) {
        struct lane *lane = items[i].lane;
        if (lane->gaps_until > lane->picture.applied) {
            size_t found = numbers(w, lane, items[i].n, &ranges);
            if (found > 0 && (r = execute(w, &w->store.sql)) == DB_OK
                && (r = write_down(w, lane, &ranges)) == DB_OK)
            {
                metric_add(M_SKIPPED, (int64_t) found);
                log_warn("worker %d: lane %s/%" PRIu32 ": nobody has %zu of"
                    " its numbers, which are passed over", w->number,
                    lane->name, lane->number, found);
            }
        }
        if (r == DB_OK && lane->skipped_from != 0)
            r = void_cancelled(w, lane, items[i].n);
    }
    sql_free(&ranges);
    return r;
}
