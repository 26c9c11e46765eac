
/*
 * The waiting rooms in numbers.  What Redis counts, worker 0 alone says, as
 * all workers see the same rooms.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_ticket_metrics.h"
#include "ngx_http_ticket_queue_metrics.h"
#include "ngx_http_ticket_room.h"


#define NGX_HTTP_TICKET_WAIT   "ticket_edge_queue_wait_seconds"


static void ngx_http_ticket_queue_sum(ngx_http_ticket_worker_t *sums,
    ngx_http_ticket_rooms_t *rooms);
static ngx_uint_t ngx_http_ticket_queue_stalled(
    ngx_http_ticket_picture_t *picture);
static void ngx_http_ticket_queue_wait(ngx_http_ticket_text_t *text,
    ngx_http_ticket_histogram_t *h);


void
ngx_http_ticket_queue_gauges(ngx_http_ticket_main_conf_t *tmcf)
{
    ngx_uint_t                      i;
    ngx_http_ticket_worker_t        sums, *worker;
    ngx_http_ticket_redis_conf_t  **confs;

    ngx_memzero(&sums, sizeof(ngx_http_ticket_worker_t));

    confs = tmcf->redis.elts;

    for (i = 0; i < tmcf->redis.nelts; i++) {
        if (confs[i]->rooms != NULL) {
            ngx_http_ticket_queue_sum(&sums, confs[i]->rooms);
        }
    }

    worker = &tmcf->sh->workers[ngx_process_slot];

    worker->queue_streams = sums.queue_streams;
    worker->queue_rooms = sums.queue_rooms;
    worker->queue_stalled = sums.queue_stalled;
    worker->queue_waiting = sums.queue_waiting;
    worker->queue_live = sums.queue_live;
    worker->queue_pace = sums.queue_pace;
    worker->queue_issued = sums.queue_issued;
    worker->queue_used = sums.queue_used;
    worker->queue_expired = sums.queue_expired;
    worker->queue_returned = sums.queue_returned;
}


static void
ngx_http_ticket_queue_sum(ngx_http_ticket_worker_t *sums,
    ngx_http_ticket_rooms_t *rooms)
{
    ngx_queue_t                *q;
    ngx_http_ticket_room_t     *room;
    ngx_http_ticket_picture_t  *picture;

    sums->queue_streams += rooms->streams;

    if (ngx_worker != 0 || rooms->leaving) {
        return;
    }

    for (q = ngx_queue_head(&rooms->all);
         q != ngx_queue_sentinel(&rooms->all);
         q = ngx_queue_next(q))
    {
        room = ngx_queue_data(q, ngx_http_ticket_room_t, queue);
        picture = &room->picture;

        if (picture->seen == 0) {
            continue;
        }

        sums->queue_rooms++;
        sums->queue_stalled += ngx_http_ticket_queue_stalled(picture);
        sums->queue_waiting += picture->waiting;
        sums->queue_live += picture->live;
        sums->queue_pace += ngx_max(picture->pace, 0);
        sums->queue_issued += ngx_max(picture->issued, 0);
        sums->queue_used += ngx_max(picture->used, 0);
        sums->queue_expired += ngx_max(picture->expired, 0);
        sums->queue_returned += ngx_max(picture->returned, 0);
    }
}


/* there is room for those who wait, and nobody has been let in for a while */

static ngx_uint_t
ngx_http_ticket_queue_stalled(ngx_http_ticket_picture_t *picture)
{
    return picture->waiting > 0
           && picture->pace <= 0
           && picture->live < picture->capacity
           && (picture->left < 0 || picture->live < picture->left)
           && (picture->state == NGX_HTTP_TICKET_ROOM_OPEN
               || picture->state == NGX_HTTP_TICKET_ROOM_DRAINING)
           && ngx_http_ticket_room_now(picture) > picture->opens_at;
}


void
ngx_http_ticket_queue_waited(ngx_http_ticket_main_conf_t *tmcf,
    int64_t entered, int64_t now)
{
    ngx_http_ticket_histogram_observe(&tmcf->sh->queue_wait,
                                      ngx_http_ticket_wait_bounds,
                                      (ngx_uint_t) ngx_max(now - entered, 0));
}


void
ngx_http_ticket_queue_metrics(ngx_http_ticket_text_t *text,
    ngx_http_ticket_main_conf_t *tmcf)
{
    ngx_uint_t                 i;
    ngx_http_ticket_worker_t   sums, *worker;

    ngx_memzero(&sums, sizeof(ngx_http_ticket_worker_t));

#define ngx_http_ticket_queue_most(name)                                      \
    sums.queue_ ## name = ngx_max(sums.queue_ ## name, worker->queue_ ## name)

    for (i = 0; i < NGX_MAX_PROCESSES; i++) {

        worker = &tmcf->sh->workers[i];

        if (!ngx_http_ticket_metrics_alive(worker)) {
            continue;
        }

        sums.queue_streams += worker->queue_streams;

        /* during a reload two of them say the same */

        ngx_http_ticket_queue_most(rooms);
        ngx_http_ticket_queue_most(stalled);
        ngx_http_ticket_queue_most(waiting);
        ngx_http_ticket_queue_most(live);
        ngx_http_ticket_queue_most(pace);
        ngx_http_ticket_queue_most(issued);
        ngx_http_ticket_queue_most(used);
        ngx_http_ticket_queue_most(expired);
        ngx_http_ticket_queue_most(returned);
    }

#undef ngx_http_ticket_queue_most

    ngx_http_ticket_metrics_gauge(text, "ticket_edge_queue_rooms",
        "Waiting rooms.", sums.queue_rooms);

    ngx_http_ticket_metrics_gauge(text, "ticket_edge_queue_rooms_stalled",
        "Open rooms that have people waiting and room for them, and let nobody"
        " in.", sums.queue_stalled);

    ngx_http_ticket_metrics_gauge(text, "ticket_edge_queue_waiting",
        "Users who wait, in all rooms.", sums.queue_waiting);

    ngx_http_ticket_metrics_gauge(text, "ticket_edge_queue_passes_live",
        "Passes that are neither used nor returned nor expired.",
        sums.queue_live);

    ngx_http_ticket_metrics_gauge(text, "ticket_edge_queue_streams",
        "Clients that are told their place as it changes.",
        sums.queue_streams);

    ngx_http_ticket_metrics_family(text,
        "ticket_edge_queue_admissions_per_second", "gauge",
        "Users let in, a mean over some seconds.");
    ngx_http_ticket_text_printf(text,
        "ticket_edge_queue_admissions_per_second %uA.%03uA\n",
        sums.queue_pace / 1000, sums.queue_pace % 1000);

    ngx_http_ticket_metrics_family(text, "ticket_edge_queue_passes_total",
        "counter", "Passes by what became of them, as Redis counts them.");
    ngx_http_ticket_text_printf(text,
        "ticket_edge_queue_passes_total{outcome=\"issued\"} %uA\n"
        "ticket_edge_queue_passes_total{outcome=\"used\"} %uA\n"
        "ticket_edge_queue_passes_total{outcome=\"expired\"} %uA\n"
        "ticket_edge_queue_passes_total{outcome=\"returned\"} %uA\n",
        sums.queue_issued, sums.queue_used, sums.queue_expired,
        sums.queue_returned);

    ngx_http_ticket_queue_wait(text, &tmcf->sh->queue_wait);
}


static void
ngx_http_ticket_queue_wait(ngx_http_ticket_text_t *text,
    ngx_http_ticket_histogram_t *h)
{
    ngx_uint_t  i, count;

    ngx_http_ticket_metrics_family(text, NGX_HTTP_TICKET_WAIT, "histogram",
                                   "Time between entering a room and the"
                                   " pass.");

    for (i = 0, count = 0; i < NGX_HTTP_TICKET_BUCKETS - 1; i++) {
        count += h->bucket[i];

        ngx_http_ticket_text_printf(text,
            NGX_HTTP_TICKET_WAIT "_bucket{le=\"%ui\"} %ui\n",
            ngx_http_ticket_wait_bounds[i] / 1000, count);
    }

    count += h->bucket[i];

    ngx_http_ticket_text_printf(text,
        NGX_HTTP_TICKET_WAIT "_bucket{le=\"+Inf\"} %ui\n"
        NGX_HTTP_TICKET_WAIT "_sum %uA.%03uA\n"
        NGX_HTTP_TICKET_WAIT "_count %ui\n",
        count, h->sum / 1000, h->sum % 1000, count);
}
