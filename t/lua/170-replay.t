#!/usr/bin/env python3
"""replay.lua: what MySQL refused is booked anew, once in an epoch, if a buyer
could book it now, and remaining + held = capacity."""

from redis_test import CODES, Server, Tap, Ticket

tap = Tap()
server = Server()
redis = server.client()


def replay(t, origin, user, quantity=1, epoch=1):
    reply = t.call("replay", [t.key, t.buyers, t.rejected, t.late,
                              t.outbox()], [0, epoch, origin, user, quantity])
    if reply[0] == "OK":
        reply[1] = CODES[reply[1]]
    return reply


t = Ticket(redis, "gig").open(capacity=9, per_user=3)
dead = t.id(77)
redis("HSET", t.rejected, "ann", dead + " 23000")
tap.eq(replay(t, dead, "ann", 3), ["OK", "BOOKED", t.id(1)], "booked anew")
tap.eq(t.events()[-1][1].split(), ["booked", str(t.now), "ann", "3", "3", "=",
                                   "=", dead], "the outbox entry says of what")
tap.eq(t.booking("ann")[0][:3], ["FOUND", t.id(1), 3], "under a new id")
tap.eq(redis("HEXISTS", t.rejected, "ann"), 0, "rejected no more")
tap.eq((t.balance(), t.hash("remaining"), t.hash("seq:0")), (9, "6", "1"),
       "the balance holds")
before = t.dump()
tap.eq(replay(t, dead, "ann", 3), ["OK", "REPLAYED", t.id(1), 1],
       "asked again: what was done")
t.undo("ann")
tap.eq(replay(t, dead, "ann", 3), ["OK", "REPLAYED", t.id(1), 0],
       "also when the user has given it back")
tap.eq((t.balance(), t.held()), (9, {}), "... which stands")

t.sell("bob")
before = t.dump()
tap.eq(replay(t, t.id(70), "bob"), ["OK", "ALREADY_BOOKED", t.id(3)],
       "who holds another one keeps that")
tap.eq(replay(t, t.id(70), "cid", 4), ["OK", "LIMIT_EXCEEDED", 3],
       "the limit is today's")
tap.eq(replay(t, t.id(70), "cid", epoch=2), ["STALE", 1], "another epoch")
redis("HSET", t.key, "state", "closed")
tap.eq(replay(t, t.id(70), "cid"), ["OK", "CLOSED"], "closed")
redis("HSET", t.key, "state", "paused")
tap.eq(replay(t, t.id(70), "cid"), ["OK", "PAUSED"], "paused")
redis("HSET", t.key, "state", "open", "closes_at", t.now - 1)
tap.eq(replay(t, t.id(70), "cid"), ["OK", "CLOSED"], "over")
redis("HSET", t.key, "closes_at", "", "opens_at", t.now + 10 ** 6)
tap.eq(replay(t, t.id(70), "cid")[:2], ["OK", "NOT_OPEN"], "not open yet")
redis("HSET", t.key, "opens_at", "")
history = t.hash("history")
redis("HSET", t.key, "history", "")
tap.eq(replay(t, t.id(70), "cid"), ["RECOVERING", 1], "being recovered")
redis("HSET", t.key, "history", history)
tap.eq(t.dump(), before, "nothing was done by any of these")
for user in "d", "e":
    t.sell(user, 3)
tap.eq(replay(t, t.id(70), "cid", 3), ["OK", "NOT_ENOUGH", 2], "not enough")
t.sell("f", 2)
tap.eq(replay(t, t.id(70), "cid"), ["OK", "SOLD_OUT"], "nothing is left")
tap.eq(t.balance(), 9, "never more than there is")
tap.eq(replay(Ticket(redis, "none"), dead, "ann")[0], "UNKNOWN_TICKET",
       "no such ticket")

t = Ticket(redis, "gone").open()
tap.eq(t.delete()[0], "OK", "a ticket is deleted")
tap.eq(replay(t, dead, "ann"), ["UNKNOWN_TICKET", ""],
       "nobody gets one of it any more")

t = Ticket(redis, "full").open()
redis("XADD", t.outbox(), "1-5", "1", "x")
before = t.dump()
tap.eq(replay(t, dead, "ann")[0], "REFUSED", "XADD is refused")
tap.eq(t.dump(), before, "... nothing is written")
for name in "rejected", "late", "buyers":
    t = Ticket(redis, "types-" + name).open()
    redis("SET", getattr(t, name), "x")
    before = t.dump()
    try:
        got = replay(t, dead, "ann")[0]
    except Exception:
        got = "error"
    tap.eq((got, t.dump() == before), ("error", True),
           name + " of the wrong type: an error, and nothing is written")
tap.done()
