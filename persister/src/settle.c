/*
 * Pending late events are handed to takeover.lua, which makes an ordinary
 * event of each.  It comes back through the outbox like any other, and the
 * transaction that applies it says what became of the late one; until then it
 * is handed over again and again, and answered once.
 */

#include "settle.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "log.h"
#include "metrics.h"
#include "pause.h"
#include "ticket_scripts.h"

#define SOME 200

enum { LATE_ID, LATE_TICKET, LATE_EVENT, LATE_EPOCH, LATE_VOID };

/* one statement, one instant: what is void by then is seen */
static bool
select_some(struct settle *s, struct db *db, MYSQL_RES **res)
{
    struct sql *sql = &s->sql;

    sql_reset(sql);
    sql_add(sql, "SELECT l.event_id, l.ticket_name, l.event, t.epoch,"
        " EXISTS (SELECT 1 FROM void_bookings v"
        " WHERE v.booking_id=l.booking_id)"
        " FROM late_events l JOIN tickets t ON t.name=l.ticket_name"
        " WHERE l.outcome IS NULL AND (l.ticket_name>");
    sql_quote(sql, db, s->ticket, strlen(s->ticket));
    sql_add(sql, " OR (l.ticket_name=");
    sql_quote(sql, db, s->ticket, strlen(s->ticket));
    sql_add(sql, " AND l.event_id>");
    sql_quote(sql, db, s->event, strlen(s->event));
    sql_addf(sql, ")) ORDER BY l.ticket_name, l.event_id LIMIT %d", SOME);
    return !sql->failed && db_query(db, sql->data, sql->len, res) == DB_OK;
}

/* a change of the definition that was lost is not made again: a newer one may
 * be there, and who made it can see what holds */
static bool
void_definition(struct settle *s, struct db *db, MYSQL_ROW row,
    const unsigned long *len)
{
    struct sql *sql = &s->sql;

    log_warn("recovery: ticket %.*s: a change of its definition was lost with"
        " Redis and is not made again: look at it", (int) len[LATE_TICKET],
        row[LATE_TICKET]);
    sql_reset(sql);
    sql_add(sql, "UPDATE late_events SET outcome='void',"
        "settled_at=CURRENT_TIMESTAMP(3) WHERE event_id=");
    sql_quote(sql, db, row[LATE_ID], len[LATE_ID]);
    return !sql->failed && db_exec(db, sql->data, sql->len, NULL) == DB_OK;
}

static bool
hand_over(struct rds *rds, const ticket_event_t *ev, MYSQL_ROW row,
    const unsigned long *len)
{
    char keys[5][RDS_KEY_MAX], outbox[32], lane[12], quantity[24];
    const char *argv[14];
    size_t lens[14];

    snprintf(outbox, sizeof outbox, "outbox:%" PRIu32, ev->lane);
    const char *suffixes[] = { NULL, "buyers", "rejected", "late", outbox };
    for (size_t i = 0; i < 5; i++) {
        lens[i] = rds_key(keys[i], ev->ticket, suffixes[i]);
        argv[i] = keys[i];
    }
    snprintf(lane, sizeof lane, "%" PRIu32, ev->lane);
    snprintf(quantity, sizeof quantity, "%" PRIu64, ev->quantity);
    const ticket_slice_t args[] = {
        ev->ticket, { lane, strlen(lane) },
        { row[LATE_EPOCH], len[LATE_EPOCH] }, { row[LATE_ID], len[LATE_ID] },
        { ev->type == TICKET_EVENT_BOOKED ? "booked" : "cancelled",
          ev->type == TICKET_EVENT_BOOKED ? 6 : 9 },
        ev->user, { quantity, strlen(quantity) }, ev->booking_id,
        { row[LATE_VOID], 1 }
    };
    for (size_t i = 0; i < 9; i++) {
        argv[5 + i] = args[i].data;
        lens[5 + i] = args[i].len;
    }
    return rds_append_eval(rds, RDS_TAKEOVER, 5, 14, argv, lens);
}

static void
take(const redisReply *reply)
{
    if (reply->type == REDIS_REPLY_ERROR)
        log_warn("recovery: takeover was refused: %.60s", reply->str);
    else if (reply->type == REDIS_REPLY_ARRAY && reply->elements >= 4
        && reply->element[0]->type == REDIS_REPLY_INTEGER
        && reply->element[0]->integer == TICKET_CODE_OK
        && reply->element[3]->type == REDIS_REPLY_INTEGER
        && reply->element[3]->integer > 0)
        metric_add(M_TAKEN_OVER, 1);
    /* otherwise the ticket is closed, or was opened meanwhile: next time */
}

static bool
settle_page(struct settle *s, struct db *db, struct rds *rds, MYSQL_RES *res)
{
    char *storage = malloc(TICKET_EVENT_JSON_MAX);
    bool good = storage != NULL;
    size_t sent = 0;
    MYSQL_ROW row;

    while (good && (row = mysql_fetch_row(res)) != NULL) {
        unsigned long *len = mysql_fetch_lengths(res);
        const char *why = "it is too long";
        ticket_event_t ev;
        snprintf(s->ticket, sizeof s->ticket, "%s", row[LATE_TICKET]);
        snprintf(s->event, sizeof s->event, "%s", row[LATE_ID]);
        if (len[LATE_EVENT] > TICKET_EVENT_JSON_MAX
            || ticket_event_decode(row[LATE_EVENT], len[LATE_EVENT], &ev,
                   storage, &why) != 0)
            log_error("recovery: a row of late_events is no event: %s", why);
        else if (ev.type == TICKET_EVENT_DEFINED)
            good = void_definition(s, db, row, len);
        else if (ev.type != TICKET_EVENT_REJECTED
            && (good = hand_over(rds, &ev, row, len)))
            sent++;
    }
    free(storage);
    for (; sent > 0 && rds->redis != NULL; sent--) {
        redisReply *reply = rds_reply(rds);
        if (reply == NULL)
            return false;
        take(reply);
        freeReplyObject(reply);
    }
    return good && rds->redis != NULL;
}

bool
settle_some(struct settle *s, struct db *db, struct rds *rds)
{
    MYSQL_RES *res;

    if (!select_some(s, db, &res))
        return false;
    s->more = mysql_num_rows(res) == SOME;
    if (mysql_num_rows(res) > 0)
        pause_point("takeover");
    bool good = settle_page(s, db, rds, res);
    mysql_free_result(res);
    if (!s->more)
        s->ticket[0] = s->event[0] = '\0';
    return good;
}
