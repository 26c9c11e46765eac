/*
 * benchmark: what the database takes a second, and what a waiting room may
 * admit.  Nothing of a sale is touched: rows go to two tables made LIKE
 * purchases and lane_progress, which are dropped at the end, or, after a
 * crash, at the beginning of the next run.
 */

#include "command.h"

#include <inttypes.h>
#include <mysqld_error.h>
#include <signal.h>
#include <stdio.h>
#include "lock.h"
#include "log.h"
#include "measure.h"
#include "migrate.h"

static const char drop[] =
    "DROP TABLE IF EXISTS " MEASURE_PURCHASES ", " MEASURE_PROGRESS;

static int
refused(const struct db *db, const char *what)
{
    log_error("benchmark: %s: %s", what, db->message);
    return EXIT_SERVER;
}

static int
prepare(struct db *db)
{
    int pending;
    enum migrated state = migrate_pending(db, &pending);

    if (state == MIGRATE_LATER)
        return refused(db, "mysql");
    if (state == MIGRATE_NEVER || pending > 0) {
        log_error("benchmark: the tables are not up to date:"
            " ticket-persister migrate");
        return EXIT_USAGE;
    }
    return EXIT_OK;
}

/* two at once would measure each other */
static int
take_lock(struct db *db)
{
    bool taken;

    if (lock_take(db, "benchmark", 0, &taken) != DB_OK)
        return refused(db, "mysql");
    if (!taken)
        log_error("benchmark: another one is running");
    return taken ? EXIT_OK : EXIT_SERVER;
}

static int
make_tables(struct db *db, int lanes)
{
    if (db_exec(db, drop, sizeof drop - 1, NULL) != DB_OK
        || db_execf(db, NULL, "CREATE TABLE " MEASURE_PURCHASES
               " LIKE purchases") != DB_OK
        || db_execf(db, NULL, "CREATE TABLE " MEASURE_PROGRESS
               " LIKE lane_progress") != DB_OK)
        return refused(db, "its own tables cannot be made");
    for (int i = 0; i < lanes; i++)
        if (db_execf(db, NULL, "INSERT INTO " MEASURE_PROGRESS
                " (ticket_name, lane, epoch) VALUES ('benchmark', %d, 1)",
                i) != DB_OK)
            return refused(db, "mysql");
    return EXIT_OK;
}

static int
note_result(struct db *db, uint64_t rows, uint64_t one, uint64_t all,
    int workers)
{
    return db_execf(db, NULL, "INSERT INTO benchmarks"
        " (rows_per_s, one_lane, all_workers, workers) VALUES (%" PRIu64
        ", %" PRIu64 ", %" PRIu64 ", %d)", rows, one, all, workers) == DB_OK
        ? EXIT_OK : refused(db, "the result cannot be stored");
}

static void
print(const struct benchmark_arguments *args, const struct conf *conf,
    uint64_t rows, uint64_t one, uint64_t all)
{
    uint64_t rate = rows * (uint64_t) args->share / 100;

    rate = rate > 0 ? rate : 1;
    printf("batch_events %d\n" "seconds %d\n" "one_lane %" PRIu64 "\n"
        "workers %d\n" "all_workers %" PRIu64 "\n" "rows_per_s %" PRIu64 "\n"
        "share %d\n" "rate %" PRIu64 "\n", conf->persister.batch_events,
        args->seconds, one, conf->persister.threads, all, rows, args->share,
        rate);
    printf("\nThe database stores %" PRIu64 " rows a second; at %d %% of it,"
        " waiting rooms may admit %" PRIu64 " buyers a second in all.\n", rows,
        args->share, rate);
}

static int
code_of(enum measured measured)
{
    if (measured == MEASURE_STOPPED)
        log_warn("benchmark: stopped, nothing is stored");
    return measured == MEASURED ? EXIT_OK
        : measured == MEASURE_STOPPED ? EXIT_DIFFERENCES : EXIT_SERVER;
}

/* a ticket has one lane unless somebody gave it more, so that one lane counts;
 * workers that hinder each other count as well */
static int
measure_both(const struct conf *conf, struct db *db,
    const struct benchmark_arguments *args)
{
    int workers = conf->persister.threads;
    uint64_t one, all;

    int code = code_of(measure(conf, db, 0, 1, args->seconds, &one));
    all = one;
    if (code == EXIT_OK && workers > 1)
        code = code_of(measure(conf, db, 1, workers, args->seconds, &all));
    if (code != EXIT_OK)
        return code;
    uint64_t rows = all < one ? all : one;
    code = note_result(db, rows, one, all, workers);
    if (code == EXIT_OK)
        print(args, conf, rows, one, all);
    return code;
}

int
command_benchmark(const struct conf *conf,
    const struct benchmark_arguments *args)
{
    sigset_t signals;
    struct db db;

    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    db_init(&db, conf);
    int code = prepare(&db);
    if (code == EXIT_OK)
        code = take_lock(&db);
    if (code == EXIT_OK) {
        code = make_tables(&db, conf->persister.threads + 1);
        if (code == EXIT_OK)
            code = measure_both(conf, &db, args);
        /* what is left, the next run drops */
        if (db_exec(&db, drop, sizeof drop - 1, NULL) != DB_OK
            && code == EXIT_OK)
            log_warn("benchmark: its tables are left behind: %s", db.message);
    }
    db_close(&db);
    return code;
}
