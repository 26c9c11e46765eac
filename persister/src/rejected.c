/* K:rejected, staged. */

#include "rejected.h"

#include <stdio.h>
#include <string.h>
#include "staged.h"

#define PAGE 1000

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
    struct staged   staged;
    struct sql      sql;
    const char     *reason;
    char            last[TICKET_EVENT_ID_MAX + 1];
};

/* user → "<booking_id> <reason>" */
static int
answer(char *value, MYSQL_ROW row, void *data)
{
    struct stage *s = data;

    snprintf(s->last, sizeof s->last, "%s", row[2]);
    return snprintf(value, STAGED_VALUE_MAX, "%s %s", row[1], s->reason);
}

static bool
stage_source(struct stage *s, size_t source)
{
    struct opening *o = s->o;
    my_ulonglong n;
    MYSQL_RES *res;

    strcpy(s->last, "");
    s->reason = sources[source].reason;
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
        bool good = staged_page(&s->staged, res, answer, s);
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
    bool good = staged_begin(&s.staged, o, "rejected");

    for (size_t i = 0; i < sizeof sources / sizeof sources[0] && good; i++)
        good = stage_source(&s, i);
    sql_free(&s.sql);
    return good;
}
