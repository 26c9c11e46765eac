#!/usr/bin/env python3
"""define.lua creates, changes and brings back; delete.lua leaves a tombstone.
A change of an open ticket is an event; a new ticket is only a definition."""

from redis_test import FOREVER, RedisError, Server, Tap, Ticket

tap = Tap()
server = Server()
redis = server.client()

# create
t = Ticket(redis, "new")
tap.eq(t.define(capacity=100, opens_at=5000, closes_at="-"),
       ["CREATED", 0, 0, 100, 100, 1, 1, "open", 5000, "", 0],
       "created: the definition, with defaults, no event")
tap.eq(t.dump(), {t.key: ("hash", {
    "capacity": "100", "per_user": "1", "lanes": "1", "state": "open",
    "opens_at": "5000", "closes_at": ""})}, "... and nothing else")
tap.eq(t.book(("ann", 1)), ["RECOVERING", 1], "nothing is sold yet")
tap.eq(t.ticket(), ["RECOVERING", 1, 100, "", 1, 1, "open", 5000, ""],
       "shown as recovering, with the definition")
tap.eq(t.define(capacity=50, create=0), ["RECOVERING", 1],
       "no change before it is open")
tap.eq(t.define(capacity=50, per_user=2, lanes=3, state="paused"),
       ["CREATED", 0, 0, 50, 50, 2, 3, "paused", "", "", 0],
       "created again before anybody took it up: overwritten")
t.claim()
tap.eq(t.define(capacity=50, per_user=2, lanes=3, state="paused"),
       ["CREATED", 0, 0, 50, 50, 2, 3, "paused", "", "", 0],
       "the same definition once more while it is opened")
tap.eq(t.define(capacity=51, per_user=2, lanes=3, state="paused"),
       ["RECOVERING", 1], "another one while it is opened")
tap.eq(t.hash("capacity"), "50", "... is not written")
m = Ticket(redis, "claimed")
m.claim()
tap.eq(m.define(capacity=5), ["RECOVERING", 1],
       "a hash that is only claimed belongs to the recoverer")
tap.eq(Ticket(redis, "late").define(capacity=5, not_after=1), ["LATE"],
       "too late to create")
tap.eq(redis("EXISTS", "ticket:{late}"), 0, "... and nothing is made")

# change
t = Ticket(redis, "gig").open(capacity=10, per_user=4, state="paused",
                              opens_at=7000)
redis("HSET", t.key, "state", "open", "opens_at", "")
t.sell("ann", 3)
redis("HSET", t.key, "state", "paused", "opens_at", "7000")
t.ack(1)
before = t.dump()
same = ["OK", 1, 0, 10, 7, 4, 1, "paused", 7000, "", 1]
tap.eq(t.define(create=0), same, "nothing given: what it is, persisted")
tap.eq(t.define(capacity=10, per_user=4, lanes=1, state="paused",
                opens_at=7000, closes_at="-"), same, "all as it is: no event")
tap.eq(t.define(capacity=2), ["BELOW_HELD", 3], "never below what is held")
tap.eq(t.define(lanes=2), ["LANES_FIXED", 1], "lanes are fixed")
tap.eq(t.define(capacity=5, not_after=1), ["LATE"], "too late")
tap.eq(t.dump(), before, "none of them changed anything")
tap.eq(t.define(capacity=3, create=0),
       ["OK", 1, 2, 3, 0, 4, 1, "paused", 7000, "", 0], "down to what is held")
tap.eq(t.events(), [("1-2", "defined %d 3 4 1 paused 7000 -" % t.now)],
       "the outbox entry is exactly this")
tap.eq(t.define(capacity=20, per_user=2, state="open", opens_at="-",
                closes_at=99 * 10 ** 12),
       ["OK", 1, 3, 20, 17, 2, 1, "open", "", 99 * 10 ** 12, 0], "everything")
tap.eq(t.events()[1], ("1-3", "defined %d 20 2 1 open - %d"
                       % (t.now, 99 * 10 ** 12)), "... in one event")
tap.eq(t.sell("bob", 2), ["BOOKED", 4, 15], "and it sells by it")
tap.eq(t.define(per_user=1)[2], 5, "below what somebody has: for later ones")
tap.eq(t.sell("bob", 2)[0], "ALREADY_BOOKED", "... who keeps it")
t.define(closes_at=9000)
before = t.dump()
for given in {"opens_at": 9000}, {"opens_at": 9001, "capacity": 30}, \
        {"opens_at": 8999, "closes_at": 8999}:
    tap.eq(t.define(**given, create=0), ["BAD_HOURS"],
           "would close before it opens: %r" % given)
tap.eq(t.dump(), before, "... and nothing is changed")
tap.eq(t.define(opens_at=8999, create=0)[8:10], [8999, 9000], "just before")
tap.eq(t.define(closes_at=8999, create=0), ["BAD_HOURS"],
       "nor by the other end alone")
tap.eq(t.define(closes_at="-", create=0)[8:10], [8999, ""],
       "an end that is taken away is no end")
redis("HSET", t.key, "closes_at", "5")
tap.eq(t.define(per_user=3, create=0)[5], 3,
       "hours that are wrong already do not stop other changes")
t.define(per_user=2, opens_at="-", closes_at=99 * 10 ** 12)
for state, answer in [("paused", "PAUSED"), ("closed", "CLOSED"),
                      ("open", "BOOKED")]:
    t.define(state=state)
    tap.eq(t.sell("cid")[0], answer, "set to " + state)
tap.eq(t.balance(), 20, "remaining + held = capacity")
tap.eq(t.define(capacity=10 ** 12)[3:5], [10 ** 12, 10 ** 12 - 6], "10^12")

before = t.dump()
for bad in [{"capacity": "x"}, {"capacity": "-1"}, {"capacity": "1.5"},
            {"capacity": "01"}, {"capacity": "1e3"}, {"capacity": "-"},
            {"per_user": 0}, {"lanes": 0}, {"state": "deleted"},
            {"state": "-"}, {"opens_at": "x"}, {"closes_at": "-5"}]:
    try:
        got = str(t.define(**bad))
    except RedisError as error:
        got = str(error)
    tap.has(got, "wrong " + list(bad)[0], "%r is an error" % bad)
tap.eq(t.dump(), before, "... and changes nothing")
try:
    got = str(Ticket(redis, "half").define(per_user=1))
except RedisError as error:
    got = str(error)
tap.has(got, "wrong capacity", "a new one needs a capacity")

# delete
t = Ticket(redis, "old", lanes=2).open(capacity=5)
t.sell("ann")
lane = t.lane("ann")
tap.eq(t.delete(), ["IN_USE", "held"], "not while somebody holds")
t.undo("ann")
tap.eq(t.delete(), ["IN_USE", "unsaved"], "not while anything is unsaved")
t.ack(1, lane=lane)
tap.eq(t.delete(), ["IN_USE", "unsaved"], "... of any lane")
t.ack(2, lane=lane)
redis("HSET", t.key, "remaining", 4)
tap.eq(t.delete(), ["IN_USE", "held"], "not when a place is missing")
redis("HSET", t.key, "remaining", 5)
tap.eq(t.delete(not_after=1), ["LATE"], "not when it is too late")
before_seq = int(t.hash("seq:0"))
tap.eq(t.delete(), ["OK", 1, before_seq + 1, 5, 5, 1, 2, "deleted", "", "", 0],
       "deleted")
tap.eq(t.events(0)[-1][1], "defined %d 5 1 2 deleted - -" % t.now,
       "... by an event")
for name, reply in {"book": t.book(("ann", 1)), "cancel": t.cancel(("ann", "")),
                    "booking": t.booking("ann"), "ticket": t.ticket(),
                    "bookings": t.bookings(), "delete": t.delete(),
                    "patch": t.define(capacity=3, create=0)}.items():
    tap.eq(reply, ["UNKNOWN_TICKET", ""], "a tombstone is unknown: " + name)
tap.eq(t.ack(before_seq + 1), ["OK", 1],
       "its event is stored and acknowledged")
tap.eq(t.define(capacity=9, lanes=1), ["LANES_FIXED", 2],
       "brought back it has its lanes")
tap.eq(t.define(capacity=9, per_user=2),
       ["CREATED", 1, before_seq + 2, 9, 9, 2, 2, "open", "", "", 0],
       "brought back, by an event, at once")
tap.eq(t.events(0)[-1][1], "defined %d 9 2 2 open - -" % t.now, "... this one")
tap.eq(t.sell("ann", 2)[0], "BOOKED", "and it sells")
t.undo("ann")

redis("HSET", t.key, "state", "deleted", "history", "f" * 40)
tap.eq(t.ticket()[:2], ["RECOVERING", 1],
       "a tombstone whose history is old is not certain")
tap.eq(t.define(capacity=9), ["RECOVERING", 1], "... nor brought back")
g = Ticket(redis, "vip@concert")
tap.eq(g.define(capacity=3)[0], "CREATED", "a ticket of a group")
tap.ok(redis("EXISTS", "ticket:{concert}:vip@concert"), "... has its key")
tap.done()
