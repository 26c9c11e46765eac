#!/usr/bin/env python3
"""A bad message never blocks good ones, moves no lane, and shows no user in the log.

Whatever is unreadable, or carries a number that was never given, is counted, named by topic, partition and
offset, and passed over; it stays in the topic.
"""

import json
import time

from base import Database, done, equal, ok, wait_for
from core import Office, Persister, Topic, agree, encode, event, event_id, progress, users

database, office, topic = Database(), Office(), Topic(partitions=1)
persister = Persister(database, topic, persister={"gap_ms": 15000})
persister.assigned(1)
office.create("sale", capacity=1000)
good = office.book("sale", users(40))


def forged(seq, epoch=1, ticket="sale", lane=0, **changes):
    own = event_id(ticket, lane, epoch, seq)
    one = event("booked", 1763719200123, ticket, lane, epoch, seq, user="mallory", quantity=1, booking_id=own, holding=1,
                holding_id=own)
    one["data"].update(changes)
    return one


def twisted(change):
    one = json.loads(encode(forged(41)))
    change(one)
    return ("sale/0", json.dumps(one).encode())


bad = [
    forged(41),                             # above seq:0
    ("sale/0", b"not JSON"), ("sale/0", b"{"), ("sale/0", b"[]"), ("sale/0", b"\xff\xfe\xfd"), ("", b"{}"),
    ("sale/0", encode(forged(41)) + b" x"),
    ("sale/0", b'{"a":"' + b"x" * 70000 + b'"}'),
    ("sale/0", b" " * 70000 + encode(good[0])),
    ("sale/0", b"[" * 30000),
    twisted(lambda one: one.update(type="ticket.exploded")),
    twisted(lambda one: one.update(type="other.booked")),
    twisted(lambda one: one.update(specversion="2.0")),
    twisted(lambda one: one.update(id="sale:0:1-42")),
    twisted(lambda one: one["data"].update(seq=0)),
    twisted(lambda one: one["data"].update(seq=-1)),
    twisted(lambda one: one["data"].update(seq="41")),
    twisted(lambda one: one["data"].update(user="")),
    twisted(lambda one: one["data"].update(user="a b")),
    twisted(lambda one: one["data"].update(quantity=1.5)),
    twisted(lambda one: one["data"].pop("holding")),
    forged(1000), forged(9000), forged(10 ** 6), forged(2 ** 62),
    forged(1, epoch=2), forged(1, lane=1), forged(1, ticket="unknown"), forged(1, ticket="sale@other"),
]
mixed = []
topic.produce([bad.pop(0)])
ok(wait_for(lambda: "its number was never given" in persister.log()), "a number above all that were given is malformed")
for n, one in enumerate(good):
    mixed += [one, bad[n]] if n < len(bad) else [one]
topic.produce(mixed)
agree(office, database, "sale", "the good ones among the bad are stored")
ok(wait_for(lambda: persister.metric("messages_total") == len(mixed) + 1), "every message was read")
ok(wait_for(lambda: persister.metric("malformed_total") == len(bad) + 1), f"{len(bad) + 1} of them are malformed")
equal(persister.metric("malformed_total"), len(bad) + 1, "exactly those")
equal(progress(database, "sale"), 40, "no lane has moved by them")
equal(database("SELECT COUNT(*) FROM purchases WHERE user_id = 'mallory'"), [["0"]], "no row either")
log = persister.log()
ok(f"{topic.name}[0]@" in log and "is passed over" in log, "the log says where each lies")
ok("mallory" not in log and "user-0000" not in log, "and no user")

# ---------------------------------------------------------------- what was forged comes true

events = office.book("sale", users(5, "later"))
topic.produce(events)
agree(office, database, "sale", "a number that was forged is stored when it is given")

# ---------------------------------------------------------------- offsets

equal(persister.stop(), 0, "SIGTERM ends it well")
persister = Persister(database, topic)
persister.assigned(1)
topic.produce(office.book("sale", users(1, "last")))
agree(office, database, "sale", "after a restart it goes on")
equal(persister.metric("messages_total"), 1, "the offsets of bad messages were passed")

# ---------------------------------------------------------------- many of them

before = persister.log().count("passed over")
topic.produce([("x", b"junk")] * 5000 + office.book("sale", users(10, "flood")))
agree(office, database, "sale", "5,000 bad messages do not keep the good ones")
ok(persister.log().count("passed over") - before <= 200, "nor do they fill the log")
time.sleep(1.5)
equal(persister.metric("malformed_total"), 5000, "though each is counted")
equal(persister.stop(), 0, "SIGTERM ends it well")
done()
