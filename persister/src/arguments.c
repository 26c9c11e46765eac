/* The command line: words, options, and which of them fit together. */

#include "arguments.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WAIT_SECONDS 10         /* reconcile: for tickets that are moving */
#define DLQ_SECONDS  60         /* dlq replay: a sweep is twice as often */
#define DLQ_LIMIT    100
#define SHARE        75         /* benchmark: the rest is for what else there is */
#define SECONDS      10
#define SECONDS_MAX  60         /* each of them may be 100,000 rows on a disk */

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
    "  benchmark           how many rows a second does the database take, and how\n"
    "                      many buyers may waiting rooms admit?\n"
    "      --share PERCENT of the rows waiting rooms may use (default: 75)\n"
    "      --seconds NUMBER  of each measurement (default: 10)\n"
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
    if (strcmp(word, "benchmark") == 0)
        return BENCHMARK;
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

/* a number from 1 to max */
static int
number_of(const char *text, int max, const char *sentence)
{
    if (!is_number(text, 5) || atoi(text) < 1 || atoi(text) > max)
        refuse(sentence, text);
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

struct arguments
parse_arguments(int argc, char **argv)
{
    enum { O_CHECK = 256, O_REPAIR, O_WAIT, O_STATE, O_TICKET, O_LIMIT, O_ALL,
        O_SHARE, O_SECONDS };
    static const struct option known[] = {
        { "config", required_argument, NULL, 'c' },
        { "check", no_argument, NULL, O_CHECK },
        { "repair", no_argument, NULL, O_REPAIR },
        { "wait", required_argument, NULL, O_WAIT },
        { "state", required_argument, NULL, O_STATE },
        { "ticket", required_argument, NULL, O_TICKET },
        { "limit", required_argument, NULL, O_LIMIT },
        { "all", no_argument, NULL, O_ALL },
        { "share", required_argument, NULL, O_SHARE },
        { "seconds", required_argument, NULL, O_SECONDS },
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
        case O_SHARE:
            args.benchmark.share = number_of(optarg, 100,
                "--share needs a number from 1 to 100");
            break;
        case O_SECONDS:
            args.benchmark.seconds = number_of(optarg, SECONDS_MAX,
                "--seconds needs a number from 1 to 60");
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
    if ((args.benchmark.share > 0 || args.benchmark.seconds > 0)
        && args.command != BENCHMARK)
        refuse("--share and --seconds belong to benchmark", "");
    if (args.benchmark.share == 0)
        args.benchmark.share = SHARE;
    if (args.benchmark.seconds == 0)
        args.benchmark.seconds = SECONDS;
    dlq->wait = args.wait < 0 ? DLQ_SECONDS : args.wait;
    if (dlq->limit == 0)
        dlq->limit = DLQ_LIMIT;
    if (args.wait < 0)
        args.wait = WAIT_SECONDS;
    if (args.path == NULL && access(CONF_PATH, F_OK) == 0)
        args.path = CONF_PATH;
    return args;
}
