#!/usr/bin/env python3
"""Without Kafka the outboxes are all there is: shards of tickets, each owned by one worker.

Ownership is a lock of MySQL that dies with its session. A second process waits, takes over what the first
one loses, and two of them at once are harmless, as ever.
"""

import os
import signal
import time

from base import Database, done, equal, ok, wait_for
from core import Office, Persister, agree, key, users

database, office = Database(), Office()
redis = office.redis
first = Persister(database, persister={"threads": 3})
ok(wait_for(lambda: sum(int(line.split(" shards")[0].split()[-1]) for line in first.log().splitlines()
                        if "shards are ours" in line) == 64), "three workers share 64 shards")
tickets = {f"ticket-{n}": 1 + n % 4 for n in range(12)}
for ticket, lanes in tickets.items():
    office.create(ticket, lanes=lanes)
events = 0
for ticket in tickets:
    some = users(300)
    events += len(office.book(ticket, some)) + len(office.cancel(ticket, some[:100]))
for ticket in tickets:
    agree(office, database, ticket, f"{ticket} is stored")
equal(int(first.metrics()['applied_total{source="outbox"}']), events, "all of it from the outbox")
equal(first.metric("gaps_filled_total"), 0, "which is no gap")

# ---------------------------------------------------------------- two processes

second = Persister(database, persister={"threads": 2})
time.sleep(2.5)
ok("shards are ours" not in second.log(), "a second process gets nothing while the first one lives")
office.create("later")
office.book("later", users(100))
agree(office, database, "later", "a ticket opened by either is stored")
first.kill()
for ticket in list(tickets)[:4]:
    office.book(ticket, users(100, "second"))
    agree(office, database, ticket, f"the first is killed, the second takes over: {ticket}", 30)

third = Persister(database, persister={"threads": 1})
os.kill(second.process.pid, signal.SIGSTOP)
for row in database(f"SELECT id FROM information_schema.processlist WHERE db = '{database.name}' AND id <> CONNECTION_ID()"
                    " AND command = 'Sleep'"):
    try:
        database(f"KILL {row[0]}")
    except RuntimeError:
        pass
office.book("ticket-0", users(100, "third"))
agree(office, database, "ticket-0", "the second sleeps, its sessions have ended: the third takes over", 30)
os.kill(second.process.pid, signal.SIGCONT)
for turn in range(5):
    office.book("ticket-1", users(100, f"both-{turn}"))
    time.sleep(0.3)
agree(office, database, "ticket-1", "the second wakes up: no harm is done", 30)
equal(second.stop(), 0, "SIGTERM ends it well")
equal(third.stop(), 0, "SIGTERM ends it well")

# ---------------------------------------------------------------- many lanes behind

office.cancel("ticket-3", users(200, "user")[100:200])
for ticket in tickets:
    office.book(ticket, users(2500, "many"))
persister = Persister(database, persister={"threads": 2})
for ticket in tickets:
    agree(office, database, ticket, f"{ticket}: 2,500 events were waiting", 60)
equal([redis("XLEN", key(ticket, "outbox:0")) for ticket in tickets], [0] * len(tickets), "the outboxes are empty")
equal(persister.stop(), 0, "SIGTERM ends it well")
done()
