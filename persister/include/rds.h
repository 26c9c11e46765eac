/* One synchronous Redis connection with the scripts loaded (hiredis). */

#ifndef PERSISTER_RDS_H
#define PERSISTER_RDS_H

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stddef.h>
#include "conf.h"
#include "ticket_event.h"

enum rds_script {
    RDS_ACK, RDS_CLAIM, RDS_OPEN, RDS_QUEUE_DEFINE, RDS_REPLAY, RDS_TAKEOVER,
    RDS_TICKET, RDS_SCRIPTS
};

struct rds {
    const struct conf *conf;
    redisContext      *redis;           /* NULL: not connected */
    bool               down;            /* the last attempt to connect failed */
    bool               reload;          /* a NOSCRIPT was seen in a pipeline */
    unsigned           pending;         /* appended, not fetched yet */
    char               message[160];    /* why it could not connect */
    char               sha[RDS_SCRIPTS][41];
};

void rds_init(struct rds *rds, const struct conf *conf);
void rds_close(struct rds *rds);

/* connects, AUTH, SELECT, SCRIPT LOAD; false: logged once per state change */
bool rds_connect(struct rds *rds);

/*
 * A command and its reply (freeReplyObject).  NULL: the connection is gone and
 * closed.  An error reply is returned as it is.
 */
redisReply *rds_command(struct rds *rds, int argc, const char **argv,
    const size_t *argvlen);

/* EVALSHA; argv: nkeys keys, then ARGV, together argc.  A NOSCRIPT is repaired
 * inside. */
redisReply *rds_eval(struct rds *rds, enum rds_script script, int nkeys,
    int argc, const char **argv, const size_t *argvlen);

/*
 * Pipelining: append any number, then fetch as many; false/NULL: gone.  Nothing
 * else may be asked in between.  A NOSCRIPT is an error reply like any other
 * here; the scripts are loaded again before the next pipeline begins.
 */
bool rds_append(struct rds *rds, int argc, const char **argv,
    const size_t *argvlen);
bool rds_append_eval(struct rds *rds, enum rds_script script, int nkeys,
    int argc, const char **argv, const size_t *argvlen);
redisReply *rds_reply(struct rds *rds);

/* Frees a reply of which only this counts: it came and is no error.  who: a
 * prefix of the warning that says which error; NULL: none is logged. */
bool rds_done(redisReply *reply, const char *who);

/* K, or K:<suffix>, of a ticket.  Returns the length; the
 * buffer needs RDS_KEY_MAX bytes.  NUL-terminated. */
#define RDS_KEY_MAX 640
size_t rds_key(char *buf, ticket_slice_t ticket, const char *suffix);

/* master_replid of the server into buf[41]; false: gone or not a master */
bool rds_replid(struct rds *rds, char *replid);

#endif
