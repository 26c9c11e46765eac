/*
 * The limit of bench/rows: a client that only sends what the persister sends, as fast as one connection takes it.
 *
 *     rows HOST PORT USER PASSWORD DATABASE ROWS ROWS_A_TRANSACTION
 *
 * A transaction is START, the UPDATE of lane_progress, one INSERT of many rows, COMMIT. Prints seconds.
 */

#include <mysql.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static MYSQL *mysql;

static void
send_statement(const char *text, size_t len)
{
    if (mysql_real_query(mysql, text, len) != 0) {
        fprintf(stderr, "error: %s: %.100s\n", mysql_error(mysql), text);
        exit(1);
    }
}

static void
say(const char *text)
{
    send_statement(text, strlen(text));
}

static double
now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}

int
main(int argc, char **argv)
{
    if (argc != 8) {
        fprintf(stderr, "usage: rows HOST PORT USER PASSWORD DATABASE ROWS ROWS_A_TRANSACTION\n");
        return 2;
    }
    long rows = atol(argv[6]), batch = atol(argv[7]);
    char *sql = malloc((size_t) batch * 160 + 1000);

    mysql = mysql_init(NULL);
    if (sql == NULL || mysql == NULL
        || mysql_real_connect(mysql, argv[1], argv[3], argv[4], argv[5], (unsigned) atoi(argv[2]), NULL,
            CLIENT_FOUND_ROWS) == NULL)
    {
        fprintf(stderr, "error: no connection: %s\n", mysql == NULL ? "no memory" : mysql_error(mysql));
        return 1;
    }
    say("SET NAMES utf8mb4");
    say("SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', time_zone = '+00:00'");
    say("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED");
    say("INSERT INTO lane_progress (ticket_name, lane, epoch) VALUES ('limit', 0, 1)"
        " ON DUPLICATE KEY UPDATE applied_seq = 0");

    /* wrk's users, as bench/book.lua makes them: two threads that count */
    double start = now();
    for (long done = 0; done < rows; ) {
        long n = rows - done < batch ? rows - done : batch;
        say("START TRANSACTION");
        int len = sprintf(sql, "UPDATE lane_progress FORCE INDEX (PRIMARY) SET applied_seq=%ld"
            " WHERE (ticket_name='limit' AND lane=0 AND epoch=1 AND applied_seq=%ld AND sealed=0)", done + n, done);
        send_statement(sql, (size_t) len);
        if (mysql_affected_rows(mysql) != 1) {
            fprintf(stderr, "error: lane_progress does not match\n");
            return 1;
        }
        len = sprintf(sql, "INSERT INTO purchases (user_id,ticket_name,quantity,booking_id,created_at) VALUES ");
        /* in the order of the key, as the persister sorts them */
        for (long i = 0; i < n; i++)
            len += sprintf(sql + len, "%s('u0badcafe-%d-%ld','limit',1,'limit:0:1-%ld','2026-01-01 00:00:00.000')",
                i == 0 ? "" : ",", i < n / 2 ? 1 : 2, 1000000 + done / 2 + i % ((n + 1) / 2), done + i + 1);
        len += sprintf(sql + len, " ON DUPLICATE KEY UPDATE"
            " created_at=IF(booking_id=VALUES(booking_id),created_at,VALUES(created_at)),"
            "quantity=VALUES(quantity),booking_id=VALUES(booking_id)");
        send_statement(sql, (size_t) len);
        say("COMMIT");
        done += n;
    }
    printf("%.3f\n", now() - start);
    mysql_close(mysql);
    free(sql);
    return 0;
}
