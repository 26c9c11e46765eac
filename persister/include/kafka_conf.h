/* What every librdkafka handle of this program starts from. */

#ifndef PERSISTER_KAFKA_CONF_H
#define PERSISTER_KAFKA_CONF_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stddef.h>
#include "conf.h"

/*
 * Brokers, client.id, log lines into our log, then the pairs of
 * [kafka] property, which may override anything set here.  NULL: a sentence in
 * error.  Given to rd_kafka_new() or freed with rd_kafka_conf_destroy().
 */
rd_kafka_conf_t *kafka_conf_new(const struct conf *conf, char *error,
    size_t size);

/* the same for a member of the consumer group, who stores offsets himself */
rd_kafka_conf_t *kafka_conf_member(const struct conf *conf, char *error,
    size_t size);

/* name=value;name=value, each known to this librdkafka and with a value it
 * takes; *why is a sentence */
bool kafka_properties_valid(const char *value, const char **why);

#endif
