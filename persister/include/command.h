/* What the program does besides running: each returns the exit code. */

#ifndef PERSISTER_COMMAND_H
#define PERSISTER_COMMAND_H

#include "conf.h"

enum {
    EXIT_OK          = 0,
    EXIT_DIFFERENCES = 1,
    EXIT_USAGE       = 2,       /* or the configuration */
    EXIT_SERVER      = 3        /* not reached, or it refused */
};

/* --check: `path` as given, NULL: none */
int command_check(const struct conf *conf, const char *path);

int command_migrate(const struct conf *conf);

/* `seconds`: how long tickets that are still moving are waited for; `repair`:
 * those that differ are closed, for recovery to rebuild them from MySQL */
int command_reconcile(const struct conf *conf, int seconds, bool repair);

enum dlq_action { DLQ_LIST, DLQ_SHOW, DLQ_REPLAY, DLQ_DISCARD };

struct dlq_arguments {
    enum dlq_action action;
    const char     *id;         /* digits; NULL: list, or replay of all */
    const char     *state;      /* list: of this state, NULL: of any */
    const char     *ticket;     /* list, replay of all: NULL: of any */
    int             limit;      /* list: this many, the newest first */
    bool            all;        /* replay: whatever can be */
    int             wait;       /* replay: seconds until it is stored */
};

/* EXIT_DIFFERENCES: not there, or not all of it could be done */
int command_dlq(const struct conf *conf, const struct dlq_arguments *args);

struct benchmark_arguments {
    int seconds;                /* of each measurement */
    int share;                  /* percent waiting rooms may use */
};

/* EXIT_DIFFERENCES: stopped by a signal.  Its tables in MySQL are its own. */
int command_benchmark(const struct conf *conf,
    const struct benchmark_arguments *args);

#endif
