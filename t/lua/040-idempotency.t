#!/usr/bin/env python3
"""An Idempotency-Key is stored inside the decision, per user, ticket and
action; only what changed something is remembered."""

from redis_test import FOREVER, Server, Tap, Ticket

tap = Tap()
server = Server()
redis = server.client()

t = Ticket(redis, "gig").open(capacity=9, per_user=4)
tap.eq(t.sell("ann", 2, key="k1"), ["BOOKED", 1, 7], "a booking with a key")
at = t.now
key = t.idem("ann", "book", "k1")
tap.eq(redis("GET", key), "2 gig:0:1-1 2 7 %d" % at, "what is stored with it")
tap.ok(86000 < redis("TTL", key) <= 86400, "for a day")
t.sell("bob")
before = t.dump()
tap.eq(t.sell("ann", 2, key="k1"), ["REPLAYED", "gig:0:1-1", 2, 7, at, 1],
       "the same request again: the first answer, with what remained then")
tap.eq(t.sell("ann", 1, key="k1"), ["IDEMPOTENCY_MISMATCH"],
       "the same key with another quantity")
tap.eq(t.sell("ann", 2, key="k2"), ["ALREADY_BOOKED", "gig:0:1-1", 2, at],
       "another key")
tap.eq(t.dump(), before, "none of them changed anything")

tap.eq(t.undo("ann", key="k1")[0], "CANCELLED",
       "the same key for cancel is another action")
gone = t.now
key = t.idem("ann", "cancel", "k1")
tap.eq(redis("GET", key), "- gig:0:1-1 2 8 %d" % gone, "what cancel stores")
tap.ok(86000 < redis("TTL", key) <= 86400, "for a day, too")
tap.eq(t.sell("ann", 2, key="k1"), ["REPLAYED", "gig:0:1-1", 2, 7, at, 0],
       "a replay of a booking cancelled since says so")
tap.eq(t.undo("ann", key="k1"), ["REPLAYED", "gig:0:1-1", 2, 8, gone, 1],
       "cancel replayed")
tap.eq(t.undo("ann", "gig:0:1-1", key="k1"), ["IDEMPOTENCY_MISMATCH"],
       "the same key, asked with a booking_id")
tap.eq(t.sell("ann", 1, key="k3")[0], "BOOKED", "a new key books anew")
tap.eq(t.sell("ann", 2, key="k1"), ["REPLAYED", "gig:0:1-1", 2, 7, at, 0],
       "the old key still is the old booking, not the one held now")
tap.eq(t.undo("ann", key="k1"), ["REPLAYED", "gig:0:1-1", 2, 8, gone, 1],
       "a replayed cancel does not touch the new booking")
tap.eq(t.undo("ann", "gig:0:1-4", key="k4")[0], "CANCELLED", "by booking_id")
tap.eq(redis("GET", t.idem("ann", "cancel", "k4")).split()[0], "gig:0:1-4",
       "... whose fingerprint is the booking_id")
tap.eq(t.undo("ann", key="k4"), ["IDEMPOTENCY_MISMATCH"],
       "... and not the request without")

t = Ticket(redis, "refusals").open(capacity=1)
t.sell("ann")
tap.eq(t.sell("bob", key="k"), ["SOLD_OUT"], "a refusal is not remembered")
tap.eq(t.undo("bob", key="k"), ["NOT_BOOKED"], "... by cancel neither")
t.undo("ann")
tap.eq(t.sell("bob", key="k")[0], "BOOKED", "... and decided again")
tap.eq(t.undo("bob", key="k")[0], "CANCELLED", "... both")

t = Ticket(redis, "collide").open(capacity=9)
t.sell("a:b", key="c")
tap.eq(t.sell("a", key="b:c")[0], "BOOKED", "a:b with c, a with b:c: apart")
tap.eq(t.sell("a:book", key="c")[0], "BOOKED", "an action's name in the user")
tap.eq(t.sell("a", key="book:c")[0], "ALREADY_BOOKED", "... or in the key")
tap.ok(t.idem("a:b", "book", "c") != t.idem("a", "book", "b:c"),
       "the names differ by the user's length")

t = Ticket(redis, "other").open()
Ticket(redis, "another").open().sell("ann", key="k")
tap.eq(t.sell("ann", key="k")[0], "BOOKED", "another ticket, another key")

t = Ticket(redis, "batch").open(capacity=9)
got = t.book(("ann", 1, {"key": "k"}), ("ann", 1, {"key": "k"}),
             ("ann", 2, {"key": "k"}), ("ann", 1, {"key": "other"}),
             ("ann", 1))
tap.eq(got, [["BOOKED", 1, 8], ["REPLAYED", "batch:0:1-1", 1, 8, t.now, 1],
             ["IDEMPOTENCY_MISMATCH"],
             ["ALREADY_BOOKED", "batch:0:1-1", 1, t.now],
             ["ALREADY_BOOKED", "batch:0:1-1", 1, t.now]],
       "a key twice in one batch")
got = t.cancel(("ann", "", {"key": "k"}), ("ann", "", {"key": "k"}),
               ("ann", "batch:0:1-1", {"key": "k"}), ("ann", ""))
tap.eq(got, [["CANCELLED", 2, "batch:0:1-1", 1, 9],
             ["REPLAYED", "batch:0:1-1", 1, 9, t.now, 1],
             ["IDEMPOTENCY_MISMATCH"], ["NOT_BOOKED"]],
       "... of cancels")

# whatever the index is, it never makes another key an idempotency key
t = Ticket(redis, "index").open()
keys = [t.key, t.buyers, t.rejected, t.outbox()]
for seq, index in enumerate([4, 1, 5, -1], 1):
    reply = redis.script("book", keys, [t.name, 1, 0, 1, "user%d" % index, 0,
                                        1, FOREVER, index])
    tap.eq(reply[4], seq, "an index of %d is none" % index)
tap.eq(len(t.events()), 4, "... and the outbox is still one")
tap.eq(sorted(t.dump()), [t.key, t.buyers, t.outbox()], "... with no new key")
tap.done()
