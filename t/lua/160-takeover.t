#!/usr/bin/env python3
"""takeover.lua: a late event becomes one ordinary event of this epoch, once,
whatever comes of it, and remaining + held = capacity."""

from redis_test import CODES, Server, Tap, Ticket

tap = Tap()
server = Server()
redis = server.client()


def late(t, seq, kind, user, booking=None, quantity=1, void=0, epoch=2,
         origin_epoch=1):
    """the answer; the late event has this number of epoch 1"""
    origin = t.id(seq, epoch=origin_epoch)
    reply = t.call("takeover", [t.key, t.buyers, t.rejected, t.late,
                                t.outbox()],
                   [0, epoch, origin, kind, user, quantity,
                    t.id(booking or seq), void])
    if reply[0] == "OK":
        reply[1] = CODES[reply[1]]
    return reply


def last(t):
    return t.events()[-1][1].split()


def reopened(name, capacity=9, **more):
    t = Ticket(redis, name).open(capacity=capacity, **more)
    redis("HDEL", t.key, "history")
    return t.open(capacity=capacity, epoch=2, **more)


# a booking
t = reopened("gig", per_user=3)
tap.eq(late(t, 1, "booked", "ann", quantity=3), ["OK", "BOOKED", 1],
       "who holds nothing is booked while there is room")
tap.eq(last(t), ["booked", str(t.now), "ann", "3", "3", t.id(1), t.id(1),
                 t.id(1)], "the outbox entry is exactly this")
tap.eq(t.booking("ann")[0][:3], ["FOUND", t.id(1), 3], "with the id told")
tap.eq(t.booking("ann")[0][-1], 0, "... not stored before its event here is")
tap.eq((t.balance(), t.hash("seq:0")), (9, "1"), "the balance holds")
before = t.dump()
tap.eq(late(t, 1, "booked", "ann", quantity=3), ["OK", "BOOKED", 0],
       "asked again: the same answer")
tap.eq(t.dump(), before, "... nothing is written")
tap.eq(late(t, 2, "booked", "ann"), ["OK", "REJECTED", 2],
       "who holds another booking is rejected")
tap.eq(last(t), ["rejected", str(t.now), "ann", "1", "3", t.id(2), t.id(1),
                 t.id(2)], "... the event leaves the other booking alone")
tap.eq(t.held()["ann"].split()[0::2], ["3", t.id(1)], "... as it is")
tap.eq(late(t, 3, "booked", "bob", void=1), ["OK", "VOID", 3],
       "a booking whose cancel MySQL knows is void")
tap.eq(last(t), ["cancelled", str(t.now), "bob", "1", "0", t.id(3), "-",
                 t.id(3)], "... as a cancel of it, holding nothing")
tap.eq(late(t, 4, "booked", "cid", quantity=7), ["OK", "REJECTED", 4],
       "no room: rejected")
tap.eq(t.booking("cid"), [["REJECTED", t.id(4), "late"]], "... visibly")
tap.eq(late(t, 5, "booked", "cid", quantity=6), ["OK", "BOOKED", 5],
       "the last ones")
tap.eq(redis("HEXISTS", t.rejected, "cid"), 0, "... and no rejection now")
tap.eq((t.balance(), t.hash("remaining")), (9, "0"), "sold out, exactly")
tap.eq(late(t, 6, "booked", "cid", booking=5, quantity=6),
       ["OK", "BOOKED", 6], "who holds this very booking keeps it")
tap.eq(t.balance(), 9, "... and no more")

tap.eq([t.ack(0), t.booking("ann")[0][-1], t.ack(1), t.booking("ann")[0][-1],
        t.booking("cid")[0][-1]], [["OK", 0], 0, ["OK", 1], 1, 0],
       "stored when that one is, each by its own")

# a cancel
tap.eq(late(t, 7, "cancelled", "ann", booking=2), ["OK", "VOID", 7],
       "a cancel of another booking takes nothing back")
tap.eq(last(t)[4:], ["3", t.id(2), t.id(1), t.id(7)], "... the user holds on")
tap.eq(late(t, 8, "cancelled", "ann", booking=1), ["OK", "CANCELLED", 8],
       "a cancel of the one held gives it back")
tap.eq(last(t)[4:], ["0", t.id(1), "-", t.id(8)], "... holding nothing")
tap.eq((t.balance(), t.hash("remaining"), "ann" in t.held()), (9, "3", False),
       "... once")
tap.eq(late(t, 9, "cancelled", "ann", booking=1), ["OK", "VOID", 9],
       "another cancel of it takes nothing back")
tap.eq(late(t, 10, "cancelled", "dan", booking=11), ["OK", "VOID", 10],
       "a cancel before its booking")
tap.eq(late(t, 11, "booked", "dan"), ["OK", "VOID", 11],
       "... makes it void, though MySQL was read before")
tap.eq(t.balance(), 9, "the balance holds")

# whom it does not answer
before = t.dump()
tap.eq(late(t, 20, "booked", "eve", epoch=1), ["STALE", 2],
       "another epoch: to be read again")
redis("HDEL", t.key, "history")
tap.eq(late(t, 20, "booked", "eve"), ["RECOVERING", 1], "a closed ticket")
redis("HSET", t.key, "history", redis.replid())
tap.eq(t.dump(), before, "... nothing done")
u = Ticket(redis, "nowhere")
tap.eq(late(u, 1, "booked", "eve")[0], "UNKNOWN_TICKET", "no ticket")

# every opening forgets the answers, as MySQL asks for what is pending again
redis("HDEL", t.key, "history")
t.open(capacity=9, epoch=3)
tap.eq(redis("EXISTS", t.late), 0, "an opening empties K:late")
tap.eq(late(t, 1, "booked", "ann", epoch=3), ["OK", "BOOKED", 1],
       "and the same event may be asked again")

# deleted
t = reopened("gone")
tap.eq(t.delete()[0], "OK", "a ticket is deleted")
tap.eq(late(t, 1, "booked", "ann"), ["OK", "REJECTED", 2],
       "nobody gets one of it any more")

# refused, torn
t = reopened("full")
redis("XADD", t.outbox(), "2-5", "1", "x")
before = t.dump()
tap.eq(late(t, 1, "booked", "ann")[0], "REFUSED", "XADD is refused")
tap.eq(t.dump(), before, "... nothing is written")
t = reopened("types")
redis("SET", t.rejected, "x")
before = t.dump()
try:
    got = late(t, 1, "booked", "ann")[0]
except Exception:
    got = "error"
tap.eq((got, t.dump() == before), ("error", True),
       "a key of the wrong type: an error, before anything is written")
tap.done()
