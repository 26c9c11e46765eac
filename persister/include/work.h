/* The inside of a worker, shared by the files that do its work. */

#ifndef PERSISTER_WORK_H
#define PERSISTER_WORK_H

#include <pthread.h>
#include <stdatomic.h>
#include "conf.h"
#include "db.h"
#include "lanes.h"
#include "late.h"
#include "rds.h"
#include "store.h"
#include "tick.h"
#include "unusable.h"
#include "worker.h"

#define PIPELINE 500            /* commands in one round trip at most */

struct source_kafka;
struct source_shard;

struct worker {
    const struct conf   *conf;
    int                  number;
    pthread_t            thread;
    atomic_bool          stop;
    unsigned             seed;

    struct db            db;
    bool                 db_busy;       /* an answer of MySQL is outstanding */
    struct rds           rds;
    struct backoff       db_wait, rds_wait, store_wait;

    struct lanes         lanes;
    struct source_kafka *kafka;         /* one of the two */
    struct source_shard *shards;
    struct late          late;
    struct unusable      unusable;
    struct store         store;
    struct sql           sql;

    bool                 drains;        /* the recoverer's: without a source */
    unsigned             generation;    /* of the keeper, when last looked */
    int64_t              tail_at, sweep_at, list_at, quiet_at;
    unsigned             quiet;         /* warnings left in this second */
};

/* a warning that anybody can cause any number of times: ten a second */
bool worker_may_warn(struct worker *w);

#endif
