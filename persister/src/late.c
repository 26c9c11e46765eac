/* Late events. */

#include "late.h"

#include <stdlib.h>
#include <string.h>
#include "log.h"
#include "metrics.h"
#include "pause.h"
#include "work.h"

#define TOGETHER  100           /* in one transaction */
#define COUNT_MAX 100000        /* that wait, of one worker */

struct late_event {
    struct late_event *next;
    struct place       place;
    bool               cancelled;
    size_t             id_len, ticket_len, user_len, booking_len, json_len;
    char               text[];  /* those, one after the other */
};

void
late_init(struct late *late)
{
    memset(late, 0, sizeof *late);
    late->last = &late->first;
}

void
late_free(struct late *late)
{
    while (late->first != NULL) {
        struct late_event *e = late->first;
        late->first = e->next;
        free(e);
    }
    late->last = &late->first;
    late->count = 0;
}

bool
late_room(const struct late *late)
{
    return late->count < COUNT_MAX;
}

bool
late_add(struct worker *w, const ticket_event_t *ev, struct place place)
{
    char id[TICKET_EVENT_ID_MAX], json[TICKET_EVENT_JSON_MAX];
    size_t id_len = ticket_event_id(id, sizeof id, ev->ticket, ev->lane,
        ev->epoch, ev->seq);
    size_t json_len = ticket_event_encode(json, sizeof json, ev);
    ticket_slice_t booking = ev->booking_id;
    struct late_event *e;

    if (ev->type == TICKET_EVENT_DEFINED)
        booking = (ticket_slice_t) { id, id_len };
    e = malloc(sizeof *e + id_len + ev->ticket.len + ev->user.len
        + booking.len + json_len);
    if (e == NULL)
        return false;
    *e = (struct late_event) {
        .place = place, .cancelled = ev->type == TICKET_EVENT_CANCELLED,
        .id_len = id_len, .ticket_len = ev->ticket.len,
        .user_len = ev->user.len, .booking_len = booking.len,
        .json_len = json_len
    };
    char *p = e->text;
    p = (char *) mempcpy(p, id, id_len);
    p = (char *) mempcpy(p, ev->ticket.data, ev->ticket.len);
    if (ev->user.len > 0)
        p = (char *) mempcpy(p, ev->user.data, ev->user.len);
    p = (char *) mempcpy(p, booking.data, booking.len);
    memcpy(p, json, json_len);

    *w->late.last = e;
    w->late.last = &e->next;
    w->late.count++;
    return true;
}

static void
add_row(struct sql *sql, struct db *db, const struct late_event *e)
{
    size_t lens[] = { e->id_len, e->ticket_len, e->user_len, e->booking_len,
        e->json_len };
    const char *p = e->text;

    for (size_t i = 0; i < 5; i++) {
        sql_add(sql, i == 0 ? "(" : ",");
        sql_quote(sql, db, p, lens[i]);
        p += lens[i];
    }
    sql_add(sql, ")");
}

static enum db_result
insert(struct worker *w, size_t n)
{
    struct sql *sql = &w->sql;
    struct late_event *e = w->late.first;
    enum db_result r;
    size_t voids = 0;

    sql_reset(sql);
    sql_add(sql, "INSERT INTO late_events"
        " (event_id, ticket_name, user_id, booking_id, event) VALUES ");
    for (size_t i = 0; i < n; i++, e = e->next) {
        if (i > 0)
            sql_add(sql, ",");
        add_row(sql, &w->db, e);
    }
    sql_add(sql, " ON DUPLICATE KEY UPDATE event_id = VALUES(event_id)");
    if (sql->failed)
        return DB_TRANSIENT;
    if ((r = db_exec(&w->db, sql->data, sql->len, NULL)) != DB_OK)
        return r;

    sql_reset(sql);
    sql_add(sql, "INSERT INTO void_bookings (booking_id) VALUES ");
    e = w->late.first;
    for (size_t i = 0; i < n; i++, e = e->next) {
        if (!e->cancelled)
            continue;
        sql_add(sql, voids++ > 0 ? ",(" : "(");
        sql_quote(sql, &w->db,
            e->text + e->id_len + e->ticket_len + e->user_len,
            e->booking_len);
        sql_add(sql, ")");
    }
    sql_add(sql, " ON DUPLICATE KEY UPDATE booking_id = VALUES(booking_id)");
    if (sql->failed)
        return DB_TRANSIENT;
    return voids > 0 ? db_exec(&w->db, sql->data, sql->len, NULL) : DB_OK;
}

void
late_store(struct worker *w)
{
    while (w->late.first != NULL && tick_ms() >= w->late.wait.retry_at) {
        size_t n = 0;
        for (struct late_event *e = w->late.first; e != NULL && n < TOGETHER;
            e = e->next)
            n++;

        enum db_result r = db_begin(&w->db);
        if (r == DB_OK)
            r = insert(w, n);
        if (r == DB_OK)
            r = db_commit(&w->db);
        if (r != DB_OK) {
            db_rollback(&w->db);
            backoff_fail(&w->late.wait, &w->seed);
            log_error("worker %d: late events could not be kept (%s), their"
                " offsets wait", w->number, w->db.sqlstate);
            return;
        }
        w->late.wait = (struct backoff) { 0, 0 };
        metric_add(M_LATE, (int64_t) n);
        log_warn("worker %d: %zu late events are kept in late_events: they"
            " were confirmed before the ticket was reopened", w->number, n);
        pause_point("late");
        for (size_t i = 0; i < n; i++) {
            struct late_event *e = w->late.first;
            w->late.first = e->next;
            w->late.count--;
            free(e);
        }
        if (w->late.first == NULL)
            w->late.last = &w->late.first;
    }
}

void
late_low(const struct late *late, int32_t partition, int64_t *low)
{
    for (struct late_event *e = late->first; e != NULL; e = e->next)
        if (e->place.offset >= 0 && e->place.partition == partition
            && e->place.offset < *low)
            *low = e->place.offset;
}

void
late_forget(struct late *late, int32_t partition)
{
    struct late_event **p = &late->first;

    while (*p != NULL) {
        struct late_event *e = *p;
        if (partition < 0 || (e->place.offset >= 0
            && e->place.partition == partition))
        {
            *p = e->next;
            late->count--;
            free(e);
        } else {
            p = &e->next;
        }
    }
    late->last = p;
}
