#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <sys/eventfd.h>
#include <librdkafka/rdkafka.h>
#include "ngx_http_ticket_kafka.h"
#include "ngx_http_ticket_kafka_conf.h"


#define NGX_HTTP_TICKET_KAFKA_TICK       1000   /* ms */
#define NGX_HTTP_TICKET_KAFKA_RETRY      30     /* seconds */
#define NGX_HTTP_TICKET_KAFKA_PURGE      100    /* ms, to hear of the purged */
#define NGX_HTTP_TICKET_KAFKA_LINES      10     /* logged in each minute */
#define NGX_HTTP_TICKET_KAFKA_PAUSE      10     /* seconds between warnings */
#define NGX_HTTP_TICKET_KAFKA_UP         1
#define NGX_HTTP_TICKET_KAFKA_DOWN       2

#define NGX_HTTP_TICKET_KAFKA_CONTENT                                         \
    "application/cloudevents+json; charset=UTF-8"


struct ngx_http_ticket_kafka_s {
    ngx_http_ticket_kafka_conf_t     *conf;
    ngx_http_ticket_shctx_t          *sh;
    ngx_log_t                        *log;

    rd_kafka_t                       *rk;       /* NULL: being rebuilt */
    rd_kafka_topic_t                 *topic;
    rd_kafka_queue_t                 *queue;
    ngx_connection_t                 *connection;   /* of the eventfd */
    ngx_event_t                       timer;

    ngx_uint_t                        seen;     /* brokers, 0: not yet */
    int                               err;      /* the last one logged */
    time_t                            retry;
    time_t                            warned;   /* of events not sent */
    time_t                            minute;
    ngx_uint_t                        lines;

    /* of this worker, for its last words */
    ngx_uint_t                        delivered;
    ngx_uint_t                        failed;
    ngx_uint_t                        dropped;

    unsigned                          fatal:1;
};


static ngx_int_t ngx_http_ticket_kafka_start(ngx_http_ticket_kafka_t *kafka);
static void ngx_http_ticket_kafka_stop(ngx_http_ticket_kafka_t *kafka,
    ngx_msec_t timeout);
static ngx_int_t ngx_http_ticket_kafka_eventfd(
    ngx_http_ticket_kafka_t *kafka);
static void ngx_http_ticket_kafka_wakeup(ngx_event_t *rev);
static void ngx_http_ticket_kafka_ignore(ngx_event_t *wev);
static void ngx_http_ticket_kafka_timer(ngx_event_t *ev);
static void ngx_http_ticket_kafka_serve(ngx_http_ticket_kafka_t *kafka);
static void ngx_http_ticket_kafka_dropped(ngx_http_ticket_kafka_t *kafka,
    rd_kafka_resp_err_t err);
static void ngx_http_ticket_kafka_look(ngx_http_ticket_kafka_t *kafka);
static void ngx_http_ticket_kafka_see(ngx_http_ticket_kafka_t *kafka,
    ngx_uint_t seen);
static void ngx_http_ticket_kafka_delivered(rd_kafka_t *rk,
    const rd_kafka_message_t *message, void *opaque);
static void ngx_http_ticket_kafka_error(rd_kafka_t *rk, int err,
    const char *reason, void *opaque);
static int ngx_http_ticket_kafka_stats(rd_kafka_t *rk, char *json, size_t len,
    void *opaque);
static void ngx_http_ticket_kafka_log(const rd_kafka_t *rk, int level,
    const char *facility, const char *text);


ngx_http_ticket_kafka_t *
ngx_http_ticket_kafka_create(ngx_cycle_t *cycle,
    ngx_http_ticket_kafka_conf_t *conf, ngx_http_ticket_shctx_t *sh)
{
    ngx_http_ticket_kafka_t  *kafka;

    kafka = ngx_calloc(sizeof(ngx_http_ticket_kafka_t), cycle->log);
    if (kafka == NULL) {
        return NULL;
    }

    kafka->conf = conf;
    kafka->sh = sh;
    kafka->log = cycle->log;

    /* the worker may leave while it runs */

    kafka->timer.handler = ngx_http_ticket_kafka_timer;
    kafka->timer.data = kafka;
    kafka->timer.log = cycle->log;
    kafka->timer.cancelable = 1;

    if (ngx_http_ticket_kafka_eventfd(kafka) != NGX_OK) {
        ngx_free(kafka);
        return NULL;
    }

    (void) ngx_http_ticket_kafka_start(kafka);

    ngx_add_timer(&kafka->timer, NGX_HTTP_TICKET_KAFKA_TICK);

    return kafka;
}


static ngx_int_t
ngx_http_ticket_kafka_eventfd(ngx_http_ticket_kafka_t *kafka)
{
    int                fd;
    ngx_connection_t  *c;

    fd = eventfd(0, EFD_NONBLOCK|EFD_CLOEXEC);

    if (fd == -1) {
        ngx_log_error(NGX_LOG_ALERT, kafka->log, ngx_errno,
                      "eventfd() failed");
        return NGX_ERROR;
    }

    c = ngx_get_connection(fd, kafka->log);

    if (c == NULL) {
        (void) close(fd);
        return NGX_ERROR;
    }

    c->data = kafka;
    c->log = kafka->log;

    c->read->handler = ngx_http_ticket_kafka_wakeup;
    c->read->log = kafka->log;
    c->write->handler = ngx_http_ticket_kafka_ignore;
    c->write->log = kafka->log;

    if (ngx_add_event(c->read, NGX_READ_EVENT, NGX_LEVEL_EVENT) != NGX_OK) {
        ngx_close_connection(c);
        return NGX_ERROR;
    }

    kafka->connection = c;

    return NGX_OK;
}


static ngx_int_t
ngx_http_ticket_kafka_start(ngx_http_ticket_kafka_t *kafka)
{
    char              error[256];
    u_char           *name;
    rd_kafka_t       *rk;
    const char       *what;
    rd_kafka_conf_t  *rdconf;
    static uint64_t   one = 1;

    rdconf = ngx_http_ticket_kafka_conf_make(kafka->conf, &what, &name);

    if (rdconf == NULL) {
        ngx_log_error(NGX_LOG_ERR, kafka->log, 0, "ticket kafka: %s \"%s\"",
                      what, name);
        return NGX_ERROR;
    }

    rd_kafka_conf_set_opaque(rdconf, kafka);
    rd_kafka_conf_set_dr_msg_cb(rdconf, ngx_http_ticket_kafka_delivered);
    rd_kafka_conf_set_error_cb(rdconf, ngx_http_ticket_kafka_error);
    rd_kafka_conf_set_stats_cb(rdconf, ngx_http_ticket_kafka_stats);
    rd_kafka_conf_set_log_cb(rdconf, ngx_http_ticket_kafka_log);

    rk = ngx_http_ticket_kafka_conf_start(rdconf, error, sizeof(error));

    if (rk == NULL) {
        ngx_log_error(NGX_LOG_ERR, kafka->log, 0,
                      "ticket kafka: no producer, events stay in Redis: %s",
                      error);
        return NGX_ERROR;
    }

    kafka->topic = rd_kafka_topic_new(rk, (char *) kafka->conf->topic.data,
                                      NULL);
    if (kafka->topic == NULL) {
        ngx_log_error(NGX_LOG_ERR, kafka->log, 0,
                      "ticket kafka: no topic \"%V\": %s",
                      &kafka->conf->topic,
                      rd_kafka_err2str(rd_kafka_last_error()));
        rd_kafka_destroy(rk);
        return NGX_ERROR;
    }

    /* log lines come with the other events, on our own thread */

    (void) rd_kafka_set_log_queue(rk, NULL);

    kafka->queue = rd_kafka_queue_get_main(rk);

    rd_kafka_queue_io_event_enable(kafka->queue, kafka->connection->fd, &one,
                                   sizeof(one));

    kafka->rk = rk;
    kafka->fatal = 0;

    return NGX_OK;
}


static void
ngx_http_ticket_kafka_stop(ngx_http_ticket_kafka_t *kafka, ngx_msec_t timeout)
{
    int                        left;
    uint64_t                   start;
    rd_kafka_t                *rk;
    ngx_msec_t                 spent;
    ngx_http_ticket_worker_t  *worker;

    rk = kafka->rk;
    start = ngx_http_ticket_usec();

    rd_kafka_queue_io_event_enable(kafka->queue, -1, NULL, 0);
    rd_kafka_queue_destroy(kafka->queue);

    if (rd_kafka_outq_len(rk) && timeout) {
        (void) rd_kafka_flush(rk, (int) timeout);
    }

    (void) rd_kafka_purge(rk, RD_KAFKA_PURGE_F_QUEUE
                              |RD_KAFKA_PURGE_F_INFLIGHT
                              |RD_KAFKA_PURGE_F_NON_BLOCKING);

    (void) rd_kafka_flush(rk, timeout ? NGX_HTTP_TICKET_KAFKA_PURGE : 0);

    /* what nobody reported; the persister finds it in the outbox */

    left = rd_kafka_outq_len(rk);

    if (left > 0) {
        kafka->failed += left;
        (void) ngx_atomic_fetch_add(&kafka->sh->kafka_failed, left);
    }

    worker = &kafka->sh->workers[ngx_process_slot];
    worker->kafka_queued = 0;

    rd_kafka_topic_destroy(kafka->topic);

    kafka->rk = NULL;
    kafka->queue = NULL;
    kafka->topic = NULL;

    if (timeout) {
        spent = (ngx_http_ticket_usec() - start) / 1000;
        timeout = NGX_HTTP_TICKET_KAFKA_PURGE
                  + (spent < timeout ? timeout - spent : 0);
    }

    if (ngx_http_ticket_kafka_conf_destroy(rk, timeout, kafka->log) != NGX_OK
        && timeout)
    {
        ngx_log_error(NGX_LOG_WARN, kafka->log, 0,
                      "ticket kafka: threads did not end within %M ms",
                      timeout);
    }
}


void
ngx_http_ticket_kafka_destroy(ngx_http_ticket_kafka_t *kafka)
{
    ngx_uint_t  left, level;

    if (kafka->timer.timer_set) {
        ngx_del_timer(&kafka->timer);
    }

    if (kafka->rk) {
        ngx_http_ticket_kafka_stop(kafka, kafka->conf->flush_timeout);
    }

    /* librdkafka writes to it no more */

    ngx_close_connection(kafka->connection);

    left = kafka->failed + kafka->dropped;
    level = left ? NGX_LOG_WARN : NGX_LOG_INFO;

    ngx_log_error(level, kafka->log, 0,
                  "ticket kafka: %ui events delivered, %ui left to the outbox",
                  kafka->delivered, left);

    ngx_free(kafka);
}


void
ngx_http_ticket_kafka_produce(ngx_http_ticket_kafka_t *kafka, const char *key,
    size_t key_len, const char *value, size_t value_len)
{
    rd_kafka_resp_err_t  err;

    if (kafka == NULL) {
        return;
    }

    if (kafka->rk == NULL) {
        ngx_http_ticket_kafka_dropped(kafka, RD_KAFKA_RESP_ERR__STATE);
        return;
    }

    err = rd_kafka_producev(kafka->rk,
                            RD_KAFKA_V_RKT(kafka->topic),
                            RD_KAFKA_V_KEY(key, key_len),
                            RD_KAFKA_V_VALUE((void *) value, value_len),
                            RD_KAFKA_V_HEADER("content-type",
                                    NGX_HTTP_TICKET_KAFKA_CONTENT,
                                    sizeof(NGX_HTTP_TICKET_KAFKA_CONTENT) - 1),
                            RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                            RD_KAFKA_V_END);

    if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        ngx_http_ticket_kafka_dropped(kafka, err);
        return;
    }

    (void) ngx_atomic_fetch_add(&kafka->sh->kafka_produced, 1);
}


static void
ngx_http_ticket_kafka_dropped(ngx_http_ticket_kafka_t *kafka,
    rd_kafka_resp_err_t err)
{
    (void) ngx_atomic_fetch_add(&kafka->sh->kafka_dropped, 1);

    kafka->dropped++;

    if (ngx_time() - kafka->warned >= NGX_HTTP_TICKET_KAFKA_PAUSE) {
        kafka->warned = ngx_time();

        ngx_log_error(NGX_LOG_WARN, kafka->log, 0,
                      "ticket kafka: events are left to the outbox: %s",
                      rd_kafka_err2str(err));
    }
}


ngx_uint_t
ngx_http_ticket_kafka_up(ngx_http_ticket_kafka_t *kafka)
{
    if (kafka == NULL) {
        return 0;
    }

    ngx_http_ticket_kafka_look(kafka);

    return kafka->seen == NGX_HTTP_TICKET_KAFKA_UP;
}


/* statistics come every few seconds; the first answer of a broker is there
 * much earlier, and told without waiting for it */

static void
ngx_http_ticket_kafka_look(ngx_http_ticket_kafka_t *kafka)
{
    if (kafka->seen == 0 && kafka->rk != NULL
        && rd_kafka_controllerid(kafka->rk, 0) >= 0)
    {
        ngx_http_ticket_kafka_see(kafka, NGX_HTTP_TICKET_KAFKA_UP);
    }
}


static void
ngx_http_ticket_kafka_wakeup(ngx_event_t *rev)
{
    uint64_t           n;
    ngx_connection_t  *c;

    c = rev->data;

    /* first this, then the queue: the other way round loses wake-ups */

    while (read(c->fd, &n, sizeof(n)) == -1 && ngx_errno == NGX_EINTR) {
        /* void */
    }

    ngx_http_ticket_kafka_serve(c->data);
}


static void
ngx_http_ticket_kafka_ignore(ngx_event_t *wev)
{
    /* the eventfd is never waited for to become writable */
}


static void
ngx_http_ticket_kafka_timer(ngx_event_t *ev)
{
    ngx_http_ticket_kafka_t  *kafka;

    kafka = ev->data;

    ngx_http_ticket_kafka_serve(kafka);
    ngx_http_ticket_kafka_look(kafka);

    if (kafka->rk == NULL && !ngx_exiting && ngx_time() >= kafka->retry) {
        kafka->retry = ngx_time() + NGX_HTTP_TICKET_KAFKA_RETRY;
        (void) ngx_http_ticket_kafka_start(kafka);
    }

    ngx_add_timer(ev, NGX_HTTP_TICKET_KAFKA_TICK);
}


static void
ngx_http_ticket_kafka_serve(ngx_http_ticket_kafka_t *kafka)
{
    ngx_http_ticket_worker_t  *worker;

    if (kafka->rk == NULL) {
        return;
    }

    while (rd_kafka_poll(kafka->rk, 0) > 0) { /* void */ }

    if (kafka->fatal) {
        ngx_http_ticket_kafka_stop(kafka, 0);

        (void) ngx_atomic_fetch_add(&kafka->sh->kafka_rebuilt, 1);

        kafka->retry = ngx_time() + NGX_HTTP_TICKET_KAFKA_RETRY;
        (void) ngx_http_ticket_kafka_start(kafka);
        return;
    }

    worker = &kafka->sh->workers[ngx_process_slot];
    worker->kafka_queued = rd_kafka_outq_len(kafka->rk);
}


static void
ngx_http_ticket_kafka_delivered(rd_kafka_t *rk,
    const rd_kafka_message_t *message, void *opaque)
{
    ngx_http_ticket_kafka_t  *kafka = opaque;

    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        kafka->delivered++;
        (void) ngx_atomic_fetch_add(&kafka->sh->kafka_delivered, 1);

        ngx_http_ticket_kafka_see(kafka, NGX_HTTP_TICKET_KAFKA_UP);
        return;
    }

    kafka->failed++;
    (void) ngx_atomic_fetch_add(&kafka->sh->kafka_failed, 1);

    if (ngx_time() - kafka->warned >= NGX_HTTP_TICKET_KAFKA_PAUSE) {
        kafka->warned = ngx_time();

        ngx_log_error(NGX_LOG_WARN, kafka->log, 0,
                      "ticket kafka: delivery failed: %s",
                      rd_kafka_err2str(message->err));
    }
}


static void
ngx_http_ticket_kafka_see(ngx_http_ticket_kafka_t *kafka, ngx_uint_t seen)
{
    if (kafka->seen == seen) {
        return;
    }

    kafka->seen = seen;

    if (seen == NGX_HTTP_TICKET_KAFKA_UP) {
        ngx_log_error(NGX_LOG_NOTICE, kafka->log, 0,
                      "ticket kafka: connected to %V",
                      &kafka->conf->brokers);

    } else {
        ngx_log_error(NGX_LOG_ERR, kafka->log, 0,
                      "ticket kafka: no broker of %V answers",
                      &kafka->conf->brokers);
    }
}


static void
ngx_http_ticket_kafka_error(rd_kafka_t *rk, int err, const char *reason,
    void *opaque)
{
    ngx_http_ticket_kafka_t  *kafka = opaque;

    ngx_uint_t  level;

    if (err == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
        ngx_http_ticket_kafka_see(kafka, NGX_HTTP_TICKET_KAFKA_DOWN);
        return;
    }

    level = NGX_LOG_INFO;

    if (err == RD_KAFKA_RESP_ERR__FATAL) {

        /* this producer takes nothing any more; not from inside its poll */

        kafka->fatal = 1;
        level = NGX_LOG_ERR;

    } else if (err != kafka->err && err != RD_KAFKA_RESP_ERR__TRANSPORT) {
        kafka->err = err;
        level = NGX_LOG_ERR;
    }

    ngx_log_error(level, kafka->log, 0, "ticket kafka: %s: %s",
                  rd_kafka_err2name(err), reason);
}


static int
ngx_http_ticket_kafka_stats(rd_kafka_t *rk, char *json, size_t len,
    void *opaque)
{
    ngx_http_ticket_kafka_t  *kafka = opaque;

    if (ngx_strnstr((u_char *) json, "\"state\":\"UP\"", len) != NULL) {
        ngx_http_ticket_kafka_see(kafka, NGX_HTTP_TICKET_KAFKA_UP);

    } else if (rd_kafka_outq_len(rk) > 0) {

        /* brokers close idle connections: that alone means nothing */

        ngx_http_ticket_kafka_see(kafka, NGX_HTTP_TICKET_KAFKA_DOWN);
    }

    return 0;
}


static void
ngx_http_ticket_kafka_log(const rd_kafka_t *rk, int level,
    const char *facility, const char *text)
{
    ngx_http_ticket_kafka_t  *kafka;

    kafka = rd_kafka_opaque(rk);

    if (ngx_time() - kafka->minute >= 60) {
        kafka->minute = ngx_time();
        kafka->lines = 0;
    }

    if (kafka->lines++ < NGX_HTTP_TICKET_KAFKA_LINES) {
        ngx_log_error(NGX_LOG_INFO, kafka->log, 0, "ticket kafka: %s: %s",
                      facility, text);
    }
}
