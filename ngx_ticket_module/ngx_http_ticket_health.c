
/*
 * health: this worker serves.  ready: it can sell, and what should be looked
 * at.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_ticket_request.h"


#define ngx_http_ticket_word(text, key, s)                                    \
    do {                                                                      \
        ngx_str_t  word = ngx_string(s);                                      \
        ngx_http_ticket_json_str(text, key, &word);                           \
    } while (0)


static const char *ngx_http_ticket_ready_redis(ngx_http_ticket_main_conf_t *
    tmcf);
static const char *ngx_http_ticket_ready_down(
    ngx_http_ticket_redis_conf_t *conf);
static void ngx_http_ticket_ready_kafka(ngx_http_ticket_text_t *text,
    ngx_http_ticket_main_conf_t *tmcf);
static void ngx_http_ticket_ready_warnings(ngx_http_ticket_text_t *text,
    ngx_http_ticket_main_conf_t *tmcf);


void
ngx_http_ticket_action_health(ngx_http_ticket_ctx_t *ctx)
{
    ngx_http_ticket_text_t  text;

    ngx_http_ticket_text_init(ctx, &text);
    ngx_http_ticket_text_literal(&text, "{\"status\":\"UP\"}");

    ngx_http_ticket_answer(ctx, NGX_HTTP_TICKET_RESULT_UP,
                           &ngx_http_ticket_type_json, &text);
}


void
ngx_http_ticket_action_ready(ngx_http_ticket_ctx_t *ctx)
{
    ngx_str_t                     state;
    const char                   *down;
    ngx_http_ticket_text_t        text;
    ngx_http_ticket_main_conf_t  *tmcf;

    tmcf = ctx->tmcf;
    down = ngx_http_ticket_ready_redis(tmcf);

    state.data = (u_char *) (down ? down : "up");
    state.len = ngx_strlen(state.data);

    ngx_http_ticket_text_init(ctx, &text);

    ngx_http_ticket_json_open(&text, NULL, '{');
    ngx_http_ticket_json_word(&text, "status", down ? "\"DOWN\"" : "\"UP\"");
    ngx_http_ticket_json_open(&text, "checks", '{');
    ngx_http_ticket_json_str(&text, "redis", &state);
    ngx_http_ticket_ready_kafka(&text, tmcf);
    ngx_http_ticket_ready_warnings(&text, tmcf);
    ngx_http_ticket_json_close(&text, '}');
    ngx_http_ticket_json_close(&text, '}');

    ngx_http_ticket_answer(ctx, down ? NGX_HTTP_TICKET_RESULT_DOWN
                                     : NGX_HTTP_TICKET_RESULT_UP,
                           &ngx_http_ticket_type_json, &text);
}


/* why no ticket can be sold, of the first server that cannot; NULL: all can */

static const char *
ngx_http_ticket_ready_redis(ngx_http_ticket_main_conf_t *tmcf)
{
    const char                     *down;
    ngx_uint_t                      i;
    ngx_http_ticket_redis_conf_t  **confs;

    confs = tmcf->redis.elts;

    for (i = 0; i < tmcf->redis.nelts; i++) {
        down = ngx_http_ticket_ready_down(confs[i]);

        if (down != NULL) {
            return down;
        }
    }

    return NULL;
}


static const char *
ngx_http_ticket_ready_down(ngx_http_ticket_redis_conf_t *conf)
{
    ngx_http_ticket_redis_info_t  *info;

    if (conf->redis == NULL || !ngx_http_ticket_redis_ready(conf->redis)) {
        return "down: no connection, see the error log";
    }

    info = ngx_http_ticket_redis_info(conf->redis);

    if (!info->master) {
        return "down: the server is a replica";
    }

    if (info->lonely || info->good_replicas == 0) {
        return "down: fewer replicas than min-replicas-to-write";
    }

    if (!info->selftest) {
        return "down: the self-test failed, see the error log";
    }

    if (!info->noeviction) {
        return "down: maxmemory-policy is not noeviction";
    }

    if (info->replicas > 0 && info->good_replicas < 0) {
        return "down: there are replicas, but no min-replicas-to-write";
    }

    return NULL;
}


static void
ngx_http_ticket_ready_kafka(ngx_http_ticket_text_t *text,
    ngx_http_ticket_main_conf_t *tmcf)
{
    if (tmcf->kafka.enabled == 0) {
        ngx_http_ticket_word(text, "kafka",
            "warning: off, what is not yet stored is lost with Redis");

    } else if (tmcf->producer == NULL
               || !ngx_http_ticket_kafka_up(tmcf->producer))
    {
        ngx_http_ticket_word(text, "kafka",
            "warning: no broker, what is not yet stored is lost with Redis");

    } else {
        ngx_http_ticket_word(text, "kafka", "up");
    }
}


/* what every server that is ready should have, and one of them has not */

static void
ngx_http_ticket_ready_warnings(ngx_http_ticket_text_t *text,
    ngx_http_ticket_main_conf_t *tmcf)
{
    ngx_uint_t                      i, memory, catalogue, stale, backlog;
    ngx_http_ticket_redis_conf_t  **confs;
    ngx_http_ticket_redis_info_t   *info;

    memory = 1;
    catalogue = 1;
    stale = 0;
    backlog = 0;
    confs = tmcf->redis.elts;

    for (i = 0; i < tmcf->redis.nelts; i++) {

        if (confs[i]->redis == NULL
            || !ngx_http_ticket_redis_ready(confs[i]->redis))
        {
            continue;
        }

        info = ngx_http_ticket_redis_info(confs[i]->redis);

        memory &= info->maxmemory;
        catalogue &= (info->catalogue[0] != '\0');
        stale |= (ngx_strcmp(info->catalogue, info->replid) != 0);
        backlog |= (info->backlog && info->backlog_ttl != 0);
    }

    if (!memory) {
        ngx_http_ticket_word(text, "memory",
            "warning: Redis has no maxmemory");
    }

    if (!catalogue) {
        ngx_http_ticket_word(text, "catalogue",
            "warning: none yet, is a persister running?");

    } else if (stale) {
        ngx_http_ticket_word(text, "catalogue",
            "warning: of another life of Redis, is a persister running?");
    }

    if (backlog) {
        ngx_http_ticket_word(text, "replication",
            "warning: repl-backlog-ttl is not 0, tickets close for seconds"
            " when no replica was there for so long");
    }
}
