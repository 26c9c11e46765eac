#!/usr/bin/env python3
"""There are two roads to MySQL, Kafka and the outbox, and each of them alone is enough.

Kafka is the fast one: in a calm run nothing may be fetched from the outbox. The outbox is the one that has
everything: what a killed worker never sent, what arrives twice or in any order, all of it when Kafka brings
nothing. Only the counter of sources tells which was taken.
"""

import random

from base import REDIS_DB, Database, done, env, equal, ok, wait_for
from core import Office, Persister, Topic, agree, kafka_and_outbox, key, rows, stored, users

database, office, topic = Database(), Office(), Topic(partitions=4)
redis = office.redis
random.seed(4)

# so slow to ask the outbox that Kafka always comes first
persister = Persister(database, topic, persister={"gap_ms": 15000})
persister.assigned(4)
for ticket, lanes in ("calm", 1), ("wide", 5), ("mixed", 3):
    office.create(ticket, lanes=lanes)

# ---------------------------------------------------------------- calm

events = office.book("calm", users(1500)) + office.book("wide", users(1500))
events += office.cancel("calm", users(300)) + office.cancel("wide", users(400))
topic.produce(events)
agree(office, database, "calm", "events in their order are stored: one lane")
agree(office, database, "wide", "and five lanes")
equal(kafka_and_outbox(persister), (len(events), 0), "all of them came by Kafka")

# ---------------------------------------------------------------- any order, any number of times

events = office.book("mixed", users(2000)) + office.cancel("mixed", users(1000)) + office.book("mixed", users(500))
mixed = events + random.choices(events, k=1500)
random.shuffle(mixed)
before = persister.metric("duplicates_total")
topic.produce(mixed)
agree(office, database, "mixed", "shuffled and partly sent twice: the same rows")
ok(wait_for(lambda: persister.metric("duplicates_total") - before == 1500), "each second copy is a duplicate")
equal(kafka_and_outbox(persister)[1], 0, "still without the outbox")
equal(redis("XLEN", key("mixed", "outbox:0")), 0, "what is stored has left the outbox")
equal(persister.stop(), 0, "SIGTERM ends it well")

# ---------------------------------------------------------------- what was never sent

persister = Persister(database, topic)
persister.assigned(4)
events = office.book("wide", users(1000, "second"))
topic.produce([one for n, one in enumerate(events) if n % 10 != 3])
agree(office, database, "wide", "every tenth event was never sent: the gaps are filled from the outbox")
kafka, outbox = kafka_and_outbox(persister)
equal(kafka + outbox, 1000, "each event was applied once")
ok(outbox >= 100, f"at least those that were missing came from the outbox ({outbox})")
ok(persister.metric("gaps_filled_total") > 0, "gaps filled are counted")

office.book("calm", users(3000, "third"))
office.cancel("calm", users(1000, "third"))
agree(office, database, "calm", "nothing was sent at all: all of it comes from the outbox")
equal(kafka_and_outbox(persister), (kafka, outbox + 4000), "every one of them")

# ---------------------------------------------------------------- more than may be held back

before = persister.metrics()
persister.stop()
persister = Persister(database, topic, persister={"held_max": 100, "gap_ms": 2000})
persister.assigned(4)
events = office.book("calm", users(3000, "fourth"))
topic.produce(events[1:])
agree(office, database, "calm", "the first of 3,000 is missing, and 100 may be held back")
ok(persister.metric("held_dropped_total") > 2000, "the others were dropped, and had again")
equal(persister.stop(), 0, "SIGTERM ends it well")

# ---------------------------------------------------------------- the outbox is out of reach

hidden = f"hidden-{topic.name}"
redis("ACL", "SETUSER", hidden, "on", ">hidden", "~*", "&*", "+@all", "-xrange", "-xrevrange", "-xread")
try:
    persister = Persister(database, topic, persister={"gap_ms": 200}, redis_uri=f"redis://{hidden}:hidden@"
                          f"{env('REDIS_HOST')}:{env('REDIS_PORT')}/{REDIS_DB}")
    persister.assigned(4)
    events = office.book("mixed", users(1000, "fifth"))
    late = events[:3]
    random.shuffle(events)
    topic.produce([one for one in events if one not in late])
    ok(not stored(office, database, "mixed", 2), "what is missing is missing, as the outbox is hidden by an ACL")
    ok(len(rows(database, "mixed")) < 2500, "and what follows it waits")
    topic.produce(late)
    agree(office, database, "mixed", "Kafka brings it: all rows come by Kafka")
    equal(kafka_and_outbox(persister), (1000, 0), "every one of them")
    ok("cannot be read: NOPERM" in persister.log(), "felt: Redis refused to show the outbox")
    equal(persister.stop(), 0, "SIGTERM ends it well")
finally:
    redis("ACL", "DELUSER", hidden)
done()
