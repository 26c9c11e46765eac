/* A worker thread: what it does, in order, over and over. */

#include "worker.h"

#include <stdlib.h>
#include <string.h>
#include "log.h"
#include "metrics.h"
#include "outbox.h"
#include "picture.h"
#include "source_kafka.h"
#include "source_shard.h"
#include "sweep.h"
#include "tick.h"
#include "verify.h"
#include "work.h"

#define TICK_MS   100           /* nothing waits longer for its turn */
#define PING_MS   5000
#define FINISH_MS 5000          /* for what is held, when it ends */

bool
worker_may_warn(struct worker *w)
{
    int64_t now = tick_ms();

    if (now >= w->quiet_at) {
        w->quiet_at = now + 1000;
        w->quiet = 10;
    }
    if (w->quiet > 0) {
        w->quiet--;
        return true;
    }
    return false;
}

/* a session is new: locks and settings of the old one are gone */
static void
on_session(struct worker *w)
{
    w->store.impatient = false;
    w->list_at = 0;
    if (w->shards != NULL)
        source_shard_lost(w);
}

static bool
connected(struct worker *w)
{
    int64_t now = tick_ms();

    if (w->db.mysql == NULL && now >= w->db_wait.retry_at) {
        if (db_connect(&w->db) == DB_OK) {
            w->db_wait = (struct backoff) { 0, 0 };
            on_session(w);
        } else {
            backoff_fail(&w->db_wait, &w->seed);
        }
    }
    if (w->rds.redis == NULL && now >= w->rds_wait.retry_at) {
        if (rds_connect(&w->rds))
            w->rds_wait = (struct backoff) { 0, 0 };
        else
            backoff_fail(&w->rds_wait, &w->seed);
    }
    return w->db.mysql != NULL && w->rds.redis != NULL;
}

static void
pause_ms(int64_t ms)
{
    struct timespec time = { ms / 1000, ms % 1000 * 1000000 };

    if (ms > 0)
        nanosleep(&time, NULL);
}

/* something can be done without waiting for anybody */
static bool
has_work(struct worker *w)
{
    int64_t now = tick_ms();
    struct lane *lane;

    if ((w->late.first != NULL && now >= w->late.wait.retry_at)
        || (w->unusable.first != NULL && now >= w->unusable.wait.retry_at)
        || store_ready(w))
        return true;
    TAILQ_FOREACH(lane, &w->lanes.busy, busy)
        if (!lane->stale && now >= lane->fill_at && now >= lane->retry_at
            && lane->due > lane->picture.applied
            && lane->known > lane->picture.applied)
            return true;
    return false;
}

static void
round_once(struct worker *w)
{
    if (w->db.mysql != NULL)
        late_store(w);
    if (w->db.mysql != NULL)
        unusable_store(w);
    if (w->db.mysql == NULL || picture_refresh(w) != DB_OK)
        return;
    verify_busy(w);
    outbox_fill(w);
    if (w->db.mysql != NULL)
        store_round(w);
    if (w->kafka != NULL)
        source_kafka_store(w);
}

static void
gather(struct worker *w)
{
    int timeout = has_work(w) ? 0 : TICK_MS;
    int room = w->conf->persister.batch_events - store_waiting(w);

    if (w->kafka != NULL) {
        if (room > 0)
            source_kafka_gather(w, timeout, room);
        return;
    }
    if (timeout > w->conf->persister.poll_ms)
        timeout = w->conf->persister.poll_ms;
    pause_ms(timeout);
    if (source_shard_take(w))
        w->list_at = 0;
    source_shard_poll(w);
}

static void
timers(struct worker *w)
{
    int64_t now = tick_ms();
    unsigned generation = keeper_generation();

    if (w->kafka != NULL)
        source_kafka_recount(w);
    if (generation != w->generation || now >= w->list_at) {
        w->generation = generation;
        /* without Kafka nobody else tells of tickets another process opens */
        w->list_at = now + (w->kafka != NULL && source_kafka_joined(w)
            ? w->conf->persister.sweep_ms : w->conf->persister.tail_ms);
        if (!sweep_list(w))
            w->list_at = now + 1000;
    }
    if (now >= w->tail_at && w->kafka != NULL) {
        w->tail_at = now + w->conf->persister.tail_ms;
        sweep_tail(w);
    }
    if (now >= w->sweep_at) {
        w->sweep_at = now + w->conf->persister.sweep_ms;
        sweep_all(w);
    }
    if (w->db.mysql != NULL && now - w->db.used_at >= PING_MS)
        db_ping(&w->db);
}

static void
idle(struct worker *w)
{
    if (w->kafka != NULL)
        source_kafka_idle(w, TICK_MS);
    else
        pause_ms(TICK_MS);
}

/* what is complete is stored, the rest comes again */
static void
finish(struct worker *w)
{
    int64_t until = tick_ms() + FINISH_MS;

    while (w->db.mysql != NULL && w->rds.redis != NULL && tick_ms() < until
        && tick_ms() >= w->store_wait.retry_at)
    {
        round_once(w);
        if (!store_ready(w))
            break;
    }
}

static void *
run(void *data)
{
    struct worker *w = data;
    bool waiting = false;

    while (!atomic_load(&w->stop)) {
        bool ready = connected(w) && tick_ms() >= w->store_wait.retry_at;
        if (ready == waiting) {
            waiting = !ready;
            metric_add(M_WORKERS_BACKING_OFF, waiting ? 1 : -1);
        }
        if (!ready) {
            idle(w);
            continue;
        }
        gather(w);
        round_once(w);
        if (w->db.mysql != NULL && w->rds.redis != NULL)
            timers(w);
    }
    if (waiting)
        metric_add(M_WORKERS_BACKING_OFF, -1);
    finish(w);
    if (w->kafka != NULL)
        source_kafka_free(w);
    lanes_clear(&w->lanes);
    rds_close(&w->rds);
    db_close(&w->db);
    return NULL;
}

static void
worker_free(struct worker *w)
{
    if (w->shards != NULL)
        source_shard_free(w->shards);
    late_free(&w->late);
    unusable_forget(&w->unusable, -1);
    lanes_free(&w->lanes);
    store_free(&w->store);
    sql_free(&w->sql);
    free(w);
}

struct worker *
worker_start(const struct conf *conf, int number)
{
    struct worker *w = calloc(1, sizeof *w);

    if (w == NULL)
        return NULL;
    w->conf = conf;
    w->number = number;
    w->seed = (unsigned) tick_ms() * 31 + (unsigned) number;
    atomic_init(&w->stop, false);
    late_init(&w->late);
    db_init(&w->db, conf);
    rds_init(&w->rds, conf);
    bool good = lanes_init(&w->lanes)
        && store_init(&w->store, (uint32_t) conf->persister.batch_events);
    if (good && conf->kafka.enabled)
        good = source_kafka_new(w) != NULL;
    else if (good)
        good = (w->shards = source_shard_new(w)) != NULL;
    if (good && pthread_create(&w->thread, NULL, run, w) == 0)
        return w;

    log_error("worker %d could not be started", number);
    if (w->kafka != NULL)
        source_kafka_free(w);
    worker_free(w);
    return NULL;
}

void
worker_stop(struct worker *w)
{
    atomic_store(&w->stop, true);
}

void
worker_join(struct worker *w)
{
    pthread_join(w->thread, NULL);
    worker_free(w);
}
