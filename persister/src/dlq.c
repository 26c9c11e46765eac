/*
 * Dead letters to the DLQ topic.  Who has the lock in MySQL publishes; it goes
 * with the session, so the worst that a publisher does who has lost it is to
 * send some once more.
 */

#include "dlq.h"

#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "db.h"
#include "kafka_conf.h"
#include "lock.h"
#include "log.h"
#include "metrics.h"
#include "pause.h"
#include "tick.h"

#define LOOK_MS    500          /* between looks for more */
#define LOCK_MS    2000         /* between tries to get the lock */
#define GAUGE_MS   5000
#define TOGETHER   50
#define VALUE_MAX  65536
#define TIMEOUT    "10000"      /* ms for one message; sessions live longer */
#define LEAVE_MS   1000
#define COUNT_MAX  1000000      /* more are not counted */

/* a row on its way */
struct letter {
    uint64_t            id;
    rd_kafka_resp_err_t err;    /* _IN_PROGRESS: no delivery report yet */
};

struct dlq {
    const struct conf *conf;
    pthread_t          thread;
    atomic_bool        stop;
    unsigned           seed;
    struct db          db;
    struct sql         sql;
    struct backoff     db_wait, wait;
    bool               locked, warned;
    uint64_t           last;    /* rows above it come next, then all again */
    int64_t            lock_at, gauge_at;
    rd_kafka_t        *rk;
    struct letter      letters[TOGETHER];
    size_t             count, waiting;
};

enum { ROW_ID, ROW_TICKET, ROW_EVENT, ROW_ORIGIN, ROW_ERROR, ROW_TIME };

/* ---------------------------------------------------------------- Kafka --- */

static void
on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *msg, void *opaque)
{
    struct letter *letter = msg->_private;
    struct dlq *d = opaque;

    (void) rk;
    letter->err = msg->err;
    d->waiting--;
}

static bool
open_producer(struct dlq *d)
{
    char error[512];

    if (d->rk != NULL)
        return true;
    rd_kafka_conf_t *conf = kafka_conf_new(d->conf, error, sizeof error);
    if (conf == NULL
        || rd_kafka_conf_set(conf, "message.timeout.ms", TIMEOUT, error,
               sizeof error) != RD_KAFKA_CONF_OK)
    {
        log_error("dlq: kafka: %s", error);
        if (conf != NULL)
            rd_kafka_conf_destroy(conf);
        return false;
    }
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_conf_set_opaque(conf, d);
    d->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof error);
    if (d->rk == NULL) {
        log_error("dlq: kafka: %s", error);
        rd_kafka_conf_destroy(conf);
    }
    return d->rk != NULL;
}

static void
close_producer(struct dlq *d)
{
    if (d->rk == NULL)
        return;
    rd_kafka_purge(d->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_flush(d->rk, LEAVE_MS);
    rd_kafka_destroy(d->rk);
    d->rk = NULL;
}

/* MySQL's 2026-11-21 10:00:00.123 as RFC 3339 */
static void
time_of(char *to, size_t size, const char *text, unsigned long len)
{
    snprintf(to, size, "%.*sZ", (int) len, text);
    if (len > 10)
        to[10] = 'T';
}

static void
produce(struct dlq *d, MYSQL_ROW row, const unsigned long *len)
{
    struct letter *letter = &d->letters[d->count++];
    void *key = len[ROW_TICKET] > 0 ? row[ROW_TICKET] : NULL;
    char at[40];

    time_of(at, sizeof at, row[ROW_TIME], len[ROW_TIME]);
    *letter = (struct letter) {
        strtoull(row[ROW_ID], NULL, 10), RD_KAFKA_RESP_ERR__IN_PROGRESS
    };
    letter->err = rd_kafka_producev(d->rk,
        RD_KAFKA_V_TOPIC(d->conf->kafka.dlq_topic),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
        RD_KAFKA_V_KEY(key, len[ROW_TICKET]),
        RD_KAFKA_V_VALUE(row[ROW_EVENT],
            len[ROW_EVENT] < VALUE_MAX ? len[ROW_EVENT] : VALUE_MAX),
        RD_KAFKA_V_HEADER("error", row[ROW_ERROR], len[ROW_ERROR]),
        RD_KAFKA_V_HEADER("origin", row[ROW_ORIGIN], len[ROW_ORIGIN]),
        RD_KAFKA_V_HEADER("time", at, strlen(at)),
        RD_KAFKA_V_OPAQUE(letter), RD_KAFKA_V_END);
    if (letter->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        letter->err = RD_KAFKA_RESP_ERR__IN_PROGRESS;
        d->waiting++;
    }
}

/* ----------------------------------------------------------- publishing --- */

static bool
select_some(struct dlq *d, MYSQL_RES **res)
{
    sql_reset(&d->sql);
    sql_addf(&d->sql, "SELECT id, ticket_name, LEFT(event, %d), origin, error,"
        " created_at FROM dead_letters WHERE published_at IS NULL"
        " AND id > %" PRIu64 " ORDER BY id LIMIT %d", VALUE_MAX, d->last,
        TOGETHER);
    return !d->sql.failed
        && db_query(&d->db, d->sql.data, d->sql.len, res) == DB_OK;
}

static bool
mark(struct dlq *d, const char **why)
{
    size_t n = 0;
    bool good = true;

    sql_reset(&d->sql);
    sql_add(&d->sql, "UPDATE dead_letters SET"
        " published_at=CURRENT_TIMESTAMP(3) WHERE id IN (");
    for (size_t i = 0; i < d->count; i++) {
        if (d->letters[i].err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            *why = rd_kafka_err2str(d->letters[i].err);
            metric_add(M_DLQ_ERRORS, 1);
            good = false;
            continue;
        }
        sql_add(&d->sql, n++ > 0 ? "," : "");
        sql_number(&d->sql, d->letters[i].id);
    }
    sql_add(&d->sql, ")");
    if (n == 0)
        return good;
    pause_point("published");
    if (d->sql.failed
        || db_exec(&d->db, d->sql.data, d->sql.len, NULL) != DB_OK)
    {
        *why = "they could not be marked, and are sent again";
        return false;
    }
    metric_add(M_DLQ_PUBLISHED, (int64_t) n);
    return good;
}

static void
trouble(struct dlq *d, const char *why)
{
    backoff_fail(&d->wait, &d->seed);
    if (!d->warned)
        log_warn("dlq: dead letters cannot be published to %s, they wait in"
            " dead_letters: %s", d->conf->kafka.dlq_topic, why);
    d->warned = true;
}

/* true: there may be more */
static bool
publish(struct dlq *d)
{
    const char *why = NULL;
    MYSQL_RES *res;
    MYSQL_ROW row;

    if (!select_some(d, &res))
        return false;
    bool full = mysql_num_rows(res) == TOGETHER;
    d->count = 0;
    if (mysql_num_rows(res) > 0 && !open_producer(d)) {
        mysql_free_result(res);
        trouble(d, "no producer");
        return false;
    }
    while ((row = mysql_fetch_row(res)) != NULL) {
        produce(d, row, mysql_fetch_lengths(res));
        d->last = d->letters[d->count - 1].id;
    }
    mysql_free_result(res);
    /* each is reported within its timeout; who does not wait loses nothing */
    while (d->waiting > 0 && !atomic_load(&d->stop))
        rd_kafka_poll(d->rk, 100);
    if (d->waiting > 0)
        return false;
    if (!full)
        d->last = 0;
    if (d->count == 0)
        return false;
    if (!mark(d, &why)) {
        trouble(d, why);
        return false;
    }
    if (d->warned)
        log_info("dlq: dead letters are published again");
    d->warned = false;
    d->wait = (struct backoff) { 0, 0 };
    return full;
}

/* --------------------------------------------------------------- thread --- */

static void
take_lock(struct dlq *d)
{
    if (lock_take(&d->db, "dlq", 0, &d->locked) == DB_OK && d->locked)
        log_info("dlq: dead letters are published by this process");
}

static void
gauge(struct dlq *d)
{
    MYSQL_RES *res;

    sql_reset(&d->sql);
    sql_addf(&d->sql, "SELECT COUNT(*) FROM (SELECT 1 FROM dead_letters"
        " WHERE published_at IS NULL LIMIT %d) waiting", COUNT_MAX);
    if (d->sql.failed
        || db_query(&d->db, d->sql.data, d->sql.len, &res) != DB_OK)
        return;
    metric_set(M_DLQ_UNPUBLISHED, strtoll(mysql_fetch_row(res)[0], NULL, 10));
    mysql_free_result(res);
}

static bool
connected(struct dlq *d)
{
    if (d->db.mysql != NULL)
        return true;
    d->locked = false;
    if (tick_ms() < d->db_wait.retry_at)
        return false;
    if (db_connect(&d->db) != DB_OK) {
        backoff_fail(&d->db_wait, &d->seed);
        return false;
    }
    d->db_wait = (struct backoff) { 0, 0 };
    return true;
}

/* true: at once again */
static bool
round_once(struct dlq *d)
{
    int64_t now = tick_ms();

    if (!connected(d))
        return false;
    if (!d->locked && now >= d->lock_at) {
        d->lock_at = now + LOCK_MS;
        take_lock(d);
    }
    bool more = d->locked && now >= d->wait.retry_at && publish(d);
    if (d->db.mysql != NULL && now >= d->gauge_at) {
        d->gauge_at = now + GAUGE_MS;
        gauge(d);
    }
    return more;
}

static void *
run(void *data)
{
    const struct timespec some = { .tv_nsec = 20000000 };
    struct dlq *d = data;

    while (!atomic_load(&d->stop)) {
        int64_t until = tick_ms() + (round_once(d) ? 0 : LOOK_MS);
        while (tick_ms() < until && !atomic_load(&d->stop))
            nanosleep(&some, NULL);
    }
    close_producer(d);
    db_close(&d->db);
    return NULL;
}

struct dlq *
dlq_start(const struct conf *conf)
{
    struct dlq *d = calloc(1, sizeof *d);

    if (d == NULL)
        return NULL;
    d->conf = conf;
    d->seed = (unsigned) tick_ms();
    atomic_init(&d->stop, false);
    db_init(&d->db, conf);
    if (pthread_create(&d->thread, NULL, run, d) == 0)
        return d;
    log_error("dlq: the publisher could not be started");
    free(d);
    return NULL;
}

void
dlq_stop(struct dlq *d)
{
    atomic_store(&d->stop, true);
}

void
dlq_join(struct dlq *d)
{
    pthread_join(d->thread, NULL);
    sql_free(&d->sql);
    free(d);
}
