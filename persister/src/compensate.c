/*
 * Pending dead letters are taken back by the script that raises `persisted`.
 * Who dies between it and the change of their state is answered the same by
 * the next call, as K:rejected remembers.
 */

#include "compensate.h"

#include <inttypes.h>
#include <string.h>
#include "ack.h"
#include "log.h"
#include "metrics.h"
#include "pause.h"

#define SOME 100

static bool
select_pending(struct worker *w, const struct lane *lane, MYSQL_RES **res)
{
    struct sql *sql = &w->sql;

    sql_reset(sql);
    sql_add(sql, "SELECT id, user_id, booking_id FROM dead_letters"
        " WHERE state='pending' AND user_id IS NOT NULL"
        " AND booking_id IS NOT NULL AND ticket_name=");
    sql_quote(sql, &w->db, lane->ticket.data, lane->ticket.len);
    sql_addf(sql, " AND lane=%" PRIu32 " ORDER BY id LIMIT %d", lane->number,
        SOME);
    return !sql->failed
        && db_query(&w->db, sql->data, sql->len, res) == DB_OK;
}

static bool
settle(struct worker *w, MYSQL_RES *res, const struct ack_dead *dead,
    bool taken)
{
    struct sql *sql = &w->sql;
    uint64_t settled = 0;
    size_t n = 0;
    MYSQL_ROW row;

    sql_reset(sql);
    sql_addf(sql, "UPDATE dead_letters SET state='%s',"
        "settled_at=CURRENT_TIMESTAMP(3) WHERE state='pending' AND id IN (",
        taken ? "rejected" : "gone");
    mysql_data_seek(res, 0);
    for (size_t i = 0; (row = mysql_fetch_row(res)) != NULL; i++)
        if (dead[i].taken == taken) {
            sql_add(sql, n++ > 0 ? "," : "");
            sql_add(sql, row[0]);
        }
    sql_add(sql, ")");
    if (n == 0)
        return true;
    if (sql->failed
        || db_exec(&w->db, sql->data, sql->len, &settled) != DB_OK)
        return false;
    metric_add(taken ? M_DEAD_REJECTED : M_DEAD_GONE, (int64_t) settled);
    return true;
}

/* one page; *n of them */
static bool
take_back(struct worker *w, struct lane *lane, size_t *n)
{
    struct ack_dead dead[SOME];
    MYSQL_RES *res;
    MYSQL_ROW row;

    if (!select_pending(w, lane, &res))
        return false;
    for (*n = 0; (row = mysql_fetch_row(res)) != NULL; ++*n) {
        unsigned long *len = mysql_fetch_lengths(res);
        dead[*n] = (struct ack_dead) {
            .user = { row[1], len[1] }, .booking = { row[2], len[2] }
        };
    }
    /* `persisted` must not pass those of the next page */
    uint64_t upto = *n < SOME ? lane->picture.applied : lane->persisted;
    bool good = *n == 0;
    if (!good && ack_dead(w, lane, upto, dead, *n)) {
        pause_point("compensated");
        good = settle(w, res, dead, true) && settle(w, res, dead, false);
    }
    mysql_free_result(res);
    return good;
}

static bool
compensate(struct worker *w, struct lane *lane)
{
    size_t n = SOME;

    pause_point("dead");
    while (n == SOME)
        if (w->db.mysql == NULL || w->rds.redis == NULL
            || !take_back(w, lane, &n))
            return false;
    lane->picture.owes = false;
    return true;
}

void
compensate_lanes(struct worker *w, struct lane **lanes, size_t n)
{
    struct lane *some[PIPELINE];
    size_t k = 0;

    for (size_t i = 0; i < n; i++) {
        if (!lanes[i]->picture.owes || compensate(w, lanes[i]))
            some[k++] = lanes[i];
        if (k == PIPELINE || (k > 0 && i + 1 == n)) {
            ack_lanes(w, some, k);
            k = 0;
        }
    }
}
