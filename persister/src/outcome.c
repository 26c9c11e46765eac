/*
 * What became of late events, and of dead letters that were replayed.  Not
 * what takeover.lua or replay.lua answered, which a Redis that forgets would
 * take back: what was applied.
 */

#include "outcome.h"

enum outcome { BOOKED, VOID, REJECTED, CANCELLED, OUTCOMES };

static const char *const names[OUTCOMES] = {
    "booked", "void", "rejected", "cancelled"
};

static enum outcome
outcome_of(const struct record *r, bool dead)
{
    if (r->type == TICKET_EVENT_BOOKED)
        return dead ? REJECTED : BOOKED;
    if (r->type == TICKET_EVENT_REJECTED)
        return REJECTED;
    /* a booking that is cancelled instead of being made */
    return ticket_slice_eq(record_booking_id(r), record_origin(r)) ? VOID
        : CANCELLED;
}

/* the ids of those with this outcome; returns how many */
static size_t
collect(struct worker *w, const struct item *items, size_t n,
    enum outcome outcome, bool dead)
{
    struct sql *sql = &w->store.sql;
    size_t found = 0;

    sql_reset(sql);
    sql_addf(sql, "UPDATE late_events SET outcome='%s',"
        "settled_at=CURRENT_TIMESTAMP(3) WHERE event_id IN (", names[outcome]);
    for (size_t i = 0; i < n; i++) {
        const struct lane *lane = items[i].lane;
        for (uint32_t k = 1; k <= items[i].n; k++) {
            const struct record *r = lane_at(lane, lane->picture.applied + k);
            if (r == NULL || r->type == TICKET_EVENT_DEFINED
                || r->origin_len == 0 || outcome_of(r, dead) != outcome)
                continue;
            ticket_slice_t id = record_origin(r);
            if (found++ > 0)
                sql_add(sql, ",");
            sql_quote(sql, &w->db, id.data, id.len);
        }
    }
    sql_add(sql, ")");
    return found;
}

/* only dlq replay makes an event of a dead letter */
static enum db_result
replayed(struct worker *w, const struct item *items, size_t n)
{
    struct sql *sql = &w->store.sql;
    size_t found = 0;

    sql_reset(sql);
    sql_add(sql, "UPDATE dead_letters SET state='replayed',"
        "settled_at=CURRENT_TIMESTAMP(3) WHERE state<>'replayed'"
        " AND event_id IN (");
    for (size_t i = 0; i < n; i++) {
        const struct lane *lane = items[i].lane;
        for (uint32_t k = 1; k <= items[i].n; k++) {
            const struct record *r = lane_at(lane, lane->picture.applied + k);
            if (r == NULL || r->type != TICKET_EVENT_BOOKED
                || r->origin_len == 0)
                continue;
            ticket_slice_t id = record_origin(r);
            sql_add(sql, found++ > 0 ? "," : "");
            sql_quote(sql, &w->db, id.data, id.len);
        }
    }
    sql_add(sql, ")");
    if (found == 0)
        return DB_OK;
    return sql->failed ? DB_TRANSIENT
        : db_exec(&w->db, sql->data, sql->len, NULL);
}

static bool
any(const struct item *items, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct lane *lane = items[i].lane;
        for (uint32_t k = 1; k <= items[i].n; k++) {
            const struct record *r = lane_at(lane, lane->picture.applied + k);
            if (r != NULL && r->origin_len > 0)
                return true;
        }
    }
    return false;
}

enum db_result
outcome_store(struct worker *w, const struct item *items, size_t n, bool dead)
{
    if (!any(items, n))
        return DB_OK;
    for (enum outcome outcome = 0; outcome < OUTCOMES; outcome++) {
        if (collect(w, items, n, outcome, dead) == 0)
            continue;
        if (w->store.sql.failed)
            return DB_TRANSIENT;
        enum db_result r = db_exec(&w->db, w->store.sql.data,
            w->store.sql.len, NULL);
        if (r != DB_OK)
            return r;
    }
    return replayed(w, items, n);
}
