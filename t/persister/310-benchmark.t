#!/usr/bin/env python3
"""`benchmark` measures the database by the persister's own statements, and leaves nothing behind.

Its rows are in tables of its own: what a sale has stored is the same before and after, also when it is killed
in the middle, or runs beside a sale.
"""

import signal
import subprocess

from base import CLEAN, DIR, PERSISTER, Database, conf, done, equal, free_port, has, ok, persister, stop, wait_for
from core import Office, Persister, agree, users

OWN = ["benchmark_progress", "benchmark_purchases"]
database, office = Database(), Office()
path = conf(database, persister={"batch_events": 100, "threads": 2})


def tables():
    return [row[0] for row in database("SHOW TABLES LIKE 'benchmark\\_%'")]


def sale():
    """everything a sale has in MySQL, with the times"""
    return [database(f"SELECT * FROM {table} ORDER BY 1, 2, 3") for table in ("purchases", "tickets", "lane_progress")]


def results():
    return database("SELECT rows_per_s, one_lane, all_workers, workers FROM benchmarks ORDER BY id")


def begin(*more):
    """One that runs, and has stored something."""
    process = subprocess.Popen([PERSISTER, "-c", path, "benchmark", *more], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, cwd=DIR, env=CLEAN, text=True)

    def rows():
        return OWN == tables() and int(database("SELECT COUNT(*) FROM benchmark_purchases")[0][0]) > 0
    if not wait_for(rows, 30):
        process.kill()
        stop("the benchmark does not store anything")
    return process


def values(text):
    lines = text.split("\n\n")[0].splitlines()
    return {line.split()[0]: int(line.split()[1]) for line in lines}


# ---------------------------------------------------------------- wrong usage

for words in (["--share", "0"], ["--share", "101"], ["--share", "x"], ["--share", ""], ["--seconds", "0"],
              ["--seconds", "61"], ["--seconds", "1.5"], ["more"]):
    result = persister("-c", path, "benchmark", *words)
    equal((result.code, result.out), (2, ""), f"benchmark {' '.join(words)}: refused")
for words in (["migrate", "--share", "75"], ["--seconds", "1"]):
    result = persister("-c", path, *words)
    equal(result.code, 2, f"{' '.join(words)}: refused")
    has(result.err, "--share and --seconds belong to benchmark", "with a sentence")
result = persister("-c", path, "benchmark", "--seconds", "1")
equal(result.code, 2, "tables that are not up to date: refused")
has(result.err, "ticket-persister migrate", "with what to do")
equal(database("SHOW TABLES"), [], "and nothing is made")
equal(persister("-c", conf(database, "away.conf", mysql={"port": free_port()}), "benchmark").code, 3, "no MySQL: 3")

# ---------------------------------------------------------------- beside a sale

daemon = Persister(database)
office.create("sale", lanes=2)
office.book("sale", users(300))
agree(office, database, "sale", "a sale is stored")
office.create("benchmark", capacity=1000)
office.book("benchmark", users(50))
agree(office, database, "benchmark", "so is one that is called as the benchmark's rows are")
process = begin("--seconds", "2")
office.book("sale", users(300, "meanwhile"))
agree(office, database, "sale", "a sale goes on while it runs")
out, err = process.communicate(timeout=60)
equal((process.returncode, err), (0, ""), "it ends well")
got = values(out)
equal(list(got), ["batch_events", "seconds", "one_lane", "workers", "all_workers", "rows_per_s", "share", "rate"],
      "it says a name and a number a line")
equal((got["batch_events"], got["seconds"], got["workers"], got["share"]), (100, 2, 2, 75), "of what it was asked for")
equal(got["rows_per_s"], min(got["one_lane"], got["all_workers"]), "rows_per_s is the lower one")
ok(got["one_lane"] >= 50 and got["all_workers"] >= 50, "a batch or more a measurement was stored")
equal(got["rate"], max(1, got["rows_per_s"] * 75 // 100), "and the rate its share")
has(out, f"waiting rooms may admit {got['rate']} buyers a second", "in a sentence, too")
equal(results(), [[str(got[name]) for name in ("rows_per_s", "one_lane", "all_workers", "workers")]],
      "the result is in MySQL")
equal(tables(), [], "its own tables are gone")
agree(office, database, "sale", "the sale is as it was")
agree(office, database, "benchmark", "so is the one of the same name")
equal(daemon.stop(), 0, "the persister ends")
before = sale()

# ---------------------------------------------------------------- by the persister's statements

process = begin("--seconds", "30")
totals = database("SELECT (SELECT COALESCE(SUM(applied_seq), 0) FROM benchmark_progress), (SELECT COUNT(*) FROM "
                  "benchmark_purchases), (SELECT COUNT(DISTINCT user_id) FROM benchmark_purchases)")[0]
ok(int(totals[0]) > 0 and totals == [totals[0]] * 3, f"each event of the lane is one row of one user {totals}")
equal(int(totals[0]) % 100, 0, "in batches of batch_events")
first = database("SELECT ticket_name, quantity, booking_id FROM benchmark_purchases WHERE booking_id = "
                 "'benchmark:0:1-1'")
equal(first, [["benchmark", "1", "benchmark:0:1-1"]], "as bookings are")

result = persister("-c", path, "benchmark", "--seconds", "1")
equal(result.code, 3, "a second one at the same time: refused")
has(result.err, "another one is running", "with a sentence")

# ---------------------------------------------------------------- ended in the middle

process.send_signal(signal.SIGTERM)
err = process.communicate(timeout=60)[1]
equal((process.returncode, tables()), (1, []), "SIGTERM: exit status 1, and its tables are gone")
has(err, "stopped, nothing is stored", "with a sentence")

process = begin("--seconds", "30")
process.kill()
process.communicate()
equal(tables(), OWN, "SIGKILL: its tables are left")
equal((sale() == before, len(results())), (True, 1), "and nothing else has changed")
# the server may still be at its last statement
result = wait_for(lambda: (lambda r: r if r.code == 0 else None)(
    persister("-c", path, "benchmark", "--seconds", "1", "--share", "100", TICKET_PERSISTER_THREADS="1")), 40)
equal(result and result.code, 0, "the next one works")
got = values(result.out)
equal((got["workers"], got["all_workers"], got["rate"]), (1, got["one_lane"], got["rows_per_s"]),
      "with one worker there is one measurement; the share may be all of it")
equal(tables(), [], "and the tables are gone")
equal((sale() == before, len(results())), (True, 2), "nothing else has changed")

process = begin("--seconds", "30")
for (session,) in database("SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND "
                           "(info LIKE '%benchmark_p%' OR command <> 'Sleep') AND id <> CONNECTION_ID()") or \
        wait_for(lambda: database("SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND "
                                  "info LIKE '%benchmark_p%' AND id <> CONNECTION_ID()")):
    try:
        database(f"KILL {session}")
    except RuntimeError:        # it is gone already
        pass
err = process.communicate(timeout=60)[1]
equal((process.returncode, tables()), (3, []), "MySQL ends a session: exit status 3, and its tables are gone")
has(err, "benchmark: mysql: ", "with MySQL's sentence")
equal((sale() == before, len(results())), (True, 2), "nothing else has changed")
done()
