#!/usr/bin/env python3
"""cancel.lua gives back exactly what a user holds, exactly once (R6)."""

from redis_test import Server, Tap, Ticket

tap = Tap()
server = Server()
redis = server.client()

t = Ticket(redis, "gig").open(capacity=5, per_user=3)
t.sell("ann", 3)
t.sell("bob", 2)
tap.eq(t.undo("ann"), ["CANCELLED", 3, "gig:0:1-1", 3, 3],
       "the whole quantity comes back")
tap.eq(t.events()[2], ("1-3", "cancelled %d ann 3 0 gig:0:1-1" % t.now),
       "the outbox entry is exactly this")
tap.eq(list(t.held()), ["bob"], "the booking is gone")
tap.eq((t.hash("remaining"), t.hash("seq:0")), ("3", "3"), "counters follow")
before = t.dump()
tap.eq(t.undo("ann"), ["NOT_BOOKED"], "a second time there is nothing")
tap.eq(t.undo("nobody"), ["NOT_BOOKED"], "who never booked")
tap.eq(t.undo("bob", "gig:0:1-1"), ["NOT_BOOKED"],
       "not the booking the user holds")
tap.eq(t.dump(), before, "refusals change nothing")
tap.eq(t.sell("ann"), ["BOOKED", 4, 2], "who cancelled may book again")
tap.eq(t.undo("ann", "gig:0:1-1"), ["NOT_BOOKED"],
       "an old booking_id does not cancel the new booking")
tap.eq(t.undo("ann", "gig:0:1-4"), ["CANCELLED", 5, "gig:0:1-4", 1, 3],
       "by booking_id")

tap.eq(t.undo("bob", not_after=1), ["LATE"], "past not_after: nothing")
for state in ["paused", "closed"]:
    redis("HSET", t.key, "state", state)
    t2 = Ticket(redis, "in-" + state).open()
    t2.sell("ann")
    redis("HSET", t2.key, "state", state, "closes_at", 1)
    tap.eq(t2.undo("ann")[0], "CANCELLED", "cancelling while " + state)

t = Ticket(redis, "twice").open(capacity=2)
t.sell("ann")
tap.eq(t.cancel(("ann", ""), ("ann", ""), ("bob", ""), ("ann", "twice:0:1-1")),
       [["CANCELLED", 2, "twice:0:1-1", 1, 2], ["NOT_BOOKED"], ["NOT_BOOKED"],
        ["NOT_BOOKED"]], "twice in one batch gives back once")
tap.eq(t.balance(), 2, "remaining + held = capacity")
tap.eq(t.hash("remaining"), "2", "... and remaining is not above it")

t = Ticket(redis, "all").open(capacity=64)
users = ["user-%d" % i for i in range(64)]
t.book(*[(u, 1) for u in users])
tap.eq([r[0] for r in t.cancel(*[(u, "") for u in users])],
       ["CANCELLED"] * 64, "a batch of 64")
tap.eq((t.hash("remaining"), t.held()), ("64", {}), "all is back")
tap.eq([e[0] for e in t.events()], ["1-%d" % i for i in range(1, 129)],
       "the sequence is dense")
tap.done()
