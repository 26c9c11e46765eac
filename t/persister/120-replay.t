#!/usr/bin/env python3
"""The topic may be read again from its beginning, by anybody, at any time: no row changes.

That is what exactly once in effect means, and what makes restarts, rebalances and restored offsets
harmless. Duplicates are counted, so that a replay shows.
"""

import random

from base import Database, done, equal, ok, wait_for
from core import Office, Persister, Topic, agree, kafka_and_outbox, users

database, office, topic = Database(), Office(), Topic(partitions=3)
random.seed(5)
persister = Persister(database, topic, persister={"gap_ms": 15000})
persister.assigned(3)
tickets = {"one": 1, "four": 4, "two@group": 2}
events = []
for ticket, lanes in tickets.items():
    office.create(ticket, lanes=lanes)
for turn in range(4):
    for ticket in tickets:
        some = users(500, f"turn-{turn}")
        events += office.book(ticket, some) + office.cancel(ticket, some[:400]) + office.book(ticket, some[:200])
    reply = office.define("one", capacity=50000 + turn)
    events.append(office.defined(reply, "one"))
topic.produce(events)
for ticket in tickets:
    agree(office, database, ticket, f"{ticket} is stored")
before = {ticket: database(f"SELECT * FROM purchases WHERE ticket_name = '{ticket}' ORDER BY id") for ticket in tickets}
progress = database("SELECT ticket_name, lane, epoch, applied_seq FROM lane_progress ORDER BY 1, 2, 3")
definition = database("SELECT * FROM tickets ORDER BY name")
equal(kafka_and_outbox(persister), (len(events), 0), "by Kafka")

# ---------------------------------------------------------------- the same group goes on where it was

equal(persister.stop(), 0, "SIGTERM ends it well")
persister = Persister(database, topic)
persister.assigned(3)
office.book("one", users(10, "after"))
agree(office, database, "one", "after a restart it goes on")
equal(persister.metric("messages_total"), 0, "and sees no message again: the offsets were stored")
persister.stop()
office.cancel("one", users(10, "after"))

# ---------------------------------------------------------------- another group begins anew

persister = Persister(database, topic, kafka={"group": topic.name + ".again"})
persister.assigned(3)
ok(wait_for(lambda: persister.metric("messages_total") == len(events)), "a new group reads all of it again")
equal(persister.metric("duplicates_total"), len(events), "duplicates = messages")
agree(office, database, "one", "and what comes after is stored")
for ticket in tickets:
    equal(database(f"SELECT * FROM purchases WHERE ticket_name = '{ticket}' ORDER BY id"), before[ticket],
          f"no row of {ticket} has changed")
equal(database("SELECT * FROM tickets ORDER BY name"), definition, "no definition either")
equal([row[:3] for row in database("SELECT ticket_name, lane, epoch, applied_seq FROM lane_progress ORDER BY 1, 2, 3")],
      [row[:3] for row in progress], "nor any epoch")
equal(persister.stop(), 0, "SIGTERM ends it well")
done()
