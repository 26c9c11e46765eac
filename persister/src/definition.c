/* The definition of a ticket. */

#include "definition.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

bool
definition_row(struct definition *d, MYSQL_ROW row)
{
    if (row[0] == NULL || row[1] == NULL || row[2] == NULL || row[3] == NULL
        || strlen(row[3]) >= sizeof d->state)
        return false;
    d->capacity = strtoull(row[0], NULL, 10);
    d->per_user = strtoull(row[1], NULL, 10);
    d->lanes = (uint32_t) strtoul(row[2], NULL, 10);
    strcpy(d->state, row[3]);
    d->opens_at = row[4] != NULL ? strtoll(row[4], NULL, 10) : -1;
    d->closes_at = row[5] != NULL ? strtoll(row[5], NULL, 10) : -1;
    return d->lanes >= 1 && d->lanes <= TICKET_LANES_MAX;
}

/* an integer, or digits; "" is -1 when that may be */
static bool
number(const redisReply *reply, bool optional, uint64_t max, int64_t *n)
{
    uint64_t value;

    if (reply->type == REDIS_REPLY_INTEGER) {
        *n = reply->integer;
        return reply->integer >= 0 && (uint64_t) reply->integer <= max;
    }
    if (reply->type != REDIS_REPLY_STRING)
        return false;
    if (optional && (reply->len == 0
        || (reply->len == 1 && reply->str[0] == '-')))
    {
        *n = -1;
        return true;
    }
    ticket_slice_t text = { reply->str, (size_t) reply->len };
    if (ticket_number_parse(text, max, &value) != 0)
        return false;
    *n = (int64_t) value;
    return true;
}

static bool
state_known(const redisReply *reply)
{
    static const char *states[] = { "open", "paused", "closed", "deleted" };

    if (reply->type != REDIS_REPLY_STRING)
        return false;
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++)
        if (strcmp(reply->str, states[i]) == 0)
            return true;
    return false;
}

bool
definition_reply(struct definition *d, redisReply **element)
{
    int64_t capacity, per_user, lanes;

    if (!number(element[0], false, TICKET_CAPACITY_MAX, &capacity)
        || !number(element[1], false, TICKET_QUANTITY_MAX, &per_user)
        || !number(element[2], false, TICKET_LANES_MAX, &lanes)
        || !state_known(element[3])
        || !number(element[4], true, TICKET_TIME_MAX, &d->opens_at)
        || !number(element[5], true, TICKET_TIME_MAX, &d->closes_at)
        || lanes < 1 || per_user < 1)
        return false;
    d->capacity = (uint64_t) capacity;
    d->per_user = (uint64_t) per_user;
    d->lanes = (uint32_t) lanes;
    strcpy(d->state, element[3]->str);
    return true;
}

void
definition_set(struct sql *sql, struct db *db, const struct definition *d)
{
    sql_addf(sql, "capacity=%" PRIu64 ",per_user=%" PRIu64 ",state=",
        d->capacity, d->per_user);
    sql_quote(sql, db, d->state, strlen(d->state));
    sql_add(sql, ",opens_at=");
    sql_time(sql, d->opens_at);
    sql_add(sql, ",closes_at=");
    sql_time(sql, d->closes_at);
}
