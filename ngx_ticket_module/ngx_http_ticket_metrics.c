
/*
 * The counters of the zone as a page for Prometheus, text format 0.0.4.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_ticket_request.h"
#include "ngx_http_ticket_metrics.h"
#include "ngx_http_ticket_queue_metrics.h"


#define NGX_HTTP_TICKET_DURATION    "ticket_edge_request_duration_seconds"
#define NGX_HTTP_TICKET_ROUNDTRIP   "ticket_edge_redis_roundtrip_seconds"


typedef struct {
    const char                       *name;
    const char                       *help;
    size_t                            offset;   /* in the zone */
} ngx_http_ticket_counter_t;


typedef struct {
    ngx_uint_t                        workers;
    ngx_uint_t                        pending;
    ngx_uint_t                        redis_up;
    ngx_uint_t                        redis_all;
    ngx_uint_t                        kafka_queued;
} ngx_http_ticket_sums_t;


static void ngx_http_ticket_metrics_requests(ngx_http_ticket_text_t *text,
    ngx_http_ticket_shctx_t *sh);
static void ngx_http_ticket_metrics_counters(ngx_http_ticket_text_t *text,
    ngx_http_ticket_shctx_t *sh);
static void ngx_http_ticket_metrics_kafka(ngx_http_ticket_text_t *text,
    ngx_http_ticket_shctx_t *sh);
static void ngx_http_ticket_metrics_gauges(ngx_http_ticket_text_t *text,
    ngx_http_ticket_main_conf_t *tmcf);
static void ngx_http_ticket_metrics_workers(ngx_http_ticket_shctx_t *sh,
    ngx_http_ticket_sums_t *sums);
static void ngx_http_ticket_metrics_seconds(ngx_http_ticket_text_t *text,
    const char *name, ngx_str_t *result, ngx_http_ticket_histogram_t *h);
static void ngx_http_ticket_metrics_batch(ngx_http_ticket_text_t *text,
    ngx_http_ticket_shctx_t *sh);
static ngx_uint_t ngx_http_ticket_metrics_count(
    ngx_http_ticket_histogram_t *h);


static ngx_http_ticket_counter_t  ngx_http_ticket_counters[] = {

    { "ticket_edge_redis_calls_total",
      "Calls sent to Redis.",
      offsetof(ngx_http_ticket_shctx_t, redis_calls) },

    { "ticket_edge_redis_errors_total",
      "Error replies of Redis.",
      offsetof(ngx_http_ticket_shctx_t, redis_errors) },

    { "ticket_edge_redis_lost_total",
      "Calls that got no answer.",
      offsetof(ngx_http_ticket_shctx_t, redis_lost) },

    { "ticket_edge_redis_connects_total",
      "Connections to Redis that became ready.",
      offsetof(ngx_http_ticket_shctx_t, redis_connects) },

    { "ticket_edge_redis_disconnects_total",
      "Connections to Redis that were lost or given up.",
      offsetof(ngx_http_ticket_shctx_t, redis_disconnects) },

    { "ticket_edge_redis_noscript_total",
      "Scripts Redis had forgotten and got again.",
      offsetof(ngx_http_ticket_shctx_t, redis_noscript) },

    { "ticket_edge_recover_requests_total",
      "Tickets the persisters were asked to open.",
      offsetof(ngx_http_ticket_shctx_t, recover_requests) },

    { "ticket_edge_kafka_rebuilds_total",
      "Producers made anew after a fatal error.",
      offsetof(ngx_http_ticket_shctx_t, kafka_rebuilt) },

    { NULL, NULL, 0 }
};


void
ngx_http_ticket_action_metrics(ngx_http_ticket_ctx_t *ctx)
{
    ngx_http_ticket_text_t        text;
    ngx_http_ticket_shctx_t      *sh;
    ngx_http_ticket_main_conf_t  *tmcf;

    tmcf = ctx->tmcf;
    sh = tmcf->sh;

    ngx_http_ticket_text_init(ctx, &text);

    ngx_http_ticket_metrics_requests(&text, sh);
    ngx_http_ticket_metrics_batch(&text, sh);

    ngx_http_ticket_metrics_family(&text, NGX_HTTP_TICKET_ROUNDTRIP,
                                   "histogram",
                                   "Time between a call to Redis and its"
                                   " answer.");
    ngx_http_ticket_metrics_seconds(&text, NGX_HTTP_TICKET_ROUNDTRIP, NULL,
                                    &sh->redis_rtt);

    ngx_http_ticket_metrics_counters(&text, sh);
    ngx_http_ticket_metrics_kafka(&text, sh);
    ngx_http_ticket_metrics_gauges(&text, tmcf);
    ngx_http_ticket_queue_metrics(&text, tmcf);

    ngx_http_ticket_answer(ctx, NGX_HTTP_TICKET_RESULT_UP,
                           &ngx_http_ticket_type_metrics, &text);
}


void
ngx_http_ticket_metrics_family(ngx_http_ticket_text_t *text, const char *name,
    const char *type, const char *help)
{
    ngx_http_ticket_text_printf(text, "# HELP %s %s\n# TYPE %s %s\n",
                                name, help, name, type);
}


static void
ngx_http_ticket_metrics_requests(ngx_http_ticket_text_t *text,
    ngx_http_ticket_shctx_t *sh)
{
    ngx_str_t   *result;
    ngx_uint_t   i, j, n;

    ngx_http_ticket_metrics_family(text, "ticket_edge_requests_total",
                                   "counter",
                                   "Requests by what was asked and answered.");

    for (i = 0; i < NGX_HTTP_TICKET_ACTIONS; i++) {
        for (j = 1; j < NGX_HTTP_TICKET_RESULT_LAST; j++) {

            n = sh->requests[i][j];
            result = (ngx_str_t *) &ngx_http_ticket_results[j].token;

            if (n == 0) {
                continue;
            }

            ngx_http_ticket_text_printf(text,
                "ticket_edge_requests_total{action=\"%V\",result=\"%V\"} "
                "%ui\n", &ngx_http_ticket_action_names[i], result, n);
        }
    }

    ngx_http_ticket_metrics_family(text, NGX_HTTP_TICKET_DURATION,
                                   "histogram",
                                   "Time between a request and its answer.");

    for (j = 1; j < NGX_HTTP_TICKET_RESULT_LAST; j++) {

        if (ngx_http_ticket_metrics_count(&sh->latency[j]) == 0) {
            continue;
        }

        result = (ngx_str_t *) &ngx_http_ticket_results[j].token;

        ngx_http_ticket_metrics_seconds(text, NGX_HTTP_TICKET_DURATION,
                                        result, &sh->latency[j]);
    }
}


static void
ngx_http_ticket_metrics_counters(ngx_http_ticket_text_t *text,
    ngx_http_ticket_shctx_t *sh)
{
    ngx_atomic_t               *value;
    ngx_http_ticket_counter_t  *counter;

    for (counter = ngx_http_ticket_counters; counter->name; counter++) {

        value = (ngx_atomic_t *) ((u_char *) sh + counter->offset);

        ngx_http_ticket_metrics_family(text, counter->name, "counter",
                                       counter->help);
        ngx_http_ticket_text_printf(text, "%s %uA\n", counter->name, *value);
    }
}


static void
ngx_http_ticket_metrics_kafka(ngx_http_ticket_text_t *text,
    ngx_http_ticket_shctx_t *sh)
{
    ngx_http_ticket_metrics_family(text, "ticket_edge_kafka_events_total",
                                   "counter",
                                   "Events by what became of them; dropped"
                                   " and failed ones are stored from the"
                                   " outbox.");

    ngx_http_ticket_text_printf(text,
        "ticket_edge_kafka_events_total{outcome=\"produced\"} %uA\n"
        "ticket_edge_kafka_events_total{outcome=\"delivered\"} %uA\n"
        "ticket_edge_kafka_events_total{outcome=\"failed\"} %uA\n"
        "ticket_edge_kafka_events_total{outcome=\"dropped\"} %uA\n",
        sh->kafka_produced, sh->kafka_delivered, sh->kafka_failed,
        sh->kafka_dropped);
}


static void
ngx_http_ticket_metrics_gauges(ngx_http_ticket_text_t *text,
    ngx_http_ticket_main_conf_t *tmcf)
{
    ngx_http_ticket_sums_t  sums;

    ngx_http_ticket_metrics_workers(tmcf->sh, &sums);

    ngx_http_ticket_metrics_gauge(text, "ticket_edge_workers",
        "Workers that serve, those that are leaving included.",
        sums.workers);

    ngx_http_ticket_metrics_gauge(text, "ticket_edge_pending",
        "Commands on their way to Redis or waiting for its answer.",
        sums.pending);

    ngx_http_ticket_metrics_gauge(text, "ticket_edge_redis_connections",
        "Connections to Redis the workers should have.",
        sums.redis_all);

    ngx_http_ticket_metrics_gauge(text, "ticket_edge_redis_connections_ready",
        "Connections to Redis that are ready.", sums.redis_up);

    ngx_http_ticket_metrics_gauge(text, "ticket_edge_redis_up",
        "Whether all connections to Redis are ready.",
        sums.redis_all != 0 && sums.redis_up == sums.redis_all);

    ngx_http_ticket_metrics_gauge(text, "ticket_edge_kafka_queue",
        "Events handed to the producers and not delivered yet.",
        sums.kafka_queued);
}


void
ngx_http_ticket_metrics_gauge(ngx_http_ticket_text_t *text, const char *name,
    const char *help, ngx_uint_t value)
{
    ngx_http_ticket_metrics_family(text, name, "gauge", help);
    ngx_http_ticket_text_printf(text, "%s %ui\n", name, value);
}


/* what a worker that was killed left behind is not there any more */

ngx_uint_t
ngx_http_ticket_metrics_alive(ngx_http_ticket_worker_t *worker)
{
    return worker->pid != 0
           && (kill((pid_t) worker->pid, 0) != -1 || ngx_errno != NGX_ESRCH);
}


static void
ngx_http_ticket_metrics_workers(ngx_http_ticket_shctx_t *sh,
    ngx_http_ticket_sums_t *sums)
{
    ngx_uint_t                 i;
    ngx_http_ticket_worker_t  *worker;

    ngx_memzero(sums, sizeof(ngx_http_ticket_sums_t));

    for (i = 0; i < NGX_MAX_PROCESSES; i++) {

        worker = &sh->workers[i];

        if (!ngx_http_ticket_metrics_alive(worker)) {
            continue;
        }

        sums->workers++;
        sums->pending += worker->pending;
        sums->redis_up += worker->redis_up;
        sums->redis_all += worker->redis_all;
        sums->kafka_queued += worker->kafka_queued;
    }
}


static void
ngx_http_ticket_metrics_batch(ngx_http_ticket_text_t *text,
    ngx_http_ticket_shctx_t *sh)
{
    ngx_uint_t  i, count;

    ngx_http_ticket_metrics_family(text, "ticket_edge_batch_commands",
                                   "histogram",
                                   "Commands that shared a call to Redis.");

    for (i = 0, count = 0; i < NGX_HTTP_TICKET_BUCKETS - 1; i++) {
        count += sh->batch.bucket[i];

        ngx_http_ticket_text_printf(text,
            "ticket_edge_batch_commands_bucket{le=\"%ui\"} %ui\n",
            ngx_http_ticket_batch_bounds[i], count);
    }

    count += sh->batch.bucket[i];

    ngx_http_ticket_text_printf(text,
        "ticket_edge_batch_commands_bucket{le=\"+Inf\"} %ui\n"
        "ticket_edge_batch_commands_sum %uA\n"
        "ticket_edge_batch_commands_count %ui\n",
        count, sh->batch.sum, count);
}


/* a histogram of microseconds, in seconds; result: NULL or a label */

static void
ngx_http_ticket_metrics_seconds(ngx_http_ticket_text_t *text, const char *name,
    ngx_str_t *result, ngx_http_ticket_histogram_t *h)
{
    u_char      *last, label[64], only[64];
    ngx_uint_t   i, count, bound;

    /* the label, and the same when there is no other */

    label[0] = '\0';
    only[0] = '\0';

    if (result != NULL) {
        last = ngx_snprintf(label, sizeof(label) - 1, "result=\"%V\",",
                            result);
        *last = '\0';

        last = ngx_snprintf(only, sizeof(only) - 1, "{result=\"%V\"}", result);
        *last = '\0';
    }

    for (i = 0, count = 0; i < NGX_HTTP_TICKET_BUCKETS - 1; i++) {
        count += h->bucket[i];
        bound = ngx_http_ticket_usec_bounds[i];

        ngx_http_ticket_text_printf(text,
            "%s_bucket{%sle=\"%ui.%06ui\"} %ui\n", name, label,
            bound / 1000000, bound % 1000000, count);
    }

    count += h->bucket[i];

    ngx_http_ticket_text_printf(text,
        "%s_bucket{%sle=\"+Inf\"} %ui\n%s_sum%s %uA.%06uA\n%s_count%s %ui\n",
        name, label, count, name, only, h->sum / 1000000, h->sum % 1000000,
        name, only, count);
}


static ngx_uint_t
ngx_http_ticket_metrics_count(ngx_http_ticket_histogram_t *h)
{
    ngx_uint_t  i, count;

    for (i = 0, count = 0; i < NGX_HTTP_TICKET_BUCKETS; i++) {
        count += h->bucket[i];
    }

    return count;
}
