/* The options: what they are called, where they are kept, what they may be. */

#include "options.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "http.h"
#include "kafka_conf.h"
#include "log.h"
#include "uri.h"

static bool
valid_uri(const char *value, const char **why)
{
    struct uri uri;

    return uri_parse(value, &uri, why);
}

static bool
valid_level(const char *value, const char **why)
{
    *why = "must be error, warn, info or debug";
    return log_level_known(value);
}

#define AT(member) offsetof(struct conf, member)
#define ANY        0, 4096, NULL
#define NEEDED     1, 4096, NULL

/* The sample, README.md and this table say the same: t/persister/010 compares
 * them, one row of this table to each option. */
const struct option_row option_table[] = {
    { "mysql", "host", TEXT, RESTART, AT(mysql.host), "127.0.0.1", NEEDED,
      "host of MySQL or MariaDB" },
    { "mysql", "port", NUMBER, RESTART, AT(mysql.port), "3306", 1, 65535, NULL,
      "its port" },
    { "mysql", "socket", TEXT, RESTART, AT(mysql.socket), "", ANY,
      "unix socket, used instead of host and port when set" },
    { "mysql", "user", TEXT, RESTART, AT(mysql.user), "ticket", NEEDED,
      "name to log in with" },
    { "mysql", "password", SECRET, RESTART, AT(mysql.password), "", ANY,
      "its password" },
    { "mysql", "database", TEXT, RESTART, AT(mysql.database), "tickets", NEEDED,
      "database the tables are in; it must exist, the tables are made" },
    { "mysql", "connect_timeout", NUMBER, RESTART, AT(mysql.connect_timeout),
      "5", 1, 60, NULL,
      "seconds to wait for a connection" },
    { "mysql", "ssl_ca", TEXT, RESTART, AT(mysql.ssl_ca), "", ANY,
      "file of certificate authorities; when set, TLS is demanded" },

    { "redis", "uri", SECRET, RESTART, AT(redis.uri),
      "redis://127.0.0.1:6379/0", 1, 4096, valid_uri,
      "redis://[user:password@]host:port/db or unix:/path" },
    { "redis", "timeout", NUMBER, RESTART, AT(redis.timeout), "5000",
      100, 60000, NULL,
      "milliseconds to wait for a connection and for an answer" },

    { "kafka", "enabled", SWITCH, RESTART, AT(kafka.enabled), "yes",
      0, 0, NULL,
      "no: everything is read from the outboxes in Redis" },
    { "kafka", "brokers", TEXT, RESTART, AT(kafka.brokers), "127.0.0.1:9092",
      NEEDED,
      "host:port of one or more brokers, separated by commas" },
    { "kafka", "topic", TEXT, RESTART, AT(kafka.topic), "ticket.events",
      1, 249, NULL,
      "topic the edge produces to" },
    { "kafka", "dlq_topic", TEXT, RESTART, AT(kafka.dlq_topic),
      "ticket.events.dlq", 0, 249, NULL,
      "topic dead letters are published to; empty: they are not" },
    { "kafka", "group", TEXT, RESTART, AT(kafka.group), "ticket-persister",
      1, 249, NULL,
      "consumer group, the same for every persister of one database" },
    { "kafka", "property", SECRET, RESTART, AT(kafka.property), "",
      0, 4096, kafka_properties_valid,
      "settings of librdkafka: name=value, several separated by ;" },
    { "kafka", "max_event_bytes", NUMBER, RESTART, AT(kafka.max_event_bytes),
      "65536", 1024, 4194304, NULL,
      "a longer message is malformed" },

    { "persister", "threads", NUMBER, RESTART, AT(persister.threads), "2",
      1, 64, NULL,
      "workers, each with its own consumer, MySQL session and Redis connection" },
    { "persister", "batch_events", NUMBER, RESTART, AT(persister.batch_events),
      "1000", 1, 100000, NULL,
      "events stored in one transaction at most" },
    { "persister", "batch_ms", NUMBER, RESTART, AT(persister.batch_ms), "20",
      1, 10000, NULL,
      "milliseconds a batch is collected at most" },
    { "persister", "held_max", NUMBER, RESTART, AT(persister.held_max),
      "10000", 1, 1000000, NULL,
      "events held back for each lane while an earlier one is missing" },
    { "persister", "gap_ms", NUMBER, RESTART, AT(persister.gap_ms), "1000",
      1, 600000, NULL,
      "milliseconds until a missing event is fetched from the outbox" },
    { "persister", "tail_ms", NUMBER, RESTART, AT(persister.tail_ms), "1000",
      1, 600000, NULL,
      "milliseconds between checks of the lanes that moved lately" },
    { "persister", "sweep_ms", NUMBER, RESTART, AT(persister.sweep_ms),
      "30000", 100, 3600000, NULL,
      "milliseconds between sweeps over all lanes" },
    { "persister", "poll_ms", NUMBER, RESTART, AT(persister.poll_ms), "100",
      1, 60000, NULL,
      "without Kafka: milliseconds between looks at every lane" },
    { "persister", "open_ms", NUMBER, RESTART, AT(persister.open_ms), "100",
      1, 60000, NULL,
      "milliseconds between looks for tickets to be opened" },

    { "http", "listen", TEXT, RESTART, AT(http.listen), "127.0.0.1:9090",
      0, 255, http_listen_valid,
      "address:port of /metrics and /health; empty: no page" },

    { "log", "level", TEXT, RELOAD, AT(log.level), "info",
      1, 16, valid_level,
      "error, warn, info or debug" },
};

const size_t option_count = sizeof option_table / sizeof option_table[0];

_Static_assert(sizeof option_table / sizeof option_table[0] <= OPTIONS_MAX,
    "more options than flags");

static char **
text_of(const struct conf *conf, const struct option_row *option)
{
    return (char **) (void *) ((char *) (uintptr_t) conf + option->offset);
}

static int *
number_of(const struct conf *conf, const struct option_row *option)
{
    return (int *) (void *) ((char *) (uintptr_t) conf + option->offset);
}

static bool *
switch_of(const struct conf *conf, const struct option_row *option)
{
    return (bool *) (void *) ((char *) (uintptr_t) conf + option->offset);
}

static bool
set_text(struct conf *conf, const struct option_row *option, const char *value,
    char *why, size_t size)
{
    size_t len = strlen(value);

    if (len < (size_t) option->min) {
        snprintf(why, size, "must not be empty");
        return false;
    }
    if (len > (size_t) option->max) {
        snprintf(why, size, "must not be longer than %ld bytes", option->max);
        return false;
    }
    const char *sentence;
    if (option->valid != NULL && !option->valid(value, &sentence)) {
        snprintf(why, size, "%s", sentence);
        return false;
    }

    char *copy = strdup(value);
    if (copy == NULL) {
        snprintf(why, size, "no memory");
        return false;
    }
    char **text = text_of(conf, option);
    free(*text);
    *text = copy;
    return true;
}

static bool
set_number(struct conf *conf, const struct option_row *option, const char *value,
    char *why, size_t size)
{
    size_t len = strlen(value);

    /* digits only: strtol also takes signs, blanks and 0x */
    if (len == 0 || len > 9 || strspn(value, "0123456789") != len
        || atol(value) < option->min || atol(value) > option->max)
    {
        snprintf(why, size, "must be a number from %ld to %ld",
            option->min, option->max);
        return false;
    }
    *number_of(conf, option) = (int) atol(value);
    return true;
}

static bool
set_switch(struct conf *conf, const struct option_row *option, const char *value,
    char *why, size_t size)
{
    bool yes = strcmp(value, "yes") == 0;

    if (!yes && strcmp(value, "no") != 0) {
        snprintf(why, size, "must be yes or no");
        return false;
    }
    *switch_of(conf, option) = yes;
    return true;
}

static bool
set_value(struct conf *conf, const struct option_row *option, const char *value,
    char *why, size_t size)
{
    switch (option->type) {
    case TEXT:
    case SECRET:
        return set_text(conf, option, value, why, size);
    case NUMBER:
        return set_number(conf, option, value, why, size);
    case SWITCH:
        return set_switch(conf, option, value, why, size);
    }
    return false;
}

/* a secret from its file: everything but a line end at its end */
static bool
set_from_file(struct conf *conf, const struct option_row *option,
    const char *path, char *why, size_t size)
{
    char secret[4096];
    FILE *file = fopen(path, "re");

    if (file == NULL) {
        snprintf(why, size, "cannot be read: %s", strerror(errno));
        return false;
    }
    size_t len = fread(secret, 1, sizeof secret, file);
    int failed = ferror(file) ? errno : 0;
    fclose(file);

    if (failed != 0) {
        snprintf(why, size, "cannot be read: %s", strerror(failed));
        return false;
    }
    if (len == sizeof secret || memchr(secret, '\0', len) != NULL) {
        snprintf(why, size, "names a file that holds no secret: "
            "a NUL, or more than 4095 bytes");
        return false;
    }
    if (len > 0 && secret[len - 1] == '\n')
        len--;
    if (len > 0 && secret[len - 1] == '\r')
        len--;
    secret[len] = '\0';
    bool ok = set_value(conf, option, secret, why, size);
    explicit_bzero(secret, sizeof secret);
    return ok;
}

const struct option_row *
option_find(const char *section, const char *name, bool *from_file)
{
    size_t len = strlen(name);

    for (size_t i = 0; i < option_count; i++) {
        const struct option_row *option = &option_table[i];
        if (strcmp(option->section, section) != 0)
            continue;
        *from_file = false;
        if (strcmp(option->name, name) == 0)
            return option;
        size_t own = strlen(option->name);
        *from_file = true;
        if (option->type == SECRET && len == own + 5
            && memcmp(name, option->name, own) == 0
            && strcmp(name + own, "_file") == 0)
        {
            return option;
        }
    }
    return NULL;
}

bool
option_section(const char *section)
{
    for (size_t i = 0; i < option_count; i++) {
        if (strcmp(option_table[i].section, section) == 0)
            return true;
    }
    return false;
}

bool
option_equal(const struct conf *a, const struct conf *b,
    const struct option_row *option)
{
    switch (option->type) {
    case NUMBER:
        return *number_of(a, option) == *number_of(b, option);
    case SWITCH:
        return *switch_of(a, option) == *switch_of(b, option);
    default:
        return strcmp(*text_of(a, option), *text_of(b, option)) == 0;
    }
}

bool
option_set(struct conf *conf, const struct option_row *option,
    const char *value, bool from_file, char *why, size_t size)
{
    return from_file ? set_from_file(conf, option, value, why, size)
        : set_value(conf, option, value, why, size);
}

void
option_free(struct conf *conf, const struct option_row *option)
{
    if (option->type == NUMBER || option->type == SWITCH)
        return;
    char *text = *text_of(conf, option);
    if (text != NULL && option->type == SECRET)
        explicit_bzero(text, strlen(text));
    free(text);
}
