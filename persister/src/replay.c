/*
 * Replays dead letters: replay.lua makes an ordinary event of each, with the
 * refused one as its origin.  A running persister finds it in the outbox, and
 * the transaction that stores it makes the dead letter `replayed` (outcome.c):
 * that is what is waited for.  Killed before it, the next replay finds in Redis
 * what was booked.
 */

#include "replay.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "escape.h"
#include "pause.h"
#include "rds.h"
#include "tick.h"
#include "ticket_scripts.h"

#define PAGE     200
#define LOOK_MS  250            /* between looks at what is stored */
#define ATTEMPTS 5              /* at a ticket that is just reopened */

enum {
    ROW_ID, ROW_TICKET, ROW_LANE, ROW_EVENT_ID, ROW_USER, ROW_EVENT, ROW_STATE,
    ROW_SETTLED, ROW_EPOCH
};

/* booked in Redis, and not known to be stored yet */
struct booked {
    struct booked *next;
    uint64_t       id;
    char           booking[TICKET_EVENT_ID_MAX + 1];
};

struct run {
    const struct dlq_arguments *args;
    struct db     *db;
    struct rds     rds;
    struct sql     sql;
    struct booked *first, **last;
    char          *storage;     /* of the event being decoded */
    uint64_t       done;        /* the last id looked at */
    bool           differs;     /* something could not be replayed */
};

/* --------------------------------------------------------------- output --- */

static void
say(uint64_t id, const char *what, const char *about, const char *sentence)
{
    printf("%" PRIu64 "\t%s\t", id, what);
    escape_put(stdout, about, strlen(about));
    printf("%s\n", sentence);
    fflush(stdout);
}

static void
refuse(struct run *r, uint64_t id, const char *what, const char *sentence)
{
    r->differs = true;
    say(id, what, "", sentence);
}

/* ---------------------------------------------------------------- Redis --- */

static redisReply *
ask(struct run *r, MYSQL_ROW row, const unsigned long *len, uint64_t quantity)
{
    char keys[5][RDS_KEY_MAX], outbox[32], count[24];
    const char *argv[11];
    size_t lens[11];
    ticket_slice_t ticket = { row[ROW_TICKET], len[ROW_TICKET] };

    snprintf(outbox, sizeof outbox, "outbox:%s", row[ROW_LANE]);
    const char *suffixes[] = { NULL, "buyers", "rejected", "late", outbox };
    for (size_t i = 0; i < 5; i++) {
        lens[i] = rds_key(keys[i], ticket, suffixes[i]);
        argv[i] = keys[i];
    }
    snprintf(count, sizeof count, "%" PRIu64, quantity);
    const ticket_slice_t words[] = {
        ticket, { row[ROW_LANE], len[ROW_LANE] },
        { row[ROW_EPOCH], len[ROW_EPOCH] },
        { row[ROW_EVENT_ID], len[ROW_EVENT_ID] },
        { row[ROW_USER], len[ROW_USER] }, { count, strlen(count) }
    };
    for (size_t i = 0; i < 6; i++) {
        argv[5 + i] = words[i].data;
        lens[5 + i] = words[i].len;
    }
    return rds_eval(&r->rds, RDS_REPLAY, 5, 11, argv, lens);
}

static bool
await(struct run *r, uint64_t id, const redisReply *booking)
{
    struct booked *b = calloc(1, sizeof *b);

    if (b == NULL)
        return false;
    b->id = id;
    snprintf(b->booking, sizeof b->booking, "%s", booking->str);
    *r->last = b;
    r->last = &b->next;
    return true;
}

/* what replay.lua decided; false: no memory */
static bool
decided(struct run *r, uint64_t id, const redisReply *reply)
{
    redisReply **e = reply->element;
    long long how = reply->elements >= 3
        && e[2]->type == REDIS_REPLY_INTEGER ? e[2]->integer : -1;
    bool booking = reply->elements >= 4 && e[3]->type == REDIS_REPLY_STRING;

    if (how == TICKET_CODE_BOOKED && booking)
        return await(r, id, e[3]);
    if (how == TICKET_CODE_REPLAYED && booking && reply->elements == 5) {
        if (e[4]->integer == 1)
            return await(r, id, e[3]);
        r->differs = true;
        say(id, "gone", e[3]->str, " was booked by an earlier replay, and has"
            " been given back or refused since");
    } else if (how == TICKET_CODE_ALREADY_BOOKED && booking) {
        r->differs = true;
        say(id, "already_booked", e[3]->str, " is what the user has booked"
            " meanwhile");
    } else if (how == TICKET_CODE_SOLD_OUT) {
        refuse(r, id, "sold_out", "nothing is left of the ticket");
    } else if (how == TICKET_CODE_NOT_ENOUGH) {
        refuse(r, id, "not_enough", "less is left than was booked");
    } else if (how == TICKET_CODE_LIMIT_EXCEEDED) {
        refuse(r, id, "limit_exceeded", "a user may have less today");
    } else if (how == TICKET_CODE_NOT_OPEN) {
        refuse(r, id, "not_open", "the sale has not begun");
    } else if (how == TICKET_CODE_CLOSED) {
        refuse(r, id, "closed", "the sale is over");
    } else if (how == TICKET_CODE_PAUSED) {
        refuse(r, id, "paused", "the sale is paused");
    } else {
        refuse(r, id, "failed", "Redis gave an odd answer");
    }
    return true;
}

/* true: another epoch, MySQL has to be read again */
static bool
undecided(struct run *r, uint64_t id, const redisReply *reply, bool again)
{
    long long code = reply->type == REDIS_REPLY_ARRAY && reply->elements > 0
        && reply->element[0]->type == REDIS_REPLY_INTEGER
        ? reply->element[0]->integer : -1;

    if (code == TICKET_CODE_STALE && again)
        return true;
    if (code == TICKET_CODE_STALE || code == TICKET_CODE_RECOVERING)
        refuse(r, id, "recovering", "the ticket is being brought back: try"
            " again");
    else if (code == TICKET_CODE_UNKNOWN_TICKET)
        refuse(r, id, "unknown_ticket", "the ticket was deleted, or Redis does"
            " not know it");
    else if (code == TICKET_CODE_TORN)
        refuse(r, id, "torn", "Redis refused a part: the ticket closed itself"
            " and is brought back; look again");
    else {
        r->differs = true;
        say(id, "failed", reply->type == REDIS_REPLY_ERROR ? reply->str
            : "Redis refused to write it", "");
    }
    return false;
}

/* ---------------------------------------------------------------- MySQL --- */

/* one statement, one instant: what an older epoch stored is seen with the
 * epoch that follows it */
static bool
select_rows(struct run *r, const char *id, MYSQL_RES **res)
{
    struct sql *sql = &r->sql;

    sql_reset(sql);
    sql_add(sql, "SELECT d.id, d.ticket_name, d.lane, d.event_id, d.user_id,"
        " d.event, d.state, d.settled_at, t.epoch FROM dead_letters d"
        " LEFT JOIN tickets t ON t.name=d.ticket_name WHERE ");
    if (id != NULL) {
        sql_addf(sql, "d.id=%s", id);
    } else {
        sql_addf(sql, "d.id>%" PRIu64 " AND d.state='rejected'"
            " AND d.user_id IS NOT NULL", r->done);
        if (r->args->ticket != NULL) {
            sql_add(sql, " AND d.ticket_name=");
            sql_quote(sql, r->db, r->args->ticket, strlen(r->args->ticket));
        }
        sql_addf(sql, " ORDER BY d.id LIMIT %d", PAGE);
    }
    return !sql->failed && db_query(r->db, sql->data, sql->len, res) == DB_OK;
}

/* may it be replayed?  If so, how many were booked. */
static bool
wanted(struct run *r, uint64_t id, MYSQL_ROW row, const unsigned long *len,
    uint64_t *quantity)
{
    const char *state = row[ROW_STATE], *why = "it is too long";
    ticket_event_t ev;

    if (strcmp(state, "replayed") == 0) {
        say(id, "replayed", row[ROW_SETTLED] != NULL ? row[ROW_SETTLED] : "",
            " it was replayed: nothing is done");
        return false;
    }
    if (row[ROW_USER] == NULL)
        refuse(r, id, "no_user", "it says nobody who could be booked: discard"
            " it when it has been looked at");
    else if (strcmp(state, "pending") == 0)
        refuse(r, id, "pending", "its booking is still to be taken back: a"
            " running persister does it");
    else if (strcmp(state, "rejected") != 0)
        refuse(r, id, state, strcmp(state, "gone") == 0
            ? "the user had no such booking any more when MySQL refused it"
            : "it is settled");
    else if (row[ROW_EPOCH] == NULL)
        refuse(r, id, "unknown_ticket", "MySQL has no such ticket");
    else if (len[ROW_EVENT] > TICKET_EVENT_JSON_MAX
        || ticket_event_decode(row[ROW_EVENT], len[ROW_EVENT], &ev, r->storage,
               &why) != 0)
        refuse(r, id, "unreadable", why);
    else if (ev.type == TICKET_EVENT_DEFINED || ev.holding == 0)
        refuse(r, id, "no_booking", "nobody held anything after it");
    else {
        /* what was taken back, whatever the event was about */
        *quantity = ev.holding;
        return true;
    }
    return false;
}

/* false: a server is away.  *again: to be read and asked once more. */
static bool
one(struct run *r, MYSQL_ROW row, const unsigned long *len, bool last,
    bool *again)
{
    uint64_t quantity, id = strtoull(row[ROW_ID], NULL, 10);

    *again = false;
    if (!wanted(r, id, row, len, &quantity))
        return true;
    pause_point("replay");
    redisReply *reply = ask(r, row, len, quantity);
    if (reply == NULL)
        return false;
    pause_point("replayed");
    bool good = true;
    if (reply->type == REDIS_REPLY_ARRAY && reply->elements > 0
        && reply->element[0]->type == REDIS_REPLY_INTEGER
        && reply->element[0]->integer == TICKET_CODE_OK)
        good = decided(r, id, reply);
    else
        *again = undecided(r, id, reply, !last);
    freeReplyObject(reply);
    return good;
}

static void
rest(int ms)
{
    const struct timespec time = { ms / 1000, ms % 1000 * 1000000L };

    nanosleep(&time, NULL);
}

/* one by its id, again while its ticket is being reopened */
static int
by_id(struct run *r, const char *id)
{
    for (int attempt = 1; ; attempt++) {
        MYSQL_RES *res;
        MYSQL_ROW row;
        bool again = false, good = true;
        if (!select_rows(r, id, &res))
            return EXIT_SERVER;
        if ((row = mysql_fetch_row(res)) != NULL)
            good = one(r, row, mysql_fetch_lengths(res), attempt == ATTEMPTS,
                &again);
        else
            refuse(r, strtoull(id, NULL, 10), "not_found",
                "there is no such dead letter");
        mysql_free_result(res);
        if (!good)
            return EXIT_SERVER;
        if (!again)
            return EXIT_OK;
        rest(LOOK_MS);
    }
}

static int
all(struct run *r)
{
    for (;;) {
        char ids[PAGE][24];
        MYSQL_RES *res;
        MYSQL_ROW row;
        size_t n = 0;
        if (!select_rows(r, NULL, &res))
            return EXIT_SERVER;
        while ((row = mysql_fetch_row(res)) != NULL)
            snprintf(ids[n++], sizeof ids[0], "%s", row[ROW_ID]);
        mysql_free_result(res);
        for (size_t i = 0; i < n; i++)
            if (by_id(r, ids[i]) != EXIT_OK)
                return EXIT_SERVER;
        if (n < PAGE)
            return EXIT_OK;
        r->done = strtoull(ids[n - 1], NULL, 10);
    }
}

/* -------------------------------------------------------------- storing --- */

/* MySQL has it; or has refused it once more; false: MySQL is away */
static bool
look(struct run *r, const struct booked *b, bool *over)
{
    struct sql *sql = &r->sql;
    MYSQL_RES *res;

    sql_reset(sql);
    sql_addf(sql, "SELECT d.state='replayed', EXISTS (SELECT 1 FROM purchases p"
        " WHERE p.user_id=d.user_id AND p.ticket_name=d.ticket_name"
        " AND p.booking_id=");
    sql_quote(sql, r->db, b->booking, strlen(b->booking));
    sql_add(sql, "), (SELECT e.id FROM dead_letters e WHERE e.event_id=");
    sql_quote(sql, r->db, b->booking, strlen(b->booking));
    sql_addf(sql, ") FROM dead_letters d WHERE d.id=%" PRIu64, b->id);
    if (sql->failed || db_query(r->db, sql->data, sql->len, &res) != DB_OK)
        return false;

    MYSQL_ROW row = mysql_fetch_row(res);
    *over = true;
    bool good = true;
    if (row == NULL) {
        refuse(r, b->id, "not_found", "the dead letter has been deleted");
    } else if (row[2] != NULL) {
        r->differs = true;
        say(b->id, "refused", row[2], " is the dead letter of its replay:"
            " MySQL refused it once more");
    } else if (row[0][0] == '1') {
        say(b->id, "booked", b->booking, "");
    } else if (row[1][0] == '1') {
        /* its lane was copied from Redis, which knows no origins */
        good = db_execf(r->db, NULL, "UPDATE dead_letters SET"
            " state='replayed', settled_at=CURRENT_TIMESTAMP(3)"
            " WHERE id=%" PRIu64, b->id) == DB_OK;
        if (good)
            say(b->id, "booked", b->booking, "");
    } else {
        *over = false;
    }
    mysql_free_result(res);
    return good;
}

static int
wait_for_storing(struct run *r)
{
    int64_t until = tick_ms() + r->args->wait * INT64_C(1000);

    for (;;) {
        for (struct booked **p = &r->first; *p != NULL; ) {
            struct booked *b = *p;
            bool over;
            if (!look(r, b, &over))
                return EXIT_SERVER;
            if (over) {
                *p = b->next;
                free(b);
            } else {
                p = &b->next;
            }
        }
        if (r->first == NULL)
            return EXIT_OK;
        if (tick_ms() >= until)
            break;
        rest(LOOK_MS);
    }
    for (const struct booked *b = r->first; b != NULL; b = b->next) {
        r->differs = true;
        say(b->id, "not_stored", b->booking, " is booked in Redis and not in"
            " MySQL yet: does a persister run?  Replay it again to look");
    }
    return EXIT_OK;
}

int
replay(const struct conf *conf, struct db *db,
    const struct dlq_arguments *args)
{
    struct run run = { .args = args, .db = db }, *r = &run;
    int code = EXIT_SERVER;

    r->last = &r->first;
    r->storage = malloc(TICKET_EVENT_JSON_MAX);
    rds_init(&r->rds, conf);
    if (r->storage != NULL && rds_connect(&r->rds)) {
        r->rds.message[0] = '\0';
        code = args->all ? all(r) : by_id(r, args->id);
        if (code == EXIT_OK)
            code = wait_for_storing(r);
    }
    if (code == EXIT_SERVER) {
        bool redis = r->rds.redis == NULL;
        fprintf(stderr, "ticket-persister: dlq: %s: %s\n",
            redis ? "redis" : "mysql", redis ? r->rds.message : db->message);
    }
    while (r->first != NULL) {
        struct booked *b = r->first;
        r->first = b->next;
        free(b);
    }
    free(r->storage);
    sql_free(&r->sql);
    rds_close(&r->rds);
    return code == EXIT_OK && r->differs ? EXIT_DIFFERENCES : code;
}
