/* Asks Redis which numbers it has given: one pipelined round trip. */

#ifndef PERSISTER_VERIFY_H
#define PERSISTER_VERIFY_H

#include "work.h"

enum look {
    LOOK_CURRENT,               /* lane.known is what Redis says now */
    LOOK_WAIT,                  /* being opened, or not a master */
    LOOK_CLOSED,                /* its history is not the server's */
    LOOK_MISSING,               /* Redis has no such ticket */
    LOOK_NEWER                  /* its epoch is newer: lane.stale is set */
};

/* the reply to INFO replication; false: not a master */
bool look_replid(const redisReply *reply, char replid[41]);

/* the commands for one lane, and what its reply means */
bool look_ask(struct worker *w, const struct lane *lane);
enum look look_take(struct worker *w, struct lane *lane, const char *replid,
    const redisReply *reply);
bool look_info(struct worker *w);

/* called for each lane with the answer; data may be NULL */
typedef void (*look_fn)(struct worker *w, struct lane *lane, enum look look,
    void *data);

/* false: the connection is gone */
bool verify_lanes(struct worker *w, struct lane **lanes, size_t n, look_fn fn,
    void *data);

/* lanes that hold numbers Redis has not been asked about */
void verify_busy(struct worker *w);

#endif
