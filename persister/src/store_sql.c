/* The statements of one transaction over several lanes. */

#include "store_sql.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "definition.h"
#include "source_kafka.h"

#define ROWS_MAX  1000          /* in one statement */
#define BYTES_MAX (1 << 20)

static void
fence_where(struct sql *sql, struct db *db, const struct lane *lane)
{
    sql_add(sql, "(ticket_name=");
    sql_quote(sql, db, lane->ticket.data, lane->ticket.len);
    sql_addf(sql, " AND lane=%" PRIu32 " AND epoch=%" PRIu64
        " AND applied_seq=%" PRIu64 " AND sealed=0)", lane->number,
        lane->picture.epoch, lane->picture.applied);
}

static void
fence_set(struct sql *sql, struct db *db, const struct item *items, size_t n)
{
    if (n == 1) {
        sql_addf(sql, "%" PRIu64,
            items[0].lane->picture.applied + items[0].n);
        return;
    }
    sql_add(sql, "CASE");
    for (size_t i = 0; i < n; i++) {
        const struct lane *lane = items[i].lane;
        sql_add(sql, " WHEN ticket_name=");
        sql_quote(sql, db, lane->ticket.data, lane->ticket.len);
        sql_addf(sql, " AND lane=%" PRIu32 " THEN %" PRIu64, lane->number,
            lane->picture.applied + items[i].n);
    }
    sql_add(sql, " ELSE applied_seq END");
}

enum db_result
store_fence(struct worker *w, const struct item *items, size_t n, bool *held)
{
    struct sql *sql = &w->store.sql;

    *held = true;
    for (size_t i = 0; i < n && *held; i += STORE_FENCES) {
        size_t some = n - i < STORE_FENCES ? n - i : STORE_FENCES;
        uint64_t matched;
        sql_reset(sql);
        sql_add(sql, "UPDATE ");
        sql_add(sql, w->store.progress);
        sql_add(sql, " FORCE INDEX (PRIMARY) SET applied_seq=");
        fence_set(sql, &w->db, items + i, some);
        for (size_t k = 0; k < some; k++) {
            sql_add(sql, k == 0 ? " WHERE " : " OR ");
            fence_where(sql, &w->db, items[i + k].lane);
        }
        if (sql->failed)
            return DB_TRANSIENT;
        enum db_result r = db_exec(&w->db, sql->data, sql->len, &matched);
        if (r != DB_OK)
            return r;
        *held = matched == some;
    }
    return DB_OK;
}

enum db_result
store_definitions(struct worker *w, const struct item *items, size_t n)
{
    struct sql *sql = &w->store.sql;

    for (size_t i = 0; i < n; i++) {
        const struct lane *lane = items[i].lane;
        const struct record *last = NULL;
        if (lane->number != 0)
            continue;
        for (uint32_t k = items[i].n; k > 0 && last == NULL; k--) {
            const struct record *r = lane_at(lane, lane->picture.applied + k);
            if (r != NULL && r->type == TICKET_EVENT_DEFINED)
                last = r;
        }
        if (last == NULL)
            continue;

        struct definition d = {
            .capacity = last->capacity, .per_user = last->per_user,
            .opens_at = last->opens_at, .closes_at = last->closes_at
        };
        memcpy(d.state, last->state, last->state_len);
        sql_reset(sql);
        sql_add(sql, "UPDATE tickets SET ");
        definition_set(sql, &w->db, &d);
        sql_add(sql, " WHERE name=");
        sql_quote(sql, &w->db, lane->ticket.data, lane->ticket.len);
        if (sql->failed)
            return DB_TRANSIENT;
        enum db_result r = db_exec(&w->db, sql->data, sql->len, NULL);
        if (r != DB_OK)
            return r;
    }
    return DB_OK;
}

/* true when this user of this lane has not been seen yet */
static bool
first_seen(struct store *store, size_t rows, const struct lane *lane,
    ticket_slice_t user)
{
    size_t mask = store->table_size - 1;
    uint64_t hash = UINT64_C(14695981039346656037) ^ lane->hash;

    for (size_t i = 0; i < user.len; i++)
        hash = (hash ^ (unsigned char) user.data[i]) * UINT64_C(1099511628211);
    for (size_t i = hash ^ hash >> 32; ; i++) {
        uint32_t *at = &store->table[i & mask];
        if (*at == 0) {
            *at = (uint32_t) rows + 1;
            return true;
        }
        const struct row *row = &store->rows[*at - 1];
        ticket_slice_t other = record_user(row->record);
        if (row->lane == lane && ticket_slice_eq(other, user))
            return false;
    }
}

/* of each user only the last event counts */
static size_t
collect(struct store *store, const struct item *items, size_t n)
{
    size_t rows = 0;

    memset(store->table, 0, store->table_size * sizeof *store->table);
    for (size_t i = 0; i < n; i++) {
        const struct lane *lane = items[i].lane;
        for (uint32_t k = items[i].n; k > 0; k--) {
            const struct record *r = lane_at(lane, lane->picture.applied + k);
            if (r != NULL && r->type != TICKET_EVENT_DEFINED
                && first_seen(store, rows, lane, record_user(r)))
                store->rows[rows++] = (struct row) { lane, r };
        }
    }
    return rows;
}

static int
compare(ticket_slice_t a, ticket_slice_t b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = memcmp(a.data, b.data, len);

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

/* in the order of the unique key, so that two sessions lock alike */
static int
by_key(const void *left, const void *right)
{
    const struct row *a = left, *b = right;
    int order = compare(record_user(a->record), record_user(b->record));

    return order != 0 ? order : compare(a->lane->ticket, b->lane->ticket);
}

static void
add_upsert(struct sql *sql, struct db *db, const struct row *row)
{
    const struct record *r = row->record;
    ticket_slice_t user = record_user(r), id = record_holding_id(r);

    sql_add(sql, "(");
    sql_quote(sql, db, user.data, user.len);
    sql_add(sql, ",");
    sql_quote(sql, db, row->lane->ticket.data, row->lane->ticket.len);
    sql_add(sql, ",");
    sql_number(sql, r->holding);
    sql_add(sql, ",");
    sql_quote(sql, db, id.data, id.len);
    sql_add(sql, ",");
    sql_time(sql, r->time);
    sql_add(sql, ")");
}

static void
add_delete(struct sql *sql, struct db *db, const struct row *row)
{
    ticket_slice_t user = record_user(row->record);

    sql_add(sql, "(");
    sql_quote(sql, db, user.data, user.len);
    sql_add(sql, ",");
    sql_quote(sql, db, row->lane->ticket.data, row->lane->ticket.len);
    sql_add(sql, ")");
}

static const struct {
    const char *verb, *head, *tail;
    void      (*add)(struct sql *, struct db *, const struct row *);
} statements[] = {
    /* a row that keeps its booking keeps its time */
    { "INSERT INTO ", " (user_id,ticket_name,quantity,booking_id,created_at) VALUES ",
      " ON DUPLICATE KEY UPDATE"
        " created_at=IF(booking_id=VALUES(booking_id),created_at,"
        "VALUES(created_at)),"
        "quantity=VALUES(quantity),booking_id=VALUES(booking_id)",
      add_upsert },
    /* without the hint a small table is scanned, and locked, as a whole */
    { "DELETE p FROM ", " p FORCE INDEX (uk_user_ticket)"
        " WHERE (user_id,ticket_name) IN (", ")",
      add_delete }
};

/* While MySQL is at it, the messages of the next batch are decoded.  Rows and
 * records of this one may be gone afterwards, if Kafka takes a partition from
 * us meanwhile: nothing may look at them any more. */
static enum db_result
execute_last(struct worker *w, const struct sql *sql)
{
    if (!w->store.overlap || w->kafka == NULL || atomic_load(&w->stop))
        return db_exec(&w->db, sql->data, sql->len, NULL);

    enum db_result r = db_send(&w->db, sql->data, sql->len);
    if (r != DB_OK)
        return r;
    w->db_busy = true;
    source_kafka_gather(w, 0, w->conf->persister.batch_events);
    w->db_busy = false;
    return db_receive(&w->db);
}

/* those rows that are deleted, or those that are not */
static enum db_result
write_rows(struct worker *w, size_t rows, bool deleted, size_t *written)
{
    struct store *store = &w->store;
    struct sql *sql = &store->sql;
    size_t i = 0, n;

    for (*written = 0; i < rows; *written += n) {
        sql_reset(sql);
        sql_add(sql, statements[deleted].verb);
        sql_add(sql, store->purchases);
        sql_add(sql, statements[deleted].head);
        for (n = 0; i < rows && n < ROWS_MAX && sql->len < BYTES_MAX; i++) {
            if ((store->rows[i].record->holding == 0) != deleted)
                continue;
            if (n++ > 0)
                sql_add(sql, ",");
            statements[deleted].add(sql, &w->db, &store->rows[i]);
        }
        if (n == 0)
            break;
        sql_add(sql, statements[deleted].tail);
        if (sql->failed)
            return DB_TRANSIENT;
        enum db_result r = !deleted && i == rows
            ? execute_last(w, sql) : db_exec(&w->db, sql->data, sql->len, NULL);
        if (r != DB_OK)
            return r;
    }
    return DB_OK;
}

enum db_result
store_rows(struct worker *w, const struct item *items, size_t n,
    size_t *upserts, size_t *deletes)
{
    size_t rows = collect(&w->store, items, n);

    qsort(w->store.rows, rows, sizeof *w->store.rows, by_key);
    enum db_result r = write_rows(w, rows, true, deletes);
    if (r == DB_OK)
        r = write_rows(w, rows, false, upserts);
    return r;
}
