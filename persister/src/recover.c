/*
 * Recovery, in rounds: all tickets that wait for it are claimed, drained by
 * one pass over outboxes and topic, and then each is sealed and rebuilt.  What
 * does not come through is taken up again by the next round.
 */

#include "recover.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "drain.h"
#include "log.h"
#include "metrics.h"
#include "open.h"
#include "pause.h"
#include "picture.h"
#include "rebuild.h"
#include "seal.h"

#define ROUND_MAX 5000          /* tickets of one round */
#define LINGER_MS 2000          /* longer than the edges' producers wait */
#define AGAIN_MS  1000

/* a ticket of this round */
struct patient {
    struct opening o;
    uint64_t       old;                 /* its epoch in MySQL */
    uint64_t       top;                 /* the largest met */
    bool           open;
    char           name[TICKET_ID_MAX + 1];
};

struct recoverer {
    const struct conf *conf;
    pthread_t          thread;
    atomic_bool        stop, wanted;
    struct worker      w;
    struct backoff     wait;
    struct patient   **patients;
    size_t             count;
};

/* --------------------------------------------------------------- claim --- */

/* false: a server is away */
static bool
consider(struct recoverer *r, const char *replid, ticket_slice_t name)
{
    struct worker *w = &r->w;
    struct found found = { .row = false };
    enum opened opened;

    struct patient *p = calloc(1, sizeof *p);
    if (p == NULL)
        return false;
    memcpy(p->name, name.data, name.len);
    p->o = (struct opening) { .db = &w->db, .rds = &w->rds,
        .ticket = { p->name, name.len } };
    strcpy(p->o.replid, replid);

    bool ours = open_peek(&p->o, &found) == OPEN_RECOVERY
        && open_lock(&p->o, true);
    if (ours && !open_claim(&p->o, &found, "old", &opened)) {
        open_lock(&p->o, false);
        ours = false;
    }
    if (!ours) {
        free(p);
        return w->db.mysql != NULL && w->rds.redis != NULL;
    }
    p->old = p->top = found.row_epoch;
    if (found.hash_epoch > p->top)
        p->top = found.hash_epoch;
    r->patients[r->count++] = p;
    return true;
}

static bool
is_here(const struct recoverer *r, ticket_slice_t name)
{
    return lanes_find(&r->w.lanes, name, 0) != NULL;
}

static bool
add_lanes(struct recoverer *r, const struct patient *p)
{
    for (uint32_t i = 0; i < p->o.definition.lanes; i++)
        if (lanes_add(&r->w.lanes, p->o.ticket, i) == NULL)
            return false;
    return true;
}

static bool
consider_page(struct recoverer *r, const char *replid, const redisReply *names)
{
    for (size_t i = 0; i < names->elements && r->count < ROUND_MAX; i++) {
        const redisReply *one = names->element[i];
        ticket_slice_t name = { one->str, (size_t) one->len };
        size_t count = r->count;
        if (atomic_load(&r->stop))
            return false;
        if (!ticket_name_valid(name) || is_here(r, name))
            continue;
        if (!consider(r, replid, name)
            || (r->count > count && !add_lanes(r, r->patients[count])))
            return false;
    }
    return true;
}

static bool
gather(struct recoverer *r)
{
    char cursor[32] = "0", replid[41];
    bool good = rds_replid(&r->w.rds, replid);

    while (good && r->count < ROUND_MAX) {
        const char *argv[] = { "SSCAN", "tickets:recover", cursor, "COUNT",
            "200" };
        redisReply *reply = rds_command(&r->w.rds, 5, argv, NULL);
        good = reply != NULL && reply->type == REDIS_REPLY_ARRAY
            && reply->elements == 2
            && reply->element[1]->type == REDIS_REPLY_ARRAY;
        if (good) {
            snprintf(cursor, sizeof cursor, "%s", reply->element[0]->str);
            good = consider_page(r, replid, reply->element[1]);
        }
        if (reply != NULL)
            freeReplyObject(reply);
        if (strcmp(cursor, "0") == 0)
            break;
    }
    return good;
}

/* ---------------------------------------------------------- bring back --- */

static bool
read_pictures(struct recoverer *r)
{
    struct lanes *lanes = &r->w.lanes;

    if (picture_read(&r->w, lanes->all, lanes->count) != DB_OK)
        return false;
    for (size_t i = 0; i < lanes->count; i++) {
        struct lane *lane = lanes->all[i];
        const struct picture *p = &lane->picture;
        /* an older drain of this epoch did not come to its end */
        for (size_t k = 0; k < p->nskipped && lane->skipped_from == 0; k++)
            if (p->skipped[k].epoch == p->epoch)
                lane->skipped_from = p->skipped[k].number;
    }
    return true;
}

/* every lane is stored to its end; the largest epoch met goes to p->top */
static bool
is_drained(struct recoverer *r, struct patient *p)
{
    for (uint32_t i = 0; i < p->o.definition.lanes; i++) {
        struct lane *lane = lanes_find(&r->w.lanes, p->o.ticket, i);
        if (lane == NULL || !drain_done(lane) || lane->picture.epoch != p->old)
        {
            log_warn("recovery: ticket %s: lane %" PRIu32 " could not be"
                " drained", p->name, i);
            return false;
        }
        if (lane->newest > p->top)
            p->top = lane->newest;
    }
    return true;
}

static void
no_more(struct recoverer *r, const struct patient *p)
{
    const char *argv[] = { "SREM", "tickets:recover", p->name };
    redisReply *reply = rds_command(&r->w.rds, 3, argv, NULL);

    if (reply != NULL)
        freeReplyObject(reply);
}

static void
bring_back(struct recoverer *r, struct patient *p, double began)
{
    if (!is_drained(r, p))
        return;
    p->o.epoch = p->top + 1;
    if (seal(&p->o, p->old) != OPEN_DONE)
        return;
    pause_point("sealed");
    if (rebuild(&p->o) != OPEN_DONE)
        return;
    p->open = true;
    no_more(r, p);
    metric_add(M_RECOVERED, 1);
    histogram_observe(H_RECOVERY, tick_seconds() - began);
    keeper_opened();
    log_info("recovery: ticket %s is open again in epoch %" PRIu64 ", %" PRIu64
        " buyers, after %.1f s", p->name, p->o.epoch, p->o.buyers,
        tick_seconds() - began);
}

static void
clear(struct recoverer *r)
{
    for (size_t i = 0; i < r->count; i++) {
        if (r->w.db.mysql != NULL)
            open_lock(&r->patients[i]->o, false);
        free(r->patients[i]);
    }
    r->count = 0;
    late_forget(&r->w.late, -1);
    lanes_clear(&r->w.lanes);
    r->w.store_wait = (struct backoff) { 0, 0 };
}

/* false: something is left, to be tried again soon */
static bool
round_once(struct recoverer *r)
{
    double began = tick_seconds();
    struct drain drain = { .w = &r->w, .stop = &r->stop };
    bool good = gather(r), all = true;

    pause_point("claimed");
    drain.kafka_at = tick_ms() + LINGER_MS;
    if (good && r->count > 0) {
        log_info("recovery: %zu tickets are being drained", r->count);
        good = read_pictures(r) && drain_run(&drain);
        pause_point("drained");
    }
    for (size_t i = 0; i < r->count && good; i++) {
        if (atomic_load(&r->stop) || r->w.db.mysql == NULL
            || r->w.rds.redis == NULL)
            good = false;
        else
            bring_back(r, r->patients[i], began);
    }
    for (size_t i = 0; i < r->count; i++)
        all = all && r->patients[i]->open;
    if (!good && !atomic_load(&r->stop))
        log_warn("recovery: a server is away (%s), again soon",
            r->w.db.mysql == NULL ? "MySQL" : r->w.rds.redis == NULL ? "Redis"
            : "or slow");
    clear(r);
    return good && all;
}

/* ---------------------------------------------------------------- thread --- */

static void
rest(struct recoverer *r, int64_t ms)
{
    const struct timespec some = { .tv_nsec = 20000000 };
    int64_t until = tick_ms() + ms;

    while (tick_ms() < until && !atomic_load(&r->stop))
        nanosleep(&some, NULL);
}

static void *
run(void *data)
{
    struct recoverer *r = data;
    struct worker *w = &r->w;

    while (!atomic_load(&r->stop)) {
        if (!atomic_exchange(&r->wanted, false)) {
            if (w->db.mysql != NULL && tick_ms() - w->db.used_at > 5000)
                db_ping(&w->db);
            rest(r, 50);
            continue;
        }
        if (db_connect(&w->db) == DB_OK && rds_connect(&w->rds)
            && round_once(r))
            continue;
        atomic_store(&r->wanted, true);
        rest(r, AGAIN_MS);
    }
    rds_close(&w->rds);
    db_close(&w->db);
    return NULL;
}

static void
recoverer_free(struct recoverer *r)
{
    late_free(&r->w.late);
    lanes_free(&r->w.lanes);
    store_free(&r->w.store);
    sql_free(&r->w.sql);
    free(r->patients);
    free(r);
}

struct recoverer *
recoverer_start(const struct conf *conf)
{
    struct recoverer *r = calloc(1, sizeof *r);

    if (r == NULL)
        return NULL;
    struct worker *w = &r->w;
    r->conf = w->conf = conf;
    w->number = conf->persister.threads;
    w->seed = (unsigned) tick_ms();
    w->drains = true;
    atomic_init(&r->stop, false);
    atomic_init(&r->wanted, false);
    late_init(&w->late);
    db_init(&w->db, conf);
    rds_init(&w->rds, conf);
    r->patients = calloc(ROUND_MAX, sizeof *r->patients);
    if (r->patients != NULL && lanes_init(&w->lanes)
        && store_init(&w->store, (uint32_t) conf->persister.batch_events)
        && pthread_create(&r->thread, NULL, run, r) == 0)
        return r;
    log_error("the recoverer could not be started");
    recoverer_free(r);
    return NULL;
}

void
recoverer_wake(struct recoverer *r)
{
    atomic_store(&r->wanted, true);
}

void
recoverer_stop(struct recoverer *r)
{
    atomic_store(&r->stop, true);
}

void
recoverer_join(struct recoverer *r)
{
    pthread_join(r->thread, NULL);
    recoverer_free(r);
}
