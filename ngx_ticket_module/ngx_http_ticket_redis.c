#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_http_ticket_redis_peer.h"


#define NGX_HTTP_TICKET_REDIS_BACKOFF    50     /* ms, doubled each time */
#define NGX_HTTP_TICKET_REDIS_TICK       1000
#define NGX_HTTP_TICKET_REDIS_TICKS      5      /* self-test again */
#define NGX_HTTP_TICKET_REDIS_LINES      5      /* logged in one outage */


static void ngx_http_ticket_redis_timer(ngx_event_t *ev);
static void ngx_http_ticket_redis_connect(ngx_http_ticket_redis_t *redis);
static redisAsyncContext *ngx_http_ticket_redis_open(ngx_addr_t *addr);
static void ngx_http_ticket_redis_connected(const redisAsyncContext *ac,
    int status);
static void ngx_http_ticket_redis_closed(void *data, redisAsyncContext *ac);
static void ngx_http_ticket_redis_failed(ngx_http_ticket_redis_t *redis,
    const char *error);
static void ngx_http_ticket_redis_step(ngx_http_ticket_redis_t *redis);
static ngx_int_t ngx_http_ticket_redis_auth(ngx_http_ticket_redis_t *redis);
static ngx_int_t ngx_http_ticket_redis_select(ngx_http_ticket_redis_t *redis);
static ngx_int_t ngx_http_ticket_redis_scripts(
    ngx_http_ticket_redis_t *redis);
static void ngx_http_ticket_redis_step_done(void *data,
    ngx_http_ticket_outcome_t outcome, redisReply *reply);
static void ngx_http_ticket_redis_tick(ngx_http_ticket_redis_t *redis);
static ngx_msec_t ngx_http_ticket_redis_backoff(
    ngx_http_ticket_redis_t *redis);


static const char  *ngx_http_ticket_redis_states[] = {
    "idle",
    "connecting",
    "authenticating",
    "selecting the database",
    "loading scripts",
    "self-test",
    "ready",
    "closing"
};


ngx_http_ticket_redis_t *
ngx_http_ticket_redis_create(ngx_cycle_t *cycle,
    ngx_http_ticket_redis_conf_t *conf, ngx_http_ticket_shctx_t *sh)
{
    ngx_uint_t                i;
    ngx_http_ticket_redis_t  *redis;

    redis = ngx_calloc(sizeof(ngx_http_ticket_redis_t), cycle->log);
    if (redis == NULL) {
        return NULL;
    }

    redis->conf = conf;
    redis->sh = sh;
    redis->log = cycle->log;

    ngx_queue_init(&redis->calls);
    ngx_http_ticket_redis_wait_init(redis);

    redis->timer.handler = ngx_http_ticket_redis_timer;
    redis->timer.data = redis;
    redis->timer.log = cycle->log;
    redis->timer.cancelable = 1;

    for (i = 0; i < NGX_HTTP_TICKET_SCRIPTS; i++) {
        ngx_http_ticket_script_sha1(i, redis->sha1[i]);
    }

    ngx_http_ticket_redis_connect(redis);

    return redis;
}


void
ngx_http_ticket_redis_destroy(ngx_http_ticket_redis_t *redis)
{
    redis->destroyed = 1;

    ngx_http_ticket_redis_wait_done(redis);

    if (redis->ac) {
        redisAsyncFree(redis->ac);
    }

    if (redis->timer.timer_set) {
        ngx_del_timer(&redis->timer);
    }

    ngx_free(redis);
}


static void
ngx_http_ticket_redis_timer(ngx_event_t *ev)
{
    ngx_http_ticket_redis_t  *redis;

    redis = ev->data;

    switch (redis->state) {

    case NGX_HTTP_TICKET_REDIS_IDLE:
        if (!ngx_exiting && !ngx_terminate) {
            ngx_http_ticket_redis_connect(redis);
        }
        break;

    case NGX_HTTP_TICKET_REDIS_READY:
        ngx_http_ticket_redis_tick(redis);
        break;

    default:
        ngx_http_ticket_redis_drop(redis, "timed out");
    }
}


static void
ngx_http_ticket_redis_connect(ngx_http_ticket_redis_t *redis)
{
    redisAsyncContext             *ac;
    ngx_http_ticket_redis_conf_t  *conf;

    conf = redis->conf;

    redis->reason[0] = '\0';
    redis->accepted = 0;
    redis->offset_seen = 0;
    redis->ticks = 0;
    redis->asking = 0;
    redis->overdue = 0;
    redis->mute = 0;
    ngx_memzero(&redis->info, sizeof(ngx_http_ticket_redis_info_t));

    redis->state = NGX_HTTP_TICKET_REDIS_CONNECT;

    ac = ngx_http_ticket_redis_open(&conf->addrs[redis->addr % conf->naddrs]);

    if (ac == NULL) {
        ngx_http_ticket_redis_failed(redis, "no memory");
        return;
    }

    if (ac->err) {
        ngx_http_ticket_redis_failed(redis, ac->errstr);
        redisAsyncFree(ac);
        return;
    }

    if (ngx_http_ticket_redis_event_attach(ac, redis->log,
                                           ngx_http_ticket_redis_closed,
                                           redis)
        != NGX_OK)
    {
        ngx_http_ticket_redis_failed(redis, "no connection slot");
        redisAsyncFree(ac);
        return;
    }

    ac->data = redis;
    redis->ac = ac;

    ngx_add_timer(&redis->timer, conf->connect_timeout);

    (void) redisAsyncSetConnectCallback(ac, ngx_http_ticket_redis_connected);
}


static redisAsyncContext *
ngx_http_ticket_redis_open(ngx_addr_t *addr)
{
    size_t  len;
    u_char  text[NGX_SOCKADDR_STRLEN + 1];

#if (NGX_HAVE_UNIX_DOMAIN)

    if (addr->sockaddr->sa_family == AF_UNIX) {
        return redisAsyncConnectUnix(
                            ((struct sockaddr_un *) addr->sockaddr)->sun_path);
    }

#endif

    /* an address, not a name: getaddrinfo() in hiredis does not block */

    len = ngx_sock_ntop(addr->sockaddr, addr->socklen, text,
                        NGX_SOCKADDR_STRLEN, 0);
    text[len] = '\0';

    return redisAsyncConnect((char *) text,
                             ngx_inet_get_port(addr->sockaddr));
}


static void
ngx_http_ticket_redis_connected(const redisAsyncContext *ac, int status)
{
    ngx_http_ticket_redis_t  *redis;

    if (status == REDIS_OK) {
        redis = ac->data;
        ngx_http_ticket_redis_step(redis);
    }

    /* otherwise hiredis is about to close; freeing here would be once more */
}


static void
ngx_http_ticket_redis_closed(void *data, redisAsyncContext *ac)
{
    ngx_http_ticket_redis_t  *redis = data;

    redis->ac = NULL;

    ngx_http_ticket_redis_failed(redis, ac->err ? ac->errstr
                                        : "closed by the worker");
}


static void
ngx_http_ticket_redis_failed(ngx_http_ticket_redis_t *redis,
    const char *error)
{
    ngx_uint_t                     level;
    ngx_http_ticket_redis_conf_t  *conf;

    conf = redis->conf;

    if (redis->reason[0] == '\0') {
        (void) ngx_snprintf(redis->reason, sizeof(redis->reason) - 1,
                            "%s (%s)%Z", error,
                            ngx_http_ticket_redis_states[redis->state]);
    }

    if (redis->up) {
        redis->up = 0;
        redis->lines = 0;
        redis->told[0] = '\0';

        (void) ngx_atomic_fetch_add(
                       &redis->sh->workers[ngx_process_slot].redis_up, -1);
        (void) ngx_atomic_fetch_add(&redis->sh->redis_disconnects, 1);
    }

    redis->state = NGX_HTTP_TICKET_REDIS_IDLE;

    if (redis->destroyed) {
        return;
    }

    ngx_http_ticket_redis_started(redis);

    /* a line for each change, not for each attempt */

    level = NGX_LOG_INFO;

    if (!ngx_exiting
        && redis->lines < NGX_HTTP_TICKET_REDIS_LINES
        && ngx_strcmp(redis->reason, redis->told) != 0)
    {
        level = NGX_LOG_ERR;
        redis->lines++;
        ngx_memcpy(redis->told, redis->reason, sizeof(redis->told));
    }

    ngx_log_error(level, redis->log, 0,
                  "ticket redis: %V cannot be used: %s", &conf->name,
                  redis->reason);

    redis->addr++;

    if (ngx_exiting || ngx_terminate) {

        if (redis->timer.timer_set) {
            ngx_del_timer(&redis->timer);
        }

        return;
    }

    ngx_add_timer(&redis->timer, ngx_http_ticket_redis_backoff(redis));

    redis->tries++;
}


static ngx_msec_t
ngx_http_ticket_redis_backoff(ngx_http_ticket_redis_t *redis)
{
    ngx_uint_t  round;
    ngx_msec_t  delay;

    /* all addresses are tried before the pause grows */

    round = redis->tries / redis->conf->naddrs;

    delay = NGX_HTTP_TICKET_REDIS_BACKOFF;

    while (round-- && delay < redis->conf->backoff_max) {
        delay *= 2;
    }

    delay = ngx_min(delay, redis->conf->backoff_max);

    return delay / 2 + ngx_random() % (delay / 2 + 1);
}


void
ngx_http_ticket_redis_drop(ngx_http_ticket_redis_t *redis, const char *fmt,
    ...)
{
    u_char   *p;
    va_list   args;

    if (redis->reason[0] == '\0') {
        va_start(args, fmt);
        p = ngx_vslprintf(redis->reason,
                          redis->reason + sizeof(redis->reason) - 1, fmt,
                          args);
        va_end(args);

        p = ngx_slprintf(p, redis->reason + sizeof(redis->reason) - 1,
                         " (%s)", ngx_http_ticket_redis_states[redis->state]);
        *p = '\0';
    }

    /* from inside a handler hiredis puts it off until that returns */

    redisAsyncFree(redis->ac);
}


void
ngx_http_ticket_redis_leave(ngx_http_ticket_redis_t *redis, ngx_str_t *error)
{
    (void) ngx_snprintf(redis->reason, sizeof(redis->reason) - 1,
                        "error \"%V\"%Z", error);

    redis->state = NGX_HTTP_TICKET_REDIS_CLOSING;

    ngx_add_timer(&redis->timer, redis->conf->timeout);

    redisAsyncDisconnect(redis->ac);
}


static void
ngx_http_ticket_redis_step(ngx_http_ticket_redis_t *redis)
{
    ngx_int_t  rc;

    /* NGX_DONE: nothing to ask in this state; errors: the timer sees to it */

    do {
        redis->state++;

        switch (redis->state) {

        case NGX_HTTP_TICKET_REDIS_AUTH:
            rc = ngx_http_ticket_redis_auth(redis);
            break;

        case NGX_HTTP_TICKET_REDIS_SELECT:
            rc = ngx_http_ticket_redis_select(redis);
            break;

        case NGX_HTTP_TICKET_REDIS_SCRIPTS:
            rc = ngx_http_ticket_redis_scripts(redis);
            break;

        default: /* NGX_HTTP_TICKET_REDIS_SELFTEST */
            rc = ngx_http_ticket_redis_catalogue(redis);

            if (rc == NGX_OK) {
                rc = ngx_http_ticket_redis_backlog(redis);
            }

            if (rc == NGX_OK) {
                rc = ngx_http_ticket_redis_selftest(redis);
            }

            break;
        }

    } while (rc == NGX_DONE);

    ngx_add_timer(&redis->timer, redis->conf->timeout);
}


static ngx_int_t
ngx_http_ticket_redis_auth(ngx_http_ticket_redis_t *redis)
{
    size_t                         len[3];
    const char                    *arg[3];
    ngx_uint_t                     n;
    ngx_http_ticket_redis_conf_t  *conf;

    conf = redis->conf;

    if (conf->password.len == 0) {
        return NGX_DONE;
    }

    n = 0;

    arg[n] = "AUTH";
    len[n++] = sizeof("AUTH") - 1;

    if (conf->user.len) {
        arg[n] = (const char *) conf->user.data;
        len[n++] = conf->user.len;
    }

    arg[n] = (const char *) conf->password.data;
    len[n++] = conf->password.len;

    return ngx_http_ticket_redis_call(redis, n, arg, len,
                                      ngx_http_ticket_redis_step_done, redis);
}


static ngx_int_t
ngx_http_ticket_redis_select(ngx_http_ticket_redis_t *redis)
{
    size_t       len[2];
    u_char       db[NGX_INT_T_LEN];
    const char  *arg[2];

    if (redis->conf->db == 0) {
        return NGX_DONE;
    }

    arg[0] = "SELECT";
    len[0] = sizeof("SELECT") - 1;

    arg[1] = (const char *) db;
    len[1] = ngx_sprintf(db, "%ui", redis->conf->db) - db;

    return ngx_http_ticket_redis_call(redis, 2, arg, len,
                                      ngx_http_ticket_redis_step_done, redis);
}


static ngx_int_t
ngx_http_ticket_redis_scripts(ngx_http_ticket_redis_t *redis)
{
    ngx_int_t   rc;
    ngx_uint_t  i;

    redis->loaded = 0;

    for (i = 0; i < NGX_HTTP_TICKET_SCRIPTS; i++) {
        rc = ngx_http_ticket_redis_call_load(redis, i,
                                             ngx_http_ticket_redis_step_done,
                                             redis);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


static void
ngx_http_ticket_redis_step_done(void *data, ngx_http_ticket_outcome_t outcome,
    redisReply *reply)
{
    ngx_http_ticket_redis_t  *redis = data;

    ngx_str_t  error;

    if (reply == NULL) {
        return;
    }

    if (outcome != NGX_HTTP_TICKET_DONE) {

        /* an answer to AUTH may repeat the password */

        if (redis->state == NGX_HTTP_TICKET_REDIS_AUTH) {
            ngx_http_ticket_redis_error_code(reply, &error);

        } else {
            error.data = (u_char *) reply->str;
            error.len = reply->len;
        }

        ngx_http_ticket_redis_drop(redis, "error \"%V\"", &error);
        return;
    }

    if (redis->state == NGX_HTTP_TICKET_REDIS_SCRIPTS
        && ++redis->loaded < NGX_HTTP_TICKET_SCRIPTS)
    {
        return;
    }

    ngx_http_ticket_redis_step(redis);
}


void
ngx_http_ticket_redis_opened(ngx_http_ticket_redis_t *redis)
{
    redis->state = NGX_HTTP_TICKET_REDIS_READY;
    redis->up = 1;
    redis->tries = 0;

    (void) ngx_atomic_fetch_add(
                        &redis->sh->workers[ngx_process_slot].redis_up, 1);
    (void) ngx_atomic_fetch_add(&redis->sh->redis_connects, 1);

    ngx_log_error(NGX_LOG_NOTICE, redis->log, 0,
                  "ticket redis: %V is ready", &redis->conf->name);

    ngx_add_timer(&redis->timer, NGX_HTTP_TICKET_REDIS_TICK);

    ngx_http_ticket_redis_started(redis);
}


static void
ngx_http_ticket_redis_tick(ngx_http_ticket_redis_t *redis)
{
    uint64_t    oldest;
    ngx_msec_t  limit;
    ngx_uint_t  overdue;

    limit = ngx_max(3 * redis->conf->timeout, 3000);
    oldest = ngx_http_ticket_redis_oldest(redis);

    overdue = oldest && (ngx_http_ticket_usec() - oldest) / 1000 > limit;

    /* once may be ourselves: a worker that was stopped reads first */

    if (overdue && redis->overdue) {
        ngx_http_ticket_redis_drop(redis, "no answer within %M ms", limit);
        return;
    }

    redis->overdue = overdue;

    ngx_add_timer(&redis->timer, NGX_HTTP_TICKET_REDIS_TICK);

    /* the last round is not over: more questions make it no faster */

    if (redis->asking) {
        return;
    }

    redis->asking = (ngx_http_ticket_redis_catalogue(redis) == NGX_OK);

    if (++redis->ticks % NGX_HTTP_TICKET_REDIS_TICKS == 0) {
        (void) ngx_http_ticket_redis_backlog(redis);
        (void) ngx_http_ticket_redis_selftest(redis);
    }
}
