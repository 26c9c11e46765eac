/* librdkafka's configuration, made from ours. */

#include "kafka_conf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "log.h"

/* called by librdkafka's own threads; the levels are syslog's */
static void
on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    (void) rk;
    /* a broker that is away is said by librdkafka as an error every time */
    if (level <= 3)
        log_warn("kafka: %s: %s", facility, text);
    else if (level <= 5)
        log_info("kafka: %s: %s", facility, text);
    else
        log_debug("kafka: %s: %s", facility, text);
}

static char *
trim(char *text)
{
    text += strspn(text, " \t");
    size_t len = strlen(text);
    while (len > 0 && strchr(" \t", text[len - 1]) != NULL)
        text[--len] = '\0';
    return text;
}

static bool
set_properties(rd_kafka_conf_t *kafka, const char *pairs, char *error,
    size_t size)
{
    char *copy = strdup(pairs), *rest = copy, *pair;

    if (copy == NULL) {
        snprintf(error, size, "no memory");
        return false;
    }
    while ((pair = strsep(&rest, ";")) != NULL) {
        char *value = strchr(pair, '=');
        if (trim(pair)[0] == '\0')
            continue;
        if (value == NULL) {
            snprintf(error, size, "must be name=value, separated by ;");
            free(copy);
            return false;
        }
        *value++ = '\0';

        /* librdkafka's own sentence quotes the value, which may be a secret */
        char ignored[512];
        const char *name = trim(pair);
        rd_kafka_conf_res_t res = rd_kafka_conf_set(kafka, name, trim(value),
            ignored, sizeof ignored);
        if (res != RD_KAFKA_CONF_OK) {
            snprintf(error, size, res == RD_KAFKA_CONF_UNKNOWN
                ? "holds %s, which librdkafka %s does not know"
                : "holds %s with a value that librdkafka %s does not take",
                name, rd_kafka_version_str());
            free(copy);
            return false;
        }
    }
    free(copy);
    return true;
}

rd_kafka_conf_t *
kafka_conf_new(const struct conf *conf, char *error, size_t size)
{
    rd_kafka_conf_t *kafka = rd_kafka_conf_new();

    rd_kafka_conf_set_log_cb(kafka, on_log);
    if (rd_kafka_conf_set(kafka, "bootstrap.servers", conf->kafka.brokers,
            error, size) != RD_KAFKA_CONF_OK
        || rd_kafka_conf_set(kafka, "client.id", "ticket-persister",
               error, size) != RD_KAFKA_CONF_OK
        || !set_properties(kafka, conf->kafka.property, error, size))
    {
        rd_kafka_conf_destroy(kafka);
        return NULL;
    }
    return kafka;
}

rd_kafka_conf_t *
kafka_conf_member(const struct conf *conf, char *error, size_t size)
{
    static const char *defaults[][2] = {
        { "enable.auto.offset.store", "false" },
        { "enable.auto.commit", "true" },
        { "auto.commit.interval.ms", "1000" },
        { "auto.offset.reset", "earliest" },
        { "session.timeout.ms", "10000" },
        { "socket.timeout.ms", "10000" },
        { "topic.metadata.refresh.interval.ms", "30000" },
        { "fetch.wait.max.ms", "100" },
    };
    rd_kafka_conf_t *kafka = kafka_conf_new(conf, error, size);

    if (kafka == NULL)
        return NULL;
    bool good = rd_kafka_conf_set(kafka, "group.id", conf->kafka.group,
        error, size) == RD_KAFKA_CONF_OK;
    for (size_t i = 0; i < sizeof defaults / sizeof defaults[0] && good; i++) {
        /* what [kafka] property says goes first, where it may */
        if (i >= 2 && strstr(conf->kafka.property, defaults[i][0]) != NULL)
            continue;
        good = rd_kafka_conf_set(kafka, defaults[i][0], defaults[i][1], error,
            size) == RD_KAFKA_CONF_OK;
    }
    if (!good) {
        rd_kafka_conf_destroy(kafka);
        return NULL;
    }
    return kafka;
}

bool
kafka_properties_valid(const char *value, const char **why)
{
    static _Thread_local char sentence[256];
    rd_kafka_conf_t *kafka = rd_kafka_conf_new();
    bool ok = set_properties(kafka, value, sentence, sizeof sentence);

    rd_kafka_conf_destroy(kafka);
    *why = sentence;
    return ok;
}
