#!/usr/bin/env python3
"""Every answer of book.lua, and which of two possible answers wins: a retry
after a 504 must never tell an owner that he has no ticket."""

from redis_test import Server, Tap, Ticket

tap = Tap()
server = Server()
redis = server.client()

t = Ticket(redis, "gig").open(capacity=3)
tap.eq(t.sell("ann"), ["BOOKED", 1, 2], "a booking takes one of the stock")
tap.eq(t.epoch, 1, "the reply names the epoch")
at = t.now
tap.eq(t.held(), {"ann": "1 %d gig:0:1-1" % at}, "the buyer is noted")
tap.eq(t.events(), [("1-1", "booked %d ann 1 1" % at)],
       "the outbox entry is exactly this")
tap.eq((t.hash("remaining"), t.hash("seq:0")), ("2", "1"),
       "remaining and seq follow")
tap.eq(t.sell("ann"), ["ALREADY_BOOKED", "gig:0:1-1", 1, at],
       "who holds a booking is told which")
tap.eq(t.sell("bob"), ["BOOKED", 2, 1], "numbers are dense")
tap.eq(t.sell("cid"), ["BOOKED", 3, 0], "the last one")
before = t.dump()
tap.eq(t.sell("dan"), ["SOLD_OUT"], "nothing left")
tap.eq(t.sell("ann"), ["ALREADY_BOOKED", "gig:0:1-1", 1, at],
       "already booked wins over sold out")
tap.eq(t.dump(), before, "refusals change nothing")

t = Ticket(redis, "many").open(capacity=5, per_user=4)
tap.eq(t.sell("ann", 5), ["LIMIT_EXCEEDED", 4], "above the limit of a user")
tap.eq(t.sell("ann", 4), ["BOOKED", 1, 1], "up to the limit")
tap.eq(t.sell("bob", 2), ["NOT_ENOUGH", 1], "fewer left than asked for")
tap.eq(t.sell("ann", 1)[0], "ALREADY_BOOKED", "one booking a user")
tap.eq(t.sell("bob", 1), ["BOOKED", 2, 0], "what is left can be had")
tap.eq(t.sell("cid", 5), ["LIMIT_EXCEEDED", 4], "the limit wins over stock")
tap.eq(t.sell("cid", 4), ["SOLD_OUT"], "sold out, whatever was asked for")
tap.eq(t.events()[0][1].split()[3:], ["4", "4"], "quantity and holding")

t = Ticket(redis, "hours").open()
t.ticket()
now = t.now
for state, hours, want, title in [
        ("paused", {}, ["PAUSED"], "paused"),
        ("closed", {}, ["CLOSED"], "closed"),
        ("open", {"opens_at": now + 60000}, ["NOT_OPEN", now + 60000],
         "not open yet"),
        ("open", {"closes_at": now - 1}, ["CLOSED"], "closing time has come"),
        ("open", {"opens_at": now + 60000, "closes_at": now + 90000},
         ["NOT_OPEN", now + 60000], "opens and closes later"),
        ("closed", {"opens_at": now + 60000}, ["CLOSED"],
         "closed wins over opening hours"),
        ("paused", {"closes_at": now - 1}, ["PAUSED"],
         "paused wins over closing time"),
        ("open", {"opens_at": now - 60000, "closes_at": now + 600000},
         ["BOOKED", 1, 9], "between the two")]:
    h = Ticket(redis, "hours-" + title.replace(" ", "-"))
    h.open(state=state, **hours)
    tap.eq(h.sell("ann"), want, title)

t = Ticket(redis, "order").open(capacity=2)
first = t.sell("ann", key="k")
at = t.now
redis("HSET", t.key, "state", "closed")
tap.eq(t.sell("ann", key="k"), ["REPLAYED", "order:0:1-1", 1, 1, at, 1],
       "the replay of a key wins over already booked and closed")
tap.eq(t.sell("ann", key="other"), ["ALREADY_BOOKED", "order:0:1-1", 1, at],
       "already booked wins over closed")
tap.eq(t.sell("bob", 9), ["CLOSED"], "closed wins over limit")
tap.eq(t.sell("ann", key="k", not_after=1), ["LATE"],
       "past not_after nothing is decided, not even a replay")

t = Ticket(redis, "late").open()
before = t.dump()
redis_now = int(redis("TIME")[0]) * 1000
tap.eq(t.sell("ann", not_after=redis_now - 5000), ["LATE"], "too late")
tap.eq(t.dump(), before, "... and nothing was done")
tap.eq(t.sell("ann", not_after=redis_now + 60000)[0], "BOOKED", "in time")

t = Ticket(redis, "backlog").open(capacity=10)
tap.eq([t.book((u, 1), max_backlog=2)[0][0] for u in "abc"],
       ["BOOKED", "BOOKED", "BACKLOG"], "at most max_backlog are unsaved")
tap.eq(t.book(("a", 1), max_backlog=2)[0][0], "ALREADY_BOOKED",
       "owners are still told so")
t.ack(1)
tap.eq([t.book((u, 1), max_backlog=2)[0][0] for u in "cd"],
       ["BOOKED", "BACKLOG"], "what is stored makes room")
tap.eq(t.book(*[(u, 1) for u in "defg"], max_backlog=4),
       [["BOOKED", 4, 6], ["BOOKED", 5, 5], ["BACKLOG"], ["BACKLOG"]],
       "the limit holds inside a batch")
redis("HSET", t.key, "persisted:0", "0-99")
tap.eq(t.book(("z", 1), max_backlog=5), [["BACKLOG"]],
       "what another epoch stored does not count")
tap.eq(t.book(("z", 1), max_backlog=0)[0][0], "BOOKED", "0 is no limit")

t = Ticket(redis, "rejected").open()
redis("HSET", t.rejected, "ann", "rejected:0:1-7 data", "bob", "x y")
tap.eq(t.sell("ann")[0], "BOOKED", "who was rejected may book again")
tap.eq(redis("HKEYS", t.rejected), ["bob"], "... and is no longer listed")

t = Ticket(redis, "big").open(capacity=10)
redis("HSET", t.key, "seq:0", 199999999999999)
tap.eq(t.sell("ann"), ["BOOKED", 200000000000000, 9], "numbers above 10^14")
tap.eq(t.events()[0][0], "1-200000000000000", "... are written out")
tap.eq(t.hash("seq:0"), "200000000000000", "... everywhere")
tap.eq(t.held()["ann"].split()[2], "big:0:1-200000000000000", "... in ids")
tap.eq(t.undo("ann")[:2], ["CANCELLED", 200000000000001], "... by cancel too")
tap.eq(t.hash("seq:0"), "200000000000001", "... exactly")

t = Ticket(redis, "quantity").open(per_user=100, capacity=100)
before = t.dump()
for bad in ["0", "-1", "1.5", "1e1", "0x2", "nan", "", "01", " 1"]:
    tap.eq(t.sell("ann", bad)[0], "REFUSED", "quantity %r is none" % bad)
tap.eq(t.dump(), before, "... and changed nothing")
tap.done()
