/* K:rejected, staged. */

#include "rejected.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE      1000
#define VALUE_MAX (TICKET_EVENT_ID_MAX + 32)

/* who is in both has the later word of the second */
static const struct {
    const char *from, *mark, *where, *reason;
} sources[] = {
    { "dead_letters", "id",
      " AND l.state IN ('pending','rejected','discarded') AND l.user_id IS NOT NULL"
        " AND l.booking_id IS NOT NULL", "refused" },
    { "late_events", "event_id", " AND l.outcome='rejected'", "late" }
};

struct stage {
    struct opening *o;
    struct sql      sql;
    char            key[RDS_KEY_MAX];
    size_t          key_len;
    char            last[TICKET_EVENT_ID_MAX + 1];
};

static bool
done(redisReply *reply)
{
    bool good = reply != NULL && reply->type != REDIS_REPLY_ERROR;

    if (reply != NULL)
        freeReplyObject(reply);
    return good;
}

static bool
put_page(struct stage *s, MYSQL_RES *res, const char *reason)
{
    size_t n = (size_t) mysql_num_rows(res), argc = 2;
    char (*values)[VALUE_MAX] = calloc(n + 1, sizeof *values);
    const char **argv = calloc(2 * n + 2, sizeof *argv);
    size_t *lens = calloc(2 * n + 2, sizeof *lens);
    bool good = values != NULL && argv != NULL && lens != NULL;
    MYSQL_ROW row;

    while (good && (row = mysql_fetch_row(res)) != NULL) {
        char *value = values[argc / 2 - 1];
        argv[argc] = row[0];
        lens[argc++] = mysql_fetch_lengths(res)[0];
        argv[argc] = value;
        lens[argc++] = (size_t) snprintf(value, VALUE_MAX, "%s %s", row[1],
            reason);
        snprintf(s->last, sizeof s->last, "%s", row[2]);
    }
    if (good && n > 0) {
        argv[0] = "HSET";
        lens[0] = 4;
        argv[1] = s->key;
        lens[1] = s->key_len;
        good = done(rds_command(s->o->rds, (int) argc, argv, lens));
    }
    free(values);
    free(argv);
    free(lens);
    return good;
}

static bool
stage_source(struct stage *s, size_t source)
{
    struct opening *o = s->o;
    my_ulonglong n;
    MYSQL_RES *res;

    strcpy(s->last, "");
    do {
        sql_reset(&s->sql);
        sql_addf(&s->sql, "SELECT l.user_id, l.booking_id, l.%s FROM %s l"
            " WHERE l.ticket_name=", sources[source].mark,
            sources[source].from);
        sql_quote(&s->sql, o->db, o->ticket.data, o->ticket.len);
        sql_add(&s->sql, sources[source].where);
        sql_addf(&s->sql, " AND l.%s>", sources[source].mark);
        sql_quote(&s->sql, o->db, s->last, strlen(s->last));
        sql_addf(&s->sql, " AND NOT EXISTS (SELECT 1 FROM purchases p"
            " WHERE p.user_id=l.user_id AND p.ticket_name=l.ticket_name)"
            " ORDER BY l.%s LIMIT %d", sources[source].mark, PAGE);
        if (s->sql.failed
            || db_query(o->db, s->sql.data, s->sql.len, &res) != DB_OK)
            return false;
        n = mysql_num_rows(res);
        bool good = put_page(s, res, sources[source].reason);
        mysql_free_result(res);
        if (!good)
            return false;
    } while (n == PAGE);
    return true;
}

bool
rejected_stage(struct opening *o)
{
    struct stage s = { .o = o };
    char suffix[64];

    snprintf(suffix, sizeof suffix, "rejected:new:%" PRIu64, o->epoch);
    s.key_len = rds_key(s.key, o->ticket, suffix);
    const char *unlink[] = { "UNLINK", s.key };
    size_t lens[] = { 6, s.key_len };
    bool good = done(rds_command(o->rds, 2, unlink, lens));
    for (size_t i = 0; i < sizeof sources / sizeof sources[0] && good; i++)
        good = stage_source(&s, i);
    sql_free(&s.sql);
    return good;
}
