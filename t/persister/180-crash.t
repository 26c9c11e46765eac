#!/usr/bin/env python3
"""Killed at any moment, the persister goes on where it was; stopped, it leaves nothing undone.

SIGKILL in the middle of 20,000 events, again and again: the rows are right in the end, each event applied
once. SIGTERM: what is complete is stored, acknowledged, its offsets committed, the group left at once.
"""

import threading
import time

from base import Database, done, equal, note, ok, wait_for
from core import Office, Persister, Topic, agree, progress, users

database, office, topic = Database(), Office(), Topic(partitions=4, needed=False)
options = {"batch_events": 100, "gap_ms": 3000}
persister = Persister(database, topic, persister=options)
persister.assigned(4)
tickets = {"one": 1, "three": 3}
for ticket, lanes in tickets.items():
    office.create(ticket, lanes=lanes)


def load():
    for turn in range(10):
        batch = []
        for ticket in tickets:
            some = users(600, f"turn-{turn}")
            batch += office.book(ticket, some) + office.cancel(ticket, some[:300]) + office.book(ticket, some[:100])
        topic.produce(batch)
        time.sleep(0.3)


feeder = threading.Thread(target=load)
feeder.start()
total = kills = 0
while feeder.is_alive() or kills < 5:
    time.sleep(0.7)
    before = sum(progress(database, ticket, lane) for ticket, lanes in tickets.items() for lane in range(lanes))
    persister.kill()
    kills += 1
    persister = Persister(database, topic, persister=options)
    if kills > 12:
        break
feeder.join()
for ticket in tickets:
    agree(office, database, ticket, f"{ticket}: killed {kills} times while 20,000 events came: the rows are right", 90)
events = sum(office.seq(ticket, lane) for ticket, lanes in tickets.items() for lane in range(lanes))
equal(events, 20000, "felt: 20,000 events")
ok(kills >= 5, f"felt: {kills} times killed")

# ---------------------------------------------------------------- in the middle of one great batch

batch = office.book("one", users(20000, "great"))
produced = threading.Thread(target=topic.produce, args=(batch,))
produced.start()
ok(wait_for(lambda: progress(database, "one") > 11000, 60), "20,000 more are on their way")
persister.kill()
note(f"killed at {progress(database, 'one')}")
produced.join()
persister = Persister(database, topic, persister=options)
agree(office, database, "one", "killed among them: the rows are right", 90)

# ---------------------------------------------------------------- SIGTERM

persister.stop()
persister = Persister(database, topic, persister=options)
persister.assigned(4)
topic.produce(office.book("three", users(3000, "last")))
ok(wait_for(lambda: progress(database, "three", 0) > 6000 * 10 // 30 - 1000, 20), "some of 3,000 are stored")
began = time.monotonic()
if not ok(persister.stop() == 0, "SIGTERM ends it well"):
    note(persister.log())
ok(time.monotonic() - began < 10, f"soon ({time.monotonic() - began:.1f} s)")
persister = Persister(database, topic, persister={"gap_ms": 15000})
persister.assigned(4)
agree(office, database, "three", "the next one goes on")
time.sleep(1)
equal(persister.metric("duplicates_total"), 0, "and sees nothing twice: the offsets were committed")
equal(persister.stop(), 0, "SIGTERM ends it well")
done()
