#include <ngx_config.h>
#include <ngx_core.h>
#include <pthread.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include "ngx_http_ticket_kafka_conf.h"


typedef struct {
    char                             *name;
    char                             *value;
} ngx_http_ticket_kafka_property_t;


typedef struct {
    rd_kafka_t                       *rk;
    int                               done;     /* eventfd */
} ngx_http_ticket_kafka_end_t;


static ngx_int_t ngx_http_ticket_kafka_conf_properties(
    rd_kafka_conf_t *rdconf, ngx_http_ticket_kafka_conf_t *conf,
    const char **what, u_char **name);
static ngx_int_t ngx_http_ticket_kafka_conf_reserved(ngx_str_t *name);
static char *ngx_http_ticket_kafka_conf_contradiction(
    rd_kafka_conf_t *rdconf);
static void ngx_http_ticket_kafka_conf_get(rd_kafka_conf_t *rdconf,
    const char *name, char *value, size_t size);
static void *ngx_http_ticket_kafka_conf_end(void *data);


/* the persister finds lanes by the partitioner; the rest a site may change */

static ngx_http_ticket_kafka_property_t  ngx_http_ticket_kafka_defaults[] = {
    { "client.id", "ticket-edge" },
    { "partitioner", "consistent" },
    { "acks", "all" },
    { "enable.idempotence", "true" },
    { "compression.codec", "lz4" },
    { "linger.ms", "20" },
    { "queue.buffering.max.messages", "100000" },
    { "queue.buffering.max.kbytes", "65536" },
    { "message.timeout.ms", "300000" },
    { "reconnect.backoff.max.ms", "5000" },
    { "socket.keepalive.enable", "true" },
    { "statistics.interval.ms", "5000" },
    { "log.connection.close", "false" },
    { "log.queue", "true" },
    { NULL, NULL }
};


static char  *ngx_http_ticket_kafka_reserved[] = {
    "bootstrap.servers",
    "metadata.broker.list",
    "partitioner",
    "log.queue",
    "enabled_events",
    "transactional.id",
    NULL
};


char *
ngx_http_ticket_kafka_check(ngx_conf_t *cf,
    ngx_http_ticket_kafka_conf_t *conf)
{
    u_char           *name;
    const char       *what;
    rd_kafka_conf_t  *rdconf;

    rdconf = ngx_http_ticket_kafka_conf_make(conf, &what, &name);

    if (rdconf == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%s \"%s\"", what, name);
        return NGX_CONF_ERROR;
    }

    rd_kafka_conf_destroy(rdconf);

    return NGX_CONF_OK;
}


rd_kafka_conf_t *
ngx_http_ticket_kafka_conf_make(ngx_http_ticket_kafka_conf_t *conf,
    const char **what, u_char **name)
{
    char                               error[256];
    rd_kafka_conf_t                   *rdconf;
    ngx_http_ticket_kafka_property_t  *p;

    rdconf = rd_kafka_conf_new();

    for (p = ngx_http_ticket_kafka_defaults; p->name; p++) {

        *what = "this librdkafka does not know";
        *name = (u_char *) p->name;

        if (rd_kafka_conf_set(rdconf, p->name, p->value, error, sizeof(error))
            != RD_KAFKA_CONF_OK)
        {
            goto failed;
        }
    }

    *what = "invalid list of brokers";
    *name = conf->brokers.data;

    if (rd_kafka_conf_set(rdconf, "bootstrap.servers",
                          (char *) conf->brokers.data, error, sizeof(error))
        != RD_KAFKA_CONF_OK)
    {
        goto failed;
    }

    if (ngx_http_ticket_kafka_conf_properties(rdconf, conf, what, name)
        != NGX_OK)
    {
        goto failed;
    }

    *what = "\"enable.idempotence\" does not allow this value of";
    *name = (u_char *) ngx_http_ticket_kafka_conf_contradiction(rdconf);

    if (*name == NULL) {
        return rdconf;
    }

failed:

    rd_kafka_conf_destroy(rdconf);

    return NULL;
}


static ngx_int_t
ngx_http_ticket_kafka_conf_properties(rd_kafka_conf_t *rdconf,
    ngx_http_ticket_kafka_conf_t *conf, const char **what, u_char **name)
{
    char                  error[256];
    ngx_uint_t            i;
    ngx_keyval_t         *property;
    rd_kafka_conf_res_t   rc;

    property = conf->properties->elts;

    for (i = 0; i < conf->properties->nelts; i++) {

        *name = property[i].key.data;

        if (ngx_http_ticket_kafka_conf_reserved(&property[i].key) == NGX_OK) {
            *what = "the module sets librdkafka's property";
            return NGX_ERROR;
        }

        rc = rd_kafka_conf_set(rdconf, (char *) property[i].key.data,
                               (char *) property[i].value.data, error,
                               sizeof(error));

        if (rc != RD_KAFKA_CONF_OK) {
            *what = (rc == RD_KAFKA_CONF_UNKNOWN)
                    ? "unknown property of librdkafka"
                    : "invalid value of librdkafka's property";
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ticket_kafka_conf_reserved(ngx_str_t *name)
{
    char  **reserved;

    for (reserved = ngx_http_ticket_kafka_reserved; *reserved; reserved++) {
        if (ngx_strcmp(name->data, *reserved) == 0) {
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


/* what rd_kafka_new() would refuse, in each worker */

static char *
ngx_http_ticket_kafka_conf_contradiction(rd_kafka_conf_t *rdconf)
{
    char       value[32];
    ngx_int_t  n;

    ngx_http_ticket_kafka_conf_get(rdconf, "enable.idempotence", value,
                                   sizeof(value));

    if (ngx_strcmp(value, "true") != 0) {
        return NULL;
    }

    ngx_http_ticket_kafka_conf_get(rdconf, "acks", value, sizeof(value));

    if (ngx_strcmp(value, "-1") != 0) {
        return "acks";
    }

    ngx_http_ticket_kafka_conf_get(rdconf, "queuing.strategy", value,
                                   sizeof(value));

    if (ngx_strcmp(value, "fifo") != 0) {
        return "queuing.strategy";
    }

    ngx_http_ticket_kafka_conf_get(rdconf, "retries", value, sizeof(value));

    if (ngx_strcmp(value, "0") == 0) {
        return "retries";
    }

    ngx_http_ticket_kafka_conf_get(rdconf, "max.in.flight", value,
                                   sizeof(value));

    n = ngx_atoi((u_char *) value, ngx_strlen(value));

    /* 1000000 is the default, which it lowers itself */

    if (n > 5 && n != 1000000) {
        return "max.in.flight";
    }

    return NULL;
}


static void
ngx_http_ticket_kafka_conf_get(rd_kafka_conf_t *rdconf, const char *name,
    char *value, size_t size)
{
    if (rd_kafka_conf_get(rdconf, name, value, &size) != RD_KAFKA_CONF_OK) {
        value[0] = '\0';
    }
}


rd_kafka_t *
ngx_http_ticket_kafka_conf_start(rd_kafka_conf_t *rdconf, char *error,
    size_t size)
{
    sigset_t     all, old;
    rd_kafka_t  *rk;

    /* signals are for the worker's own thread; the mock cluster forgets it */

    (void) sigfillset(&all);
    (void) pthread_sigmask(SIG_SETMASK, &all, &old);

    rk = rd_kafka_new(RD_KAFKA_PRODUCER, rdconf, error, size);

    (void) pthread_sigmask(SIG_SETMASK, &old, NULL);

    if (rk == NULL) {
        rd_kafka_conf_destroy(rdconf);
    }

    return rk;
}


ngx_int_t
ngx_http_ticket_kafka_conf_destroy(rd_kafka_t *rk, ngx_msec_t timeout,
    ngx_log_t *log)
{
    int                           fd;
    sigset_t                      all, old;
    pthread_t                     thread;
    ngx_int_t                     rc;
    struct pollfd                 pfd;
    ngx_http_ticket_kafka_end_t  *end;

    end = ngx_alloc(sizeof(ngx_http_ticket_kafka_end_t), log);
    if (end == NULL) {
        rd_kafka_destroy(rk);
        return NGX_OK;
    }

    end->rk = rk;
    end->done = eventfd(0, EFD_NONBLOCK|EFD_CLOEXEC);

    /* the thread closes its descriptor, we wait on a copy */

    fd = (timeout && end->done != -1) ? dup(end->done) : -1;

    /* signals are for the worker's own thread */

    (void) sigfillset(&all);
    (void) pthread_sigmask(SIG_SETMASK, &all, &old);

    rc = pthread_create(&thread, NULL, ngx_http_ticket_kafka_conf_end, end);

    (void) pthread_sigmask(SIG_SETMASK, &old, NULL);

    if (rc != 0) {
        ngx_log_error(NGX_LOG_ALERT, log, rc, "pthread_create() failed");
        (void) ngx_http_ticket_kafka_conf_end(end);
        rc = NGX_OK;

    } else {
        (void) pthread_detach(thread);

        rc = NGX_AGAIN;

        if (fd != -1) {
            pfd.fd = fd;
            pfd.events = POLLIN;

            if (poll(&pfd, 1, (int) timeout) == 1) {
                rc = NGX_OK;
            }
        }
    }

    if (fd != -1) {
        (void) close(fd);
    }

    return rc;
}


static void *
ngx_http_ticket_kafka_conf_end(void *data)
{
    ngx_http_ticket_kafka_end_t *end = data;

    rd_kafka_destroy(end->rk);

    if (end->done != -1) {
        (void) eventfd_write(end->done, 1);
        (void) close(end->done);
    }

    ngx_free(end);

    return NULL;
}
