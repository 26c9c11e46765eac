#!/usr/bin/env python3
"""Migrations run once each, however often and by however many they are asked for."""

import subprocess

from base import CLEAN, PERSISTER, Database, conf, done, equal, free_port, has, ok, persister

TABLES = ["benchmarks", "dead_letters", "lane_progress", "lane_skipped", "late_events", "purchases", "queues",
          "reconcile_log", "schema_migrations", "tickets", "void_bookings"]


def tables(database):
    return [row[0] for row in database("SHOW TABLES")]


database = Database()
path = conf(database)
result = persister("-c", path, "migrate")
equal(result.code, 0, "migrate on an empty database")
has(result.err, "migrate: 0001-tables done", "says what it did")
equal(tables(database), TABLES, "the tables are there")
record = database("SELECT * FROM schema_migrations ORDER BY version")
equal(record[0][:2], ["1", "0001-tables"], "and recorded with number and name")

result = persister("-c", path, "migrate")
equal((result.code, result.err), (0, ""), "again: nothing to do")
equal(database("SELECT * FROM schema_migrations ORDER BY version"), record, "and nothing was recorded anew")

database("DELETE FROM schema_migrations; DROP TABLE tickets, void_bookings, queues; INSERT INTO purchases "
         "(user_id, ticket_name, quantity, booking_id) VALUES ('ann', 'a', 1, 'a:0:1-1')")
equal(persister("-c", path, "migrate").code, 0, "a migration that failed half-way is run again")
equal(tables(database), TABLES, "and completes")
equal(database("SELECT user_id FROM purchases"), [["ann"]], "without touching what is there")

# a database of the version before
database("ALTER TABLE dead_letters DROP KEY ix_published, DROP COLUMN published_at; DELETE FROM schema_migrations WHERE version = 2; INSERT INTO "
         "dead_letters (event_id, ticket_name, lane, event, origin, error) VALUES ('a:0:1-2', 'a', 0, '{}', 'x', 'y')")
equal(persister("-c", path, "migrate").code, 0, "a database of the version before is brought up to date")
equal(database("SELECT event_id, published_at FROM dead_letters"), [["a:0:1-2", "NULL"]], "what is there waits to be published")
equal(database("SELECT COUNT(*) FROM information_schema.statistics WHERE table_schema = DATABASE() "
               "AND index_name = 'ix_published'"), [["2"]], "with its index")

# ids are told apart as Redis does, and kept byte for byte
database("INSERT INTO purchases (user_id, ticket_name, quantity, booking_id) VALUES "
         "('Ann', 'a', 1, 'x'), ('\u00e4nn', 'a', 1, 'x'), ('a\u0308nn', 'a', 1, 'x'), ('\U0001f3ab', 'a', 1, 'x')")
equal(database("SELECT HEX(user_id) FROM purchases WHERE user_id <> 'ann' ORDER BY user_id"),
      [["416E6E"], ["61CC886E6E"], ["C3A46E6E"], ["F09F8EAB"]], "ids are compared byte for byte, and kept so")

many = Database("_many")
path = conf(many)
running = [subprocess.Popen([PERSISTER, "-c", path, "migrate"], stderr=subprocess.PIPE, env=CLEAN, text=True)
           for _ in range(6)]
logs = [process.communicate(timeout=60)[1] for process in running]
equal([process.returncode for process in running], [0] * 6, "six at once on an empty database")
equal("".join(logs).count("0001-tables done"), 1, "one of them did it")
equal(tables(many), TABLES, "the tables are there")

many("UPDATE schema_migrations SET checksum = checksum + 1")
result = persister("-c", path, "migrate")
equal(result.code, 2, "a migration that was changed after it was run: refused")
has(result.err, "0001-tables was run here with other statements", "with a sentence")
has(persister("-c", path, "--check").out, "a migration was changed after it was run there", "--check says so too")
many("UPDATE schema_migrations SET checksum = checksum - 1; INSERT INTO schema_migrations (version, name, checksum) "
     "VALUES (9999, '9999-future', 1)")
result = persister("-c", path, "migrate")
equal(result.code, 0, "a newer migration: an older persister goes on")
has(result.err, "9999-future was run by a newer ticket-persister", "and says so")

for options, name in ({"port": free_port()}, "no MySQL"), ({"password": "no"}, "wrong password"), \
        ({"database": many.name + "_not"}, "no such database"):
    result = persister("-c", conf(many, mysql=options), "migrate")
    equal(result.code, 3, f"{name}: exit status 3")
    ok(result.err.count("\n") in (1, 2) and "cannot be used" in result.err, f"{name}: and a sentence")

done()
