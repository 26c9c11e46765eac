#!/usr/bin/env python3
"""Kafka is away, comes back, gets more partitions: the outbox goes on, and nothing is stored twice.

A group that hears nothing from Kafka gives its partitions up; the lanes stay with whoever had them, until
the next assignment, as two appliers are harmless and none would be a standstill.
"""

import os
import signal
import time

from base import Database, done, env, equal, note, ok, wait_for
from core import Office, Persister, Topic, agree, kafka_and_outbox, stored, users

database, office, topic = Database(), Office(), Topic(partitions=2)
hurry = {"property": "session.timeout.ms=3000;heartbeat.interval.ms=500;topic.metadata.refresh.interval.ms=1000;"
                     "reconnect.backoff.max.ms=1000"}
persister = Persister(database, topic, kafka=hurry)
persister.assigned(2)
office.create("sale", lanes=3)
topic.produce(office.book("sale", users(500)))
agree(office, database, "sale", "some are stored")
with open(env("KAFKA_PID"), encoding="ascii") as file:
    kafka = int(file.read())

# ---------------------------------------------------------------- away for a while


def book(turn):
    began = time.monotonic()
    office.book("sale", users(200, f"away-{turn}"))
    ok(stored(office, database, "sale", 15), f"Kafka sleeps: 200 more are stored ({time.monotonic() - began:.1f} s)")


os.kill(kafka, signal.SIGSTOP)
try:
    for turn in range(20):
        book(turn)
        if "revoking assignment" in persister.log():
            break
        time.sleep(1)
    ok("revoking assignment" in persister.log(), "felt: the group has given its partitions up")
    for turn in "xyz":
        book(turn)
finally:
    os.kill(kafka, signal.SIGCONT)
agree(office, database, "sale", "the rows are right")
before = persister.metric("messages_total")
topic.produce(office.book("sale", users(500, "back")))
agree(office, database, "sale", "Kafka wakes up: it goes on")
ok(wait_for(lambda: persister.metric("messages_total") - before >= 500, 30), "messages are read again")

# ---------------------------------------------------------------- more partitions

topic.partitions(5)
for turn in range(40):
    topic.produce(office.book("sale", users(100, f"wide-{turn}")) + office.cancel("sale", users(500)[turn::40]))
    agree(office, database, "sale", "the topic gets more partitions: every event is stored")
    if turn >= 2 and "has 5 partitions" in persister.log():
        break
    time.sleep(1)
ok("has 5 partitions" in persister.log(), "the number is read again")
kafka_before = kafka_and_outbox(persister)[0]
persister.assigned(5)
time.sleep(1)
topic.produce(office.book("sale", users(500, "five")))
agree(office, database, "sale", "all five are ours")
ok(kafka_and_outbox(persister)[0] >= kafka_before + 490, "and Kafka is the road again")

# ---------------------------------------------------------------- one is stopped, one is started without it

os.kill(kafka, signal.SIGSTOP)
try:
    began, old = time.monotonic(), persister
    old.signal(signal.SIGTERM)
    persister = Persister(database, topic, kafka=hurry)
    started = time.monotonic()
    office.book("sale", users(100, "asleep"))
    agree(office, database, "sale", "started while Kafka sleeps, it follows the outbox")
    note(f"{time.monotonic() - started:.1f} s")
    equal(old.wait(), 0, "SIGTERM ends the other well while Kafka sleeps")
    ok(time.monotonic() - began < 25, f"and soon enough ({time.monotonic() - began:.1f} s)")
finally:
    os.kill(kafka, signal.SIGCONT)
persister.assigned(5)
time.sleep(1)
before = kafka_and_outbox(persister)[0]
topic.produce(office.book("sale", users(300, "awake")))
agree(office, database, "sale", "Kafka wakes up")
ok(kafka_and_outbox(persister)[0] >= before + 290, "and is the road again")

# ---------------------------------------------------------------- a member died

slow = {"property": "session.timeout.ms=10000"}
persister.stop()
persister = Persister(database, topic, kafka=slow)
persister.assigned(5)
persister.kill()
office.book("sale", users(300, "crash"))
began = time.monotonic()
persister = Persister(database, topic, kafka=slow)
agree(office, database, "sale", "killed and started: it does not wait until the group has missed the dead")
seconds = time.monotonic() - began
ok(seconds < 9, f"it took {seconds:.1f} s, the dead one is missed after 10")
equal(persister.stop(), 0, "SIGTERM ends it well")
done()
