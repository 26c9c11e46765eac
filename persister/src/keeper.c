/* The keeper thread: catalogue, waiting rooms, tickets:recover, opening of new
 * tickets, late events.  What was open before is the recoverer's, a thread
 * beside it. */

#include "worker.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include "catalogue.h"
#include "log.h"
#include "metrics.h"
#include "open.h"
#include "recover.h"
#include "rooms.h"
#include "settle.h"
#include "tick.h"

#define CATALOGUE_MS 1000
#define ROOMS_MS     1000
#define GAUGES_MS    5000
#define ALARM_MS     60000
#define AGAIN_MS     500        /* a ticket somebody else is at */
#define FAILED_MS    5000       /* one that could not be opened */
#define CLOSED_MS    3000       /* one that has to be recovered */
#define SETTLE_MS    1000
#define ROUND        20         /* SSCANs in one round at most */
#define WAITING      1024       /* tickets remembered; a power of two */

/* a name that was tried, so that it does not hold up the others; two names in
 * one place only try each other's patience */
struct waiting {
    uint64_t hash;
    int64_t  until;
};

struct keeper {
    const struct conf *conf;
    pthread_t          thread;
    atomic_bool        stop;
    unsigned           seed;
    struct db          db;
    struct rds         rds;
    struct backoff     wait;
    struct sql         sql;
    struct waiting     waiting[WAITING];
    char               cursor[32];      /* of SSCAN */
    struct settle      settle;
    struct rooms       rooms;
    struct recoverer  *recoverer;
    int64_t            catalogue_at, rooms_at, gauges_at, open_at, settle_at;
    int64_t            alarm_at;
    size_t             closed;          /* met since the last alarm */
    char               example[TICKET_ID_MAX + 1];
};

static atomic_uint generation;

unsigned
keeper_generation(void)
{
    return atomic_load(&generation);
}

void
keeper_opened(void)
{
    metric_add(M_OPENED, 1);
    atomic_fetch_add(&generation, 1);
}

/* -------------------------------------------------------------- opening --- */

static uint64_t
hash_of(ticket_slice_t name)
{
    uint64_t hash = UINT64_C(14695981039346656037);

    for (size_t i = 0; i < name.len; i++)
        hash = (hash ^ (unsigned char) name.data[i]) * UINT64_C(1099511628211);
    return hash ^ hash >> 32;
}

static void
no_more(struct keeper *k, ticket_slice_t name)
{
    const char *argv[] = { "SREM", "tickets:recover", name.data };
    size_t lens[] = { 4, 15, name.len };

    rds_done(rds_command(&k->rds, 3, argv, lens), "keeper");
}

static void
is_closed(struct keeper *k, ticket_slice_t name)
{
    if (k->closed++ == 0) {
        memcpy(k->example, name.data, name.len);
        k->example[name.len] = '\0';
    }
}

static void
alarm_closed(struct keeper *k, int64_t now)
{
    if (k->closed == 0 || now < k->alarm_at)
        return;
    k->alarm_at = now + ALARM_MS;
    log_error("keeper: tickets stay closed, as they were open in Redis and"
        " MySQL does not know them: %s%s", k->example,
        k->closed > 1 ? " and others" : "");
    k->closed = 0;
}

/* false: a server is away */
static bool
try_name(struct keeper *k, ticket_slice_t name)
{
    uint64_t hash = hash_of(name);
    struct waiting *waiting = &k->waiting[hash & (WAITING - 1)];
    int64_t now = tick_ms();

    if (!ticket_name_valid(name)) {
        log_warn("keeper: a name of %zu bytes in tickets:recover is no"
            " ticket's, and is removed", name.len);
        no_more(k, name);
        return k->rds.redis != NULL;
    }
    if (waiting->hash == hash && now < waiting->until)
        return true;
    *waiting = (struct waiting) { hash, now + AGAIN_MS };
    switch (open_ticket(&k->db, &k->rds, name)) {
    case OPEN_DONE:
        no_more(k, name);
        keeper_opened();
        break;
    case OPEN_NONE:
        log_info("keeper: %.*s in tickets:recover has no definition, and is"
            " removed", (int) name.len, name.data);
        no_more(k, name);
        break;
    case OPEN_RECOVERY:
        waiting->until = now + CLOSED_MS;
        recoverer_wake(k->recoverer);
        break;
    case OPEN_UNKNOWN:
        waiting->until = now + CLOSED_MS;
        is_closed(k, name);
        break;
    case OPEN_FAILED:
        waiting->until = now + FAILED_MS;
        break;
    case OPEN_BUSY:
        break;
    }
    return k->db.mysql != NULL && k->rds.redis != NULL;
}

static bool
try_some(struct keeper *k, const redisReply *names)
{
    bool good = true;

    for (size_t i = 0; i < names->elements && good && !atomic_load(&k->stop);
        i++)
    {
        const redisReply *name = names->element[i];
        good = try_name(k, (ticket_slice_t) { name->str,
            (size_t) name->len });
    }
    return good;
}

static bool
open_all(struct keeper *k)
{
    bool good = true;

    for (int i = 0; i < ROUND && good && !atomic_load(&k->stop); i++) {
        const char *argv[] = { "SSCAN", "tickets:recover", k->cursor,
            "COUNT", "100" };
        redisReply *reply = rds_command(&k->rds, 5, argv, NULL);
        good = reply != NULL && reply->type == REDIS_REPLY_ARRAY
            && reply->elements == 2
            && reply->element[1]->type == REDIS_REPLY_ARRAY;
        if (good) {
            snprintf(k->cursor, sizeof k->cursor, "%s",
                reply->element[0]->str);
            good = try_some(k, reply->element[1]);
        }
        if (reply != NULL)
            freeReplyObject(reply);
        if (strcmp(k->cursor, "0") == 0)
            break;
    }
    return good;
}

/* ---------------------------------------------------------------- loop --- */

static bool
gauges(struct keeper *k)
{
    static const char query[] = "SELECT (SELECT COUNT(*) FROM late_events"
        " WHERE outcome IS NULL), (SELECT COUNT(*) FROM dead_letters"
        " WHERE state='pending' AND user_id IS NOT NULL"
        " AND booking_id IS NOT NULL)";
    const char *argv[] = { "SCARD", "tickets:recover" };
    MYSQL_RES *res;

    if (db_query(&k->db, query, sizeof query - 1, &res) != DB_OK)
        return false;
    MYSQL_ROW row = mysql_fetch_row(res);
    metric_set(M_LATE_PENDING, strtoll(row[0], NULL, 10));
    metric_set(M_DEAD_PENDING, strtoll(row[1], NULL, 10));
    mysql_free_result(res);
    redisReply *reply = rds_command(&k->rds, 2, argv, NULL);
    if (reply != NULL && reply->type == REDIS_REPLY_INTEGER)
        metric_set(M_RECOVER_QUEUE, reply->integer);
    return rds_done(reply, "keeper");
}

static bool
connected(struct keeper *k)
{
    if (tick_ms() < k->wait.retry_at)
        return false;
    if (db_connect(&k->db) == DB_OK && rds_connect(&k->rds))
        return true;
    backoff_fail(&k->wait, &k->seed);
    return false;
}

static bool
round_once(struct keeper *k)
{
    int64_t now = tick_ms();

    if (now >= k->catalogue_at) {
        k->catalogue_at = now + CATALOGUE_MS;
        if (!catalogue_keep(&k->db, &k->rds, &k->sql))
            return false;
    }
    if (now >= k->rooms_at) {
        k->rooms_at = now + ROOMS_MS;
        if (!rooms_keep(&k->rooms, &k->db, &k->rds, &k->sql))
            return false;
    }
    if (now >= k->open_at) {
        k->open_at = now + k->conf->persister.open_ms;
        if (!open_all(k))
            return false;
    }
    if (now >= k->settle_at || k->settle.more) {
        k->settle_at = now + SETTLE_MS;
        if (!settle_some(&k->settle, &k->db, &k->rds))
            return false;
    }
    if (now >= k->gauges_at) {
        k->gauges_at = now + GAUGES_MS;
        if (!gauges(k))
            return false;
    }
    alarm_closed(k, now);
    return true;
}

static void *
run(void *data)
{
    struct keeper *k = data;

    while (!atomic_load(&k->stop)) {
        int64_t ms = 100;
        if (connected(k)) {
            if (round_once(k)) {
                k->wait = (struct backoff) { 0, 0 };
                ms = k->open_at - tick_ms();
            } else {
                backoff_fail(&k->wait, &k->seed);
            }
        }
        if (ms > 100)
            ms = 100;
        struct timespec pause = { 0, ms * 1000000 };
        if (ms > 0)
            nanosleep(&pause, NULL);
    }
    rds_close(&k->rds);
    db_close(&k->db);
    return NULL;
}

struct keeper *
keeper_start(const struct conf *conf)
{
    struct keeper *k = calloc(1, sizeof *k);

    if (k == NULL)
        return NULL;
    k->conf = conf;
    k->seed = (unsigned) tick_ms();
    strcpy(k->cursor, "0");
    atomic_init(&k->stop, false);
    db_init(&k->db, conf);
    rds_init(&k->rds, conf);
    k->recoverer = recoverer_start(conf);
    if (k->recoverer != NULL
        && pthread_create(&k->thread, NULL, run, k) == 0)
        return k;
    log_error("the keeper could not be started");
    if (k->recoverer != NULL) {
        recoverer_stop(k->recoverer);
        recoverer_join(k->recoverer);
    }
    free(k);
    return NULL;
}

void
keeper_stop(struct keeper *k)
{
    atomic_store(&k->stop, true);
    recoverer_stop(k->recoverer);
}

void
keeper_join(struct keeper *k)
{
    pthread_join(k->thread, NULL);
    recoverer_join(k->recoverer);
    sql_free(&k->settle.sql);
    sql_free(&k->sql);
    free(k);
}
