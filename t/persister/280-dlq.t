#!/usr/bin/env python3
"""Every dead letter is published to the DLQ topic: by one of the persisters, at least once, in calm exactly once.

What it says is the row's: the value, the ticket as key, why, where it came from and when. Without the topic, or without
Kafka, rows wait, and the drain does not.
"""

import os
import re
import signal
import time

import base
from base import Database, done, env, equal, has, lacks, note, ok, wait_for
from core import Office, Persister, Topic, agree, users
from dlq import letter, published, put
from recovery import Pauses, pause_build

database, office, topic, dlq = Database(), Office(), Topic(partitions=2), Topic("_dlq", partitions=1)
OWN = {"dlq_topic": dlq.name}


def unpublished():
    return int(database("SELECT COUNT(*) FROM dead_letters WHERE published_at IS NULL")[0][0])


# ---------------------------------------------------------------- what is published

first = Persister(database, topic, kafka=OWN)
second = Persister(database, topic, kafka=OWN)
office.create("sale")
binary = b"\x00\xff\x1b[2J '\\\" no event\r"
topic.produce([("sale/0", binary)] + office.book("sale", users(10)))
agree(office, database, "sale", "a good one is stored")
n = put(database, "sale:0:1-99", b'{"good":"once"}', user="ann", booking="sale:0:1-99", state="rejected",
        error="23000 1062 Duplicate entry 'ann', they say", origin="ticket:{sale}:outbox:0 1-99", ticket="sale")
put(database, "elsewhere/0@1", b"y" * 100000, ticket="")
ok(wait_for(lambda: unpublished() == 0), "every row is marked")
have = published(dlq)
equal(len(have), 3, "three messages")
place = database("SELECT event_id FROM dead_letters WHERE ticket_name = 'sale' AND state = 'unusable'")[0][0]
by_origin = {headers[1]: (key, headers, value) for key, headers, value in have}
key, (error, origin, at), value = by_origin[place]
equal((key, error, value), ("sale", "unreadable: the event is not JSON", binary), "what was no event, byte for byte")
ok(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", at), "time is RFC 3339, UTC")
equal(at, letter(database, 1, "DATE_FORMAT(created_at, '%Y-%m-%dT%H:%i:%s.')") +
      f"{int(letter(database, 1, 'MICROSECOND(created_at)')) // 1000:03d}Z", "the time of the row")
key, (error, origin, at), value = by_origin["ticket:{sale}:outbox:0 1-99"]
equal((key, error, value), ("sale", "23000 1062 Duplicate entry 'ann', they say", b'{"good":"once"}'), "what MySQL refused")
key, (error, origin, at), value = by_origin["elsewhere/0@1"]
equal((key, value), ("", b"y" * 65536), "a long one is cut to 64 KB; without a ticket there is no key")

# ---------------------------------------------------------------- one at a time, once

for number in range(500):
    put(database, f"many/0@{number}", b"%d" % number)
ok(wait_for(lambda: unpublished() == 0, 60), "500 more are published")
have = published(dlq)
equal(len(have), 503, "each once, by two persisters")
equal([int(value) for _, _, value in have[3:]], list(range(500)), "in their order")
lines = [one for one in (first, second) if "published by this process" in one.log()]
equal(len(lines), 1, "one of the two publishes")
other = second if lines[0] is first else first
equal(lines[0].metric("dlq_published_total"), 503, "and counts")
equal(other.metric("dlq_published_total"), 0, "the other does not")
lines[0].kill()
put(database, "after/0@1")
ok(wait_for(lambda: unpublished() == 0, 40), "one is killed: the other goes on")
equal(len(published(dlq)), 504, "with what is left")
equal(other.stop(), 0, "SIGTERM ends it well")

# ---------------------------------------------------------------- killed between the publication and the mark

ordinary = base.PERSISTER
pause_build()
pauses = Pauses("published")
pauses.arm("published")
persister = Persister(database, topic, kafka=OWN, environment=pauses.environment)
put(database, "killed/0@1", b"killed")
ok(pauses.there("published"), "a publisher waits before it marks")
equal(published(dlq)[-1][2], b"killed", "it is published")
persister.kill()
equal(unpublished(), 1, "and not marked")
base.PERSISTER = ordinary
persister = Persister(database, topic, kafka=OWN)
ok(wait_for(lambda: unpublished() == 0, 40), "killed with -9: the next one publishes it again, and marks it")
equal([value for _, _, value in published(dlq)[504:]], [b"killed"] * 2, "at least once")
time.sleep(2)
equal(len(published(dlq)), 506, "and no more")
equal(persister.stop(), 0, "SIGTERM ends it well")

# ---------------------------------------------------------------- the topic is not there, Kafka is away

persister = Persister(database, topic, kafka={"dlq_topic": "no.such.topic", "property": "session.timeout.ms=3000;"
                                              "heartbeat.interval.ms=500;topic.metadata.propagation.max.ms=1000"})
put(database, "lost/0@1", b"patience")
ok(wait_for(lambda: "cannot be published to no.such.topic" in persister.log(), 60), "no such topic: a warning")
ok(wait_for(lambda: persister.metric("dlq_unpublished") == 1, 15), "it is seen in the metrics")
ok(persister.metric("dlq_errors_total") > 0, "so are the attempts")
topic.produce(office.book("sale", users(50, "without")))
agree(office, database, "sale", "the drain does not care")
time.sleep(3)
equal(persister.log().count("cannot be published"), 1, "one warning, not one for each attempt")
note([line for line in persister.log().splitlines() if "cannot be published" in line])
equal(persister.stop(), 0, "SIGTERM ends it well")

persister = Persister(database, topic, kafka=OWN)
ok(wait_for(lambda: unpublished() == 0), "the topic is there: it is published")
persister.assigned(2)
ok(wait_for(lambda: persister.metric("lanes") == 1), "the lane is its own")
with open(env("KAFKA_PID"), encoding="ascii") as file:
    kafka = int(file.read())
os.kill(kafka, signal.SIGSTOP)
try:
    put(database, "asleep/0@1", b"asleep")
    office.book("sale", users(50, "asleep"))
    agree(office, database, "sale", "Kafka sleeps: the drain goes on by the outbox", 60)
    ok(wait_for(lambda: "cannot be published" in persister.log(), 60), "felt: it cannot be published")
finally:
    os.kill(kafka, signal.SIGCONT)
ok(wait_for(lambda: unpublished() == 0, 90), "Kafka is back: it is")
has(persister.log(), "dead letters are published again", "and the log says so")
equal(persister.stop(), 0, "SIGTERM ends it well")

# ---------------------------------------------------------------- without Kafka, without a topic

before = len(published(dlq))
for options, what in ((None, "without Kafka"), ({"dlq_topic": ""}, "with no topic named")):
    persister = Persister(database, topic if options else None, kafka=options or {})
    put(database, f"{what}/0@1")
    time.sleep(2)
    equal(unpublished(), 1, f"{what} nothing is published")
    lacks(persister.log(), "dlq: ", "and nothing is said")
    equal(persister.stop(), 0, "SIGTERM ends it well")
    database("UPDATE dead_letters SET published_at = created_at WHERE published_at IS NULL")
equal(len(published(dlq)), before, "no message came")
done()
