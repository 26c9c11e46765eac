/* Sessions that store made-up bookings as fast as MySQL takes them. */

#include "measure.h"

#include <inttypes.h>
#include <mysqld_error.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include "log.h"
#include "store_sql.h"

#define TICKET "benchmark"
#define LOOK_NS 50000000        /* between looks at signals */

/* what the sessions share */
struct race {
    int        seconds;
    int64_t    time;            /* ms, of every booking */
    atomic_int running;
    atomic_bool stop;
};

struct runner {
    struct worker w;            /* of it a session, a lane, a store */
    struct lane  *lane;
    struct race  *race;
    uint64_t      rows;
    double        began, ended;
    bool          failed;
};

/* no two are the same, and they follow no order: as user ids of a sale meet
 * the index (the finalizer of splitmix64, a bijection) */
static uint64_t
scatter(uint64_t n)
{
    n = (n ^ n >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    n = (n ^ n >> 27) * UINT64_C(0x94d049bb133111eb);
    return n ^ n >> 31;
}

static bool
hold_booking(struct runner *r, uint64_t seq, uint32_t max)
{
    char user[32], id[TICKET_EVENT_ID_MAX];
    struct lane *lane = r->lane;
    ticket_event_t ev = {
        .type = TICKET_EVENT_BOOKED, .time = r->race->time,
        .ticket = lane->ticket, .lane = lane->number, .epoch = 1, .seq = seq,
        .quantity = 1, .holding = 1
    };

    ev.user.data = user;
    ev.user.len = (size_t) snprintf(user, sizeof user, "user-%016" PRIx64,
        scatter((uint64_t) lane->number << 40 | seq));
    ev.booking_id.data = id;
    ev.booking_id.len = ticket_event_id(id, sizeof id, lane->ticket,
        lane->number, 1, seq);
    ev.holding_id = ev.booking_id;

    struct record *record = record_new(&ev,
        (struct place) { .offset = -1 });
    if (record == NULL)
        return false;
    if (lane_hold(lane, record, max) == HOLD_KEPT)
        return true;
    record_free(record);
    return false;
}

/* one transaction, as batch.c makes it of nothing but bookings */
static enum db_result
write_batch(struct worker *w, const struct item *item)
{
    size_t upserts, deletes;
    enum db_result r;
    bool held;

    if ((r = db_begin(&w->db)) != DB_OK
        || (r = store_fence(w, item, 1, &held)) != DB_OK)
        return r;
    if (!held) {
        snprintf(w->db.message, sizeof w->db.message,
            "somebody else writes to " MEASURE_PROGRESS);
        return DB_PERMANENT;
    }
    if ((r = store_rows(w, item, 1, &upserts, &deletes)) != DB_OK)
        return r;
    return db_commit(&w->db);
}

static bool
store_batch(struct runner *r)
{
    uint32_t n = (uint32_t) r->w.conf->persister.batch_events;
    struct item item = { .lane = r->lane, .n = n };
    struct worker *w = &r->w;
    enum db_result result;

    for (uint32_t k = 1; k <= n; k++)
        if (!hold_booking(r, r->lane->picture.applied + k, n))
            return false;
    /* sessions that insert into one index may meet in a deadlock, as workers
     * do: the batch is made again */
    while ((result = write_batch(w, &item)) == DB_TRANSIENT
        && w->db.mysql != NULL && w->db.error == ER_LOCK_DEADLOCK
        && !atomic_load(&r->race->stop))
        db_rollback(&w->db);
    if (result != DB_OK)
        return false;
    lane_advance(r->lane, n);
    r->rows += n;
    return true;
}

static void *
run(void *data)
{
    struct runner *r = data;

    r->failed = db_connect(&r->w.db) != DB_OK;
    r->began = tick_seconds();
    while (!r->failed && !atomic_load(&r->race->stop)
        && tick_seconds() - r->began < r->race->seconds)
    {
        r->failed = !store_batch(r);
    }
    r->ended = tick_seconds();
    if (r->failed) {
        log_error("benchmark: mysql: %s", r->w.db.message);
        atomic_store(&r->race->stop, true);
    }
    db_close(&r->w.db);
    atomic_fetch_sub(&r->race->running, 1);
    return NULL;
}

static bool
runner_init(struct runner *r, const struct conf *conf, struct race *race,
    uint32_t number)
{
    struct worker *w = &r->w;

    r->race = race;
    w->conf = conf;
    db_init(&w->db, conf);
    if (!lanes_init(&w->lanes)
        || !store_init(&w->store, (uint32_t) conf->persister.batch_events)
        || (r->lane = lanes_add(&w->lanes, (ticket_slice_t) ticket_slice(TICKET),
                number))
            == NULL)
        return false;
    w->store.progress = MEASURE_PROGRESS;
    w->store.purchases = MEASURE_PURCHASES;
    r->lane->picture.epoch = 1;
    return true;
}

static void
runner_free(struct runner *r)
{
    lanes_free(&r->w.lanes);
    store_free(&r->w.store);
}

/* until all have ended; true: a signal has ended them */
static bool
wait_for_all(struct race *race, struct db *db)
{
    const struct timespec look = { .tv_nsec = LOOK_NS };
    bool stopped = false;
    sigset_t signals;

    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    while (atomic_load(&race->running) > 0) {
        if (sigtimedwait(&signals, NULL, &look) > 0) {
            atomic_store(&race->stop, true);
            stopped = true;
        }
        db_ping(db);
    }
    return stopped;
}

static uint64_t
rate_of(const struct runner *runners, int n)
{
    double began = runners[0].began, ended = runners[0].ended;
    uint64_t rows = 0;

    for (int i = 0; i < n; i++) {
        rows += runners[i].rows;
        began = runners[i].began < began ? runners[i].began : began;
        ended = runners[i].ended > ended ? runners[i].ended : ended;
    }
    double rate = ended > began ? (double) rows / (ended - began) : 0;
    return rate < 1 ? 1 : (uint64_t) rate;
}

enum measured
measure(const struct conf *conf, struct db *db, uint32_t first, int sessions,
    int seconds, uint64_t *rate)
{
    struct runner *runners = calloc((size_t) sessions, sizeof *runners);
    struct race race = { .seconds = seconds };
    struct timespec now;
    bool failed = runners == NULL;
    int n = 0;

    clock_gettime(CLOCK_REALTIME, &now);
    race.time = (int64_t) now.tv_sec * 1000;
    atomic_init(&race.stop, false);
    atomic_init(&race.running, 0);
    for (int i = 0; i < sessions && !failed; i++)
        failed = !runner_init(&runners[i], conf, &race, first + (uint32_t) i);
    for (; n < sessions && !failed; n++) {
        atomic_fetch_add(&race.running, 1);
        if (pthread_create(&runners[n].w.thread, NULL, run, &runners[n]) != 0) {
            atomic_fetch_sub(&race.running, 1);
            atomic_store(&race.stop, true);
            failed = true;
            break;
        }
    }
    if (failed)
        log_error("benchmark: no memory, or no thread");
    bool stopped = wait_for_all(&race, db);
    for (int i = 0; i < n; i++) {
        pthread_join(runners[i].w.thread, NULL);
        failed = failed || runners[i].failed;
    }
    if (!failed)
        *rate = rate_of(runners, n);
    for (int i = 0; runners != NULL && i < sessions; i++)
        runner_free(&runners[i]);
    free(runners);
    return stopped ? MEASURE_STOPPED : failed ? MEASURE_FAILED : MEASURED;
}
