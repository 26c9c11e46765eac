/*
 * One MySQL session.  Built against libmysqlclient or MariaDB Connector/C.
 * Sessions run with CLIENT_FOUND_ROWS, READ COMMITTED, time_zone '+00:00',
 * utf8mb4, a strict sql_mode without NO_BACKSLASH_ESCAPES, wait_timeout=15,
 * innodb_lock_wait_timeout=5.
 */

#ifndef PERSISTER_DB_H
#define PERSISTER_DB_H

#include <mysql.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "conf.h"

enum db_result {
    DB_OK,
    DB_TRANSIENT,       /* the whole transaction again, later */
    DB_PERMANENT        /* SQLSTATE 22xxx or 23xxx: the data is refused */
};

struct db {
    const struct conf *conf;
    MYSQL             *mysql;           /* NULL: not connected */
    bool               down;            /* the last attempt to connect failed */
    int64_t            used_at;         /* ms, monotonic: last statement */
    unsigned           error;           /* of the last failed call */
    char               sqlstate[6];
    char               message[256];    /* may quote data: log at debug only */
};

/* once in a process, before the first thread; false: no memory */
bool db_library_start(void);
void db_library_stop(void);

void db_init(struct db *db, const struct conf *conf);
void db_close(struct db *db);

/* connects when there is no session; never keeps a broken one.  A failure is
 * logged once, until it works again. */
enum db_result db_connect(struct db *db);

/* keeps an idle session alive; closes it when it is gone */
void db_ping(struct db *db);

/* "host:port" or the socket's path, and the server's version while connected */
const char *db_server(const struct db *db, char *buf, size_t size);

/* one statement without result; *affected (may be NULL) = rows matched */
enum db_result db_exec(struct db *db, const char *sql, size_t len,
    uint64_t *affected);
enum db_result db_execf(struct db *db, uint64_t *affected,
    const char *format, ...) __attribute__((format(printf, 3, 4)));

/* a statement without result, and later what became of it: nothing else may
 * be asked in between */
enum db_result db_send(struct db *db, const char *sql, size_t len);
enum db_result db_receive(struct db *db);

/* one statement with a result, stored; *res to be freed by the caller */
enum db_result db_query(struct db *db, const char *sql, size_t len,
    MYSQL_RES **res);

/* transaction; after DB_TRANSIENT from commit the outcome is unknown */
enum db_result db_begin(struct db *db);
enum db_result db_commit(struct db *db);
void db_rollback(struct db *db);

/* a statement that grows; all append calls are no-ops after no memory */
struct sql {
    char   *data;
    size_t  len, size;
    bool    failed;
};

void sql_reset(struct sql *sql);
void sql_free(struct sql *sql);
void sql_add(struct sql *sql, const char *text);
void sql_addf(struct sql *sql, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void sql_number(struct sql *sql, uint64_t n);
/* 'escaped' with quotes */
void sql_quote(struct sql *sql, struct db *db, const char *data, size_t len);
/* X'…', whatever bytes they are */
void sql_hex(struct sql *sql, const char *data, size_t len);
/* ms since 1970 as 'YYYY-MM-DD hh:mm:ss.mmm'; negative: NULL */
void sql_time(struct sql *sql, int64_t ms);

#endif
