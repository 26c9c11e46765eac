/* reconcile: does MySQL hold what Redis sold?  A report; only --repair changes
 * something, and after it. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "command.h"
#include "view.h"

#define AGAIN_MS 200    /* between looks at tickets that are still moving */

enum verdict {
    EQUAL,
    DIFFERENT,
    UNSETTLED,          /* something happens: to be looked at again */
    NOTHING,            /* a name without a ticket */
    AWAY                /* a server did not answer */
};

struct ticket {
    char        *name;
    struct view  view;
    uint64_t     held;          /* in Redis */
    uint64_t     rows;          /* sum of quantities in MySQL */
    size_t       differences;
    enum verdict verdict;
    const char  *why;           /* it is unsettled */
    char        *details;
};

struct report {
    struct db      db;
    struct rds     rds;
    struct ticket *tickets;
    size_t         count, room;
};

static ticket_slice_t
slice(const char *text)
{
    return (ticket_slice_t) { text, strlen(text) };
}

static bool
add_name(struct report *report, const char *name)
{
    if (report->count == report->room) {
        size_t room = report->room != 0 ? report->room * 2 : 64;
        struct ticket *tickets = realloc(report->tickets,
            room * sizeof *tickets);
        if (tickets == NULL)
            return false;
        report->tickets = tickets;
        report->room = room;
    }
    struct ticket *ticket = &report->tickets[report->count];
    memset(ticket, 0, sizeof *ticket);
    ticket->name = strdup(name);
    ticket->verdict = UNSETTLED;
    report->count += ticket->name != NULL;
    return ticket->name != NULL;
}

static bool
names_of_mysql(struct report *report)
{
    static const char sql[] = "SELECT name FROM tickets";
    MYSQL_RES *res;
    MYSQL_ROW row;
    bool ok = true;

    if (db_query(&report->db, sql, sizeof sql - 1, &res) != DB_OK)
        return false;
    while (ok && (row = mysql_fetch_row(res)) != NULL)
        ok = add_name(report, row[0]);
    mysql_free_result(res);
    return ok;
}

static bool
names_of_redis(struct report *report)
{
    char cursor[24] = "0";
    const char *argv[] = { "SSCAN", "tickets", cursor, "COUNT", "1000" };

    do {
        redisReply *reply = rds_command(&report->rds, 5, argv, NULL);
        bool ok = reply != NULL && reply->type == REDIS_REPLY_ARRAY
            && reply->elements == 2;
        if (ok)
            snprintf(cursor, sizeof cursor, "%s", reply->element[0]->str);
        for (size_t i = 0; ok && i < reply->element[1]->elements; i++)
            ok = add_name(report, reply->element[1]->element[i]->str);
        freeReplyObject(reply);
        if (!ok)
            return false;
    } while (strcmp(cursor, "0") != 0);
    return true;
}

static int
by_name(const void *a, const void *b)
{
    const struct ticket *left = a, *right = b;

    return strcmp(left->name, right->name);
}

/* the tickets of both sides, sorted, each once */
static bool
collect_names(struct report *report)
{
    size_t kept = 0;

    if (!names_of_mysql(report) || !names_of_redis(report))
        return false;
    if (report->count > 0)
        qsort(report->tickets, report->count, sizeof *report->tickets, by_name);
    for (size_t i = 0; i < report->count; i++) {
        if (kept > 0 && by_name(&report->tickets[i],
                &report->tickets[kept - 1]) == 0)
        {
            free(report->tickets[i].name);
            continue;
        }
        report->tickets[kept++] = report->tickets[i];
    }
    report->count = kept;
    return true;
}

/* somebody else's text: nothing that would move a terminal's cursor */
static void
put_text(FILE *out, const char *text)
{
    for (; *text != '\0'; text++)
        putc((unsigned char) *text < ' ' || *text == 127 ? '?' : *text, out);
}

static void
one_side(FILE *out, const char *user, const char *side, uint64_t quantity,
    const char *booking_id)
{
    fputs("  user ", out);
    put_text(out, user);
    fprintf(out, ": only in %s, quantity %" PRIu64 ", booking ", side,
        quantity);
    put_text(out, booking_id);
    putc('\n', out);
}

static void
compare_row(FILE *out, struct ticket *ticket, const struct buyers *buyers,
    MYSQL_ROW row)
{
    struct buyer *buyer = buyers_find(buyers, row[0]);
    uint64_t quantity = strtoull(row[1], NULL, 10);

    ticket->rows += quantity;
    if (buyer == NULL) {
        one_side(out, row[0], "MySQL", quantity, row[2]);
        ticket->differences++;
        return;
    }
    buyer->seen = true;
    if (buyer->quantity == quantity && strcmp(buyer->booking_id, row[2]) == 0)
        return;
    ticket->differences++;
    fputs("  user ", out);
    put_text(out, row[0]);
    fprintf(out, ": quantity %" PRIu64 ", booking ", buyer->quantity);
    put_text(out, buyer->booking_id);
    fprintf(out, " in Redis; quantity %" PRIu64 ", booking ", quantity);
    put_text(out, row[2]);
    fputs(" in MySQL\n", out);
}

static bool
compare_rows(struct report *report, FILE *out, struct ticket *ticket,
    const struct buyers *buyers)
{
    struct row_mark last = { 0 };
    MYSQL_ROW row;

    for (;;) {
        MYSQL_RES *res = view_mysql_rows(&report->db, slice(ticket->name),
            &last);
        if (res == NULL)
            return false;
        bool end = mysql_num_rows(res) == 0;
        while ((row = mysql_fetch_row(res)) != NULL)
            compare_row(out, ticket, buyers, row);
        mysql_free_result(res);
        if (end)
            break;
    }
    for (size_t i = 0; i < buyers->count; i++) {
        const struct buyer *buyer = &buyers->list[i];
        if (buyer->seen)
            continue;
        one_side(out, buyer->user, "Redis", buyer->quantity,
            buyer->booking_id);
        ticket->differences++;
    }
    return true;
}

static void
compare_number(FILE *out, struct ticket *ticket, const char *what,
    int64_t redis, int64_t mysql)
{
    if (redis == mysql)
        return;
    fprintf(out, "  %s: %" PRId64 " in Redis, %" PRId64 " in MySQL\n", what,
        redis, mysql);
    ticket->differences++;
}

static void
compare_definition(FILE *out, struct ticket *ticket)
{
    const struct definition *redis = &ticket->view.redis;
    const struct definition *mysql = &ticket->view.mysql;

    compare_number(out, ticket, "capacity", (int64_t) redis->capacity,
        (int64_t) mysql->capacity);
    compare_number(out, ticket, "per_user", (int64_t) redis->per_user,
        (int64_t) mysql->per_user);
    compare_number(out, ticket, "lanes", (int64_t) redis->lanes,
        (int64_t) mysql->lanes);
    compare_number(out, ticket, "opens_at (ms)", redis->opens_at,
        mysql->opens_at);
    compare_number(out, ticket, "closes_at (ms)", redis->closes_at,
        mysql->closes_at);
    if (strcmp(redis->state, mysql->state) != 0) {
        fprintf(out, "  state: %s in Redis, %s in MySQL\n", redis->state,
            mysql->state);
        ticket->differences++;
    }
    if (ticket->view.remaining + ticket->held != redis->capacity) {
        fprintf(out, "  remaining %" PRIu64 " + held %" PRIu64
            " is not capacity %" PRIu64 " in Redis\n", ticket->view.remaining,
            ticket->held, redis->capacity);
        ticket->differences++;
    }
}

/* NULL: both sides may be compared */
static const char *
unsettled(const struct view *view)
{
    if (!view->redis.there)
        return "not in Redis";
    if (!view->mysql.there)
        return "not opened yet";
    if (!view->current || view->redis.epoch != view->mysql.epoch)
        return "recovering";
    return view->lag > 0 ? "behind" : NULL;
}

/* both sides, between two looks that show that nothing moved */
static enum verdict
compare(struct report *report, struct ticket *ticket, FILE *out)
{
    struct buyers buyers;
    struct view after;
    ticket_slice_t name = slice(ticket->name);

    if (!view_read(&ticket->view, &report->db, &report->rds, name))
        return AWAY;
    if (!ticket->view.redis.there && !ticket->view.mysql.there)
        return NOTHING;
    /* nothing is sold of it, and nobody has asked for it since Redis forgot */
    bool gone = !ticket->view.redis.there
        && strcmp(ticket->view.mysql.state, "deleted") == 0;
    ticket->why = gone ? NULL : unsettled(&ticket->view);
    if (ticket->why != NULL)
        return UNSETTLED;

    if (!view_redis_buyers(&buyers, &report->rds, name))
        return AWAY;
    ticket->held = buyers.held;
    bool ok = compare_rows(report, out, ticket, &buyers);
    buyers_free(&buyers);
    if (!gone)
        compare_definition(out, ticket);
    if (!ok || !view_read(&after, &report->db, &report->rds, name))
        return AWAY;
    if (!view_same(&ticket->view, &after)) {
        ticket->why = "moving";
        return UNSETTLED;
    }
    return ticket->differences > 0 ? DIFFERENT : EQUAL;
}

static enum verdict
look(struct report *report, struct ticket *ticket)
{
    size_t len;

    free(ticket->details);
    ticket->details = NULL;
    ticket->held = ticket->rows = ticket->differences = 0;
    FILE *out = open_memstream(&ticket->details, &len);
    if (out == NULL)
        return AWAY;
    ticket->verdict = compare(report, ticket, out);
    fclose(out);
    return ticket->verdict;
}

/* rounds over whatever still moves; false: a server is away */
static bool
look_at_all(struct report *report, int seconds)
{
    const struct timespec pause = { .tv_nsec = AGAIN_MS * 1000000L };

    for (int left = seconds * 1000; ; left -= AGAIN_MS) {
        bool moving = false;
        for (size_t i = 0; i < report->count; i++) {
            struct ticket *ticket = &report->tickets[i];
            if (ticket->verdict != UNSETTLED)
                continue;
            if (look(report, ticket) == AWAY)
                return false;
            moving = moving || ticket->verdict == UNSETTLED;
        }
        if (!moving || left <= 0)
            return true;
        nanosleep(&pause, NULL);
        db_ping(&report->db);
    }
}

static void
print_ticket(const struct ticket *ticket, int width)
{
    const struct view *view = &ticket->view;

    put_text(stdout, ticket->name);
    printf("%*s %6" PRIu64 " %10" PRIu64 " %10" PRIu64, width
        - (int) strlen(ticket->name), "", view->mysql.epoch,
        view->redis.capacity, view->remaining);
    if (ticket->verdict == UNSETTLED)
        printf(" %10s %10s %8" PRIu64 "  %s\n", "-", "-", view->lag,
            ticket->why);
    else if (ticket->verdict == EQUAL)
        printf(" %10" PRIu64 " %10" PRIu64 " %8d  equal\n", ticket->held,
            ticket->rows, 0);
    else
        printf(" %10" PRIu64 " %10" PRIu64 " %8d  %zu difference%s\n%s",
            ticket->held, ticket->rows, 0, ticket->differences,
            ticket->differences == 1 ? "" : "s", ticket->details);
}

/* how many rows a query counts; false: MySQL is away */
static bool
count(struct db *db, const char *sql, uint64_t *n)
{
    MYSQL_RES *res;

    if (db_query(db, sql, strlen(sql), &res) != DB_OK)
        return false;
    MYSQL_ROW row = mysql_fetch_row(res);
    *n = row != NULL ? strtoull(row[0], NULL, 10) : 0;
    mysql_free_result(res);
    return true;
}

static int
print_report(struct report *report)
{
    size_t equal = 0, different = 0, moving = 0;
    uint64_t late, dead;
    int width = 6;

    if (!count(&report->db, "SELECT COUNT(*) FROM late_events "
            "WHERE outcome IS NULL", &late)
        || !count(&report->db, "SELECT COUNT(*) FROM dead_letters "
               "WHERE state = 'pending'", &dead))
    {
        return EXIT_SERVER;
    }
    for (size_t i = 0; i < report->count; i++) {
        int len = (int) strlen(report->tickets[i].name);
        width = len > width && len <= 40 ? len : width;
    }
    printf("%-*s %6s %10s %10s %10s %10s %8s  %s\n", width, "ticket", "epoch",
        "capacity", "remaining", "held", "rows", "lag", "result");
    for (size_t i = 0; i < report->count; i++) {
        const struct ticket *ticket = &report->tickets[i];
        equal += ticket->verdict == EQUAL;
        different += ticket->verdict == DIFFERENT;
        moving += ticket->verdict == UNSETTLED;
        if (ticket->verdict != NOTHING)
            print_ticket(ticket, width);
    }
    printf("%zu ticket%s: %zu equal, %zu different, %zu not comparable; "
        "pending: %" PRIu64 " late events, %" PRIu64 " dead letters\n",
        equal + different + moving, equal + different + moving == 1 ? "" : "s",
        equal, different, moving, late, dead);
    return different + moving > 0 ? EXIT_DIFFERENCES : EXIT_OK;
}

/* closed, it is queued: whoever looks at it in between must not find it open */
static bool
repair_one(struct report *report, const char *name)
{
    char key[RDS_KEY_MAX];
    const char *commands[][3] = {
        { "HDEL", key, "history" }, { "SADD", "tickets:recover", name }
    };

    rds_key(key, slice(name), NULL);
    for (size_t i = 0; i < 2; i++) {
        redisReply *reply = rds_command(&report->rds, 3, commands[i], NULL);
        if (reply == NULL)
            return false;
        bool good = reply->type == REDIS_REPLY_INTEGER;
        if (!good)
            snprintf(report->rds.message, sizeof report->rds.message,
                "%s: %s", commands[i][0], reply->str);
        freeReplyObject(reply);
        if (!good)
            return false;
    }
    return true;
}

static bool
repair_all(struct report *report)
{
    size_t n = 0;

    for (size_t i = 0; i < report->count; i++) {
        if (report->tickets[i].verdict != DIFFERENT)
            continue;
        if (!repair_one(report, report->tickets[i].name))
            return false;
        n++;
    }
    printf("%zu ticket%s closed, to be rebuilt from MySQL by a running"
        " persister\n", n, n == 1 ? " is" : "s are");
    return true;
}

static int
away(const struct report *report)
{
    bool redis = report->rds.message[0] != '\0';

    fprintf(stderr, "ticket-persister: reconcile: %s: %s\n",
        redis ? "redis" : "mysql",
        redis ? report->rds.message : report->db.message);
    return EXIT_SERVER;
}

int
command_reconcile(const struct conf *conf, int seconds, bool repair)
{
    struct report report = { 0 };
    int code = EXIT_SERVER;

    db_init(&report.db, conf);
    rds_init(&report.rds, conf);
    if (db_connect(&report.db) != DB_OK || !rds_connect(&report.rds)
        || !collect_names(&report) || !look_at_all(&report, seconds))
    {
        code = away(&report);
    } else {
        code = print_report(&report);
        if (code == EXIT_SERVER || (repair && !repair_all(&report)))
            code = away(&report);
    }

    for (size_t i = 0; i < report.count; i++) {
        free(report.tickets[i].name);
        free(report.tickets[i].details);
    }
    free(report.tickets);
    rds_close(&report.rds);
    db_close(&report.db);
    return code;
}
