#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_ticket_redis_peer.h"
#include "ticket_scripts.h"


#define NGX_HTTP_TICKET_CLOCK_AGE    10000000    /* microseconds */
#define NGX_HTTP_TICKET_CLOCK_DRIFT  1000        /* in so many, at most 1 */


static void ngx_http_ticket_redis_catalogue_done(void *data,
    ngx_http_ticket_outcome_t outcome, redisReply *reply);
static void ngx_http_ticket_redis_backlog_done(void *data,
    ngx_http_ticket_outcome_t outcome, redisReply *reply);
static void ngx_http_ticket_redis_selftest_done(void *data,
    ngx_http_ticket_outcome_t outcome, redisReply *reply);
static void ngx_http_ticket_redis_selftest_failed(
    ngx_http_ticket_redis_t *redis, ngx_str_t *error);
static ngx_int_t ngx_http_ticket_redis_told(ngx_http_ticket_redis_t *redis,
    redisReply *reply);
static ngx_int_t ngx_http_ticket_redis_number(redisReply *reply);


ngx_uint_t
ngx_http_ticket_redis_ready(ngx_http_ticket_redis_t *redis)
{
    return redis->state == NGX_HTTP_TICKET_REDIS_READY;
}


ngx_http_ticket_redis_info_t *
ngx_http_ticket_redis_info(ngx_http_ticket_redis_t *redis)
{
    return &redis->info;
}


ngx_http_ticket_redis_conf_t *
ngx_http_ticket_redis_conf(ngx_http_ticket_redis_t *redis)
{
    return redis->conf;
}


ngx_uint_t
ngx_http_ticket_redis_complete(ngx_http_ticket_redis_t *redis,
    ngx_str_t *replid)
{
    return replid->len == ngx_strlen(redis->info.catalogue)
           && ngx_memcmp(replid->data, redis->info.catalogue, replid->len)
              == 0;
}


ngx_int_t
ngx_http_ticket_redis_catalogue(ngx_http_ticket_redis_t *redis)
{
    static const char   *arg[2] = { "GET", "catalogue" };
    static const size_t  len[2] = { sizeof("GET") - 1,
                                    sizeof("catalogue") - 1 };

    return ngx_http_ticket_redis_call(redis, 2, arg, len,
                                      ngx_http_ticket_redis_catalogue_done,
                                      redis);
}


static void
ngx_http_ticket_redis_catalogue_done(void *data,
    ngx_http_ticket_outcome_t outcome, redisReply *reply)
{
    ngx_http_ticket_redis_t  *redis = data;

    ngx_str_t  error;
    u_char    *catalogue;

    redis->asking = 0;

    if (reply == NULL) {
        return;
    }

    catalogue = redis->info.catalogue;

    catalogue[0] = '\0';

    if (reply->type == REDIS_REPLY_STRING
        && (size_t) reply->len < sizeof(redis->info.catalogue))
    {
        ngx_memcpy(catalogue, reply->str, reply->len);
        catalogue[reply->len] = '\0';
    }

    if (outcome != NGX_HTTP_TICKET_DONE
        && redis->state == NGX_HTTP_TICKET_REDIS_SELFTEST)
    {
        error.data = (u_char *) reply->str;
        error.len = reply->len;

        ngx_http_ticket_redis_drop(redis, "error \"%V\"", &error);
    }
}


/* not among the rights it needs: who may not ask is not warned */

ngx_int_t
ngx_http_ticket_redis_backlog(ngx_http_ticket_redis_t *redis)
{
    static const char   *arg[3] = { "CONFIG", "GET", "repl-backlog-ttl" };
    static const size_t  len[3] = { sizeof("CONFIG") - 1, sizeof("GET") - 1,
                                    sizeof("repl-backlog-ttl") - 1 };

    if (redis->mute) {
        return NGX_OK;
    }

    return ngx_http_ticket_redis_call(redis, 3, arg, len,
                                      ngx_http_ticket_redis_backlog_done,
                                      redis);
}


static void
ngx_http_ticket_redis_backlog_done(void *data,
    ngx_http_ticket_outcome_t outcome, redisReply *reply)
{
    ngx_http_ticket_redis_t  *redis = data;

    if (reply == NULL) {
        return;
    }

    redis->mute = (reply->type == REDIS_REPLY_ERROR);
    redis->info.backlog_ttl = 0;

    if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 2) {
        redis->info.backlog_ttl =
                    ngx_max(ngx_http_ticket_redis_number(reply->element[1]), 0);
    }
}


ngx_int_t
ngx_http_ticket_redis_selftest(ngx_http_ticket_redis_t *redis)
{
    size_t       len[5];
    u_char       nonce[NGX_INT64_LEN * 2 + 1];
    ngx_uint_t   i;
    const char  *arg[5];

    arg[0] = "ticket:{:selftest}:hash";
    arg[1] = "ticket:{:selftest}:stream";
    arg[2] = "ticket:{:selftest}:string";
    arg[3] = "ticket:{:selftest}:zset";

    for (i = 0; i < 4; i++) {
        len[i] = ngx_strlen(arg[i]);
    }

    arg[4] = (const char *) nonce;
    len[4] = ngx_sprintf(nonce, "%P-%uL", ngx_pid, ngx_http_ticket_usec())
             - nonce;

    return ngx_http_ticket_redis_call_script(redis,
                                         NGX_HTTP_TICKET_SCRIPT_selftest, 4, 5,
                                         arg, len,
                                         ngx_http_ticket_redis_selftest_done,
                                         redis);
}


static void
ngx_http_ticket_redis_selftest_done(void *data,
    ngx_http_ticket_outcome_t outcome, redisReply *reply)
{
    ngx_http_ticket_redis_t  *redis = data;

    ngx_str_t   error;
    ngx_uint_t  lonely;

    if (reply == NULL || redis->state == NGX_HTTP_TICKET_REDIS_CLOSING) {
        return;
    }

    lonely = redis->info.lonely;

    if (outcome != NGX_HTTP_TICKET_DONE) {
        error.data = (u_char *) reply->str;
        error.len = reply->len;

        ngx_http_ticket_redis_selftest_failed(redis, &error);
        return;
    }

    if (ngx_http_ticket_redis_told(redis, reply) != NGX_OK) {
        ngx_str_set(&error, "malformed reply");
        ngx_http_ticket_redis_selftest_failed(redis, &error);
        return;
    }

    if (!redis->info.master) {

        /* one of the other addresses may be it */

        ngx_str_set(&error, "not a master");
        ngx_http_ticket_redis_leave(redis, &error);
        return;
    }

    if (redis->state == NGX_HTTP_TICKET_REDIS_SELFTEST) {
        ngx_http_ticket_redis_opened(redis);

    } else if (!redis->info.selftest) {
        ngx_log_error(NGX_LOG_NOTICE, redis->log, 0,
                      "ticket redis: self-test on %V passed again",
                      &redis->conf->name);
    }

    redis->info.selftest = 1;

    if (redis->info.lonely && !lonely) {
        ngx_log_error(NGX_LOG_ERR, redis->log, 0,
                      "ticket redis: %V refuses writes: fewer replicas than "
                      "min-replicas-to-write", &redis->conf->name);

    } else if (lonely && !redis->info.lonely) {
        ngx_log_error(NGX_LOG_NOTICE, redis->log, 0,
                      "ticket redis: %V has enough replicas again",
                      &redis->conf->name);
    }
}


static void
ngx_http_ticket_redis_selftest_failed(ngx_http_ticket_redis_t *redis,
    ngx_str_t *error)
{
    if (redis->state == NGX_HTTP_TICKET_REDIS_SELFTEST) {
        ngx_http_ticket_redis_drop(redis, "error \"%V\"", error);
        return;
    }

    /* each command has its own answer: the connection stays */

    if (redis->info.selftest) {
        redis->info.selftest = 0;

        ngx_log_error(NGX_LOG_ERR, redis->log, 0,
                      "ticket redis: self-test on %V failed: \"%V\"",
                      &redis->conf->name, error);
    }
}


static ngx_int_t
ngx_http_ticket_redis_told(ngx_http_ticket_redis_t *redis, redisReply *reply)
{
    redisReply                    **item;
    ngx_http_ticket_redis_info_t   *info;

    item = reply->element;

    if (reply->type != REDIS_REPLY_ARRAY
        || reply->elements < 10
        || ngx_http_ticket_redis_number(item[0]) != TICKET_CODE_OK
        || item[2]->type != REDIS_REPLY_STRING
        || item[4]->type != REDIS_REPLY_STRING
        || item[8]->type != REDIS_REPLY_STRING
        || (size_t) item[8]->len >= sizeof(redis->info.replid))
    {
        return NGX_ERROR;
    }

    info = &redis->info;

    info->noeviction = (ngx_strcmp(item[2]->str, "noeviction") == 0);
    info->maxmemory = (ngx_http_ticket_redis_number(item[3]) > 0);
    info->master = (ngx_strcmp(item[4]->str, "master") == 0);
    info->replicas = ngx_max(ngx_http_ticket_redis_number(item[5]), 0);
    info->good_replicas = ngx_http_ticket_redis_number(item[6]);
    info->lonely = (ngx_http_ticket_redis_number(item[7]) == 1);
    info->backlog = (ngx_http_ticket_redis_number(item[9]) == 1);

    ngx_memcpy(info->replid, item[8]->str, item[8]->len);
    info->replid[item[8]->len] = '\0';

    return NGX_OK;
}


/* -1: '', what is not known or not set */

static ngx_int_t
ngx_http_ticket_redis_number(redisReply *reply)
{
    if (reply->type == REDIS_REPLY_INTEGER) {
        return (ngx_int_t) reply->integer;
    }

    if (reply->type == REDIS_REPLY_STRING) {
        return ngx_atoi((u_char *) reply->str, reply->len);
    }

    return -1;
}


void
ngx_http_ticket_redis_clock_seen(ngx_http_ticket_redis_t *redis,
    redisReply *reply, uint64_t sent, uint64_t now)
{
    int64_t      low, high;
    redisReply  *time;

    if (reply->type != REDIS_REPLY_ARRAY
        || reply->elements < 2
        || reply->element[1]->type != REDIS_REPLY_INTEGER)
    {
        return;
    }

    time = reply->element[1];

    /* at some moment between the two it was time .. time + 1 ms there */

    low = time->integer * 1000 - (int64_t) now;
    high = (time->integer + 1) * 1000 - (int64_t) sent;

    if (redis->offset_seen == 0
        || low > redis->offset
        || high < redis->offset
        || now - redis->offset_seen > NGX_HTTP_TICKET_CLOCK_AGE)
    {
        redis->offset = low;
        redis->offset_seen = now;
    }
}


int64_t
ngx_http_ticket_redis_clock(ngx_http_ticket_redis_t *redis, uint64_t now,
    uint64_t deadline)
{
    int64_t  drift;

    if (redis->offset_seen == 0) {
        return 0;
    }

    /* two clocks that are slewed run apart until the offset is seen anew */

    drift = (now - redis->offset_seen) / NGX_HTTP_TICKET_CLOCK_DRIFT;

    /* a script acts to the end of the millisecond it is told */

    return ((int64_t) deadline + redis->offset - drift) / 1000 - 1;
}
