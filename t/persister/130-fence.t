#!/usr/bin/env python3
"""Two appliers of the same lane are harmless.

It happens whenever Kafka hands partitions over, whenever a process was paused and does not know it, and
here on purpose: two groups read the same topic, a third process has only the outboxes, all three store the
same lanes into the same database, and processes are paused and woken in between. The fence, each lane's row
found where its applier believes it, lets each event in once.
"""

import os
import signal
import threading
import time

from base import Database, done, equal, ok
from core import Office, Persister, Topic, agree, progress, users

database, office, topic = Database(), Office(), Topic(partitions=4)
options = {"gap_ms": 300, "batch_events": 50, "batch_ms": 5, "tail_ms": 100}
appliers = [Persister(database, topic, persister=options),
            Persister(database, topic, persister=options, kafka={"group": topic.name + ".other"}),
            Persister(database, None, persister=options)]
for applier in appliers[:2]:
    applier.assigned(4)
tickets = {"one": 1, "two": 2, "three": 3}
for ticket, lanes in tickets.items():
    office.create(ticket, lanes=lanes)

stop = threading.Event()


def disturb():
    turn = 0
    while not stop.wait(0.3):
        applier = appliers[turn % 3]
        os.kill(applier.process.pid, signal.SIGSTOP)
        stop.wait(0.4)
        os.kill(applier.process.pid, signal.SIGCONT)
        turn += 1


thread = threading.Thread(target=disturb)
thread.start()
events = 0
for turn in range(12):
    for ticket in tickets:
        some = users(300, f"turn-{turn}")
        batch = office.book(ticket, some) + office.cancel(ticket, some[::2]) + office.book(ticket, some[::4])
        topic.produce(batch)
        events += len(batch)
stop.set()
thread.join()
for ticket in tickets:
    agree(office, database, ticket, f"{ticket}: three appliers, the rows are right", 60)

applied = sum(int(value) for applier in appliers for name, value in applier.metrics().items()
              if name.startswith("applied_total"))
equal(applied, events, "each event was applied by one of them, once")
ok(sum(applier.metric("fenced_total") for applier in appliers) > 0, "felt: the fence stopped somebody")
ok(all(sum(int(value) for name, value in applier.metrics().items() if name.startswith("applied_total")) > 0
       for applier in appliers), "felt: each of them had its part")

# ---------------------------------------------------------------- sealed is sealed

database("UPDATE lane_progress SET sealed = 1 WHERE ticket_name = 'one'")
before = progress(database, "one")
topic.produce(office.book("one", users(20, "sealed")))
time.sleep(2)
equal(progress(database, "one"), before, "nobody goes on in a lane that is sealed")
topic.produce(office.book("two", users(20, "sealed")))
agree(office, database, "two", "the other tickets do")
database("UPDATE lane_progress SET sealed = 0 WHERE ticket_name = 'one'")
agree(office, database, "one", "not sealed any more, it goes on", 60)
for applier in appliers:
    equal(applier.stop(), 0, "SIGTERM ends it well")
done()
