#!/usr/bin/env python3
"""A late event was confirmed to a buyer in an epoch that is over, and nobody has stored it.

It sat in a worker's queue while the ticket was reopened. It must never be skipped: it is kept in
late_events, where its settlement finds it, and only then may its offset go on. What was stored in that
epoch is a duplicate, not late; what another event will make again is only a duplicate, too.
"""

from base import Database, done, equal, has, ok, wait_for
from core import Office, Persister, Topic, agree, encode, event, event_id

database, office, topic = Database(), Office(), Topic(partitions=2)


def old(kind, seq, user, **data):
    """An event of epoch 1 of `sale`."""
    own = event_id("sale", 0, 1, seq)
    holding = {"holding": 1, "holding_id": own} if kind == "booked" else {"holding": 0, "holding_id": None}
    return event(kind, 1763719200123, "sale", 0, 1, seq,
                 **{"user": user, "quantity": 1, "booking_id": own, **holding, **data})


# the ticket was open in epoch 1, stored up to 5, and the drain passed over 3
persister = Persister(database)
persister.stop()
database("INSERT INTO tickets (name, epoch, capacity, per_user, lanes, state) VALUES ('sale', 1, 100, 1, 1, 'deleted')")
database("INSERT INTO lane_progress (ticket_name, lane, epoch, applied_seq) VALUES ('sale', 0, 1, 5)")
database("INSERT INTO lane_skipped (ticket_name, lane, epoch, seq) VALUES ('sale', 0, 1, 3)")
persister = Persister(database, topic, persister={"gap_ms": 15000})
persister.assigned(2)
office.create("sale", capacity=100)
equal(database("SELECT epoch FROM tickets"), [["2"]], "the ticket is in its second epoch")
fresh = office.book("sale", ["anna"])

late = [old("booked", 3, "skipped-\u00fc'\"\\"), old("booked", 6, "berta"),
        old("cancelled", 7, "carla", booking_id=event_id("sale", 0, 1, 2)),
        event("defined", 1763719200123, "sale", 0, 1, 8, capacity=5, per_user=1, lanes=1, state="open", opens_at=None,
              closes_at=None)]
known = [old("booked", 5, "dora"), old("rejected", 9, "emil", booking_id=event_id("sale", 0, 1, 4)),
         old("booked", 10, "fritz", origin=event_id("sale", 0, 1, 1))]
topic.produce(late + known + fresh)
agree(office, database, "sale", "the event of this epoch is stored")
ok(wait_for(lambda: persister.metric("messages_total") == 8), "all messages were read")
equal(persister.metric("late_total"), 4, "four of them are late")
equal(persister.metric("duplicates_total"), 3, "three are duplicates: stored, rejected, made from another")

have = database("SELECT event_id, ticket_name, HEX(user_id), booking_id, HEX(event), outcome FROM late_events ORDER BY 1")
equal([row[0] for row in have], [event_id("sale", 0, 1, n) for n in (3, 6, 7, 8)], "they are kept in late_events")
equal([bytes.fromhex(row[4]) for row in have], [encode(one) for one in late], "byte for byte as they came")
equal([bytes.fromhex(row[2]).decode() for row in have], ["skipped-\u00fc'\"\\", "berta", "carla", ""], "with their user")
equal([row[3] for row in have], [event_id("sale", 0, 1, n) for n in (3, 6, 2, 8)], "and what they are about")
equal(database("SELECT booking_id FROM void_bookings"), [[event_id("sale", 0, 1, 2)]],
      "the booking a late cancel is about is void")
has(persister.log(), "late events are kept", "an alarm is logged")
ok("berta" not in persister.log(), "without a name")

# ---------------------------------------------------------------- settled


def outcomes():
    return [row[0] for row in database("SELECT COALESCE(outcome, 'pending') FROM late_events ORDER BY event_id")]


ok(wait_for(lambda: "pending" not in outcomes(), 30), "they are settled")
equal(outcomes(), ["booked", "booked", "cancelled", "void"], "two are booked, an old definition is not made again")
agree(office, database, "sale", "rows are buyers")
ok(wait_for(lambda: persister.metric("late_pending") == 0, 10), "late_pending shows that none is left")

# ---------------------------------------------------------------- again

equal(persister.stop(), 0, "SIGTERM ends it well")
persister = Persister(database, topic, kafka={"group": topic.name + ".again"})
persister.assigned(2)
ok(wait_for(lambda: persister.metric("messages_total") == 8), "everything is read again")
equal(database("SELECT COUNT(*) FROM late_events"), [["4"]], "nothing is kept twice")
equal(persister.stop(), 0, "SIGTERM ends it well")
persister = Persister(database, topic, kafka={"group": topic.name + ".again"})
persister.assigned(2)
topic.produce(office.book("sale", ["gerda"]))
agree(office, database, "sale", "the lane goes on")
equal(persister.metric("messages_total"), 1, "the offsets of late events were passed")

# ---------------------------------------------------------------- a future that never was

topic.produce([event("booked", 1763719200123, "sale", 0, 3, 1, user="h", quantity=1, booking_id=event_id("sale", 0, 3, 1),
                     holding=1, holding_id=event_id("sale", 0, 3, 1))])
ok(wait_for(lambda: persister.metric("malformed_total") == 1), "an epoch MySQL never gave is malformed")
equal(database("SELECT COUNT(*) FROM late_events"), [["4"]], "not late")
equal(persister.stop(), 0, "SIGTERM ends it well")
done()
