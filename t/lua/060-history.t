#!/usr/bin/env python3
"""Nothing in a ticket's hash is believed unless its history is the
master_replid of this very server: not by book, not by reads."""

import time

from redis_test import Server, Tap, Ticket

tap = Tap()
server = Server()
redis = server.client()


def every_script(t):
    """the answer of each script that serves buyers and admin"""
    return {"book": t.book(("ann", 1, {"key": "k"})),
            "cancel": t.cancel(("ann", "", {"key": "k"})),
            "booking": t.booking("ann"), "ticket": t.ticket()[:2],
            "define": t.define(capacity=7, create=0),
            "delete": t.delete(), "bookings": t.bookings(),
            "ack": t.ack(0, epoch=1)}


def with_put(t):
    return {**every_script(t), "put": t.define(capacity=7, create=1)}


t = Ticket(redis, "gone")
replid = redis.replid()
for name, reply in every_script(t).items():
    tap.eq(reply, ["UNKNOWN_TICKET", replid],
           "%s: unknown, with the replid to compare" % name)
tap.eq(t.define(capacity=1, create=1, catalogue="f" * 40), ["RECOVERING", 0],
       "a missing one is not created while the catalogue is not current")
tap.eq(t.define(capacity=1, create=1, catalogue=""), ["RECOVERING", 0],
       "... or not known")
tap.eq(t.dump(), {}, "... and nothing was written")


def closed(title, t):
    before = t.dump()
    for name, reply in with_put(t).items():
        tap.eq(reply[:2], ["RECOVERING", 1], "%s: %s" % (title, name))
    tap.eq(t.dump(), before, title + ": nothing changed")


t = Ticket(redis, "lost").open()
t.sell("ann", key="k")
for history, title in [("f" * 40, "another history"), ("", "an empty one"),
                       (replid[:39], "a shorter one")]:
    redis("HSET", t.key, "history", history)
    closed(title, t)
redis("HDEL", t.key, "history")
closed("no history", t)
redis("HSET", t.key, "history", replid)
tap.eq(t.sell("ann", key="k")[0], "REPLAYED", "with its history it is back")

# a replica has the same master_replid; it still is not to be asked
copy = Server()
replica = copy.client()
replica("REPLICAOF", "127.0.0.1", server.port)
for _ in range(500):
    if replica.info("replication")["master_link_status"] == "up":
        break
    time.sleep(0.02)
tap.eq(replica.replid(), redis.replid(), "the replica is in step")
if redis.replid() != replid:
    closed("a first replica changed master_replid", t)
    t.open()
    t.sell("ann", key="k")
redis("WAIT", 1, 5000)
r = Ticket(replica, "lost")
for name, reply in with_put(r).items():
    tap.eq(reply, ["RECOVERING", 0], "on a replica: " + name)
r = Ticket(replica, "nobody")
for name, reply in with_put(r).items():
    tap.eq(reply, ["RECOVERING", 0], "on a replica, no hash: " + name)
tap.eq(r.claim(), ["RECOVERING", 0], "on a replica: claim")
tap.eq(r.open_script(1), ["RECOVERING", 0], "on a replica: open")

replica("REPLICAOF", "NO", "ONE")
r = Ticket(replica, "lost")
tap.eq(replica("HGET", r.key, "history"), redis.replid(),
       "promoted, it has the old master's history")
closed("after a promotion", r)
tap.done()
