#!/usr/bin/env python3
"""A guarded booking needs a live pass and uses it up; a refusal leaves it."""

from redis_test import Room, Server, Tap, Ticket

tap = Tap()
server = Server()
redis = server.client()

t = Ticket(redis, "gig").open(capacity=3, per_user=2)
q = Room(redis, "gig", t).make(capacity=5)
ann, bob = q.enter("ann")[1], q.enter("bob")[1]
tap.eq(t.guarded(q, ("ann", 3, ann)), [["LIMIT_EXCEEDED", 2]],
       "a refusal behind the pass")
tap.eq(q.live(), ["ann", "bob"], "... leaves the pass")
tap.eq(t.guarded(q, ("ann", 1, ann)), [["BOOKED", 1, 2]], "booked with a pass")
tap.eq((q.live(), q.hash("used")), (["bob"], "1"), "... which is used up")
tap.eq(t.guarded(q, ("bob", 1, bob + 1)), [["PASS_USED"]],
       "not the pass that is live")
tap.done()
