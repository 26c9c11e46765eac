#!/usr/bin/env python3
"""What limits admission: capacity, what is left of the tickets, the rate, the
room's state and its opening."""

import time

from redis_test import Room, Server, Tap, Ticket

tap = Tap()
server = Server()
redis = server.client()


def line(q, n, name="u"):
    for i in range(n):
        assert q.enter("%s%d" % (name, i))[0] == "WAITING"


# capacity
q = Room(redis, "capacity").make(state="paused", capacity=3)
line(q, 8)
tap.eq(q.advance()["admitted"], 0, "a paused room admits nobody")
q.define(state="open")
tap.eq(q.advance()["live"], 3, "an open one as many as its capacity")
q.define(capacity=1)
tap.eq((q.advance()["admitted"], len(q.live())), (0, 3),
       "a lower capacity takes no pass away")
q.expire("u0", "u1")
tap.eq((q.advance()["admitted"], q.live()), (0, ["u2"]), "... but gives none")
q.expire("u2")
tap.eq((q.advance()["admitted"], q.live()), (1, ["u3"]), "... until there is room")
tap.eq(q.totals(), 0, "the totals")

# at most 1000 expired ones and 1000 admissions a call, and it says so
q = Room(redis, "many").make(state="paused", capacity=5000)
redis("ZADD", q.line, *[w for i in range(2300) for w in (i + 1, "w%04d" % i)])
redis("ZADD", q.passes, *[w for i in range(2300) for w in (5, "x%04d" % i)])
got = [q.advance() for _ in range(3)]
tap.eq([(g["expired"], g["more"], g["live"]) for g in got],
       [(1000, 1, 0), (2000, 1, 0), (2300, 0, 0)],
       "1000 expired passes a call; none of them is live")
q.define(state="open")
got = [q.advance(1) for _ in range(3)]
tap.eq([(g["admitted"], g["more"], g["live"], g["waiting"]) for g in got],
       [(1000, 1, 1000, 1300), (1000, 1, 2000, 300), (300, 0, 2300, 0)],
       "1000 admissions a call")
tap.eq(got[0]["head"], list(range(1001, 1201)), "the head: the first 200")
tap.eq(got[0]["samples"],
       [1201 + j * (1300 - 201) // 128 for j in range(129)],
       "the samples: evenly from behind the head to the last")
tap.eq((len(got[1]["head"]), len(got[1]["samples"]), got[1]["samples"][-1]),
       (200, 129, 2300), "... of a shorter line")
tap.eq((got[2]["head"], got[2]["samples"]), ([], []), "... of none")
q.define(state="paused")
line(q, 201)
tap.eq((len(q.advance()["samples"]), len(set(q.advance(1)["samples"]))), (0, 1),
       "samples only when asked for")
q.leave("u7")
got = q.advance(1)
tap.eq((len(got["head"]), got["samples"]), (200, []),
       "no samples where the head is all")

# what is left
vip = Ticket(redis, "vip@sale").open(capacity=2)
t = Ticket(redis, "sale").open(capacity=3)
q = Room(redis, "sale", t, vip).make(state="paused", capacity=9)
line(q, 9)
q.define(state="open")
got = q.advance()
tap.eq((got["left"], got["admitted"], got["live"], got["unsure"]), (5, 5, 5, 0),
       "no more passes than all the tickets have left")
t.guarded(q, ("u0", 1, q.enter("u0")[1]))
got = q.advance()
tap.eq((got["left"], got["admitted"], got["live"]), (4, 0, 4),
       "who has booked makes no room where nothing is left")
t.undo("u0")
tap.eq(q.advance()["admitted"], 1, "who cancels does")
vip.define(state="paused")
got = q.advance()
tap.eq((got["left"], got["live"], got["unsure"]), (3, 5, 1),
       "a ticket that is paused has none, for now")
vip.define(state="closed")
got = q.advance()
tap.eq((got["left"], got["unsure"]), (3, 0), "one that is closed, for good")
redis("HSET", t.key, "history", "another")
got = q.advance()
tap.eq((got["left"], got["unsure"]), (0, 1),
       "... one that recovers, nobody knows yet")
tap.eq(q.enter("new")[0], "WAITING", "a newcomer waits then")
t2 = Room(redis, "sale", t)
tap.eq((t2.enter("x"), t2.advance()), (["WRONG_TICKETS", "sale vip@sale"],) * 2,
       "a caller who knows other tickets is told them")
gone = Room(redis, "gone", Ticket(redis, "gone")).make(capacity=2)
tap.eq((gone.enter("ann")[0], gone.advance()["left"]), ("WAITING", 0),
       "a ticket that is not there has none left")

# the rate: never more than the bucket held and what has run in since
q = Room(redis, "rate").make(state="paused", capacity=1000, rate=10)
line(q, 300)
q.define(state="open")
total, start, over = 0, None, []
for _ in range(12):
    got = q.advance()
    total += got["admitted"]
    start = start or q.now
    if total > 10 + (q.now - start) * 10 / 1000:
        over.append((total, q.now - start))
    time.sleep(0.05)
tap.eq(over, [], "never above the rate")
tap.ok(total >= 10, "the bucket is full at the beginning")
before = total
time.sleep(0.5)
total += q.advance()["admitted"]
tap.ok(total - before >= 5, "it fills again")
tap.eq(got["rate"], 10, "the picture has the rate")
time.sleep(0.15)
while q.waiting():
    q.leave(q.waiting()[0])
redis("HSET", q.room, "tokens", 0, "tokens_at", q.now + 10 ** 6)
tap.eq(q.enter("late")[0], "ADMITTED", "a clock that went back fills it")
redis("HSET", q.room, "tokens", "0.5", "tokens_at", q.now + 20)
q.define(rate=1)
tap.eq(q.hash("tokens"), "0.5", "a change of the rate fills nothing")

q.define(rate=100, share=50)
tap.eq(q.advance()["rate"], 100, "a share without a figure: the rate")
redis("HSET", q.room, "rows_per_s", "150.9")
tap.eq(q.advance()["rate"], 75, "the smaller one: the share of what is stored")
q.define(rate=20)
tap.eq(q.advance()["rate"], 20, "... or the rate")
q.define(rate="-")
tap.eq(q.advance()["rate"], 75, "a share alone")
redis("HSET", q.room, "rows_per_s", "1")
tap.eq(q.advance()["rate"], 1, "at least one a second")
q.define(share="-")
tap.eq(q.advance()["rate"], "", "neither: no limit")

# the opening, and the states
q = Room(redis, "hours").make(capacity=2, opens_at=1 << 42)
tap.eq(q.enter("ann")[0], "WAITING", "before the opening everybody waits")
tap.eq((q.advance()["admitted"], q.advance()["opens_at"]), (0, 1 << 42),
       "... and nobody is let in")
q.define(opens_at=q.now - 1)
tap.eq(q.advance()["admitted"], 1, "open")
q.define(opens_at="-")
tap.eq(q.advance()["opens_at"], "", "no opening at all")

q.enter("bob")
q.enter("cid")
q.define(state="draining")
tap.eq(q.enter("new"), ["QUEUE_CLOSED", "draining"], "draining: no newcomer")
tap.eq(q.status("new"), ["NOT_WAITING", "draining"], "... who asks is told why")
tap.eq(q.enter("cid")[:1], ["WAITING"], "... who waits keeps the place")
tap.eq(q.enter("ann")[:1], ["ADMITTED"], "... and who has a pass that")
q.leave("ann")
tap.eq(q.advance()["admitted"], 1, "... and the line goes on")
q.enter("cid")
q.define(state="closed")
tap.eq((q.enter("new"), q.status("new")), (["QUEUE_CLOSED", "closed"],) * 2,
       "closed: nobody")
tap.eq(q.enter("bob")[0], "ADMITTED", "... but who has a pass")
q.expire("bob")
got = q.advance()
tap.eq((got["state"], got["expired"], got["admitted"]), ("closed", 1, 0),
       "... and no pass is handed on")
q.define(state="paused")
tap.eq(q.enter("new")[0], "WAITING", "paused: newcomers wait")
q.define(state="open")
tap.eq(q.advance()["admitted"], 1, "open again")

# an expired pass of one's own
q.expire("new")
tap.eq(q.status("new"), ["NOT_WAITING", "open"], "an expired pass is none")
tap.eq(q.enter("new")[0], "ADMITTED", "a new one at once, where there is room")
tap.eq(q.totals(), 0, "... and the totals are right")
q.expire("new")
q.define(state="paused")
tap.eq((q.enter("new")[0], "new" in q.live(), q.totals()),
       ("WAITING", False, 0), "... or a place in line, not both")
q.leave("new")
redis("ZADD", q.passes, "1", "old")
redis("HINCRBY", q.room, "issued", 1)
tap.eq((q.leave("old"), q.totals(), "old" in q.live()),
       (["NOT_WAITING"], 0, False), "an expired pass cannot be given back")

# the pace
q = Room(redis, "pace").make(capacity=100, state="paused")
line(q, 30)
tap.eq(q.advance()["pace"], 0, "nobody admitted: no pace")
q.define(state="open")
q.advance()
tap.eq(q.advance()["pace"], 0, "... nor in the first second")
redis("HSET", q.room, "pace_at", q.now - 3000)
got = q.advance()["pace"]
tap.ok(1000 < got < 3000, "30 in 3 s, a quarter of the mean's window: %d" % got)
redis("HSET", q.room, "pace_at", q.now - 500000)
tap.eq((q.advance()["pace"], q.hash("pace")), (0, "0"), "it falls to nothing")
q.enter("late")
tap.ok(q.now >= int(q.hash("pace_at")) >= q.now - 1,
       "and begins with who comes next")
redis("HSET", q.room, "pace", 3, "pace_at", q.now + 10 ** 6)
tap.eq((q.advance()["pace"], int(q.hash("pace_at")) <= q.now), (3000, True),
       "a clock that went back does it no harm")
tap.done()
