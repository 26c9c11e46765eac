/* --check: is everything there that a start needs?  Changes nothing. */

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "command.h"
#include "db.h"
#include "kafka_conf.h"
#include "migrate.h"
#include "rds.h"

#define KAFKA_MS 5000

/* one line; returns the code it stands for */
static int __attribute__((format(printf, 3, 4)))
say(int code, const char *what, const char *format, ...)
{
    va_list args;

    printf("%-5s %-13s ", code == EXIT_OK ? "ok" : "FAIL", what);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    return code;
}

static int
check_mysql(const struct conf *conf)
{
    struct db db;
    char server[300];
    int pending;

    db_init(&db, conf);
    enum migrated state = migrate_pending(&db, &pending);
    db_server(&db, server, sizeof server);
    int code;
    if (state == MIGRATE_LATER)
        code = say(EXIT_SERVER, "mysql", "%s: %s", server, db.message);
    else if (state == MIGRATE_NEVER)
        code = say(EXIT_USAGE, "mysql", "%s: a migration was changed after "
            "it was run there", server);
    else if (pending > 0)
        code = say(EXIT_USAGE, "mysql", "%s: %d migration%s still to be run: "
            "ticket-persister migrate", server, pending,
            pending == 1 ? " is" : "s are");
    else
        code = say(EXIT_OK, "mysql", "%s, the tables are up to date", server);
    db_close(&db);
    return code;
}

/* the value of name:value in INFO's answer */
static bool
info_value(const char *info, const char *name, char *value, size_t size)
{
    size_t len = strlen(name);

    for (const char *line = info; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, len) == 0 && line[len] == ':') {
            snprintf(value, size, "%.*s", (int) strcspn(line + len + 1, "\r\n"),
                line + len + 1);
            return true;
        }
    }
    return false;
}

/* the keys of waiting rooms, which came later than the others: a right to read
 * them is one to write them in the rule of README.md.  false: in why[160] */
static bool
may_keep_rooms(struct rds *rds, char *why)
{
    static const char *set[] = { "SSCAN", "queues", "0", "COUNT", "1" };
    static const char *hash[] = { "HGET", "queue:room:{check}", "state" };
    redisReply *replies[] = {
        rds_command(rds, 5, set, NULL), rds_command(rds, 3, hash, NULL)
    };
    bool may = true;

    for (size_t i = 0; i < sizeof replies / sizeof replies[0]; i++) {
        if (may && replies[i] != NULL && replies[i]->type == REDIS_REPLY_ERROR
            && strncmp(replies[i]->str, "NOPERM", 6) == 0)
        {
            snprintf(why, 160, "%s", replies[i]->str);
            may = false;
        }
        freeReplyObject(replies[i]);
    }
    return may;
}

static int
check_redis(const struct conf *conf)
{
    struct rds rds;
    static const char *ask_info[] = { "INFO" };
    char version[32] = "", role[32] = "", policy[32] = "", why[160];

    rds_init(&rds, conf);
    if (!rds_connect(&rds)) {
        int code = say(EXIT_SERVER, "redis", "%s", rds.message);
        rds_close(&rds);
        return code;
    }
    redisReply *reply = rds_command(&rds, 1, ask_info, NULL);
    if (reply != NULL && reply->type == REDIS_REPLY_STRING) {
        info_value(reply->str, "redis_version", version, sizeof version);
        info_value(reply->str, "role", role, sizeof role);
        info_value(reply->str, "maxmemory_policy", policy, sizeof policy);
    }
    freeReplyObject(reply);
    bool may = may_keep_rooms(&rds, why);
    rds_close(&rds);

    if (role[0] == '\0')
        return say(EXIT_SERVER, "redis", "INFO is not answered");
    if (strcmp(policy, "noeviction") != 0)
        return say(EXIT_USAGE, "redis", "maxmemory-policy is %s: it must be "
            "noeviction, or tickets are forgotten", policy);
    if (strcmp(role, "master") != 0)
        return say(EXIT_USAGE, "redis", "it is a %s: the master is needed",
            role);
    if (!may)
        return say(EXIT_USAGE, "redis", "a right to the keys of waiting rooms "
            "is missing: %s", why);
    return say(EXIT_OK, "redis", "%s, noeviction, scripts loaded", version);
}

/* EXIT_…; how many partitions a topic has, or a sentence in why[512] */
static int
look_for_topic(rd_kafka_t *rk, const char *name, int *partitions, char *why)
{
    const struct rd_kafka_metadata *metadata;
    rd_kafka_topic_t *topic = rd_kafka_topic_new(rk, name, NULL);

    *partitions = 0;
    if (topic == NULL) {
        snprintf(why, 512, "topic %s: %s", name,
            rd_kafka_err2str(rd_kafka_last_error()));
        return EXIT_USAGE;
    }
    rd_kafka_resp_err_t error = rd_kafka_metadata(rk, 0, topic, &metadata,
        KAFKA_MS);
    rd_kafka_topic_destroy(topic);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
        snprintf(why, 512, "%s", rd_kafka_err2str(error));
        return EXIT_SERVER;
    }
    if (metadata->topic_cnt == 1) {
        error = metadata->topics[0].err;
        *partitions = metadata->topics[0].partition_cnt;
    }
    rd_kafka_metadata_destroy(metadata);
    if (error == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART
        || (error == RD_KAFKA_RESP_ERR_NO_ERROR && *partitions == 0))
    {
        snprintf(why, 512, "there is no topic %s", name);
        return EXIT_USAGE;
    }
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
        snprintf(why, 512, "topic %s: %s", name, rd_kafka_err2str(error));
        return EXIT_SERVER;
    }
    return EXIT_OK;
}

/* a start does without the topic of dead letters: they wait in MySQL */
static int
look_for_topics(rd_kafka_t *rk, const struct conf *conf)
{
    const char *dlq = conf->kafka.dlq_topic;
    char why[512];
    int partitions, ignored;
    int code = look_for_topic(rk, conf->kafka.topic, &partitions, why);

    if (code != EXIT_OK)
        return say(code, "kafka", "%s", why);
    bool good = dlq[0] == '\0'
        || look_for_topic(rk, dlq, &ignored, why) == EXIT_OK;
    return say(EXIT_OK, "kafka", "topic %s, %d partition%s%s%s%s",
        conf->kafka.topic, partitions, partitions == 1 ? "" : "s",
        good ? "" : "; but ", good ? "" : why,
        good ? "" : ": dead letters stay in MySQL");
}

static int
check_kafka(const struct conf *conf)
{
    char error[512];

    if (!conf->kafka.enabled)
        return say(EXIT_OK, "kafka", "not used (enabled = no)");

    rd_kafka_conf_t *kafka = kafka_conf_new(conf, error, sizeof error);
    if (kafka == NULL)
        return say(EXIT_USAGE, "kafka", "property %s", error);
    /* a look must not make the topic */
    rd_kafka_conf_set(kafka, "allow.auto.create.topics", "false", NULL, 0);
    rd_kafka_conf_set(kafka, "group.id", conf->kafka.group, NULL, 0);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, kafka, error, sizeof error);
    if (rk == NULL) {
        rd_kafka_conf_destroy(kafka);
        return say(EXIT_USAGE, "kafka", "%s", error);
    }
    int code = look_for_topics(rk, conf);
    rd_kafka_destroy(rk);
    return code;
}

int
command_check(const struct conf *conf, const char *path)
{
    int code = say(EXIT_OK, "configuration", "%s",
        path != NULL ? path : "no file: defaults and environment");

    /* the highest code tells the most: a server that is away comes first */
    int (*const checks[])(const struct conf *) = {
        check_mysql, check_redis, check_kafka
    };
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        fflush(stdout);
        int found = checks[i](conf);
        code = found > code ? found : code;
    }
    return code;
}
