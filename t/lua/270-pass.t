#!/usr/bin/env python3
"""A guarded booking needs a live pass.  A booking uses it up in the same call,
whatever is refused leaves it, and who asks again is answered without it."""

from redis_test import FOREVER, Room, Server, Tap, Ticket

tap = Tap()
server = Server()
redis = server.client()

t = Ticket(redis, "gig").open(capacity=4, per_user=3)
q = Room(redis, "gig").make(capacity=9)     # more passes than are left
ends = {u: q.enter(u)[1] for u in "abcdef"}

tap.eq(t.guarded(q, ("a", 4, ends["a"])), [["LIMIT_EXCEEDED", 3]],
       "a refusal that comes after the pass")
tap.eq((q.live(), q.hash("used")), (list("abcdef"), "0"), "... leaves it")
tap.eq(t.guarded(q, ("a", 1, ends["a"], {"key": "k"})), [["BOOKED", 1, 3]],
       "booked with a pass")
at = t.now
tap.eq((q.live(), q.hash("used"), q.totals()), (list("bcdef"), "1", 0),
       "... which is used up")
tap.eq(t.guarded(q, ("a", 1, ends["a"])),
       [["ALREADY_BOOKED", "gig:0:1-1", 1, at]],
       "who holds a booking is told so, not that the pass is used")
tap.eq(t.guarded(q, ("a", 1, 5, {"key": "k"})),
       [["REPLAYED", "gig:0:1-1", 1, 3, at, 1]],
       "... and the answer to a key is repeated, with an expired pass, too")
t.undo("a")
tap.eq(t.guarded(q, ("a", 1, ends["a"])), [["PASS_USED"]],
       "a pass is good for one booking")
tap.eq(t.guarded(q, ("zoe", 1, t.now + 5000)), [["PASS_USED"]],
       "one that Redis does not know")
tap.eq(t.guarded(q, ("b", 1, ends["b"] + 1), ("b", 1, ends["b"] - 1)),
       [["PASS_USED"]] * 2, "another one than the live one")
redis("ZADD", q.passes, t.now, "b")
tap.eq(t.guarded(q, ("b", 1, t.now)), [["PASS_EXPIRED"]],
       "one that has expired and was not dropped")
tap.eq(t.guarded(q, ("b", 1, 1)), [["PASS_EXPIRED"]], "... long ago")
tap.eq(q.leave("c"), ["LEFT", 2], "a pass that was given back")
tap.eq(t.guarded(q, ("c", 1, ends["c"])), [["PASS_USED"]], "... is no pass")

# before the pass: state and hours; behind it: the stock
t.define(state="paused")
tap.eq(t.guarded(q, ("d", 1, 1)), [["PAUSED"]], "paused comes before the pass")
t.define(state="open", opens_at=FOREVER)
tap.eq(t.guarded(q, ("d", 1, 1)), [["NOT_OPEN", FOREVER]], "... as hours do")
t.define(opens_at="-")
tap.eq(t.guarded(q, ("d", 3, ends["d"]), ("e", 2, ends["e"]),
                 ("e", 1, ends["e"]), ("f", 1, ends["f"]),
                 ("zoe", 1, t.now + 999)),
       [["BOOKED", 6, 1], ["NOT_ENOUGH", 1], ["BOOKED", 7, 0], ["SOLD_OUT"],
        ["PASS_USED"]], "what each of a batch is told")
tap.eq((q.live(), q.hash("used")), (["b", "f"], "3"),
       "sold out leaves the pass; two are used up in one call")
tap.eq(t.guarded(q, ("f", 1, ends["f"], {"not_after": 1})), [["LATE"]],
       "who comes too late keeps it")

# guarded and unguarded commands in one batch, keys and lanes
t = Ticket(redis, "mixed", lanes=3).open(capacity=100)
q = Room(redis, "mixed", t).make(capacity=99)
users = ["u%d" % i for i in range(60)]
ends = {u: q.enter(u)[1] if i % 3 else 0 for i, u in enumerate(users)}
redis("HSET", t.rejected, "u1", "mixed:0:1-9 x", "u3", "mixed:0:1-9 x")
got = t.guarded(q, *[(u, 1, ends[u], {"key": "k"} if i % 2 else {})
                     for i, u in enumerate(users)])
tap.eq({r[0] for r in got}, {"BOOKED"}, "60 of a batch, some without a pass")
tap.eq((q.live(), q.hash("used"), q.totals()), ([], "40", 0),
       "... used up those that were needed")
tap.eq((t.balance(), redis("EXISTS", t.rejected)), (100, 0),
       "... all noted as ever")
tap.eq({r[0] for r in t.guarded(q, *[(u, 1, 0, {"key": "k"})
                                     for u in users[1::2]])}, {"REPLAYED"},
       "... with their keys")
q.enter("x")
tap.eq(t.sell("x")[0], "BOOKED", "a call that is not guarded asks for none")
tap.eq((q.live(), q.hash("used")), (["x"], "40"), "... and uses none")

# a group: one pass, one booking of any of its tickets
seat, vip = [Ticket(redis, n).open(capacity=9) for n in ("sale", "vip@sale")]
q = Room(redis, "sale", seat, vip).make(capacity=9)
ann, bob = q.enter("ann")[1], q.enter("bob")[1]
tap.eq(vip.guarded(q, ("ann", 1, ann)), [["BOOKED", 1, 8]], "one of the group")
tap.eq(seat.guarded(q, ("ann", 1, ann)), [["PASS_USED"]],
       "... and not another with the same pass")
tap.eq(seat.guarded(q, ("bob", 1, bob)), [["BOOKED", 1, 8]], "another user may")
tap.eq((q.live(), q.hash("used")), ([], "2"), "both are used up")

# what is not written: the pass goes with the events that are there
t = Ticket(redis, "torn", lanes=2).open(capacity=9)
q = Room(redis, "torn", t).make(capacity=9)
even = [u for u in "abcdefgh" if t.lane(u) == 0][:2]
odd = [u for u in "abcdefgh" if t.lane(u) == 1][:1]
ends = {u: q.enter(u)[1] for u in even + odd}
redis("CONFIG", "SET", "maxmemory", "1000000")
got = t.guarded(q, *[(u, 1, ends[u]) for u in even])
tap.eq([r[0] for r in got], ["REFUSED", "NOT_DONE"], "out of memory: refused")
redis("CONFIG", "SET", "maxmemory", "0")
tap.eq((len(q.live()), q.hash("used")), (3, "0"), "... and no pass is used up")
redis("SET", t.outbox(1), "no stream")
got = t.guarded(q, *[(u, 1, ends[u]) for u in (even[0], odd[0], even[1])])
tap.eq([r[0] for r in got], ["BOOKED", "REFUSED", "NOT_DONE"],
       "refused in the middle")
tap.eq((sorted(q.live()), q.hash("used"), q.totals()),
       (sorted([odd[0], even[1]]), "1", 0), "... only the booked one's is")
redis("DEL", t.outbox(1))
for right in ("hset", "zrem", "hincrby"):
    t = Ticket(redis, "torn-" + right).open(capacity=9)
    q = Room(redis, "torn-" + right, t).make(capacity=9)
    ends = {u: q.enter(u)[1] for u in "abc"}
    redis("ACL", "SETUSER", "torn", "reset", "on", ">secret", "~*", "+@all",
          "-" + right)
    limited = Ticket(server.client("torn"), t.name)
    got = limited.guarded(q, ("a", 1, ends["a"]), ("b", 1, 5))
    tap.eq([r[0] for r in got], ["TORN", "PASS_EXPIRED"],
           "without %s: torn" % right)
    tap.eq(t.sell("x"), "RECOVERING", "... the ticket is closed")
    tap.eq(q.live(), list("abc" if right == "zrem" else "bc"),
           "... and nobody else has lost a pass")

# a key of the wrong type
t = Ticket(redis, "type").open(capacity=9)
q = Room(redis, "type", t).make(capacity=9)
q.enter("ann")
redis("DEL", q.passes)
redis("SET", q.passes, "x")
got = t.guarded(q, ("bob", 1, 0), ("ann", 1, FOREVER), ("cid", 1, 0))
tap.eq([r[0] for r in got], ["BOOKED", "REFUSED", "NOT_DONE"],
       "passes of the wrong type refuse who needs one")
tap.eq(t.balance(), 9, "... and nothing is torn")
tap.done()
