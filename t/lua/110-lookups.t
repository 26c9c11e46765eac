#!/usr/bin/env python3
"""booking, ticket and bookings only read, and say what is stored."""

from redis_test import Server, Tap, Ticket, pairs

tap = Tap()
server = Server()
redis = server.client()

t = Ticket(redis, "gig", lanes=2).open(capacity=90, per_user=3)
zero = [u for u in "abcdefghij" if t.lane(u) == 0]
one = [u for u in "abcdefghij" if t.lane(u) == 1]
t.sell(zero[0], 2)
at = t.now
tap.eq(t.booking(zero[0]), [["FOUND", "gig:0:1-1", 2, at, 0]],
       "a booking that is not stored yet")
tap.eq(t.ticket(), ["OK", 90, 88, 3, 2, "open", "", "", 1, 0],
       "a ticket of which not all is stored")
t.ack(1)
tap.eq(t.booking(zero[0]), [["FOUND", "gig:0:1-1", 2, at, 1]], "a stored one")
tap.eq(t.ticket(), ["OK", 90, 88, 3, 2, "open", "", "", 1, 1], "all is stored")
t.sell(one[0])
tap.eq(t.ticket()[-1], 0, "every lane counts")
tap.eq([r[-1] for r in t.booking(one[0], zero[0])], [0, 1],
       "a booking looks at its own lane")
t.ack(1, lane=1)
tap.eq((t.booking(one[0])[0][-1], t.ticket()[-1]), (1, 1), "stored")
t.sell(zero[1])
t.sell(zero[2])
t.ack(2)
tap.eq([r[-1] for r in t.booking(*zero[:3])], [1, 1, 0], "by number")
redis("HSET", t.rejected, "nobody", "gig:0:1-9 too_long",
      zero[0], "gig:0:0-3 old")
tap.eq(t.booking("nobody", "stranger", zero[0])[:2],
       [["REJECTED", "gig:0:1-9", "too_long"], ["NOT_BOOKED"]],
       "rejected, and never seen")
tap.eq(t.booking(zero[0])[0][0], "FOUND",
       "a booking wins over an old rejection")
tap.eq([r[0] for r in t.booking(*["x%d" % i for i in range(200)])],
       ["NOT_BOOKED"] * 200, "200 at once")
t.define(state="paused", opens_at=5000, closes_at=6000)
tap.eq(t.ticket(), ["OK", 90, 85, 3, 2, "paused", 5000, 6000, 1, 0],
       "state and hours")

redis("HDEL", t.key, "history")
tap.eq(t.ticket(), ["RECOVERING", 1, 90, "", 3, 2, "paused", 5000, 6000],
       "while it recovers: what it is, not how much is left")

# epochs are compared as numbers
t = Ticket(redis, "epochs").open(epoch=10, buyers={
    "old": "1 5 epochs:0:9-700", "now": "1 5 epochs:0:10-1",
    "later": "1 5 epochs:0:11-1"})
redis("HSET", t.key, "persisted:0", "10-1", "seq:0", 1)
tap.eq([r[-1] for r in t.booking("old", "now", "later")], [1, 1, 0],
       "of an older epoch: stored; of a newer one: not")

# pages
t = Ticket(redis, "pages").open(capacity=3000)
tap.eq(t.bookings(), ["OK", "0"], "no buyers")
users = ["user%d" % i for i in range(1500)]
for i in range(0, 1500, 150):
    t.book(*[(u, 1) for u in users[i:i + 150]])
found, cursor, pages = {}, "0", 0
while True:
    page = t.bookings(cursor, 100)
    found.update(pairs(page[2:]))
    cursor, pages = page[1], pages + 1
    tap.ok(page[0] == "OK" and len(page) < 2 + 2 * 400, "page %d" % pages)
    if cursor == "0":
        break
tap.ok(pages >= 5, "several pages")
tap.eq(found, t.held(), "all pages together are all buyers")
for count in (0, 1001, "x", ""):
    tap.has(redis.script_error("bookings", [t.key, t.buyers],
                               [t.name, 0, count]), "wrong arguments",
            "a page of %r" % count)
tap.has(redis.script_error("bookings", [t.key, t.buyers],
                           [t.name, "x", 10]), "invalid cursor", "no cursor")

before = t.dump()
t.booking("user1", "nobody")
t.ticket()
t.bookings()
tap.eq(t.dump(), before, "reading writes nothing")
redis("REPLICAOF", "127.0.0.1", "1")
redis("REPLICAOF", "NO", "ONE")
redis("HSET", t.key, "history", redis.replid())
redis("CONFIG", "SET", "min-replicas-to-write", "1")
tap.eq((t.ticket()[0], t.booking("user1")[0][0], t.bookings()[0]),
       ("OK", "FOUND", "OK"), "... so it works where writing is refused")
tap.done()
