#!/usr/bin/env python3
"""Admission follows the database: what has been sold and not stored for longer
than the room's max_lag stops it, and what is stored lets it go on."""

import time

from redis_test import Room, Server, Tap, Ticket

tap = Tap()
server = Server()
redis = server.client()

t = Ticket(redis, "gig", lanes=2).open(capacity=1000)
vip = Ticket(redis, "vip@gig").open(capacity=1000)
q = Room(redis, "gig", t, vip).make(capacity=20, state="paused", max_lag=10 ** 9)
for i in range(200):
    q.enter("u%d" % i)
q.define(state="open")


def back(ms):
    """the mark is that old"""
    redis("HSET", q.room, "mark_at", q.now - ms)


def free(n):
    """n more passes may be given"""
    q.define(capacity=redis("ZCARD", q.passes) + n)


even = next(u for u in "abcdefgh" if t.lane(u) == 0)
odd = next(u for u in "abcdefgh" if t.lane(u) == 1)
got = q.advance()
tap.eq((got["lag"], got["admitted"]), (0, 20), "nothing sold, no lag")
tap.eq(q.hash("mark"), "1 0 0,1 0", "the mark: epoch and numbers of each ticket")
back(500000)
free(10)
tap.eq((q.advance()["lag"], q.hash("mark")), (0, "1 0 0,1 0"),
       "no lag while everything is stored, however long ago that was")

t.sell(odd)
got = q.advance()
tap.eq((got["lag"], q.hash("mark")), (0, "1 0 1,1 0"),
       "a sale is marked when the last mark is stored")
since = q.hash("mark_at")
t.sell(even)
vip.sell("ann")
got = q.advance()
tap.eq((q.hash("mark"), q.hash("mark_at")), ("1 0 1,1 0", since),
       "the mark stays until it is stored")
for share, admitted in ((490, 10), (760, 5), (880, 2), (1000, 0)):
    back(share * 10 ** 6)
    free(10)
    got = q.advance()
    tap.ok(got["lag"] >= share * 10 ** 6, "lag %d" % got["lag"])
    tap.eq(got["admitted"], admitted, "of 10 free ones at %d/1000" % share)
back(10 ** 10)
tap.eq(q.advance()["admitted"], 0, "none above max_lag")
while q.waiting():
    q.leave(q.waiting()[0])
tap.eq(q.enter("new")[0], "WAITING", "nor a newcomer, with nobody in line")

t.ack(1, lane=0)
tap.eq(q.advance()["admitted"], 0, "another lane is stored: still none")
t.ack(1, lane=1)
got = q.advance()
tap.eq((got["lag"], got["admitted"]), (0, 1), "the marked one is: it goes on")
tap.eq(q.hash("mark"), "1 1 1,1 1", "... with a new mark")
back(10 ** 6)
tap.ok(q.advance()["lag"] >= 10 ** 6, "which the other ticket is late for")
vip.ack(1)
tap.eq(q.advance()["lag"], 0, "... until that is stored")

# a ticket that is opened anew has nothing of the past to be stored
t.sell("x" + odd)
q.advance()
back(10 ** 6)
tap.ok(q.advance()["lag"] >= 10 ** 6, "late")
redis("HDEL", t.key, "history")
t.open(capacity=1000, epoch=2)
tap.eq((q.advance()["lag"], q.hash("mark")), (0, "2 0 0,1 1"),
       "another epoch: the mark is over")
t.sell("y" + odd)
q.advance()
back(10 ** 6)
q.define(tickets="vip@gig gig")
q.tickets.reverse()
tap.eq((q.advance()["lag"], q.hash("mark").split(",")[0]), (0, "1 1"),
       "and with other tickets")
a, b = [Ticket(redis, n).open(capacity=9) for n in ("swap", "b@swap")]
s = Room(redis, "swap", a, b).make(capacity=9)
a.sell("ann")
a.ack(1)
s.advance()
redis("HSET", s.room, "mark_at", s.now - 10 ** 6)
s.define(tickets="b@swap swap")
s.tickets.reverse()
tap.eq((s.advance()["lag"], s.hash("mark")), (0, "1 0,1 1"),
       "... of which none is taken for another")
redis("UNLINK", t.key)
tap.eq((q.advance()["lag"], q.hash("mark")), (0, "1 1,0"),
       "a ticket that is gone is not waited for")

# by the clock: it stops, and goes on
t = Ticket(redis, "real").open(capacity=1000)
q = Room(redis, "real", t).make(capacity=1, max_lag=300)
q.enter("ann")
q.enter("bob")
q.advance()
t.guarded(q, ("ann", 1, q.enter("ann")[1]))
redis("HSET", q.room, "mark", "1 1", "mark_at", q.now)
time.sleep(0.35)
tap.eq(q.advance()["admitted"], 0, "nobody is let in while it is not stored")
t.ack(1)
tap.eq(q.advance()["admitted"], 1, "and the next one when it is")
tap.done()
