/* Locks that MySQL keeps for a session. */

#include "lock.h"

#include <string.h>

/* The name of a lock is the server's, not the database's: 64 bytes at most.
 * MySQL 9 has no MD5() any more. */
#define NAME "CONCAT('ticket-%s-', LEFT(SHA2(DATABASE(), 256), 32))"

enum db_result
lock_take(struct db *db, const char *purpose, unsigned seconds, bool *taken)
{
    struct sql sql = { 0 };
    MYSQL_RES *res;

    *taken = false;
    sql_addf(&sql, "SELECT GET_LOCK(" NAME ", %u)", purpose, seconds);
    enum db_result result = sql.failed ? DB_TRANSIENT
        : db_query(db, sql.data, sql.len, &res);
    sql_free(&sql);
    if (result != DB_OK)
        return result;
    MYSQL_ROW row = mysql_fetch_row(res);
    *taken = row != NULL && row[0] != NULL && strcmp(row[0], "1") == 0;
    mysql_free_result(res);
    return DB_OK;
}

enum db_result
lock_release(struct db *db, const char *purpose)
{
    return db_execf(db, NULL, "DO RELEASE_LOCK(" NAME ")", purpose);
}
