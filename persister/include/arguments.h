/* The command line. */

#ifndef PERSISTER_ARGUMENTS_H
#define PERSISTER_ARGUMENTS_H

#include "command.h"

enum command { RUN, CHECK, MIGRATE, RECONCILE, BENCHMARK, DLQ };

struct arguments {
    enum command command;
    const char  *path;          /* of the configuration, NULL: none */
    int          wait;
    bool         repair;
    struct benchmark_arguments benchmark;
    struct dlq_arguments dlq;
};

/* What is wrong, --help and --version end the process. */
struct arguments parse_arguments(int argc, char **argv);

#endif
