/* MySQL sessions, and statements that grow. */

#include "db.h"

#include <errmsg.h>
#include <inttypes.h>
#include <mysqld_error.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "log.h"
#include "metrics.h"
#include "ticket_text.h"

#define IDLE_MS        5000     /* a session unused for longer is pinged */
#define ANSWER_SECONDS 20u      /* a statement without answer is given up */

/* A session that lost its client goes soon, and its locks with it; so does a
 * statement that waits for somebody else's lock. */
static const char session[] =
    "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', "
    "time_zone = '+00:00', wait_timeout = 15, innodb_lock_wait_timeout = 5, "
    "lock_wait_timeout = 10, autocommit = 1";

static const char isolation[] =
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED";

static pthread_key_t thread_end;

/* the client libraries keep memory for each thread that used them */
static void
end_thread(void *used)
{
    (void) used;
    mysql_thread_end();
}

bool
db_library_start(void)
{
    return mysql_library_init(0, NULL, NULL) == 0
        && pthread_key_create(&thread_end, end_thread) == 0;
}

void
db_library_stop(void)
{
    mysql_library_end();
}

static int64_t
now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void
db_init(struct db *db, const struct conf *conf)
{
    memset(db, 0, sizeof *db);
    db->conf = conf;
}

static void
drop_session(struct db *db)
{
    if (db->mysql != NULL)
        mysql_close(db->mysql);
    db->mysql = NULL;
}

void
db_close(struct db *db)
{
    drop_session(db);
    if (db->down)
        metric_add(M_MYSQL_DOWN, -1);
    db->down = false;
}

const char *
db_server(const struct db *db, char *buf, size_t size)
{
    const char *version = db->mysql != NULL
        ? mysql_get_server_info(db->mysql) : NULL;

    if (db->conf->mysql.socket[0] != '\0')
        snprintf(buf, size, "%s%s%s", db->conf->mysql.socket,
            version != NULL ? ", " : "", version != NULL ? version : "");
    else
        snprintf(buf, size, "%s:%d%s%s", db->conf->mysql.host,
            db->conf->mysql.port, version != NULL ? ", " : "",
            version != NULL ? version : "");
    return buf;
}

/* the server, or the road to it, gave this session up */
static bool
broken(unsigned error, const char *sqlstate)
{
    if ((error >= CR_MIN_ERROR && error <= 2999)        /* the client's own: */
        || (error >= 5000 && error <= 5999)             /* lost, no answer … */
        || strncmp(sqlstate, "08", 2) == 0)
    {
        return true;
    }
    switch (error) {
    case ER_SERVER_SHUTDOWN:
    case 1077:                          /* ER_NORMAL_SHUTDOWN, while it was */
    case ER_NET_PACKET_TOO_LARGE:
    case ER_QUERY_INTERRUPTED:
    case ER_OPTION_PREVENTS_STATEMENT:  /* read only: the primary is another */
    case 1836:                          /* ER_READ_ONLY_MODE */
    case 1927:                          /* MariaDB: connection was killed */
    case 3169:                          /* MySQL: session was killed */
    case 4031:                          /* MySQL: idle for too long */
        return true;
    default:
        return false;
    }
}

/* notes the error of the last call; a broken session is closed */
static enum db_result
failed(struct db *db)
{
    db->error = mysql_errno(db->mysql);
    snprintf(db->sqlstate, sizeof db->sqlstate, "%s",
        mysql_sqlstate(db->mysql));
    /* MySQL: a CHECK says no; it alone of all constraints comes as HY000 */
    if (db->error == 3819)
        snprintf(db->sqlstate, sizeof db->sqlstate, "23000");
    /* a value its column cannot hold: HY000 where it is a string's bytes */
    if (db->error == ER_TRUNCATED_WRONG_VALUE_FOR_FIELD)
        snprintf(db->sqlstate, sizeof db->sqlstate, "22007");
    snprintf(db->message, sizeof db->message, "%s", mysql_error(db->mysql));
    log_debug("mysql: error %u (%s): %s", db->error, db->sqlstate, db->message);

    if (strncmp(db->sqlstate, "22", 2) == 0
        || strncmp(db->sqlstate, "23", 2) == 0)
    {
        metric_add(M_MYSQL_PERMANENT, 1);
        return DB_PERMANENT;
    }
    metric_add(M_MYSQL_TRANSIENT, 1);
    if (broken(db->error, db->sqlstate))
        drop_session(db);
    return DB_TRANSIENT;
}

static enum db_result
not_connected(struct db *db)
{
    db->error = CR_SERVER_GONE_ERROR;
    snprintf(db->sqlstate, sizeof db->sqlstate, "HY000");
    snprintf(db->message, sizeof db->message, "there is no session");
    return DB_TRANSIENT;
}

static void
set_options(MYSQL *mysql, const struct conf *conf)
{
    unsigned connect = (unsigned) conf->mysql.connect_timeout;
    unsigned answer = ANSWER_SECONDS;

    mysql_options(mysql, MYSQL_OPT_CONNECT_TIMEOUT, &connect);
    mysql_options(mysql, MYSQL_OPT_READ_TIMEOUT, &answer);
    mysql_options(mysql, MYSQL_OPT_WRITE_TIMEOUT, &answer);
    mysql_options(mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");

    /* else the name "localhost" would mean a socket */
    if (conf->mysql.socket[0] == '\0') {
        unsigned tcp = MYSQL_PROTOCOL_TCP;
        mysql_options(mysql, MYSQL_OPT_PROTOCOL, &tcp);
    }

    /* MySQL's bool was my_bool, and MariaDB's still is: both are one byte */
    const char yes = 1;
    if (conf->mysql.ssl_ca[0] != '\0') {
        mysql_options(mysql, MYSQL_OPT_SSL_CA, conf->mysql.ssl_ca);
#ifdef MARIADB_BASE_VERSION
        mysql_options(mysql, MYSQL_OPT_SSL_ENFORCE, &yes);
        mysql_options(mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &yes);
#else
        unsigned mode = SSL_MODE_VERIFY_IDENTITY;
        mysql_options(mysql, MYSQL_OPT_SSL_MODE, &mode);
#endif
    } else {
#ifndef MARIADB_BASE_VERSION
        /* caching_sha2_password without TLS asks for the server's key */
        mysql_options(mysql, MYSQL_OPT_GET_SERVER_PUBLIC_KEY, &yes);
#endif
    }
    (void) yes;
}

static bool
open_session(struct db *db)
{
    const struct conf *conf = db->conf;
    bool by_socket = conf->mysql.socket[0] != '\0';

    set_options(db->mysql, conf);
    return mysql_real_connect(db->mysql, by_socket ? NULL : conf->mysql.host,
               conf->mysql.user, conf->mysql.password, conf->mysql.database,
               by_socket ? 0 : (unsigned) conf->mysql.port,
               by_socket ? conf->mysql.socket : NULL, CLIENT_FOUND_ROWS) != NULL
        && mysql_real_query(db->mysql, session, sizeof session - 1) == 0
        && mysql_real_query(db->mysql, isolation, sizeof isolation - 1) == 0;
}

enum db_result
db_connect(struct db *db)
{
    char server[256];

    if (db->mysql != NULL)
        return DB_OK;

    db->mysql = mysql_init(NULL);
    if (db->mysql == NULL)
        return not_connected(db);
    pthread_setspecific(thread_end, db);

    if (!open_session(db)) {
        failed(db);
        drop_session(db);
        if (!db->down) {
            log_warn("mysql %s: cannot be used: %s", db_server(db, server,
                sizeof server), db->message);
            metric_add(M_MYSQL_DOWN, 1);
            db->down = true;
        }
        return DB_TRANSIENT;
    }

    metric_add(M_MYSQL_CONNECTS, 1);
    if (db->down) {
        log_info("mysql %s: can be used again", db_server(db, server,
            sizeof server));
        metric_add(M_MYSQL_DOWN, -1);
        db->down = false;
    }
    db->used_at = now_ms();
    return DB_OK;
}

void
db_ping(struct db *db)
{
    if (db->mysql == NULL || now_ms() - db->used_at < IDLE_MS)
        return;
    if (mysql_ping(db->mysql) != 0) {
        failed(db);
        drop_session(db);
    }
    db->used_at = now_ms();
}

enum db_result
db_exec(struct db *db, const char *sql, size_t len, uint64_t *affected)
{
    if (db->mysql == NULL)
        return not_connected(db);
    db->used_at = now_ms();
    if (mysql_real_query(db->mysql, sql, (unsigned long) len) != 0)
        return failed(db);

    /* a result nobody asked for would make the next statement fail */
    MYSQL_RES *res = mysql_store_result(db->mysql);
    if (res != NULL)
        mysql_free_result(res);
    else if (mysql_field_count(db->mysql) != 0)
        return failed(db);
    if (affected != NULL)
        *affected = mysql_affected_rows(db->mysql);
    return DB_OK;
}

enum db_result
db_execf(struct db *db, uint64_t *affected, const char *format, ...)
{
    char *sql;
    va_list args;

    va_start(args, format);
    int len = vasprintf(&sql, format, args);
    va_end(args);
    if (len < 0) {
        not_connected(db);
        snprintf(db->message, sizeof db->message, "no memory");
        return DB_TRANSIENT;
    }
    enum db_result result = db_exec(db, sql, (size_t) len, affected);
    free(sql);
    return result;
}

enum db_result
db_send(struct db *db, const char *sql, size_t len)
{
    if (db->mysql == NULL)
        return not_connected(db);
    db->used_at = now_ms();
    return mysql_send_query(db->mysql, sql, (unsigned long) len) == 0
        ? DB_OK : failed(db);
}

enum db_result
db_receive(struct db *db)
{
    if (db->mysql == NULL)
        return not_connected(db);
    db->used_at = now_ms();
    return mysql_read_query_result(db->mysql) == 0 ? DB_OK : failed(db);
}

enum db_result
db_query(struct db *db, const char *sql, size_t len, MYSQL_RES **res)
{
    *res = NULL;
    if (db->mysql == NULL)
        return not_connected(db);
    db->used_at = now_ms();
    if (mysql_real_query(db->mysql, sql, (unsigned long) len) != 0)
        return failed(db);
    *res = mysql_store_result(db->mysql);
    return *res != NULL ? DB_OK : failed(db);
}

enum db_result
db_begin(struct db *db)
{
    return db_execf(db, NULL, "START TRANSACTION");
}

enum db_result
db_commit(struct db *db)
{
    enum db_result result = db_execf(db, NULL, "COMMIT");

    /* what became of it is unknown: only a new session may tell */
    if (result != DB_OK)
        drop_session(db);
    return result == DB_OK ? DB_OK : DB_TRANSIENT;
}

void
db_rollback(struct db *db)
{
    if (db->mysql != NULL && db_execf(db, NULL, "ROLLBACK") != DB_OK)
        drop_session(db);
}

void
sql_reset(struct sql *sql)
{
    sql->len = 0;
    sql->failed = false;
    if (sql->data != NULL)
        sql->data[0] = '\0';
}

void
sql_free(struct sql *sql)
{
    free(sql->data);
    memset(sql, 0, sizeof *sql);
}

/* room for `more` bytes and a NUL */
static bool
grow(struct sql *sql, size_t more)
{
    if (sql->failed)
        return false;
    if (sql->size - sql->len > more)
        return true;

    size_t size = sql->size != 0 ? sql->size : 4096;
    while (size - sql->len <= more)
        size *= 2;
    char *data = realloc(sql->data, size);
    if (data == NULL) {
        sql->failed = true;
        return false;
    }
    sql->data = data;
    sql->size = size;
    return true;
}

void
sql_add(struct sql *sql, const char *text)
{
    size_t len = strlen(text);

    if (!grow(sql, len))
        return;
    memcpy(sql->data + sql->len, text, len + 1);
    sql->len += len;
}

void
sql_addf(struct sql *sql, const char *format, ...)
{
    va_list args, again;

    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (len < 0)
        sql->failed = true;
    else if (grow(sql, (size_t) len)) {
        vsnprintf(sql->data + sql->len, sql->size - sql->len, format, again);
        sql->len += (size_t) len;
    }
    va_end(again);
}

void
sql_quote(struct sql *sql, struct db *db, const char *data, size_t len)
{
    /* without a session the character set is unknown, and so what to escape */
    if (db->mysql == NULL || !grow(sql, len * 2 + 2)) {
        sql->failed = true;
        return;
    }
    char *to = sql->data + sql->len;
    *to = '\'';
    unsigned long escaped = mysql_real_escape_string(db->mysql, to + 1, data,
        (unsigned long) len);
    if (escaped == (unsigned long) -1) {
        sql->failed = true;
        return;
    }
    to[1 + escaped] = '\'';
    to[2 + escaped] = '\0';
    sql->len += escaped + 2;
}

void
sql_hex(struct sql *sql, const char *data, size_t len)
{
    static const char digits[] = "0123456789ABCDEF";

    if (!grow(sql, len * 2 + 3)) {
        sql->failed = true;
        return;
    }
    char *to = sql->data + sql->len;
    *to++ = 'X';
    *to++ = '\'';
    for (size_t i = 0; i < len; i++) {
        *to++ = digits[(unsigned char) data[i] >> 4];
        *to++ = digits[(unsigned char) data[i] & 15];
    }
    *to++ = '\'';
    *to = '\0';
    sql->len += len * 2 + 3;
}

void
sql_number(struct sql *sql, uint64_t n)
{
    char text[21], *p = text + sizeof text - 1;

    *p = '\0';
    do {
        *--p = (char) ('0' + n % 10);
        n /= 10;
    } while (n != 0);
    sql_add(sql, p);
}

void
sql_time(struct sql *sql, int64_t ms)
{
    char text[1 + TICKET_TIME_LEN + 1] = "'";

    if (ms < 0) {
        sql_add(sql, "NULL");
        return;
    }
    /* 2026-11-21T10:00:00.123Z without its letters */
    ticket_time_format(text + 1, ms);
    text[11] = ' ';
    strcpy(text + TICKET_TIME_LEN, "'");
    sql_add(sql, text);
}
