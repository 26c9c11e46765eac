/* Migrations: forward only, recorded, one persister at a time. */

#include "migrate.h"

#include <mysqld_error.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lock.h"
#include "log.h"

struct migration {
    int                version;
    const char        *name;
    uint32_t           checksum;        /* of the statements */
    const char *const *statements;
};

#include "ticket_migrations.h"

#define MIGRATIONS (sizeof migrations / sizeof migrations[0])

static const char make_record[] =
    "CREATE TABLE IF NOT EXISTS schema_migrations ("
    "version INT NOT NULL PRIMARY KEY, "
    "name VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL, "
    "checksum INT UNSIGNED NOT NULL, "
    "applied_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3)"
    ") ENGINE=InnoDB";

static const char read_record[] =
    "SELECT version, name, checksum FROM schema_migrations ORDER BY version";

#define LOCK_SECONDS 10

/* what one row of the record says about our migrations */
static enum migrated
compare(MYSQL_ROW row, bool *done)
{
    int version = atoi(row[0]);

    for (size_t i = 0; i < MIGRATIONS; i++) {
        if (migrations[i].version != version)
            continue;
        if (strtoul(row[2], NULL, 10) != migrations[i].checksum) {
            log_error("migrate: %s was run here with other statements (%s); "
                "a migration is never changed, a new one is added",
                migrations[i].name, row[1]);
            return MIGRATE_NEVER;
        }
        done[i] = true;
        return MIGRATED;
    }
    log_warn("migrate: %s was run by a newer ticket-persister", row[1]);
    return MIGRATED;
}

static enum migrated
read_done(struct db *db, bool *done)
{
    MYSQL_RES *res;
    MYSQL_ROW row;

    memset(done, 0, MIGRATIONS * sizeof *done);
    if (db_query(db, read_record, sizeof read_record - 1, &res) != DB_OK)
        return MIGRATE_LATER;

    enum migrated result = MIGRATED;
    while (result == MIGRATED && (row = mysql_fetch_row(res)) != NULL)
        result = compare(row, done);
    mysql_free_result(res);
    return result;
}

static enum migrated
run(struct db *db, const struct migration *migration)
{
    for (const char *const *sql = migration->statements; *sql != NULL; sql++) {
        if (db_exec(db, *sql, strlen(*sql), NULL) != DB_OK)
            return MIGRATE_LATER;
    }
    if (db_execf(db, NULL, "INSERT INTO schema_migrations "
            "(version, name, checksum) VALUES (%d, '%s', %lu) "
            "ON DUPLICATE KEY UPDATE version = version", migration->version,
            migration->name, (unsigned long) migration->checksum) != DB_OK)
    {
        return MIGRATE_LATER;
    }
    log_info("migrate: %s done", migration->name);
    return MIGRATED;
}

static enum migrated
run_all(struct db *db)
{
    bool done[MIGRATIONS];

    if (db_exec(db, make_record, sizeof make_record - 1, NULL) != DB_OK)
        return MIGRATE_LATER;
    enum migrated result = read_done(db, done);
    for (size_t i = 0; result == MIGRATED && i < MIGRATIONS; i++) {
        if (!done[i])
            result = run(db, &migrations[i]);
    }
    return result;
}

/* false: somebody else has it, or MySQL is away */
static bool
take_lock(struct db *db)
{
    bool taken;

    if (lock_take(db, "migrate", LOCK_SECONDS, &taken) != DB_OK)
        return false;
    if (!taken)
        snprintf(db->message, sizeof db->message,
            "another ticket-persister is migrating");
    return taken;
}

enum migrated
migrate(struct db *db)
{
    if (db_connect(db) != DB_OK)
        return MIGRATE_LATER;           /* logged there */

    enum migrated result = MIGRATE_LATER;
    if (take_lock(db)) {
        result = run_all(db);
        if (db->mysql != NULL && result == MIGRATED)
            lock_release(db, "migrate");
    }
    if (result == MIGRATE_LATER)
        log_warn("migrate: not now: %s", db->message);
    if (result != MIGRATED)
        db_close(db);                   /* the lock goes with the session */
    return result;
}

enum migrated
migrate_pending(struct db *db, int *pending)
{
    bool done[MIGRATIONS];

    *pending = (int) MIGRATIONS;
    if (db_connect(db) != DB_OK)
        return MIGRATE_LATER;
    enum migrated result = read_done(db, done);
    if (result == MIGRATE_LATER && db->error == ER_NO_SUCH_TABLE)
        return MIGRATED;
    for (size_t i = 0; result == MIGRATED && i < MIGRATIONS; i++)
        *pending -= done[i];
    return result;
}
