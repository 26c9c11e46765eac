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

#endif
