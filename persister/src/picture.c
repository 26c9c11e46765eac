/* What MySQL says about lanes. */

#include "picture.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "log.h"
#include "metrics.h"
#include "sort.h"
#include "source_kafka.h"
#include "tick.h"

#define TOGETHER 200            /* lanes in one statement */

static uint64_t
number(const char *text)
{
    return text != NULL ? strtoull(text, NULL, 10) : 0;
}

static bool
past_add(struct past **list, size_t *n, struct past one)
{
    /* room for 1, 2, 4, 8 ... of them */
    if ((*n & (*n - 1)) == 0) {
        struct past *grown = realloc(*list,
            (*n > 0 ? 2 * *n : 1) * sizeof *grown);
        if (grown == NULL)
            return false;
        *list = grown;
    }
    (*list)[(*n)++] = one;
    return true;
}

/* ticket_name, lane, epoch, then what the statement is about */
typedef bool (*row_fn)(struct picture *picture, uint64_t epoch, uint64_t n);

/* rows come with rising epochs: the last one is the picture */
static bool
take_progress(struct picture *p, uint64_t epoch, uint64_t n)
{
    if (p->epoch != 0 && !past_add(&p->past, &p->npast,
            (struct past) { p->epoch, p->applied }))
        return false;
    p->epoch = epoch;
    p->applied = n;
    return true;
}

static bool
take_skipped(struct picture *p, uint64_t epoch, uint64_t n)
{
    return past_add(&p->skipped, &p->nskipped, (struct past) { epoch, n });
}

static bool
take_dead(struct picture *p, uint64_t epoch, uint64_t n)
{
    (void) epoch;
    (void) n;
    p->owes = true;
    return true;
}

static enum db_result
read_table(struct worker *w, const char *what, struct lane **lanes, size_t n,
    row_fn take)
{
    MYSQL_RES *res;
    MYSQL_ROW row;
    bool whole = true;

    sql_reset(&w->sql);
    sql_addf(&w->sql, "SELECT ticket_name, lane, epoch, %s"
        " WHERE ticket_name IN (", what);
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            sql_add(&w->sql, ",");
        sql_quote(&w->sql, &w->db, lanes[i]->ticket.data,
            lanes[i]->ticket.len);
    }
    sql_add(&w->sql, ") ORDER BY ticket_name, lane, epoch, 4");
    if (w->sql.failed)
        return DB_TRANSIENT;
    enum db_result r = db_query(&w->db, w->sql.data, w->sql.len, &res);
    if (r != DB_OK)
        return r;
    while ((row = mysql_fetch_row(res)) != NULL) {
        unsigned long *len = mysql_fetch_lengths(res);
        struct lane *lane = lanes_find(&w->lanes,
            (ticket_slice_t) { row[0], len[0] }, (uint32_t) number(row[1]));
        if (lane != NULL && lane->fresh != NULL)
            whole &= take(lane->fresh, number(row[2]), number(row[3]));
    }
    mysql_free_result(res);
    return whole ? DB_OK : DB_TRANSIENT;
}

/* what is held belongs to an epoch that is over */
static void
sort_again(struct worker *w, struct lane *lane, struct record **records,
    size_t n, uint64_t epoch)
{
    ticket_event_t ev;

    for (size_t i = 0; i < n; i++) {
        record_event(records[i], lane->ticket, lane->number, epoch, &ev);
        if (lane_knows(lane, epoch, ev.seq) != KNOWN_LATE)
            metric_add(M_DUPLICATES, 1);
        else if (!sort_late(w, &ev, records[i]->place))
            lane_drop(lane, records[i]->place, ev.seq);
        record_free(records[i]);
    }
}

static void
new_epoch(struct worker *w, struct lane *lane, struct picture *fresh)
{
    uint64_t old = lane->picture.epoch;
    struct record **records = NULL;
    size_t n = 0;

    if (lane->held > 0)
        records = calloc(lane->held, sizeof *records);
    for (uint32_t i = 0; records != NULL && i < lane->size; i++)
        if (lane->ring[i] != NULL) {
            records[n++] = lane->ring[i];
            lane->ring[i] = NULL;
        }
    if (records == NULL)
        lane_drop_all(lane);
    lane->held = 0;
    lane->picture = *fresh;
    lane->known = lane->persisted = lane->mark = lane->due = 0;
    lane->gaps_until = 0;
    sort_again(w, lane, records, n, old);
    free(records);
    sort_dropped(w, lane);
    lane_settle(lane);
    if (old != 0)
        log_info("worker %d: lane %s/%" PRIu32 " goes on in epoch %" PRIu64,
            w->number, lane->name, lane->number, fresh->epoch);
}

static void
adopt(struct worker *w, struct lane *lane, struct picture *fresh)
{
    struct picture old = lane->picture;

    lane->stale = false;
    if (fresh->epoch != old.epoch) {
        new_epoch(w, lane, fresh);
    } else if (fresh->applied < old.applied) {
        log_error("worker %d: lane %s/%" PRIu32 ": MySQL has gone back from"
            " number %" PRIu64 " to %" PRIu64, w->number, lane->name,
            lane->number, old.applied, fresh->applied);
        lane_drop_all(lane);
        lane->picture = *fresh;
        lane->persisted = lane->mark = lane->due = 0;
        lane_settle(lane);
    } else {
        uint32_t held = lane->held;
        lane_advance(lane, fresh->applied - old.applied);
        metric_add(M_DUPLICATES, held - lane->held);
        lane->picture = *fresh;
    }
    picture_free(&old);
    lanes_note(&w->lanes, lane);
}

static enum db_result
read_some(struct worker *w, struct lane **lanes, size_t n)
{
    struct picture *fresh = calloc(n, sizeof *fresh);
    enum db_result r = DB_TRANSIENT;

    if (fresh == NULL)
        return DB_TRANSIENT;
    for (size_t i = 0; i < n; i++)
        lanes[i]->fresh = &fresh[i];
    r = read_table(w, "applied_seq FROM lane_progress", lanes, n,
        take_progress);
    if (r == DB_OK)
        r = read_table(w, "seq FROM lane_skipped", lanes, n, take_skipped);
    /* after the progress: none of those that are passed is missed */
    if (r == DB_OK)
        r = read_table(w, "id FROM (SELECT ticket_name, lane, 0 AS epoch, id"
            " FROM dead_letters WHERE state='pending' AND user_id IS NOT NULL"
            " AND booking_id IS NOT NULL) d", lanes, n, take_dead);
    for (size_t i = 0; i < n; i++) {
        lanes[i]->fresh = NULL;
        if (r == DB_OK)
            adopt(w, lanes[i], &fresh[i]);
        else
            picture_free(&fresh[i]);
    }
    free(fresh);
    return r;
}

enum db_result
picture_read(struct worker *w, struct lane **lanes, size_t n)
{
    if (w->db_busy)
        return DB_TRANSIENT;
    for (size_t i = 0; i < n; i += TOGETHER) {
        size_t some = n - i < TOGETHER ? n - i : TOGETHER;
        enum db_result r = read_some(w, lanes + i, some);
        if (r != DB_OK)
            return r;
    }
    return DB_OK;
}

enum db_result
picture_lane(struct worker *w, ticket_slice_t ticket, uint32_t lane_number,
    struct lane **lane)
{
    *lane = lanes_add(&w->lanes, ticket, lane_number);
    if (*lane == NULL)
        return DB_TRANSIENT;

    enum db_result r = picture_read(w, lane, 1);
    if (r != DB_OK || (*lane)->picture.epoch == 0) {
        lanes_remove(&w->lanes, *lane);
        *lane = NULL;
        return r;
    }
    (*lane)->mine = w->kafka != NULL
        ? source_kafka_owns(w, ticket, lane_number) : true;
    (*lane)->moved_at = tick_ms();
    return DB_OK;
}

enum db_result
picture_refresh(struct worker *w)
{
    struct lane *some[TOGETHER], *lane;

    for (;;) {
        size_t n = 0;
        TAILQ_FOREACH(lane, &w->lanes.busy, busy)
            if (lane->stale && n < TOGETHER)
                some[n++] = lane;
        if (n == 0)
            return DB_OK;
        enum db_result r = picture_read(w, some, n);
        if (r != DB_OK)
            return r;
    }
}
