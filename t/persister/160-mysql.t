#!/usr/bin/env python3
"""MySQL is slow, locked, refuses, is cut off in the middle of a COMMIT, or away: nothing is lost or doubled.

One locked row may hold one lane, not the others; a row MySQL will not let go stops one lane, with an alarm
(what it refuses to take is a dead letter: 260); and a COMMIT without an answer is settled by looking, not by guessing.
"""

import os
import signal
import subprocess
import threading
import time

from base import MYSQL_CLIENT, Database, Proxy, done, env, equal, has, ok, wait_for
from core import Office, Persister, Topic, agree, key, progress, rows, stored, users
from dead import accept, refuse

database, office, topic = Database(), Office(), Topic(partitions=2, needed=False)


def without_tls(greeting):
    """MySQL offers TLS, through which nobody sees a COMMIT pass; the persister does without if it has to."""
    flags = greeting.index(b"\0", 5) + 1 + 4 + 8 + 1       # version, session, salt
    low = int.from_bytes(greeting[flags:flags + 2], "little") & ~0x0800
    return greeting[:flags] + low.to_bytes(2, "little") + greeting[flags + 2:]


class Cut(Proxy):
    """Cuts the connection when a COMMIT passes, after it was handed on, or instead."""

    cut = None
    count = 0

    def _copy(self, source, sink):
        try:
            if source.getpeername() == self.target:
                sink.sendall(without_tls(source.recv(65536)))
            while data := source.recv(65536):
                if self.cut and b"COMMIT" in data[-10:] and sink.getpeername() == self.target:
                    how, self.cut = self.cut, None
                    self.count += 1
                    if how == "after":
                        sink.sendall(data)
                        time.sleep(0.2)
                    break
                sink.sendall(data)
        except (OSError, ValueError):
            pass
        for one in source, sink:
            try:
                one.shutdown(2)
            except OSError:
                pass


class Session:
    """A session of somebody else, who holds locks."""

    def __init__(self):
        self.process = subprocess.Popen(
            [MYSQL_CLIENT, "--no-defaults", "-h", env("MYSQL_HOST"), "-P", env("MYSQL_PORT"), "-u", env("MYSQL_USER"), "-BNn",
             database.name], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env={**os.environ, "MYSQL_PWD": env("MYSQL_PASSWORD")})

    def __call__(self, sql):
        self.process.stdin.write((sql + "; SELECT 'done';\n").encode())
        self.process.stdin.flush()
        while self.process.stdout.readline().strip() not in (b"done", b""):
            pass

    def end(self):
        self.process.stdin.close()
        self.process.wait()


proxy = Cut(env("MYSQL_HOST"), env("MYSQL_PORT"))
proxy.open()
persister = Persister(database, topic, persister={"threads": 1, "gap_ms": 500}, mysql={"port": proxy.port})
persister.assigned(2)
for ticket in "locked", "free", "wide":
    office.create(ticket, lanes=3 if ticket == "wide" else 1)

# ---------------------------------------------------------------- COMMIT without an answer

for turn, how in enumerate(["after", "instead"] * 3):
    proxy.cut = how
    topic.produce(office.book("wide", users(300, f"turn-{turn}")))
    agree(office, database, "wide", f"COMMIT cut off ({how}): stored once", 40)
equal(proxy.count, 6, "felt: six COMMITs got no answer")
equal(persister.metric('mysql_errors_total{outcome="permanent"}'), 0, "and none of them was an error for good")

# ---------------------------------------------------------------- a locked row

topic.produce(office.book("locked", users(10)) + office.book("free", users(10)))
agree(office, database, "locked", "a ticket with rows")
agree(office, database, "free", "and another")
other = Session()
other("START TRANSACTION; UPDATE purchases SET quantity = quantity WHERE user_id = 'user-000003' AND ticket_name = 'locked'")
topic.produce(office.cancel("locked", users(10)) + office.cancel("free", users(10)[:5]))
ok(not stored(office, database, "locked", 3), "felt: the locked row holds its lane")
began = time.monotonic()
ok(stored(office, database, "free", 40), f"the other tickets go on ({time.monotonic() - began:.1f} s)")
for turn in range(3):
    began = time.monotonic()
    topic.produce(office.book("free", users(20, f"meanwhile-{turn}")))
    ok(stored(office, database, "free", 20), f"and on, while it is locked ({time.monotonic() - began:.1f} s)")
equal(progress(database, "locked"), 10, "the lane is where it was")
other("ROLLBACK")
other.end()
agree(office, database, "locked", "the lock is gone: the lane goes on", 60)
agree(office, database, "free", "and the others are right")

# ---------------------------------------------------------------- a row that may not go

topic.produce(office.book("locked", users(200, "before") + ["poison"]))
agree(office, database, "locked", "more rows")
refuse(database, "NEW.user_id = 'poison'", "DELETE")
topic.produce(office.book("locked", users(9, "early")) + office.cancel("locked", ["poison"])
              + office.book("locked", users(200, "behind")) + office.book("free", users(50, "healthy")))
agree(office, database, "free", "a cancel MySQL refuses: the others go on")
ok(wait_for(lambda: persister.metric("lanes_stopped") == 1), "its lane is stopped")
equal(progress(database, "locked"), 230, "right before the event")
equal(len(rows(database, "locked")), 210, "what came before it is stored")
has(persister.log(), "lane locked/0 is stopped: MySQL refuses number 231 of epoch 1 (SQLSTATE 23000", "an alarm says where")
ok("poison" not in persister.log(), "and not who")
topic.produce(office.book("free", users(50, "healthier")))
agree(office, database, "free", "the others go on and on")
equal(persister.stop(), 0, "SIGTERM ends it well even so")
persister = Persister(database, topic, wait=False, persister={"threads": 1})   # not healthy for long
persister.assigned(2)
ok(wait_for(lambda: persister.metric("lanes_stopped") == 1), "started again, it is stopped again")
ok(not stored(office, database, "locked", 1), "nothing was skipped")
accept(database, "DELETE")
equal(persister.stop(), 0, "SIGTERM ends it well even so")
persister = Persister(database, topic)
persister.assigned(2)
agree(office, database, "locked", "the schema is repaired: the lane goes on by itself")
equal(persister.metric("lanes_stopped"), 0, "it is stopped no more")

# ---------------------------------------------------------------- sessions end, MySQL sleeps

for turn in range(3):
    for row in database(f"SELECT id FROM information_schema.processlist WHERE db = '{database.name}' AND id <> CONNECTION_ID()"):
        try:
            database(f"KILL {row[0]}")
        except RuntimeError:
            pass
    topic.produce(office.book("wide", users(100, f"killed-{turn}")))
    agree(office, database, "wide", "all sessions were killed: it goes on")

with open(env("MYSQL_PID"), encoding="ascii") as file:
    mysql = int(file.read())
feeder = threading.Thread(target=lambda: [topic.produce(office.book("wide", users(300, f"asleep-{n}"))) or time.sleep(1)
                                          for n in range(10)])
feeder.start()
time.sleep(0.5)
os.kill(mysql, signal.SIGSTOP)
try:
    time.sleep(10)
    lag = persister.metric("lag_events")
finally:
    os.kill(mysql, signal.SIGCONT)
feeder.join()
agree(office, database, "wide", "MySQL slept for 10 s: everything is stored", 60)
kafka = int(persister.metrics()['applied_total{source="kafka"}'])
ok(kafka > 0 or not topic.name, "by Kafka")
equal(office.redis("XLEN", key("wide", "outbox:1")), 0, "and has left the outbox")
equal(persister.stop(), 0, "SIGTERM ends it well")
done()
