/*
 * Waiting rooms between Redis and MySQL.
 *
 * Redis is the truth of a room while it has it: rooms are changed there by
 * scripts, and copied from there within a second.  MySQL is read before Redis,
 * and a row is only written when its revision is still the one that was read;
 * so of any number of keepers, and however long one of them is paused, none
 * puts an older picture over a newer one.
 *
 * After a failover to a replica that had not heard the last change, the older
 * definition is the truth, and MySQL's row follows it: whoever changed the room
 * finds it unchanged, and changes it again.  (Which of the two is newer cannot
 * be told without comparing clocks.)  Places are safe all the same: a signed
 * number above the room's own brings that up again (queue_enter.lua).
 */

#include "rooms.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "log.h"
#include "metrics.h"
#include "pause.h"
#include "room.h"
#include "tick.h"
#include "ticket_scripts.h"

#define CHUNK    100            /* rooms in one round trip at most */
#define PAGES    10             /* SSCANs in one round at most */
#define ALARM_MS 60000

/* rooms of one page: what MySQL has, then what Redis says */
struct page {
    ticket_slice_t name[CHUNK];
    MYSQL_ROW      row[CHUNK];          /* NULL: none */
    struct room    stored[CHUNK];       /* of the row */
    bool           rows_differ[CHUNK];  /* rows_per_s is to be set */
    size_t         n;
};

static void
meet_broken(struct rooms *rooms, ticket_slice_t name, const char *why)
{
    int64_t now = tick_ms();

    rooms->broken++;
    if (now < rooms->alarm_at)
        return;
    rooms->alarm_at = now + ALARM_MS;
    log_error("keeper: waiting room %.*s cannot be kept: %.80s",
        (int) name.len, name.data, why);
}

/* --------------------------------------------------------------- restore --- */

static bool
list_names(struct rds *rds, const ticket_slice_t *names, size_t n)
{
    const char *argv[2 + CHUNK] = { "SADD", "queues" };
    size_t lens[2 + CHUNK] = { 4, 6 };

    for (size_t i = 0; i < n; i++) {
        argv[2 + i] = names[i].data;
        lens[2 + i] = names[i].len;
    }
    return n == 0 || rds_done(rds_command(rds, (int) n + 2, argv, lens),
        "keeper");
}

/* false: Redis is away, or no master.  A room it does not take stays away, and
 * keeps no other from coming back.  rooms: NULL but for one that is met again
 * each second. */
static bool
define(struct rooms *rooms, struct rds *rds, const struct room *room)
{
    pause_point("room_back");
    redisReply *reply = room_define(rds, room);
    int64_t code = -1;

    if (reply == NULL)
        return false;
    if (reply->type == REDIS_REPLY_ARRAY && reply->elements > 0
        && reply->element[0]->type == REDIS_REPLY_INTEGER)
        code = reply->element[0]->integer;
    if (code == TICKET_CODE_CREATED) {
        metric_add(M_ROOMS_RESTORED, 1);
        log_info("keeper: waiting room %.*s is back", (int) room->name.len,
            room->name.data);
    } else if (code != TICKET_CODE_OK && code != TICKET_CODE_RECOVERING) {
        const char *why = reply->type == REDIS_REPLY_ERROR ? reply->str
            : "refused";
        if (rooms != NULL)
            meet_broken(rooms, room->name, why);
        else
            log_error("keeper: waiting room %.*s cannot be put back: %.80s",
                (int) room->name.len, room->name.data, why);
    }
    freeReplyObject(reply);
    return code != TICKET_CODE_RECOVERING;
}

static bool
restore_page(struct rds *rds, MYSQL_RES *res, char *last, size_t *last_len)
{
    struct room rooms[CHUNK];
    ticket_slice_t names[CHUNK];
    MYSQL_ROW row;
    size_t n = 0;

    while (n < CHUNK && (row = mysql_fetch_row(res)) != NULL) {
        unsigned long *lens = mysql_fetch_lengths(res);
        names[n] = rooms[n].name = (ticket_slice_t) { row[0], lens[0] };
        room_row(&rooms[n], row + 1, lens + 1);
        n++;
    }
    bool good = list_names(rds, names, n);
    for (size_t i = 0; good && i < n; i++)
        good = define(NULL, rds, &rooms[i]);
    if (good && n > 0) {
        *last_len = names[n - 1].len;
        memcpy(last, names[n - 1].data, *last_len);
    }
    return good;
}

bool
rooms_restore(struct db *db, struct rds *rds, struct sql *sql)
{
    char last[TICKET_ID_MAX * 4 + 1] = "";
    size_t len = 0;

    for (;;) {
        MYSQL_RES *res;
        sql_reset(sql);
        sql_add(sql, "SELECT name, ");
        sql_add(sql, room_columns);
        sql_add(sql, " FROM queues WHERE state <> 'deleted' AND name > ");
        sql_quote(sql, db, last, len);
        sql_addf(sql, " ORDER BY name LIMIT %d", CHUNK);
        if (sql->failed || db_query(db, sql->data, sql->len, &res) != DB_OK)
            return false;
        my_ulonglong n = mysql_num_rows(res);
        bool good = restore_page(rds, res, last, &len);
        mysql_free_result(res);
        if (!good || n < CHUNK)
            return good;
    }
}

/* ------------------------------------------------------------------ keep --- */

/* the rows of a page, and what is in them */
static bool
read_rows(struct page *page, struct db *db, struct sql *sql, MYSQL_RES **res)
{
    MYSQL_ROW row;

    sql_reset(sql);
    sql_add(sql, "SELECT name, revision, ");
    sql_add(sql, room_columns);
    sql_add(sql, " FROM queues WHERE name IN (");
    for (size_t i = 0; i < page->n; i++) {
        sql_add(sql, i > 0 ? "," : "");
        sql_quote(sql, db, page->name[i].data, page->name[i].len);
    }
    sql_add(sql, ")");
    if (sql->failed || db_query(db, sql->data, sql->len, res) != DB_OK)
        return false;
    while ((row = mysql_fetch_row(*res)) != NULL) {
        unsigned long *lens = mysql_fetch_lengths(*res);
        ticket_slice_t name = { row[0], lens[0] };
        size_t i = 0;
        while (i < page->n && !ticket_slice_eq(page->name[i], name))
            i++;
        if (i == page->n)
            continue;
        page->row[i] = row;
        page->stored[i].name = page->name[i];
        room_row(&page->stored[i], row + 2, lens + 2);
    }
    return true;
}

/* somebody who was ahead of us wins: what he wrote is looked at next time */
static enum db_result
write_row(struct db *db, struct sql *sql, const struct room *room,
    MYSQL_ROW row)
{
    pause_point("room");
    sql_reset(sql);
    if (row != NULL) {
        sql_add(sql, "UPDATE queues SET ");
        room_set(sql, db, room);
        sql_add(sql, ",revision=revision+1 WHERE name=");
        sql_quote(sql, db, room->name.data, room->name.len);
        sql_addf(sql, " AND revision=%s", row[1]);
    } else {
        sql_add(sql, "INSERT INTO queues SET ");
        room_set(sql, db, room);
        sql_add(sql, ",name=");
        sql_quote(sql, db, room->name.data, room->name.len);
        sql_add(sql, " ON DUPLICATE KEY UPDATE revision=revision");
    }
    return sql->failed ? DB_TRANSIENT
        : db_exec(db, sql->data, sql->len, NULL);
}

/* what Redis says of room i of the page */
static bool
keep_room(struct rooms *rooms, struct page *page, size_t i, struct db *db,
    struct sql *sql, const redisReply *reply)
{
    struct room room = { .name = page->name[i] };
    const redisReply *rows;

    switch (room_reply(&room, reply)) {
    case ROOM_BROKEN:
        meet_broken(rooms, room.name, reply->type == REDIS_REPLY_ERROR
            ? reply->str : "not the fields of a room");
        return true;
    case ROOM_NONE:
        return true;
    case ROOM_THERE:
        break;
    }
    if (!room_deleted(&room)) {
        rooms->live++;
        rows = reply->element[ROOM_FIELDS];
        page->rows_differ[i] = rooms->rows_per_s[0] != '\0'
            && (rows->type != REDIS_REPLY_STRING
                || strcmp(rows->str, rooms->rows_per_s) != 0);
    }
    if (page->row[i] != NULL && room_equal(&room, &page->stored[i]))
        return true;
    switch (write_row(db, sql, &room, page->row[i])) {
    case DB_OK:
        return true;
    case DB_PERMANENT:
        meet_broken(rooms, room.name, "MySQL refuses what it is");
        return true;
    default:
        return false;
    }
}

/*
 * A name that Redis has no room for: the room is being made, or was deleted
 * before Redis forgot, or is put back.  Then rows_per_s, in a call of its own:
 * should the room be lost in between, what it makes is no room for any script,
 * and queue_define.lua makes one of it.
 */
static bool
mend(struct rooms *rooms, struct page *page, struct rds *rds,
    const bool *missing)
{
    for (size_t i = 0; i < page->n; i++) {
        if (missing[i] && page->row[i] != NULL
            && !room_deleted(&page->stored[i])
            && !define(rooms, rds, &page->stored[i]))
            return false;
        if (page->rows_differ[i]
            && !room_rows_per_s(rds, page->name[i], rooms->rows_per_s))
            return false;
    }
    return true;
}

static bool
keep_page(struct rooms *rooms, struct page *page, struct db *db,
    struct rds *rds, struct sql *sql)
{
    bool missing[CHUNK] = { false }, good = true;
    size_t sent = 0;
    MYSQL_RES *res;

    if (page->n == 0)
        return true;
    if (!read_rows(page, db, sql, &res))
        return false;
    while (sent < page->n && (good = room_append(rds, page->name[sent])))
        sent++;
    for (size_t i = 0; i < sent; i++) {
        redisReply *reply = rds_reply(rds);
        if (reply == NULL) {
            good = false;
            break;
        }
        struct room ignored;
        missing[i] = room_reply(&ignored, reply) == ROOM_NONE;
        /* all replies are fetched, whatever MySQL says */
        good = good && keep_room(rooms, page, i, db, sql, reply);
        freeReplyObject(reply);
    }
    good = good && mend(rooms, page, rds, missing);
    mysql_free_result(res);
    return good;
}

/* a name nobody can have given to a room would be met each second */
static bool
remove_name(struct rds *rds, const redisReply *name)
{
    const char *argv[] = { "SREM", "queues", name->str };
    size_t lens[] = { 4, 6, (size_t) name->len };

    log_warn("keeper: a name of %zu bytes in queues is no waiting room's, and"
        " is removed", lens[2]);
    return rds_done(rds_command(rds, 3, argv, lens), "keeper");
}

static bool
keep_names(struct rooms *rooms, const redisReply *names, struct db *db,
    struct rds *rds, struct sql *sql)
{
    for (size_t i = 0; i < names->elements; ) {
        struct page page = { .n = 0 };
        for (; i < names->elements && page.n < CHUNK; i++) {
            const redisReply *one = names->element[i];
            ticket_slice_t name = { one->str, (size_t) one->len };
            if (room_name_valid(name))
                page.name[page.n++] = name;
            else if (!remove_name(rds, one))
                return false;
        }
        if (!keep_page(rooms, &page, db, rds, sql))
            return false;
    }
    return true;
}

static bool
read_benchmark(struct rooms *rooms, struct db *db)
{
    static const char query[] =
        "SELECT rows_per_s FROM benchmarks ORDER BY id DESC LIMIT 1";
    MYSQL_RES *res;

    if (db_query(db, query, sizeof query - 1, &res) != DB_OK)
        return false;
    MYSQL_ROW row = mysql_fetch_row(res);
    snprintf(rooms->rows_per_s, sizeof rooms->rows_per_s, "%s",
        row != NULL ? row[0] : "");
    mysql_free_result(res);
    metric_set(M_ROWS_PER_SECOND, strtoll(rooms->rows_per_s, NULL, 10));
    return true;
}

/* false: a server is away; *last: every name was met */
static bool
keep_some(struct rooms *rooms, struct db *db, struct rds *rds,
    struct sql *sql, bool *last)
{
    const char *argv[] = { "SSCAN", "queues", rooms->cursor, "COUNT", "100" };
    redisReply *reply = rds_command(rds, 5, argv, NULL);

    *last = true;
    if (reply == NULL)
        return false;
    bool good = reply->type == REDIS_REPLY_ARRAY && reply->elements == 2
        && reply->element[0]->type == REDIS_REPLY_STRING
        && reply->element[1]->type == REDIS_REPLY_ARRAY;
    if (!good) {
        /* a key of another type keeps nobody else waiting */
        meet_broken(rooms, (ticket_slice_t) ticket_slice("queues"),
            reply->type == REDIS_REPLY_ERROR ? reply->str : "no set");
        freeReplyObject(reply);
        return true;
    }
    snprintf(rooms->cursor, sizeof rooms->cursor, "%s",
        reply->element[0]->str);
    *last = strcmp(rooms->cursor, "0") == 0;
    good = keep_names(rooms, reply->element[1], db, rds, sql);
    freeReplyObject(reply);
    return good;
}

bool
rooms_keep(struct rooms *rooms, struct db *db, struct rds *rds,
    struct sql *sql)
{
    bool last = false;

    if (!read_benchmark(rooms, db))
        return false;
    if (rooms->cursor[0] == '\0')
        strcpy(rooms->cursor, "0");
    for (int i = 0; i < PAGES && !last; i++)
        if (!keep_some(rooms, db, rds, sql, &last))
            return false;
    if (last) {
        metric_set(M_ROOMS, rooms->live);
        metric_set(M_ROOMS_BROKEN, rooms->broken);
        rooms->live = rooms->broken = 0;
    }
    return true;
}
