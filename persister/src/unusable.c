/* Messages that are of no use. */

#include "unusable.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "log.h"
#include "message.h"
#include "metrics.h"
#include "pause.h"
#include "work.h"

#define COUNT_MAX 4096          /* that wait, of one worker */
#define BYTES_MAX (16 << 20)
#define ROWS      500           /* in one statement */
#define ROWS_MAX  (384 << 10)   /* bytes of messages, each two digits of it */
#define TURNS     4             /* statements in one round: others wait, too */

struct unusable_row {
    struct unusable_row *next;
    struct place         place;
    enum unusable_why    why;
    const char          *text;
    uint32_t             lane;
    size_t               ticket_len, len;
    char                 data[];        /* ticket, message */
};

static const char *const tokens[UNUSABLE_WHYS] = {
    [UNUSABLE_TOO_LARGE] = "too_large",
    [UNUSABLE_UNREADABLE] = "unreadable",
    [UNUSABLE_UNKNOWN_TYPE] = "unknown_type",
    [UNUSABLE_UNKNOWN_TICKET] = "unknown_ticket",
    [UNUSABLE_NEVER_GIVEN] = "never_given",
    [UNUSABLE_CONTRADICTED] = "contradicted",
};

bool
unusable_room(const struct unusable *q)
{
    return q->count < COUNT_MAX && q->bytes < BYTES_MAX;
}

bool
unusable_add(struct worker *w, const struct unusable_message *message)
{
    struct unusable *q = &w->unusable;
    ticket_slice_t ticket = message->ticket, value = message->value;
    struct unusable_row *row;

    if (value.len > UNUSABLE_BYTES)
        value.len = UNUSABLE_BYTES;
    if (!unusable_room(q)
        || (row = malloc(sizeof *row + ticket.len + value.len)) == NULL)
        return false;
    *row = (struct unusable_row) {
        .place = message->place, .why = message->why, .text = message->text,
        .lane = message->lane, .ticket_len = ticket.len, .len = value.len
    };
    if (ticket.len > 0)
        memcpy(row->data, ticket.data, ticket.len);
    if (value.len > 0)
        memcpy(row->data + ticket.len, value.data, value.len);

    if (q->first == NULL)
        q->first = row;
    else
        q->last->next = row;
    q->last = row;
    q->count++;
    q->bytes += value.len;
    return true;
}

static void
drop_first(struct unusable *q)
{
    struct unusable_row *row = q->first;

    q->first = row->next;
    q->count--;
    q->bytes -= row->len;
    free(row);
}

static void
add_row(struct sql *sql, struct worker *w, const struct unusable_row *row)
{
    char origin[TICKET_EVENT_ID_MAX], error[512];

    message_origin(w->conf, row->place, origin, sizeof origin);
    sql_add(sql, "(");
    sql_quote(sql, &w->db, origin, strlen(origin));
    sql_add(sql, ",");
    sql_quote(sql, &w->db, row->data, row->ticket_len);
    sql_addf(sql, ",%" PRIu32 ",", row->lane);
    sql_hex(sql, row->data + row->ticket_len, row->len);
    sql_add(sql, ",");
    sql_quote(sql, &w->db, origin, strlen(origin));
    int len = snprintf(error, sizeof error, "%s: %s", tokens[row->why],
        row->text);
    sql_add(sql, ",");
    sql_quote(sql, &w->db, error, (size_t) len);
    sql_add(sql, ",'unusable')");
}

/* the first of them, as many as fit in one statement */
static size_t
build(struct worker *w)
{
    struct sql *sql = &w->sql;
    size_t n = 0, bytes = 0;

    sql_reset(sql);
    sql_add(sql, "INSERT INTO dead_letters"
        " (event_id,ticket_name,lane,event,origin,error,state) VALUES ");
    for (const struct unusable_row *row = w->unusable.first;
        row != NULL && n < ROWS && bytes < ROWS_MAX; row = row->next)
    {
        sql_add(sql, n++ > 0 ? "," : "");
        add_row(sql, w, row);
        bytes += row->len;
    }
    sql_add(sql, " ON DUPLICATE KEY UPDATE event_id=VALUES(event_id)");
    return n;
}

void
unusable_store(struct worker *w)
{
    struct unusable *q = &w->unusable;

    for (int turn = 0; turn < TURNS && q->first != NULL
        && tick_ms() >= q->wait.retry_at; turn++)
    {
        size_t n = build(w);
        if (w->sql.failed
            || db_exec(&w->db, w->sql.data, w->sql.len, NULL) != DB_OK)
        {
            backoff_fail(&q->wait, &w->seed);
            log_error("worker %d: %zu messages of no use could not be put into"
                " dead_letters (%s, error %u), their offsets wait", w->number,
                q->count, w->db.sqlstate, w->db.error);
            return;
        }
        q->wait = (struct backoff) { 0, 0 };
        pause_point("unusable");
        for (size_t i = 0; i < n; i++) {
            metric_add((enum metric) (M_UNUSABLE_TOO_LARGE + q->first->why), 1);
            drop_first(q);
        }
    }
}

void
unusable_lows(const struct unusable *q, int64_t *lows, int32_t n)
{
    for (const struct unusable_row *row = q->first; row != NULL;
        row = row->next)
        if (row->place.partition < n
            && row->place.offset < lows[row->place.partition])
            lows[row->place.partition] = row->place.offset;
}

void
unusable_forget(struct unusable *q, int32_t partition)
{
    struct unusable_row *row = q->first, *next;
    struct unusable kept = { .wait = q->wait };

    for (; row != NULL; row = next) {
        next = row->next;
        if (partition < 0 || row->place.partition == partition) {
            free(row);
            continue;
        }
        row->next = NULL;
        if (kept.first == NULL)
            kept.first = row;
        else
            kept.last->next = row;
        kept.last = row;
        kept.count++;
        kept.bytes += row->len;
    }
    *q = kept;
}
