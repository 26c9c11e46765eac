#!/usr/bin/env python3
"""1,000 tickets reopen in seconds, from one pass over the topic; a large one, too.

Prints the time to reopen: 100 and 10,000 buyers, and with RECOVERY_BUYERS=1000000 as many as it says.
"""

import os
import re
import time

from base import Database, done, equal, note, ok, wait_for
from core import Persister, Topic, agree, event_id, key, rows, stored, users
from recovery import Sale, outcomes, own_redis

server = own_redis("--appendonly", "yes", "--appendfsync", "everysec")
database, office, topic = Database(), Sale(server), Topic(partitions=4)
persister = Persister(database, topic)
persister.assigned(4)
names = [f"ticket-{n}" for n in range(1000)]
for name in names:
    office.define(name, capacity=100)
ok(wait_for(lambda: office.redis("SCARD", "tickets:recover") == 0, 90), "1,000 tickets are open")
events = []
for name in names[:200]:
    events += office.book(name, users(3))
topic.produce(events)


def all_stored():
    return database("SELECT COUNT(*) FROM purchases") == [["600"]]


ok(wait_for(all_stored), "some are sold")

# ---------------------------------------------------------------- all at once

persister.stop()
for name in names[100:300]:
    events = office.book(name, users(2, "behind"))
    if name != "ticket-150":
        topic.produce(events) if name == "ticket-151" else None
before = len(re.findall("tickets are being drained", persister.log()))
office.restart()
persister = Persister(database, topic)
began = time.monotonic()
ok(wait_for(lambda: all(office.is_open(name) for name in names), 120),
   f"Redis is restarted: 1,000 tickets are open again after {time.monotonic() - began:.1f} s")
note(f"time to reopen 1,000 tickets: {time.monotonic() - began:.1f} s")
ok(len(re.findall("tickets are being drained", persister.log())) <= 5, "in a few rounds, not one by one")
equal(database("SELECT COUNT(*) FROM purchases"), [["1000"]], "what had not been stored is stored")
wrong = [name for name in names if office.hash(name).get("remaining") is None or int(office.hash(name)["remaining"]) +
         office.redis("HLEN", key(name, "buyers")) != 100]
equal(wrong, [], "remaining + held = capacity, in each")
equal(database("SELECT COUNT(*) FROM lane_skipped"), [["0"]], "nothing was passed over")

# ---------------------------------------------------------------- large ones


def fill(ticket, count):
    """As if count had bought one each: rows as the persister writes them."""
    office.create(ticket, capacity=2 * count)
    if count <= 10000:
        topic.produce(office.book(ticket, users(count)))
        ok(stored(office, database, ticket, 60), f"{count} buy")
        return
    database("SET SESSION max_recursive_iterations = 10000000; INSERT INTO purchases (user_id, ticket_name, quantity, "
             "booking_id, created_at) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < "
             f"{count}) SELECT CONCAT('user-', i), '{ticket}', 1, CONCAT('{ticket}:0:1-', i), '2026-11-21 10:00:00' + "
             "INTERVAL i DIV 1000 SECOND FROM n")


took = {}
sizes = [100, 10000] + [int(n) for n in os.environ.get("RECOVERY_BUYERS", "").split()]
for size in sizes:
    ticket = f"large-{size}"
    fill(ticket, size)
    began = time.monotonic()
    office.redis("HDEL", key(ticket), "history")
    office.redis("SADD", "tickets:recover", ticket)
    good = wait_for(lambda: office.is_open(ticket), 300)
    ok(good, f"{size} buyers: it reopens")
    took[size] = time.monotonic() - began
    equal(office.redis("HLEN", key(ticket, "buyers")), size, "all of them are there")
    equal(int(office.hash(ticket)["remaining"]), size, "and no more")

note("buyers      time to reopen")
for size, seconds in took.items():
    note(f"{size:>9,} {seconds:>10.1f} s")

# ---------------------------------------------------------------- a long way behind

persister.stop()
ticket = "behind"
persister = Persister(database, topic)
persister.assigned(4)
office.create(ticket, capacity=100000)
persister.stop()
sold = office.book(ticket, users(30000))
topic.produce(sold[:10000] + sold[12000:])
office.redis("FLUSHALL")
persister = Persister(database, topic)
began = time.monotonic()
ok(wait_for(lambda: office.is_open(ticket), 120), "30,000 behind, Redis empty, 2,000 of them lost: it reopens")
note(f"time to reopen with 28,000 events to store: {time.monotonic() - began:.1f} s")
equal(database(f"SELECT COUNT(*) FROM purchases WHERE ticket_name = '{ticket}'"), [["28000"]], "what Kafka had is stored")
equal(database(f"SELECT COUNT(*), MIN(seq), MAX(seq) FROM lane_skipped WHERE ticket_name = '{ticket}'"),
      [["2000", "10001", "12000"]], "the others are passed over")
topic.produce(sold[12000:12100] + sold[10000:10100])
ok(wait_for(lambda: len(outcomes(database)) == 100), "of two messages that come later, one was stored, one is late")
equal(persister.stop(), 0, "SIGTERM ends it well")
done()
