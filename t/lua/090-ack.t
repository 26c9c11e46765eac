#!/usr/bin/env python3
"""ack.lua trims what MySQL has, takes back exactly the bookings it refused,
and raises `persisted`, which never falls."""

from redis_test import RedisError, Server, Tap, Ticket

tap = Tap()
server = Server()
redis = server.client()

t = Ticket(redis, "gig").open(capacity=9)
for user in "abcde":
    t.sell(user)
tap.eq(t.ack(0), ["OK", 0], "nothing is stored yet")
tap.eq(t.ack(3), ["OK", 3], "three are stored and leave the outbox")
tap.eq([e[0] for e in t.events()], ["1-4", "1-5"], "the others stay")
tap.eq(t.hash("persisted:0"), "1-3", "persisted has risen")
tap.eq(t.ack(3), ["OK", 0], "again: nothing")
tap.eq(t.ack(2), ["OK", 0], "an older one, late")
tap.eq(t.hash("persisted:0"), "1-3", "persisted is never lowered")
before = t.dump()
tap.eq(t.ack(5, epoch=0), ["STALE", 1], "of an epoch that is over")
tap.eq(t.ack(5, epoch=2), ["STALE", 1], "of one that is not yet")
try:
    got = str(t.ack(6))
except RedisError as error:
    got = str(error)
tap.has(got, "ahead", "more than was ever given out")
tap.eq(t.dump(), before, "... nothing done")
tap.eq(t.ack(5), ["OK", 2], "all")
redis("HSET", t.key, "persisted:0", "1-9")
t.ack(5)
tap.eq(t.hash("persisted:0"), "1-9", "numbers are compared as numbers: 9 > 5")
redis("HSET", t.key, "seq:0", "12")
t.ack(10)
tap.eq(t.hash("persisted:0"), "1-10", "... 10 > 9")

# compensation
t = Ticket(redis, "dead").open(capacity=9, per_user=3)
for user, quantity in [("ann", 3), ("bob", 1), ("cid", 2), ("dan", 1)]:
    t.sell(user, quantity)
t.undo("bob")
t.sell("bob")
tap.eq(t.ack(4, ("ann", t.id(1), "too_long"), ("bob", t.id(2), "data"),
             ("cid", t.id(1), "data"), ("eve", t.id(9), "data")),
       ["OK", 4, 1, 0, 0, 0],
       "only whoever holds exactly that booking loses it")
tap.eq(t.events()[2:], [("1-7", "rejected %d ann 3 0 dead:0:1-1" % t.now)],
       "the outbox entry is exactly this")
tap.eq(sorted(t.held()), ["bob", "cid", "dan"], "the booking is gone")
tap.eq((t.balance(), t.hash("seq:0"), t.hash("persisted:0")),
       (9, "7", "1-4"), "its places are back")
tap.eq(redis("HGETALL", t.rejected), ["ann", "dead:0:1-1 too_long"],
       "the buyer can see why")
tap.eq(t.booking("ann"), [["REJECTED", "dead:0:1-1", "too_long"]], "... so")
before = t.balance(), t.held(), t.events()
tap.eq(t.ack(4, ("ann", t.id(1), "too_long")), ["OK", 0, 2],
       "once only: the second answer says that it was before")
tap.eq(t.ack(4, ("ann", t.id(2), "too_long")), ["OK", 0, 0],
       "... but not of another booking")
tap.eq((t.balance(), t.held(), t.events()), before, "... nothing changes")
tap.eq(t.ack(4, ("dan", t.id(4), "x"), ("dan", t.id(4), "x"),
             ("cid", t.id(3), "x")), ["OK", 0, 1, 0, 1],
       "twice in one call, and several")
tap.eq([e[0] for e in t.events()][-2:], ["1-8", "1-9"], "dense")
tap.eq(t.balance(), 9, "remaining + held = capacity")
tap.eq(t.sell("ann")[0], "BOOKED", "who was rejected may book again")
tap.eq(t.ack(10, ("ann", t.id(1), "too_long")), ["OK", 6, 0],
       "the old letter does not take back the new booking")

# lanes
t = Ticket(redis, "lanes", lanes=2).open(capacity=50)
zero = [u for u in "abcdefghij" if t.lane(u) == 0]
one = [u for u in "abcdefghij" if t.lane(u) == 1]
t.book(*[(u, 1) for u in zero + one])
tap.eq(t.ack(1, (one[0], t.id(1, lane=1), "x"), lane=1), ["OK", 1, 1],
       "a lane of its own")
tap.eq((len(t.events(0)), len(t.events(1))), (len(zero), len(one)),
       "... trimmed, and the rejection appended, on that lane only")
tap.eq((t.hash("persisted:0"), t.hash("persisted:1")), ("1-0", "1-1"),
       "... and acknowledged there only")

# many lost acks: never more than 1000 entries in one call
t = Ticket(redis, "many").open(capacity=5000)
users = ["user%d" % i for i in range(2500)]
for i in range(0, 2500, 100):
    t.book(*[(u, 1) for u in users[i:i + 100]])
calls, trimmed = [], None
while trimmed != 0:
    trimmed = t.ack(2400)[1]
    calls.append(trimmed)
tap.ok(max(calls) <= 1000, "at most 1000 leave at once")
tap.eq(sum(calls), 2400, "called again until nothing is trimmed: all")
tap.eq(len(t.events()), 100, "what is not stored stays")
tap.eq(t.hash("persisted:0"), "1-2400", "persisted is right from the first")

# entries of an older epoch go with the first ack of the new one
t = Ticket(redis, "epoch").open(capacity=5)
t.sell("ann")
event = t.events()[0]
redis("HDEL", t.key, "history")
t.open(capacity=5)
redis("XADD", t.outbox(), event[0], "1", event[1])
t.sell("ann")
tap.eq(t.ack(1), ["OK", 2], "entries of an older epoch are trimmed, too")
tap.eq(t.hash("persisted:0"), "2-1", "persisted names the epoch")
redis("HSET", t.key, "persisted:0", "1-500")
t.ack(1)
tap.eq(t.hash("persisted:0"), "2-1",
       "a larger number of an older epoch is less")
tap.done()
