/*
 * Redis' side of a ticket, made from MySQL's.  Nobody writes rows of the
 * ticket meanwhile: its old lanes are sealed, and in the new ones nothing has
 * happened yet.
 */

#include "rebuild.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "log.h"
#include "pause.h"
#include "rejected.h"
#include "rows.h"
#include "ticket_scripts.h"

#define VALUE_MAX (TICKET_EVENT_ID_MAX + 48)

struct staged {
    char     key[RDS_KEY_MAX];
    size_t   key_len;
    uint64_t count, held;
};

static bool
done(redisReply *reply)
{
    bool good = reply != NULL && reply->type != REDIS_REPLY_ERROR;

    if (reply != NULL)
        freeReplyObject(reply);
    return good;
}

/* one HSET: user → "<quantity> <booked_at ms> <booking_id>" */
static bool
stage_page(struct opening *o, struct staged *staged, MYSQL_RES *res)
{
    size_t n = (size_t) mysql_num_rows(res), argc = 2;
    char (*values)[VALUE_MAX] = calloc(n + 1, sizeof *values);
    const char **argv = calloc(2 * n + 2, sizeof *argv);
    size_t *lens = calloc(2 * n + 2, sizeof *lens);
    bool good = values != NULL && argv != NULL && lens != NULL;
    MYSQL_ROW row;

    while (good && (row = mysql_fetch_row(res)) != NULL) {
        char *value = values[argc / 2 - 1];
        argv[argc] = row[ROW_USER];
        lens[argc++] = mysql_fetch_lengths(res)[ROW_USER];
        argv[argc] = value;
        lens[argc++] = (size_t) snprintf(value, VALUE_MAX, "%s %s %s",
            row[ROW_QUANTITY], row[ROW_MS], row[ROW_BOOKING_ID]);
        staged->held += strtoull(row[ROW_QUANTITY], NULL, 10);
    }
    if (good) {
        argv[0] = "HSET";
        lens[0] = 4;
        argv[1] = staged->key;
        lens[1] = staged->key_len;
        good = done(rds_command(o->rds, (int) argc, argv, lens));
        staged->count += n;
    }
    free(values);
    free(argv);
    free(lens);
    return good;
}

static bool
stage(struct opening *o, struct staged *staged)
{
    const char *unlink[] = { "UNLINK", staged->key };
    size_t lens[] = { 6, staged->key_len };
    struct rows rows;
    MYSQL_RES *res;
    bool good = done(rds_command(o->rds, 2, unlink, lens)), more = true;

    rows_init(&rows, o->db, o->ticket);
    while (good && more) {
        good = rows_next(&rows, &res) == DB_OK;
        if (!good)
            break;
        more = mysql_num_rows(res) > 0;
        if (more)
            good = stage_page(o, staged, res);
        mysql_free_result(res);
    }
    rows_free(&rows);
    return good;
}

/* the arguments of open.lua, put together one by one */
struct args {
    const char *argv[32 + TICKET_LANES_MAX];
    size_t      lens[32 + TICKET_LANES_MAX];
    int         n;
    char        keys[6 + TICKET_LANES_MAX][RDS_KEY_MAX];
    char        numbers[9][24];
    int         used;
};

static void
add(struct args *args, const char *text, size_t len)
{
    args->argv[args->n] = text;
    args->lens[args->n++] = len;
}

static void
add_key(struct args *args, ticket_slice_t ticket, const char *suffix)
{
    char *key = args->keys[args->n];

    add(args, key, rds_key(key, ticket, suffix));
}

/* negative: none */
static void
add_number(struct args *args, int64_t n)
{
    char *text = args->numbers[args->used++];

    if (n >= 0)
        snprintf(text, sizeof args->numbers[0], "%" PRId64, n);
    add(args, text, strlen(text));
}

static redisReply *
switch_on(struct opening *o, const struct staged *staged)
{
    const struct definition *d = &o->definition;
    struct args *args = calloc(1, sizeof *args);
    char suffix[64];

    if (args == NULL)
        return NULL;
    add_key(args, o->ticket, NULL);
    add_key(args, o->ticket, "buyers");
    add(args, staged->key, staged->key_len);
    add_key(args, o->ticket, "rejected");
    snprintf(suffix, sizeof suffix, "rejected:new:%" PRIu64, o->epoch);
    add_key(args, o->ticket, suffix);
    add_key(args, o->ticket, "late");
    for (uint32_t i = 0; i < d->lanes; i++) {
        snprintf(suffix, sizeof suffix, "outbox:%" PRIu32, i);
        add_key(args, o->ticket, suffix);
    }
    int nkeys = args->n;
    add(args, o->ticket.data, o->ticket.len);
    add(args, o->token, strlen(o->token));
    add(args, o->replid, strlen(o->replid));
    add_number(args, (int64_t) o->epoch);
    add_number(args, (int64_t) staged->count);
    add_number(args, (int64_t) staged->held);
    add_number(args, (int64_t) d->capacity);
    add_number(args, (int64_t) d->per_user);
    add_number(args, d->lanes);
    add(args, d->state, strlen(d->state));
    add_number(args, d->opens_at);
    add_number(args, d->closes_at);

    redisReply *reply = rds_eval(o->rds, RDS_OPEN, nkeys, args->n, args->argv,
        args->lens);
    free(args);
    return reply;
}

enum opened
rebuild(struct opening *o)
{
    struct staged staged = { .count = 0 };
    enum opened opened = OPEN_FAILED;
    char suffix[64];

    snprintf(suffix, sizeof suffix, "buyers:new:%" PRIu64, o->epoch);
    staged.key_len = rds_key(staged.key, o->ticket, suffix);
    if (!stage(o, &staged) || !rejected_stage(o))
        return OPEN_FAILED;
    o->buyers = staged.count;
    pause_point("staged");

    redisReply *reply = switch_on(o, &staged);
    if (reply == NULL)
        return OPEN_FAILED;
    if (reply->type == REDIS_REPLY_ERROR) {
        log_warn("keeper: open was refused: %.60s", reply->str);
    } else if (reply->type == REDIS_REPLY_ARRAY && reply->elements > 0
        && reply->element[0]->type == REDIS_REPLY_INTEGER)
    {
        opened = reply->element[0]->integer == TICKET_CODE_OK ? OPEN_DONE
            : OPEN_BUSY;
        if (opened == OPEN_BUSY && reply->elements > 2
            && reply->element[2]->type == REDIS_REPLY_STRING)
            log_info("keeper: ticket %.*s: this attempt is over: %.20s",
                (int) o->ticket.len, o->ticket.data, reply->element[2]->str);
    }
    freeReplyObject(reply);
    return opened;
}
