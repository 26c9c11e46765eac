/* The connection to Redis, the scripts, and the names of keys. */

#include "rds.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include "log.h"
#include "metrics.h"
#include "ticket_scripts.h"
#include "uri.h"

#define ARGS_MAX 128            /* of one EVALSHA that need no allocation */

static const struct {
    const char *name;
    const char *text;
} scripts[RDS_SCRIPTS] = {
    [RDS_ACK] = { "ack", ticket_script_ack },
    [RDS_CLAIM] = { "claim", ticket_script_claim },
    [RDS_OPEN] = { "open", ticket_script_open },
    [RDS_QUEUE_DEFINE] = { "queue_define", ticket_script_queue_define },
    [RDS_REPLAY] = { "replay", ticket_script_replay },
    [RDS_TAKEOVER] = { "takeover", ticket_script_takeover },
    [RDS_TICKET] = { "ticket", ticket_script_ticket },
};

void
rds_init(struct rds *rds, const struct conf *conf)
{
    memset(rds, 0, sizeof *rds);
    rds->conf = conf;
}

static void
drop_connection(struct rds *rds)
{
    if (rds->redis != NULL)
        redisFree(rds->redis);
    rds->redis = NULL;
    rds->pending = 0;
    rds->reload = false;
}

void
rds_close(struct rds *rds)
{
    drop_connection(rds);
    if (rds->down)
        metric_add(M_REDIS_DOWN, -1);
    rds->down = false;
}

/* the connection is of no use any more */
static void
lost(struct rds *rds)
{
    snprintf(rds->message, sizeof rds->message, "%s",
        rds->redis->err != 0 ? rds->redis->errstr : "no answer");
    log_debug("redis: connection lost: %s", rds->message);
    metric_add(M_REDIS_ERRORS, 1);
    drop_connection(rds);
}

redisReply *
rds_reply(struct rds *rds)
{
    void *reply = NULL;

    if (rds->redis == NULL)
        return NULL;
    if (redisGetReply(rds->redis, &reply) != REDIS_OK || reply == NULL) {
        lost(rds);
        return NULL;
    }
    if (rds->pending > 0)
        rds->pending--;

    redisReply *answer = reply;
    if (answer->type == REDIS_REPLY_ERROR
        && strncmp(answer->str, "NOSCRIPT", 8) == 0)
    {
        rds->reload = true;
    }
    return answer;
}

static bool
append(struct rds *rds, int argc, const char **argv, const size_t *argvlen)
{
    if (redisAppendCommandArgv(rds->redis, argc, argv, argvlen) != REDIS_OK) {
        lost(rds);
        return false;
    }
    rds->pending++;
    return true;
}

/* one command with plain words, its reply must not be an error */
static bool
ask(struct rds *rds, int argc, const char **argv, redisReply **keep)
{
    if (!append(rds, argc, argv, NULL))
        return false;
    redisReply *reply = rds_reply(rds);
    if (reply == NULL)
        return false;
    if (reply->type == REDIS_REPLY_ERROR) {
        snprintf(rds->message, sizeof rds->message, "%s: %s", argv[0],
            reply->str);
        freeReplyObject(reply);
        return false;
    }
    if (keep != NULL)
        *keep = reply;
    else
        freeReplyObject(reply);
    return true;
}

static bool
load_scripts(struct rds *rds)
{
    for (size_t i = 0; i < RDS_SCRIPTS; i++) {
        const char *load[] = { "SCRIPT", "LOAD", scripts[i].text };
        redisReply *reply;
        if (!ask(rds, 3, load, &reply))
            return false;
        bool good = reply->type == REDIS_REPLY_STRING && reply->len == 40;
        if (good)
            memcpy(rds->sha[i], reply->str, 41);
        freeReplyObject(reply);
        if (!good) {
            snprintf(rds->message, sizeof rds->message,
                "SCRIPT LOAD %s: unexpected answer", scripts[i].name);
            return false;
        }
    }
    rds->reload = false;
    return true;
}

static bool
log_in(struct rds *rds, const struct uri *uri)
{
    if (uri->password[0] != '\0') {
        const char *both[] = { "AUTH", uri->user, uri->password };
        const char *one[] = { "AUTH", uri->password };
        if (!(uri->user[0] != '\0' ? ask(rds, 3, both, NULL)
                : ask(rds, 2, one, NULL)))
        {
            return false;
        }
    }
    if (uri->db != 0) {
        char db[16];
        snprintf(db, sizeof db, "%d", uri->db);
        const char *select[] = { "SELECT", db };
        if (!ask(rds, 2, select, NULL))
            return false;
    }
    return load_scripts(rds);
}

static bool
open_connection(struct rds *rds, const struct uri *uri)
{
    int ms = rds->conf->redis.timeout;
    struct timeval timeout = {
        .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000
    };

    rds->redis = uri->path[0] != '\0'
        ? redisConnectUnixWithTimeout(uri->path, timeout)
        : redisConnectWithTimeout(uri->host, uri->port, timeout);
    if (rds->redis == NULL) {
        snprintf(rds->message, sizeof rds->message, "no memory");
        return false;
    }
    if (rds->redis->err != 0) {
        snprintf(rds->message, sizeof rds->message, "%s", rds->redis->errstr);
        return false;
    }
    redisSetTimeout(rds->redis, timeout);
    if (uri->path[0] == '\0')
        redisEnableKeepAlive(rds->redis);
    return log_in(rds, uri);
}

bool
rds_connect(struct rds *rds)
{
    struct uri uri;
    const char *why;
    char address[300];

    if (rds->redis != NULL)
        return true;
    if (!uri_parse(rds->conf->redis.uri, &uri, &why)) {
        snprintf(rds->message, sizeof rds->message, "%s", why);
        return false;
    }
    uri_address(&uri, address, sizeof address);
    bool open = open_connection(rds, &uri);
    explicit_bzero(&uri, sizeof uri);

    if (!open) {
        drop_connection(rds);
        metric_add(M_REDIS_ERRORS, 1);
        if (!rds->down) {
            log_warn("redis %s: cannot be used: %s", address, rds->message);
            metric_add(M_REDIS_DOWN, 1);
            rds->down = true;
        }
        return false;
    }

    metric_add(M_REDIS_CONNECTS, 1);
    if (rds->down) {
        log_info("redis %s: can be used again", address);
        metric_add(M_REDIS_DOWN, -1);
        rds->down = false;
    }
    return true;
}

/* before the first command of a pipeline, or a single one */
static bool
ready(struct rds *rds)
{
    if (rds->redis == NULL)
        return false;
    if (rds->pending > 0 || !rds->reload || load_scripts(rds))
        return true;
    drop_connection(rds);
    return false;
}

redisReply *
rds_command(struct rds *rds, int argc, const char **argv,
    const size_t *argvlen)
{
    return ready(rds) && append(rds, argc, argv, argvlen)
        ? rds_reply(rds) : NULL;
}

bool
rds_append(struct rds *rds, int argc, const char **argv,
    const size_t *argvlen)
{
    return ready(rds) && append(rds, argc, argv, argvlen);
}

bool
rds_append_eval(struct rds *rds, enum rds_script script, int nkeys,
    int argc, const char **argv, const size_t *argvlen)
{
    const char *few_args[ARGS_MAX], **args = few_args;
    size_t few_lens[ARGS_MAX], *lens = few_lens;
    size_t total = (size_t) argc + 3;
    char count[16];

    if (!ready(rds))
        return false;
    if (total > ARGS_MAX) {
        args = malloc(total * sizeof *args);
        lens = malloc(total * sizeof *lens);
    }
    bool done = false;
    if (args != NULL && lens != NULL) {
        args[0] = "EVALSHA";
        lens[0] = 7;
        args[1] = rds->sha[script];
        lens[1] = 40;
        args[2] = count;
        lens[2] = (size_t) snprintf(count, sizeof count, "%d", nkeys);
        for (int i = 0; i < argc; i++) {
            args[3 + i] = argv[i];
            lens[3 + i] = argvlen != NULL ? argvlen[i] : strlen(argv[i]);
        }
        done = append(rds, (int) total, args, lens);
    } else {
        lost(rds);
    }
    if (total > ARGS_MAX) {
        free(args);
        free(lens);
    }
    return done;
}

redisReply *
rds_eval(struct rds *rds, enum rds_script script, int nkeys, int argc,
    const char **argv, const size_t *argvlen)
{
    for (int attempt = 0; ; attempt++) {
        if (!rds_append_eval(rds, script, nkeys, argc, argv, argvlen))
            return NULL;
        redisReply *reply = rds_reply(rds);
        if (reply == NULL || !rds->reload || attempt > 0)
            return reply;
        freeReplyObject(reply);         /* loaded again by ready() */
    }
}

bool
rds_done(redisReply *reply, const char *who)
{
    if (reply == NULL)
        return false;
    bool good = reply->type != REDIS_REPLY_ERROR;
    if (!good && who != NULL)
        log_warn("%s: redis: %.60s", who, reply->str);
    freeReplyObject(reply);
    return good;
}

size_t
rds_key(char *buf, ticket_slice_t ticket, const char *suffix)
{
    const char *at = memchr(ticket.data, '@', ticket.len);
    int len;

    if (at == NULL) {
        len = snprintf(buf, RDS_KEY_MAX, "ticket:{%.*s}", (int) ticket.len,
            ticket.data);
    } else {
        int group = (int) (ticket.len - (size_t) (at - ticket.data) - 1);
        len = snprintf(buf, RDS_KEY_MAX, "ticket:{%.*s}:%.*s", group, at + 1,
            (int) ticket.len, ticket.data);
    }
    if (suffix != NULL && suffix[0] != '\0')
        len += snprintf(buf + len, RDS_KEY_MAX - (size_t) len, ":%s", suffix);
    return (size_t) len;
}

bool
rds_replid(struct rds *rds, char *replid)
{
    static const char *info[] = { "INFO", "replication" };
    redisReply *reply = rds_command(rds, 2, info, NULL);
    bool found = false;

    if (reply == NULL)
        return false;
    if (reply->type == REDIS_REPLY_STRING) {
        const char *id = strstr(reply->str, "master_replid:");
        if (strstr(reply->str, "role:master") != NULL && id != NULL
            && strlen(id) >= 14 + 40)
        {
            memcpy(replid, id + 14, 40);
            replid[40] = '\0';
            found = true;
        }
    }
    freeReplyObject(reply);
    return found;
}
