/* Counters and gauges of the whole process, atomic, rendered for Prometheus. */

#ifndef PERSISTER_METRICS_H
#define PERSISTER_METRICS_H

#include <stddef.h>
#include <stdint.h>

/* one row each in the table of metrics.c: name, labels, type, help */
enum metric {
    M_APPLIED_KAFKA,            /* ticket_persister_applied_total{source="kafka"} */
    M_APPLIED_OUTBOX,           /* ticket_persister_applied_total{source="outbox"} */
    M_DUPLICATES,               /* ticket_persister_duplicates_total */
    M_MESSAGES,                 /* ticket_persister_messages_total */
    M_MALFORMED,                /* ticket_persister_malformed_total */
    M_UNUSABLE_TOO_LARGE,       /* ticket_persister_unusable_total{result="too_large"} */
    M_UNUSABLE_UNREADABLE,      /* … and so on: enum unusable_why */
    M_UNUSABLE_UNKNOWN_TYPE,
    M_UNUSABLE_UNKNOWN_TICKET,
    M_UNUSABLE_NEVER_GIVEN,
    M_UNUSABLE_CONTRADICTED,
    M_DLQ_PUBLISHED,            /* ticket_persister_dlq_published_total */
    M_DLQ_ERRORS,               /* ticket_persister_dlq_errors_total */
    M_DLQ_UNPUBLISHED,          /* gauge ticket_persister_dlq_unpublished */
    M_LATE,                     /* ticket_persister_late_total */
    M_LATE_PENDING,             /* gauge ticket_persister_late_pending */
    M_TAKEN_OVER,               /* ticket_persister_taken_over_total */
    M_RECOVERED,                /* ticket_persister_recovered_total */
    M_SKIPPED,                  /* ticket_persister_skipped_total */
    M_GAPS_FILLED,              /* ticket_persister_gaps_filled_total */
    M_HELD_DROPPED,             /* ticket_persister_held_dropped_total */
    M_FENCED,                   /* ticket_persister_fenced_total */
    M_RESYNCED,                 /* ticket_persister_resynced_total */
    M_ROWS_UPSERTED,            /* ticket_persister_rows_total{outcome="upserted"} */
    M_ROWS_DELETED,             /* ticket_persister_rows_total{outcome="deleted"} */
    M_BATCHES,                  /* ticket_persister_batches_total */
    M_DEAD_LETTERS,             /* ticket_persister_dead_letters_total */
    M_DEAD_REJECTED,            /* ticket_persister_dead_letters_settled_total{outcome="rejected"} */
    M_DEAD_GONE,                /* ticket_persister_dead_letters_settled_total{outcome="gone"} */
    M_DEAD_PENDING,             /* gauge ticket_persister_dead_letters_pending */
    M_BREAKER,                  /* ticket_persister_breaker_total */
    M_MYSQL_TRANSIENT,          /* ticket_persister_mysql_errors_total{outcome="transient"} */
    M_MYSQL_PERMANENT,          /* ticket_persister_mysql_errors_total{outcome="permanent"} */
    M_MYSQL_CONNECTS,           /* ticket_persister_mysql_connects_total */
    M_REDIS_CONNECTS,           /* ticket_persister_redis_connects_total */
    M_REDIS_ERRORS,             /* ticket_persister_redis_errors_total */
    M_KAFKA_ERRORS,             /* ticket_persister_kafka_errors_total */
    M_REBALANCES,               /* ticket_persister_rebalances_total */
    M_ACKS,                     /* ticket_persister_acks_total */
    M_OPENED,                   /* ticket_persister_opened_total */
    M_SWEEPS,                   /* ticket_persister_sweeps_total */
    M_LANES,                    /* gauge ticket_persister_lanes */
    M_LANES_STOPPED,            /* gauge ticket_persister_lanes_stopped */
    M_LAG_EVENTS,               /* gauge ticket_persister_lag_events */
    M_RECOVER_QUEUE,            /* gauge ticket_persister_recover_queue */
    M_ROOMS,                    /* gauge ticket_persister_rooms */
    M_ROOMS_BROKEN,             /* gauge ticket_persister_rooms_broken */
    M_ROOMS_RESTORED,           /* ticket_persister_rooms_restored_total */
    M_ROWS_PER_SECOND,          /* gauge ticket_persister_benchmark_rows_per_second */
    M_MYSQL_DOWN,               /* gauge ticket_persister_mysql_down */
    M_REDIS_DOWN,               /* gauge ticket_persister_redis_down */
    M_RUNNING,                  /* gauge ticket_persister_running */
    M_WORKERS_BACKING_OFF,      /* gauge ticket_persister_workers_backing_off */
    METRICS
};

enum histogram {
    H_BATCH_EVENTS,             /* ticket_persister_batch_events */
    H_COMMIT,                   /* ticket_persister_commit_seconds */
    H_RECOVERY,                 /* ticket_persister_recovery_seconds */
    HISTOGRAMS
};

void metric_add(enum metric m, int64_t n);
void metric_set(enum metric m, int64_t value);
int64_t metric_get(enum metric m);
void histogram_observe(enum histogram h, double value);

/* the page in Prometheus text format 0.0.4; free() it.  NULL: no memory. */
char *metrics_render(size_t *len);

#endif
