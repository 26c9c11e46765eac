/* dlq list, show and discard: what is in dead_letters, for who is on call. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "command.h"
#include "db.h"
#include "escape.h"
#include "replay.h"

static int
away(const struct db *db)
{
    fprintf(stderr, "ticket-persister: dlq: mysql: %s\n", db->message);
    return EXIT_SERVER;
}

static int
not_there(const char *id)
{
    fprintf(stderr, "ticket-persister: dlq: there is no dead letter %s\n", id);
    return EXIT_DIFFERENCES;
}

static void
put(const char *text, unsigned long len)
{
    if (text != NULL)
        escape_put(stdout, text, len);
    else
        putchar('-');
}

static int
list(struct db *db, const struct dlq_arguments *args)
{
    struct sql sql = { 0 };
    MYSQL_RES *res = NULL;
    MYSQL_ROW row;

    sql_add(&sql, "SELECT id, state, created_at, published_at, ticket_name,"
        " user_id, error FROM dead_letters WHERE 1");
    if (args->state != NULL) {
        sql_add(&sql, " AND state=");
        sql_quote(&sql, db, args->state, strlen(args->state));
    }
    if (args->ticket != NULL) {
        sql_add(&sql, " AND ticket_name=");
        sql_quote(&sql, db, args->ticket, strlen(args->ticket));
    }
    sql_addf(&sql, " ORDER BY id DESC LIMIT %d", args->limit);
    bool good = !sql.failed && db_query(db, sql.data, sql.len, &res) == DB_OK;
    sql_free(&sql);
    if (!good)
        return away(db);

    puts("id\tstate\ttime\tpublished\tticket\tuser\terror");
    while ((row = mysql_fetch_row(res)) != NULL) {
        unsigned long *len = mysql_fetch_lengths(res);
        for (unsigned i = 0; i < mysql_num_fields(res); i++) {
            if (i > 0)
                putchar('\t');
            put(row[i], len[i]);
        }
        putchar('\n');
    }
    mysql_free_result(res);
    return EXIT_OK;
}

static int
show(struct db *db, const struct dlq_arguments *args)
{
    static const char *const names[] = {
        "id", "state", "time", "settled", "published", "ticket", "lane",
        "user", "booking", "event id", "origin", "error", "bytes", "event"
    };
    struct sql sql = { 0 };
    MYSQL_RES *res = NULL;
    MYSQL_ROW row;

    sql_addf(&sql, "SELECT id, state, created_at, settled_at, published_at,"
        " ticket_name, lane, user_id, booking_id, event_id, origin, error,"
        " LENGTH(event), event FROM dead_letters WHERE id=%s", args->id);
    bool good = !sql.failed && db_query(db, sql.data, sql.len, &res) == DB_OK;
    sql_free(&sql);
    if (!good)
        return away(db);
    if ((row = mysql_fetch_row(res)) == NULL) {
        mysql_free_result(res);
        return not_there(args->id);
    }
    unsigned long *len = mysql_fetch_lengths(res);
    for (unsigned i = 0; i < mysql_num_fields(res); i++) {
        printf("%-10s", names[i]);
        put(row[i], len[i]);
        putchar('\n');
    }
    mysql_free_result(res);
    return EXIT_OK;
}

/* What is pending is not closed by hand: the buyer still has the booking.  One
 * that was rejected stays so for its buyer (rejected.c), but is not replayed. */
static int
discard(struct db *db, const struct dlq_arguments *args)
{
    char sql[128];
    uint64_t matched;
    MYSQL_RES *res;
    MYSQL_ROW row;

    if (db_execf(db, &matched, "UPDATE dead_letters SET state='discarded',"
            " settled_at=CURRENT_TIMESTAMP(3) WHERE id=%s"
            " AND state IN ('unusable','rejected')", args->id) != DB_OK)
        return away(db);
    if (matched == 1) {
        printf("%s\tdiscarded\n", args->id);
        return EXIT_OK;
    }
    int len = snprintf(sql, sizeof sql,
        "SELECT state FROM dead_letters WHERE id=%s", args->id);
    if (db_query(db, sql, (size_t) len, &res) != DB_OK)
        return away(db);
    int code = EXIT_DIFFERENCES;
    if ((row = mysql_fetch_row(res)) == NULL)
        code = not_there(args->id);
    else if (strcmp(row[0], "discarded") == 0)
        code = printf("%s\tdiscarded\n", args->id) > 0 ? EXIT_OK : EXIT_SERVER;
    else if (strcmp(row[0], "pending") == 0)
        printf("%s\tpending\tits booking is still to be taken back: a running"
            " persister does it\n", args->id);
    else
        printf("%s\t%s\tit is settled\n", args->id, row[0]);
    mysql_free_result(res);
    return code;
}

int
command_dlq(const struct conf *conf, const struct dlq_arguments *args)
{
    struct db db;
    int code;

    db_init(&db, conf);
    if (db_connect(&db) != DB_OK)
        code = away(&db);
    else if (args->action == DLQ_LIST)
        code = list(&db, args);
    else if (args->action == DLQ_SHOW)
        code = show(&db, args);
    else if (args->action == DLQ_DISCARD)
        code = discard(&db, args);
    else
        code = replay(conf, &db, args);
    db_close(&db);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        perror("ticket-persister: dlq");
        return EXIT_SERVER;
    }
    return code;
}
