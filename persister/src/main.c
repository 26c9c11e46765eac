/* Launcher for all the rest. */

#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "arguments.h"
#include "conf.h"
#include "db.h"
#include "dlq.h"
#include "http.h"
#include "log.h"
#include "metrics.h"
#include "migrate.h"
#include "notify.h"
#include "worker.h"

#define GIVE_BACK_SECONDS 30    /* between times unused memory is returned */
#define STOP_SECONDS 35         /* of the 60 the systemd unit gives */

struct persister {
    const struct conf *conf;
    const char        *path;
    sigset_t           signals;
    struct http       *http;
    struct keeper     *keeper;
    struct dlq        *dlq;
    struct worker    **workers;
    int                count;
};

static void
reload(struct persister *persister)
{
    char names[2048], error[512];

    notify_reloading();
    struct conf *fresh = conf_read(persister->path, error, sizeof error);
    if (fresh == NULL) {
        log_error("configuration is not taken over: %s", error);
    } else {
        if (conf_changed(persister->conf, fresh, false, names, sizeof names))
            log_warn("a restart is needed for the new value of: %s", names);
        log_set_level(fresh->log.level);
        log_info("configuration read again, log level %s", fresh->log.level);
        conf_free(fresh);
    }
    notify_ready(metric_get(M_RUNNING) ? "running" : "waiting for MySQL");
}

/* serves signals for so many seconds; true: it is time to stop */
static bool
serve(struct persister *persister, int seconds)
{
    struct timespec left = { .tv_sec = seconds }, end, now;

    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += seconds;
    for (;;) {
        int got = sigtimedwait(&persister->signals, NULL, &left);
        if (got == SIGHUP)
            reload(persister);
        if (got == SIGTERM || got == SIGINT) {
            log_info("signal %s: stopping", got == SIGTERM ? "TERM" : "INT");
            return true;
        }
        clock_gettime(CLOCK_MONOTONIC, &now);
        left.tv_sec = end.tv_sec - now.tv_sec;
        if (left.tv_sec <= 0)
            return false;
    }
}

/* A daemon that starts before its servers waits for them, and says so. */
static int
prepare_tables(struct persister *persister, bool *stop)
{
    struct db db;
    int pause = 1;
    enum migrated result;

    *stop = false;
    db_init(&db, persister->conf);
    while ((result = migrate(&db)) == MIGRATE_LATER) {
        notify_status("waiting for MySQL");
        *stop = serve(persister, pause);
        if (*stop)
            break;
        pause = pause < 8 ? pause * 2 : 10;
    }
    db_close(&db);
    return result == MIGRATE_NEVER ? EXIT_USAGE : EXIT_OK;
}

static bool
start_threads(struct persister *persister)
{
    int threads = persister->conf->persister.threads;

    persister->workers = calloc((size_t) threads, sizeof *persister->workers);
    if (persister->workers == NULL)
        return false;
    for (int i = 0; i < threads; i++) {
        persister->workers[i] = worker_start(persister->conf, i);
        if (persister->workers[i] == NULL)
            return false;
        persister->count++;
    }
    const struct conf *conf = persister->conf;
    if (conf->kafka.enabled && conf->kafka.dlq_topic[0] != '\0'
        && (persister->dlq = dlq_start(conf)) == NULL)
        return false;
    persister->keeper = keeper_start(conf);
    return persister->keeper != NULL;
}

/* the keeper last: what it opens is of use to others only */
static void
stop_threads(struct persister *persister)
{
    for (int i = 0; i < persister->count; i++)
        worker_stop(persister->workers[i]);
    if (persister->keeper != NULL)
        keeper_stop(persister->keeper);
    if (persister->dlq != NULL)
        dlq_stop(persister->dlq);
    for (int i = 0; i < persister->count; i++)
        worker_join(persister->workers[i]);
    if (persister->dlq != NULL)
        dlq_join(persister->dlq);
    if (persister->keeper != NULL)
        keeper_join(persister->keeper);
    free(persister->workers);
}

/* what is not committed is read again: nothing is lost by leaving it */
static void
give_up(int signal_number)
{
    static const char line[] = "warn: a server does not let go:"
        " ending without it\n";

    (void) signal_number;
    ssize_t written = write(STDERR_FILENO, line, sizeof line - 1);
    (void) written;
    _exit(EXIT_OK);
}

/*
 * From here on a second SIGTERM or SIGINT ends the process at once.  So does
 * the alarm: a statement is given up after 20 s, but libmysqlclient waits for
 * a TLS handshake as long as it takes.
 */
static void
let_signals_through(const struct persister *persister)
{
    signal(SIGHUP, SIG_IGN);
    signal(SIGALRM, give_up);
    alarm(STOP_SECONDS);
    pthread_sigmask(SIG_UNBLOCK, &persister->signals, NULL);
}

/* What is read of a backlog before its turn, some 100 MB a worker, malloc would
 * keep for good. */
static void
give_back(void)
{
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

static int
serve_until_stopped(struct persister *persister)
{
    bool stop;
    int code = prepare_tables(persister, &stop);

    if (code == EXIT_OK && !stop) {
        if (start_threads(persister)) {
            metric_set(M_RUNNING, 1);
            notify_status("running");
            log_info("process up: ticket-persister %s, %d threads, kafka %s",
                VERSION, persister->count,
                persister->conf->kafka.enabled ? "on" : "off");
            while (!serve(persister, GIVE_BACK_SECONDS))
                give_back();
        } else {
            code = EXIT_USAGE;          /* the thread has logged why */
        }
    }
    notify_stopping();
    let_signals_through(persister);
    metric_set(M_RUNNING, 0);
    stop_threads(persister);
    return code;
}

static int
run(const struct conf *conf, const char *path)
{
    struct persister persister = { .conf = conf, .path = path };
    char error[512];

    /* before the first thread, so that only sigwait ever gets them */
    sigemptyset(&persister.signals);
    sigaddset(&persister.signals, SIGTERM);
    sigaddset(&persister.signals, SIGINT);
    sigaddset(&persister.signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &persister.signals, NULL);

    log_info("configuration: %s", path != NULL ? path
        : "no file, defaults and environment");
    if (conf->http.listen[0] != '\0') {
        persister.http = http_start(conf->http.listen, error, sizeof error);
        if (persister.http == NULL) {
            log_error("http: %s", error);
            return EXIT_USAGE;
        }
    }
    notify_ready("starting");
    int code = serve_until_stopped(&persister);
    http_stop(persister.http);
    log_info("process down");
    return code;
}

int
command_migrate(const struct conf *conf)
{
    struct db db;

    db_init(&db, conf);
    enum migrated result = migrate(&db);
    db_close(&db);
    return result == MIGRATED ? EXIT_OK
        : result == MIGRATE_NEVER ? EXIT_USAGE : EXIT_SERVER;
}

int
main(int argc, char **argv)
{
    struct arguments args = parse_arguments(argc, argv);
    char error[512];

    signal(SIGPIPE, SIG_IGN);           /* hiredis writes without MSG_NOSIGNAL */
    struct conf *conf = conf_read(args.path, error, sizeof error);
    if (conf == NULL) {
        fprintf(stderr, "ticket-persister: %s\n", error);
        return EXIT_USAGE;
    }
    log_set_level(conf->log.level);
    if (!db_library_start()) {
        fprintf(stderr, "ticket-persister: no memory\n");
        return EXIT_SERVER;
    }

    int code = EXIT_USAGE;
    switch (args.command) {
    case RUN:
        code = run(conf, args.path);
        break;
    case CHECK:
        code = command_check(conf, args.path);
        break;
    case MIGRATE:
        code = command_migrate(conf);
        break;
    case RECONCILE:
        code = command_reconcile(conf, args.wait, args.repair);
        break;
    case BENCHMARK:
        code = command_benchmark(conf, &args.benchmark);
        break;
    case DLQ:
        code = command_dlq(conf, &args.dlq);
        break;
    }
    db_library_stop();
    conf_free(conf);
    return code;
}
