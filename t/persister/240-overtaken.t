#!/usr/bin/env python3
"""Who was paused between reading and writing wakes in another epoch, and must be refused.

The histories the model's random search does not meet, made on purpose: the sealed lane (an applier that had
filled a gap from the outbox) and the takeover of an epoch that is over.
"""

import time

from base import Database, done, equal, note, ok, wait_for
from core import Persister, Topic, agree, key, rows, users
from recovery import Pauses, Sale, outcomes, own_redis, pause_build, settled

pause_build()
server = own_redis()

# ---------------------------------------------------------------- seal

database, office = Database(), Sale(server)
pauses = Pauses("store", "takeover", "commit")
slow = Persister(database, environment=pauses.environment)
office.create("sale", capacity=10)
office.book("sale", ["anna"])
agree(office, database, "sale", "before")
pauses.arm("commit")
office.book("sale", ["paula"])
ok(pauses.there("commit"), "a batch is about to be committed")
equal((office.redis("XLEN", key("sale", "outbox:0")), office.persisted("sale")), (1, "1-1"),
      "its events are still in the outbox, and not called stored")
slow.kill()
pauses.go("commit")
slow = Persister(database, environment=pauses.environment)
agree(office, database, "sale", "killed there: the next one stores it")
pauses.arm("store")
lost = office.book("sale", ["berta"])
ok(pauses.there("store"), "an applier has an event from the outbox, and is paused")
office.redis("FLUSHALL")
other = Persister(database)
ok(wait_for(lambda: office.is_open("sale"), 60), "Redis forgets the event, the ticket is rebuilt without it")
equal([user for user, _, _ in rows(database, "sale")], ["anna", "paula"], "felt: it is not there")
pauses.go("store")
time.sleep(3)
ok(wait_for(lambda: outcomes(database).get(lost[0]["id"]) == "booked"), "the applier wakes: what it has is late, and settled")
agree(office, database, "sale", "it did not become a row Redis knows nothing of")
office.full("sale", "remaining + held = capacity")
equal(slow.metric("fenced_total") >= 1 or slow.metric('mysql_errors_total{outcome="transient"}') >= 1, True,
      "felt: the fence, or the session's end, has stopped it")
slow.stop()
other.stop()

# ---------------------------------------------------------------- takeover of an epoch that is over

topic = Topic(partitions=1)
database("DELETE FROM purchases")
office.redis("FLUSHALL")
for table in ("tickets", "lane_progress"):
    database(f"DELETE FROM {table}")
slow = Persister(database, topic, environment=pauses.environment)
slow.assigned(1)
office.create("tour", capacity=10)
slow.stop()
late = office.book("tour", ["carla"])
office.redis("FLUSHALL")
pauses.arm("takeover")
slow = Persister(database, topic, environment=pauses.environment)
office.reopened("tour", 2, "the ticket is rebuilt without a booking")
topic.produce(late)
ok(pauses.there("takeover"), "which comes late; who would settle it is paused")
office.redis("FLUSHALL")
other = Persister(database, topic)
office.reopened("tour", 3, "the ticket is rebuilt again", 60)
ok(wait_for(lambda: outcomes(database).get(late[0]["id"]) == "booked", 60), "another one settles it: booked")
topic.produce(office.cancel("tour", ["carla"]))
agree(office, database, "tour", "she cancels")
office.redis("FLUSHALL")
office.reopened("tour", 4, "and again, with an empty `late`", 60)
equal(office.redis("HLEN", key("tour", "late")), 0, "felt: it is empty")
pauses.go("takeover")
time.sleep(3)
agree(office, database, "tour", "the first wakes, with the epoch it had read")
equal(rows(database, "tour"), [], "the booking does not come back")
equal(slow.metric("taken_over_total"), 0, "felt: it was refused")
slow.stop()
other.stop()
done()
