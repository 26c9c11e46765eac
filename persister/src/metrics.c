/* Counters and gauges: one table, rendered as it stands. */

#include "metrics.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { COUNTER, GAUGE };

static const struct {
    const char *name;           /* after ticket_persister_ */
    const char *labels;
    enum kind   kind;
    const char *help;           /* of the first row of a name */
} table[METRICS] = {
    [M_APPLIED_KAFKA] = { "applied_total", "source=\"kafka\"", COUNTER,
        "Events stored, by the road they came." },
    [M_APPLIED_OUTBOX] = { "applied_total", "source=\"outbox\"", COUNTER, "" },
    [M_DUPLICATES] = { "duplicates_total", "", COUNTER,
        "Events seen again and skipped." },
    [M_MESSAGES] = { "messages_total", "", COUNTER,
        "Messages consumed from Kafka." },
    [M_MALFORMED] = { "malformed_total", "", COUNTER,
        "Messages that are no event, or carry a number never given." },
    [M_UNUSABLE_TOO_LARGE] = { "unusable_total", "result=\"too_large\"",
        COUNTER, "Messages of no use put into dead_letters, by why." },
    [M_UNUSABLE_UNREADABLE] = { "unusable_total", "result=\"unreadable\"",
        COUNTER, "" },
    [M_UNUSABLE_UNKNOWN_TYPE] = { "unusable_total", "result=\"unknown_type\"",
        COUNTER, "" },
    [M_UNUSABLE_UNKNOWN_TICKET] = { "unusable_total", "result=\"unknown_ticket\"",
        COUNTER, "" },
    [M_UNUSABLE_NEVER_GIVEN] = { "unusable_total", "result=\"never_given\"",
        COUNTER, "" },
    [M_UNUSABLE_CONTRADICTED] = { "unusable_total", "result=\"contradicted\"",
        COUNTER, "" },
    [M_DLQ_PUBLISHED] = { "dlq_published_total", "", COUNTER,
        "Dead letters sent to the DLQ topic." },
    [M_DLQ_ERRORS] = { "dlq_errors_total", "", COUNTER,
        "Dead letters the DLQ topic did not take: they are sent again." },
    [M_DLQ_UNPUBLISHED] = { "dlq_unpublished", "", GAUGE,
        "Dead letters that are not in the DLQ topic yet." },
    [M_LATE] = { "late_total", "", COUNTER,
        "Events of a past epoch, put into late_events." },
    [M_LATE_PENDING] = { "late_pending", "", GAUGE,
        "Late events still to be settled." },
    [M_TAKEN_OVER] = { "taken_over_total", "", COUNTER,
        "Late events of which an event of this epoch was made." },
    [M_RECOVERED] = { "recovered_total", "", COUNTER,
        "Tickets brought back that were open before." },
    [M_SKIPPED] = { "skipped_total", "", COUNTER,
        "Numbers a recovery passed over, as nobody had them." },
    [M_GAPS_FILLED] = { "gaps_filled_total", "", COUNTER,
        "Times a missing event was fetched from the outbox." },
    [M_HELD_DROPPED] = { "held_dropped_total", "", COUNTER,
        "Held back events dropped for want of room." },
    [M_FENCED] = { "fenced_total", "", COUNTER,
        "Transactions another owner of the lane was ahead of." },
    [M_RESYNCED] = { "resynced_total", "", COUNTER,
        "Lanes copied from Redis because their outbox began too late." },
    [M_ROWS_UPSERTED] = { "rows_total", "outcome=\"upserted\"", COUNTER,
        "Rows of purchases written." },
    [M_ROWS_DELETED] = { "rows_total", "outcome=\"deleted\"", COUNTER, "" },
    [M_BATCHES] = { "batches_total", "", COUNTER,
        "Transactions committed with events." },
    [M_DEAD_LETTERS] = { "dead_letters_total", "", COUNTER,
        "Bookings MySQL refused for good, put into dead_letters." },
    [M_DEAD_REJECTED] = { "dead_letters_settled_total", "outcome=\"rejected\"",
        COUNTER, "Dead letters taken back in Redis, or not held any more." },
    [M_DEAD_GONE] = { "dead_letters_settled_total", "outcome=\"gone\"",
        COUNTER, "" },
    [M_DEAD_PENDING] = { "dead_letters_pending", "", GAUGE,
        "Dead letters whose booking is still to be taken back." },
    [M_BREAKER] = { "breaker_total", "", COUNTER,
        "Lanes stopped because too much of them was refused." },
    [M_MYSQL_TRANSIENT] = { "mysql_errors_total", "outcome=\"transient\"",
        COUNTER, "Statements MySQL refused or did not answer." },
    [M_MYSQL_PERMANENT] = { "mysql_errors_total", "outcome=\"permanent\"",
        COUNTER, "" },
    [M_MYSQL_CONNECTS] = { "mysql_connects_total", "", COUNTER,
        "MySQL sessions opened." },
    [M_REDIS_CONNECTS] = { "redis_connects_total", "", COUNTER,
        "Redis connections opened." },
    [M_REDIS_ERRORS] = { "redis_errors_total", "", COUNTER,
        "Redis connections lost or refused." },
    [M_KAFKA_ERRORS] = { "kafka_errors_total", "", COUNTER,
        "Errors reported by librdkafka." },
    [M_REBALANCES] = { "rebalances_total", "", COUNTER,
        "Times Kafka assigned the partitions anew." },
    [M_ACKS] = { "acks_total", "", COUNTER,
        "Batches acknowledged to Redis." },
    [M_OPENED] = { "opened_total", "", COUNTER, "Tickets opened." },
    [M_SWEEPS] = { "sweeps_total", "", COUNTER, "Sweeps over all lanes." },
    [M_LANES] = { "lanes", "", GAUGE, "Lanes owned." },
    [M_LANES_STOPPED] = { "lanes_stopped", "", GAUGE,
        "Lanes stopped until somebody looks at them." },
    [M_LAG_EVENTS] = { "lag_events", "", GAUGE,
        "Events decided in Redis and not stored yet, in the lanes owned." },
    [M_RECOVER_QUEUE] = { "recover_queue", "", GAUGE,
        "Tickets waiting to be opened." },
    [M_ROOMS] = { "rooms", "", GAUGE,
        "Waiting rooms in Redis, without those that are deleted." },
    [M_ROOMS_BROKEN] = { "rooms_broken", "", GAUGE,
        "Waiting rooms that cannot be kept in MySQL." },
    [M_ROOMS_RESTORED] = { "rooms_restored_total", "", COUNTER,
        "Waiting rooms put back after Redis had lost them." },
    [M_ROWS_PER_SECOND] = { "benchmark_rows_per_second", "", GAUGE,
        "Rows MySQL takes a second, as the last benchmark found; 0: unknown." },
    [M_MYSQL_DOWN] = { "mysql_down", "", GAUGE,
        "Threads that get no MySQL session." },
    [M_REDIS_DOWN] = { "redis_down", "", GAUGE,
        "Threads that get no Redis connection." },
    [M_RUNNING] = { "running", "", GAUGE,
        "1 when the database is migrated and the workers run." },
    [M_WORKERS_BACKING_OFF] = { "workers_backing_off", "", GAUGE,
        "Workers waiting after an error before they try again." },
};

#define BOUNDS 12

static const struct {
    const char *name;
    const char *help;
    double      bounds[BOUNDS];
} histograms[HISTOGRAMS] = {
    [H_BATCH_EVENTS] = { "batch_events", "Events stored in one transaction.",
        { 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000 } },
    [H_COMMIT] = { "commit_seconds", "Time of one transaction with its commit.",
        { .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10 } },
    [H_RECOVERY] = { "recovery_seconds", "Time from the claim of a ticket that"
        " was open before until it is open again.",
        { .1, .25, .5, 1, 2, 3, 4, 5, 10, 20, 60, 300 } },
};

static _Atomic int64_t values[METRICS];

static struct {
    _Atomic uint64_t buckets[BOUNDS + 1];       /* the last: above all bounds */
    _Atomic uint64_t sum;                       /* millionths */
} observed[HISTOGRAMS];

void
metric_add(enum metric m, int64_t n)
{
    atomic_fetch_add_explicit(&values[m], n, memory_order_relaxed);
}

void
metric_set(enum metric m, int64_t value)
{
    atomic_store_explicit(&values[m], value, memory_order_relaxed);
}

int64_t
metric_get(enum metric m)
{
    return atomic_load_explicit(&values[m], memory_order_relaxed);
}

void
histogram_observe(enum histogram h, double value)
{
    size_t i = 0;

    while (i < BOUNDS && value > histograms[h].bounds[i])
        i++;
    atomic_fetch_add_explicit(&observed[h].buckets[i], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&observed[h].sum, (uint64_t) (value * 1e6 + .5),
        memory_order_relaxed);
}

static void
render_histogram(FILE *out, enum histogram h)
{
    const char *name = histograms[h].name;
    uint64_t count = 0;

    fprintf(out, "# HELP ticket_persister_%s %s\n"
        "# TYPE ticket_persister_%s histogram\n", name, histograms[h].help,
        name);
    uint64_t sum = atomic_load(&observed[h].sum);
    for (size_t i = 0; i < BOUNDS; i++) {
        count += atomic_load(&observed[h].buckets[i]);
        fprintf(out, "ticket_persister_%s_bucket{le=\"%g\"} %" PRIu64 "\n",
            name, histograms[h].bounds[i], count);
    }
    count += atomic_load(&observed[h].buckets[BOUNDS]);
    fprintf(out, "ticket_persister_%s_bucket{le=\"+Inf\"} %" PRIu64 "\n"
        "ticket_persister_%s_sum %.6f\n"
        "ticket_persister_%s_count %" PRIu64 "\n", name, count, name,
        (double) sum / 1e6, name, count);
}

char *
metrics_render(size_t *len)
{
    char *page = NULL;
    FILE *out = open_memstream(&page, len);

    if (out == NULL)
        return NULL;
    for (size_t i = 0; i < METRICS; i++) {
        const char *name = table[i].name, *labels = table[i].labels;
        if (i == 0 || strcmp(name, table[i - 1].name) != 0)
            fprintf(out, "# HELP ticket_persister_%s %s\n"
                "# TYPE ticket_persister_%s %s\n", name, table[i].help, name,
                table[i].kind == COUNTER ? "counter" : "gauge");
        fprintf(out, "ticket_persister_%s%s%s%s %" PRId64 "\n", name,
            labels[0] != '\0' ? "{" : "", labels,
            labels[0] != '\0' ? "}" : "", metric_get((enum metric) i));
    }
    for (size_t h = 0; h < HISTOGRAMS; h++)
        render_histogram(out, (enum histogram) h);
    if (fclose(out) != 0) {
        free(page);
        return NULL;
    }
    return page;
}
