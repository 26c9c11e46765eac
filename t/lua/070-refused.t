#!/usr/bin/env python3
"""A Lua error undoes nothing.  XADD is the only write that can be refused, so
it comes first: REFUSED has changed nothing, and what was decided before it
stands.  Whatever fails after an XADD closes the ticket: TORN."""

from redis_test import Server, Tap, Ticket

tap = Tap()
server = Server()
redis = server.client()

t = Ticket(redis, "memory").open(capacity=9)
t.sell("ann", key="k")
redis("HSET", t.rejected, "bob", "memory:0:1-9 x")
before = t.dump()
redis("CONFIG", "SET", "maxmemory", "1000000")
got = t.book(("ann", 1), ("bob", 1, {"key": "k"}), ("cid", 1))
tap.eq([r[0] for r in got], ["ALREADY_BOOKED", "REFUSED", "NOT_DONE"],
       "out of memory: the first that needs an event is refused")
tap.has(got[1][1], "OOM", "... with Redis' message")
got = t.cancel(("bob", ""), ("ann", "", {"key": "k"}), ("ann", ""))
tap.eq([r[0] for r in got], ["NOT_BOOKED", "REFUSED", "NOT_DONE"],
       "the same for cancel")
got = t.define(capacity=8)
tap.eq(got[0], "REFUSED", "and for define")
tap.has(got[1], "OOM", "... with the message")
tap.eq(Ticket(redis, "new").define(capacity=8)[0], "REFUSED",
       "... of a new one")
tap.eq(t.booking("ann")[0][0], "FOUND", "reading goes on")
tap.eq(t.dump(), before, "nothing was written at all")
tap.eq(t.ack(1), ["OK", 1], "ack, which makes room, is not refused")
redis("CONFIG", "SET", "maxmemory", "0")
tap.eq(t.sell("bob", key="k")[0], "BOOKED", "with memory it goes on")

redis("CONFIG", "SET", "min-replicas-to-write", "1")
got = t.sell("cid")
tap.eq(got[0], "REFUSED", "too few replicas: refused")
tap.has(got[1], "NOREPLICAS", "... with the message")
redis("CONFIG", "SET", "min-replicas-to-write", "0")

t = Ticket(redis, "middle", lanes=2).open(capacity=9)
even = [u for u in "abcdefgh" if t.lane(u) == 0]
odd = [u for u in "abcdefgh" if t.lane(u) == 1]
redis("SET", t.outbox(1), "not a stream")
got = t.book((even[0], 1, {"key": "k"}), (even[0], 1), (odd[0], 1),
             (even[1], 1, {"key": "k"}), (odd[0], 1))
tap.eq([r[0] for r in got],
       ["BOOKED", "ALREADY_BOOKED", "REFUSED", "NOT_DONE", "NOT_DONE"],
       "XADD refused in the middle: the rest is not done")
tap.eq(list(t.held()), [even[0]], "the booking before it stands")
tap.eq((t.hash("remaining"), t.hash("seq:0"), t.hash("seq:1")),
       ("8", "1", "0"), "... and only that one is counted")
tap.eq(t.sell(even[0], key="k")[0], "REPLAYED", "... with its key")
tap.ok(not redis("EXISTS", t.idem(even[1], "book", "k")), "no key of the rest")
tap.eq(t.hash("history"), redis.replid(), "the ticket stays open")

t = Ticket(redis, "stream").open(capacity=9)
redis("XADD", t.outbox(), "1-5", "1", "ahead")
got = t.book(("ann", 1), ("bob", 1))
tap.eq([r[0] for r in got], ["REFUSED", "NOT_DONE"],
       "an outbox that is ahead takes no older number")

# every key of the wrong type: an answer that promises nothing, no change
def wrong_type(kind, spoil, run, want):
    t = Ticket(redis, "type-" + kind.replace(" ", "-")).open(capacity=9)
    t.sell("ann")
    spoil(t)
    before = t.dump()
    try:
        got = run(t)
    except Exception as error:
        got = str(error)
    tap.has(str(got), "WRONGTYPE", kind + ": WRONGTYPE")
    if want:
        tap.eq([r[0] for r in got], want, kind + ": " + " ".join(want))
    tap.eq(t.dump(), before, kind + ": nothing changed")


def to_string(name):
    def spoil(t):
        key = name(t)
        redis("DEL", key)
        redis("SET", key, "x")
    return spoil


two = lambda t: t.book(("bob", 1), ("cid", 1))
refused = ["REFUSED", "NOT_DONE"]
wrong_type("book hash", to_string(lambda t: t.key), two, None)
wrong_type("book buyers", to_string(lambda t: t.buyers), two, refused)
wrong_type("book rejected", to_string(lambda t: t.rejected), two, refused)
wrong_type("book outbox", to_string(lambda t: t.outbox()), two, refused)
wrong_type("book idem",
           lambda t: redis("HSET", t.idem("bob", "book", "k"), "f", "v"),
           lambda t: t.book(("bob", 1, {"key": "k"}), ("cid", 1)), refused)
undo = lambda t: t.cancel(("ann", ""), ("cid", ""))
wrong_type("cancel hash", to_string(lambda t: t.key), undo, None)
wrong_type("cancel buyers", to_string(lambda t: t.buyers), undo, refused)
wrong_type("cancel outbox", to_string(lambda t: t.outbox()), undo, refused)
wrong_type("cancel idem",
           lambda t: redis("HSET", t.idem("ann", "cancel", "k"), "f", "v"),
           lambda t: t.cancel(("ann", "", {"key": "k"}), ("cid", "")), refused)
dead = lambda t: t.ack(1, ("ann", t.id(1), "data"), epoch=1)
wrong_type("ack hash", to_string(lambda t: t.key), dead, None)
wrong_type("ack buyers", to_string(lambda t: t.buyers), dead, None)
wrong_type("ack rejected", to_string(lambda t: t.rejected), dead, None)
wrong_type("ack outbox", to_string(lambda t: t.outbox()), dead, None)
wrong_type("define hash", to_string(lambda t: t.key),
           lambda t: t.define(capacity=5), None)
wrong_type("define outbox", to_string(lambda t: t.outbox()),
           lambda t: t.define(capacity=5), None)
wrong_type("delete buyers", lambda t: (redis("HSET", t.key, "remaining", 9),
                                       to_string(lambda t: t.buyers)(t)),
           lambda t: t.delete(), None)
wrong_type("booking buyers", to_string(lambda t: t.buyers),
           lambda t: t.booking("ann"), None)
wrong_type("booking rejected", to_string(lambda t: t.rejected),
           lambda t: t.booking("bob"), None)
wrong_type("bookings buyers", to_string(lambda t: t.buyers),
           lambda t: t.bookings(), None)
wrong_type("ticket hash", to_string(lambda t: t.key), lambda t: t.ticket(),
           None)
wrong_type("claim hash", to_string(lambda t: t.key), lambda t: t.claim(), None)
wrong_type("open staged", lambda t: (redis("HDEL", t.key, "history"),
                                     t.claim(), redis(
                                     "SET", t.buyers + ":new:2", "x")),
           lambda t: t.open_script(2), None)

# raised before the XADD of the second command: the first one stands
t = Ticket(redis, "second").open(capacity=9)
redis("HSET", t.idem("bob", "book", "k"), "f", "v")
got = t.book(("ann", 1), ("bob", 1, {"key": "k"}), ("cid", 1))
tap.eq([r[0] for r in got], ["BOOKED", "REFUSED", "NOT_DONE"],
       "an error before its XADD only refuses")
tap.eq((t.balance(), list(t.held()), t.hash("history")),
       (9, ["ann"], redis.replid()), "the booking before it stands")


# what cannot be written after the XADD
def torn(right, what, key=None, script="book"):
    redis("ACL", "SETUSER", "torn", "reset", "on", ">secret", "~*", "+@all",
          *["-" + r for r in right.split()])
    name = ("torn-" + script + "-" + right + ("-key" if key else "")
            ).replace(" ", "-")
    t = Ticket(redis, name).open(capacity=9)
    t.sell("ann")
    t.sell("dan")
    redis("HSET", t.rejected, "bob", "old x")
    limited = Ticket(server.client("torn"), name)
    got = what(limited)
    return t, got


for right in ["hset", "hdel", "set", "hset set"]:
    t, got = torn(right, lambda t: t.book(
        ("ann", 1), ("bob", 1, {"key": "k"}), ("greedy", 2), ("cid", 1)), True)
    tap.eq([r[0] for r in got],
           ["ALREADY_BOOKED", "TORN", "LIMIT_EXCEEDED", "TORN"],
           "book without %s: what has an event is torn" % right)
    tap.has(got[1][1].lower(), "user", "... with Redis' message")
    tap.ok(t.hash("history") in (None, ""), "... and history is gone")
    tap.eq(t.book(("ann", 1)), ["RECOVERING", 1], "... so nothing is sold")
    tap.eq(t.ticket()[:2], ["RECOVERING", 1], "... or shown")
    tap.eq(len(t.events()), 4, "... and the events stay for the drain")
    if right == "set":
        tap.eq((sorted(t.held()), t.hash("remaining"), t.hash("seq:0")),
               (["ann", "bob", "cid", "dan"], "5", "4"),
               "... what could be written was")

for right in ["hset", "hdel"]:
    t, got = torn(right, lambda t: t.cancel(("nobody", ""), ("ann", ""),
                                            ("ann", "")), script="cancel")
    tap.eq([r[0] for r in got], ["NOT_BOOKED", "TORN", "NOT_BOOKED"],
           "cancel without %s" % right)
    tap.eq(t.book(("eve", 1)), ["RECOVERING", 1], "... closes the ticket")

t, got = torn("hset", lambda t: t.define(capacity=20), script="define")
tap.eq(got[0], "TORN", "define without hset")
tap.eq(t.book(("eve", 1)), ["RECOVERING", 1], "... closes the ticket")

for right in ["hset", "hdel"]:
    t, got = torn(right, lambda t: t.ack(2, ("ann", t.id(1), "data"), epoch=1),
                  script="ack")
    tap.eq(got[0], "TORN", "ack without %s" % right)
    tap.eq(t.hash("persisted:0"), "1-0", "... does not raise persisted")
    tap.eq(t.book(("eve", 1)), ["RECOVERING", 1], "... closes the ticket")
t, got = torn("xadd", lambda t: t.ack(2, ("dan", "no", "data"),
                                      ("ann", t.id(1), "data"), epoch=1),
              script="ack")
tap.eq(got[0], "REFUSED", "ack without xadd is refused")
tap.eq((t.hash("persisted:0"), sorted(t.held())), ("1-0", ["ann", "dan"]),
       "... and raises nothing, takes nothing back")
tap.eq(t.hash("history"), redis.replid(), "... and the ticket stays open")
tap.eq(t.ack(2, ("dan", "no", "data"), ("ann", t.id(1), "data")),
       ["OK", 0, 0, 1], "... and may be repeated")

# closed by a torn script, the ticket opens again and is whole
t, got = torn("hset", lambda t: t.book(("bob", 1)))
t.open(capacity=9, buyers={"ann": "1 5 " + t.id(1), "dan": "1 5 " + t.id(2),
                           "bob": "1 5 " + t.id(3)})
tap.eq((t.sell("bob")[0], t.sell("eve")), ("ALREADY_BOOKED", ["BOOKED", 1, 5]),
       "after it was opened again")
tap.eq(t.balance(), 9, "... nothing is lost")
tap.done()
