/* Launcher for all the rest. */

#include <getopt.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "command.h"
#include "conf.h"
#include "db.h"
#include "dlq.h"
#include "http.h"
#include "log.h"
#include "metrics.h"
#include "migrate.h"
#include "notify.h"
#include "worker.h"

#define WAIT_SECONDS 10         /* reconcile: for tickets that are moving */
#define GIVE_BACK_SECONDS 30    /* between times unused memory is returned */
#define STOP_SECONDS 35         /* of the 60 the systemd unit gives */
#define DLQ_SECONDS  60         /* dlq replay: a sweep is twice as often */
#define DLQ_LIMIT    100

enum command { RUN, CHECK, MIGRATE, RECONCILE, DLQ };

struct arguments {
    enum command command;
    const char  *path;          /* of the configuration, NULL: none */
    int          wait;
    bool         repair;
    struct dlq_arguments dlq;
};

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

static const char usage[] =
    "usage: ticket-persister [-c FILE] [--check | COMMAND]\n"
    "\n"
    "Stores what the ticket office sold in MySQL.  Without a command it runs\n"
    "until SIGTERM; SIGHUP reads the configuration again.\n"
    "\n"
    "  -c, --config FILE   configuration (default: " CONF_PATH ",\n"
    "                      when it is there)\n"
    "  --check             is everything there that a start needs?\n"
    "  migrate             bring the tables up to date\n"
    "  reconcile           compare MySQL with Redis, ticket by ticket\n"
    "      --wait SECONDS  for tickets that are still moving (default: 10)\n"
    "      --repair        then close those that differ: a running persister\n"
    "                      rebuilds them from MySQL\n"
    "  dlq list            dead letters, the newest first\n"
    "      --state STATE   unusable, pending, rejected, gone, replayed or\n"
    "                      discarded\n"
    "      --ticket TICKET\n"
    "      --limit NUMBER  (default: 100)\n"
    "  dlq show ID         one of them with its event\n"
    "  dlq replay ID       book it anew, as if the buyer did it now\n"
    "  dlq replay --all    all that are rejected\n"
    "      --ticket TICKET\n"
    "      --wait SECONDS  until they are stored (default: 60)\n"
    "  dlq discard ID      close one that is not to be replayed\n"
    "  -h, --help          this text\n"
    "  -V, --version       the version\n"
    "\n"
    "Exit status: 0 good, 1 differences found or not all done, 2 usage or\n"
    "configuration,\n"
    "3 a server could not be reached, or refused.\n";

static void
refuse(const char *sentence, const char *about)
{
    fprintf(stderr, "ticket-persister: %s%s%s\n"
        "ticket-persister: --help shows how it is used\n", sentence,
        about[0] != '\0' ? ": " : "", about);
    exit(EXIT_USAGE);
}

static enum command
command_of(const char *word)
{
    if (strcmp(word, "migrate") == 0)
        return MIGRATE;
    if (strcmp(word, "reconcile") == 0)
        return RECONCILE;
    if (strcmp(word, "dlq") == 0)
        return DLQ;
    refuse("there is no such command", word);
    return RUN;
}

/* a number of at most `digits` digits */
static bool
is_number(const char *text, size_t digits)
{
    size_t len = strlen(text);

    return len > 0 && len <= digits && strspn(text, "0123456789") == len;
}

static int
seconds_of(const char *text)
{
    if (!is_number(text, 5))
        refuse("--wait needs a number of seconds", text);
    return atoi(text);
}

static int
limit_of(const char *text)
{
    if (!is_number(text, 7) || atoi(text) == 0)
        refuse("--limit needs a number", text);
    return atoi(text);
}

/* the words after "dlq", and whether the options fit to them */
static void
dlq_words(struct dlq_arguments *dlq, int argc, char **argv)
{
    static const char *const words[] = {
        [DLQ_LIST] = "list", [DLQ_SHOW] = "show", [DLQ_REPLAY] = "replay",
        [DLQ_DISCARD] = "discard"
    };
    size_t i = 0, n = sizeof words / sizeof words[0];

    while (argc > 0 && i < n && strcmp(argv[0], words[i]) != 0)
        i++;
    if (argc == 0 || i == n)
        refuse("dlq needs one of list, show, replay and discard",
            argc > 0 ? argv[0] : "");
    dlq->action = (enum dlq_action) i;
    if (argc > 1)
        dlq->id = argv[1];
    if (argc > 2 || (dlq->action == DLQ_LIST && dlq->id != NULL))
        refuse("one dead letter at a time", argv[argc - 1]);
    if (dlq->id != NULL && !is_number(dlq->id, 18))
        refuse("a dead letter is named by its number", dlq->id);
    if (dlq->action != DLQ_LIST && (dlq->id == NULL) != dlq->all)
        refuse(dlq->action == DLQ_REPLAY ? "dlq replay needs a number or --all"
            : "which dead letter?", "");
    if (dlq->all && dlq->action != DLQ_REPLAY)
        refuse("--all belongs to dlq replay", "");
    if ((dlq->state != NULL || dlq->limit > 0) && dlq->action != DLQ_LIST)
        refuse("--state and --limit belong to dlq list", "");
    if (dlq->ticket != NULL && dlq->action != DLQ_LIST && !dlq->all)
        refuse("--ticket belongs to dlq list and dlq replay --all", "");
}

static struct arguments
parse_arguments(int argc, char **argv)
{
    enum { O_CHECK = 256, O_REPAIR, O_WAIT, O_STATE, O_TICKET, O_LIMIT, O_ALL };
    static const struct option known[] = {
        { "config", required_argument, NULL, 'c' },
        { "check", no_argument, NULL, O_CHECK },
        { "repair", no_argument, NULL, O_REPAIR },
        { "wait", required_argument, NULL, O_WAIT },
        { "state", required_argument, NULL, O_STATE },
        { "ticket", required_argument, NULL, O_TICKET },
        { "limit", required_argument, NULL, O_LIMIT },
        { "all", no_argument, NULL, O_ALL },
        { "help", no_argument, NULL, 'h' },
        { "version", no_argument, NULL, 'V' },
        { NULL, 0, NULL, 0 }
    };
    struct arguments args = { .command = RUN, .wait = -1 };
    bool check = false;
    int c;

    while ((c = getopt_long(argc, argv, "c:hV", known, NULL)) != -1) {
        switch (c) {
        case 'c':
            args.path = optarg;
            break;
        case O_CHECK:
            check = true;
            break;
        case O_REPAIR:
            args.repair = true;
            break;
        case O_WAIT:
            args.wait = seconds_of(optarg);
            break;
        case O_STATE:
            args.dlq.state = optarg;
            break;
        case O_TICKET:
            args.dlq.ticket = optarg;
            break;
        case O_LIMIT:
            args.dlq.limit = limit_of(optarg);
            break;
        case O_ALL:
            args.dlq.all = true;
            break;
        case 'h':
            fputs(usage, stdout);
            exit(EXIT_OK);
        case 'V':
            puts("ticket-persister " VERSION);
            exit(EXIT_OK);
        default:
            exit(EXIT_USAGE);           /* getopt has said why */
        }
    }
    if (optind < argc)
        args.command = command_of(argv[optind++]);
    struct dlq_arguments *dlq = &args.dlq;
    if (args.command == DLQ)
        dlq_words(dlq, argc - optind, argv + optind);
    else if (dlq->state != NULL || dlq->ticket != NULL || dlq->limit > 0
        || dlq->all)
        refuse("--state, --ticket, --limit and --all belong to dlq", "");
    else if (optind < argc)
        refuse("one command at a time", argv[optind]);
    if (check && args.command != RUN)
        refuse("--check stands alone", "");
    if (check)
        args.command = CHECK;
    if (args.wait >= 0 && args.command != RECONCILE
        && (args.command != DLQ || dlq->action != DLQ_REPLAY))
        refuse("--wait belongs to reconcile and dlq replay", "");
    if (args.repair && args.command != RECONCILE)
        refuse("--repair belongs to reconcile", "");
    dlq->wait = args.wait < 0 ? DLQ_SECONDS : args.wait;
    if (dlq->limit == 0)
        dlq->limit = DLQ_LIMIT;
    if (args.wait < 0)
        args.wait = WAIT_SECONDS;
    if (args.path == NULL && access(CONF_PATH, F_OK) == 0)
        args.path = CONF_PATH;
    return args;
}

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
    case DLQ:
        code = command_dlq(conf, &args.dlq);
        break;
    }
    db_library_stop();
    conf_free(conf);
    return code;
}
