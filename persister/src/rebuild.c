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
#include "staged.h"
#include "ticket_scripts.h"

struct buyers {
    struct staged staged;
    uint64_t      count, held;
};

/* user → "<quantity> <booked_at ms> <booking_id>" */
static int
buyer(char *value, MYSQL_ROW row, void *data)
{
    struct buyers *buyers = data;

    buyers->count++;
    buyers->held += strtoull(row[ROW_QUANTITY], NULL, 10);
    return snprintf(value, STAGED_VALUE_MAX, "%s %s %s", row[ROW_QUANTITY],
        row[ROW_MS], row[ROW_BOOKING_ID]);
}

static bool
stage(struct opening *o, struct buyers *buyers)
{
    struct rows rows;
    MYSQL_RES *res;
    bool good = staged_begin(&buyers->staged, o, "buyers"), more = true;

    rows_init(&rows, o->db, o->ticket);
    while (good && more) {
        good = rows_next(&rows, &res) == DB_OK;
        if (!good)
            break;
        more = mysql_num_rows(res) > 0;
        good = staged_page(&buyers->staged, res, buyer, buyers);
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
switch_on(struct opening *o, const struct buyers *buyers)
{
    const struct definition *d = &o->definition;
    struct args *args = calloc(1, sizeof *args);
    char suffix[64];

    if (args == NULL)
        return NULL;
    add_key(args, o->ticket, NULL);
    add_key(args, o->ticket, "buyers");
    add(args, buyers->staged.key, buyers->staged.key_len);
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
    add_number(args, (int64_t) buyers->count);
    add_number(args, (int64_t) buyers->held);
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
    struct buyers buyers = { .count = 0 };
    enum opened opened = OPEN_FAILED;

    if (!stage(o, &buyers) || !rejected_stage(o))
        return OPEN_FAILED;
    o->buyers = buyers.count;
    pause_point("staged");

    redisReply *reply = switch_on(o, &buyers);
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
