/* Bookings MySQL refuses for good. */

#include "dead_letter.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "source_kafka.h"

#define TEXT_MAX 512            /* origin and error: bytes, so characters too */
#define KEY_MAX  460            /* of that; the entry's id follows */

bool
dead_letter_possible(const struct record *record)
{
    return record != NULL && record->type != TICKET_EVENT_DEFINED
        && record->holding > 0;
}

/* What was cut may end in half a character, and a server's message may be in
 * any character set: a text that is not UTF-8 would be refused itself. */
static size_t
clean(char *text)
{
    size_t len = strlen(text);

    for (size_t cut = 0; cut < 4 && cut <= len; cut++)
        if (ticket_json_clean(text, len - cut))
            return len - cut;
    for (size_t i = 0; i < len; i++)
        if ((unsigned char) text[i] < ' ' || (unsigned char) text[i] > '~')
            text[i] = '?';
    return len;
}

/* "topic/partition@offset", the outbox' key and the entry's id, or the topic
 * alone when a drain has read it there */
static void
origin_of(struct worker *w, const struct lane *lane, const struct record *r,
    char buf[TEXT_MAX + 1])
{
    char key[RDS_KEY_MAX], suffix[32];

    if (r->place.offset >= 0) {
        snprintf(buf, TEXT_MAX + 1, "%s/%" PRId32 "@%" PRId64,
            w->conf->kafka.topic, r->place.partition, r->place.offset);
    } else if (r->from_outbox) {
        snprintf(suffix, sizeof suffix, "outbox:%" PRIu32, lane->number);
        if (rds_key(key, lane->ticket, suffix) > KEY_MAX)
            key[KEY_MAX] = '\0';
        snprintf(buf, TEXT_MAX + 1, "%.*s %" PRIu64 "-%" PRIu64,
            (int) clean(key), key, lane->picture.epoch, r->seq);
    } else {
        snprintf(buf, TEXT_MAX + 1, "%s", w->conf->kafka.topic);
    }
}

static enum db_result
execute(struct worker *w, const struct sql *sql)
{
    return sql->failed ? DB_TRANSIENT
        : db_exec(&w->db, sql->data, sql->len, NULL);
}

static enum db_result
delete_row(struct worker *w, const struct lane *lane, ticket_slice_t user)
{
    struct sql *sql = &w->store.sql;

    sql_reset(sql);
    sql_add(sql, "DELETE FROM purchases WHERE user_id=");
    sql_quote(sql, &w->db, user.data, user.len);
    sql_add(sql, " AND ticket_name=");
    sql_quote(sql, &w->db, lane->ticket.data, lane->ticket.len);
    return execute(w, sql);
}

enum db_result
dead_letter_write(struct worker *w, const struct lane *lane,
    const struct record *r, const struct refusal *refusal)
{
    char id[TICKET_EVENT_ID_MAX], json[TICKET_EVENT_JSON_MAX];
    char origin[TEXT_MAX + 1], error[TEXT_MAX + 1];
    struct sql *sql = &w->store.sql;
    ticket_event_t ev;
    enum db_result result = delete_row(w, lane, record_user(r));

    if (result != DB_OK)
        return result;
    record_event(r, lane->ticket, lane->number, lane->picture.epoch, &ev);
    origin_of(w, lane, r, origin);
    snprintf(error, sizeof error, "%s %u %s", refusal->sqlstate,
        refusal->error, refusal->message);
    const ticket_slice_t values[] = {
        { id, ticket_event_id(id, sizeof id, ev.ticket, ev.lane, ev.epoch,
                ev.seq) },
        lane->ticket, record_user(r), record_holding_id(r),
        { json, ticket_event_encode(json, sizeof json, &ev) },
        { origin, clean(origin) }, { error, clean(error) }
    };
    sql_reset(sql);
    sql_addf(sql, "INSERT INTO dead_letters (lane,state,event_id,ticket_name,"
        "user_id,booking_id,event,origin,error) VALUES (%" PRIu32 ",'pending'",
        lane->number);
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        sql_add(sql, ",");
        sql_quote(sql, &w->db, values[i].data, values[i].len);
    }
    /* one that is there stays as it is, with what became of it */
    sql_add(sql, ") ON DUPLICATE KEY UPDATE event_id=VALUES(event_id)");
    return execute(w, sql);
}
