#!/usr/bin/env python3
"""The opening draw: who enters before the opening gets a number, and its order
is what anyone can recompute from the seed that is shown afterwards."""

import hashlib

from redis_test import Room, Server, Tap

tap = Tap()
server = Server()
redis = server.client()
MANY, LATER = 1 << 22, 1 << 42


def score(seed, n):
    """as docs/architecture.md says"""
    h = hashlib.sha1(("%s:%d" % (seed, n)).encode()).hexdigest()
    return int(h[:7], 16) * MANY + n


seed = "0123456789abcdef"
q = Room(redis, "draw").make(capacity=5, draw=1, opens_at=LATER, seed=seed)
users = ["user%d" % i for i in range(300)]
for n, user in enumerate(users, 1):
    got = q.enter(user)
    assert got[:3] == ["WAITING", n, score(seed, n)], got
tap.ok(True, "everybody gets a number and the score of it")
tap.eq(q.enter("user7")[1], 8, "a repeat keeps the number")
tap.eq(q.status("user7")[1], 8, "... and so does who asks")
got = q.advance(1)
tap.eq((got["draw"], got["drawn"], got["admitted"], got["seed"],
        got["draw_hash"]),
       (1, 300, 0, "", hashlib.sha256(seed.encode()).hexdigest()),
       "before the opening: the hash, and no seed")
order = sorted(users, key=lambda u: score(seed, 1 + users.index(u)))
tap.eq(q.waiting(), order, "the order is what the seed says")
tap.ok(order != users, "... and no order of coming")
tap.eq(q.define(draw=0), ["DRAW_FIXED"], "no way back while somebody is in line")
q.define(opens_at=LATER + 1)
tap.eq(q.advance()["opens_at"], LATER + 1, "the opening may still be moved")
tap.eq(q.define(opens_at="-"), ["BAD_HOURS"], "... but not given up")

q.define(opens_at=q.now - 1)
got = q.advance(1)
tap.eq((got["draw"], got["seed"], got["admitted"]), (2, seed, 5),
       "after it: the seed, and the first ones are let in")
tap.eq(q.waiting(), order[5:], "... by the draw")
late = q.enter("late")
tap.eq((late[1] > 1 << 50, late[1] == late[2], late[3]), (True, True, 295),
       "who comes after it is behind, first come first served")
tap.eq(q.enter("later")[1], late[1] + 1, "... in the order of coming")
tap.eq(q.status("user9")[1], 10, "a drawn number can still be read")
for what in ({"draw": 0}, {"opens_at": LATER}, {"opens_at": "-"},
             {"opens_at": 5}, {"draw": 0, "opens_at": "-"}):
    tap.eq(q.define(**what), ["DRAW_FIXED"], "fixed: %r" % what)
tap.eq(q.define(capacity=6, draw=1, opens_at=q.look()[1]["opens_at"])[0], "OK",
       "anything else is not, nor what stays as it is")
admitted = order[:5]
while q.waiting():
    q.expire(*q.live())
    before = q.waiting()
    n = q.advance()["admitted"]
    admitted += before[:n]
tap.eq(admitted, order + ["late", "later"], "all of them in this order")

# the last number of a draw
q = Room(redis, "full").make(draw=1, opens_at=LATER, seed=seed)
redis("HSET", q.room, "drawn", MANY - 2)
tap.eq(q.enter("ann")[1:3], [MANY - 1, score(seed, MANY - 1)],
       "the largest number of a draw")
tap.ok(score("x", MANY - 1) < 1 << 50, "... has a score below every other one")
got = q.enter("bob")
tap.eq((got[1] > 1 << 50, q.hash("drawn")), (True, str(MANY - 1)),
       "beyond it: behind everybody, by coming")

# the definition
q = Room(redis, "defined")
tap.eq(q.define(capacity=1, draw=1, seed=seed), ["BAD_HOURS"],
       "a draw needs an opening")
q.make(opens_at=LATER)
got = q.enter("ann")
tap.eq(q.define(draw=1, seed=seed), ["DRAW_FIXED"],
       "no draw is begun over the heads of who is in line")
q.leave("ann")
q.define(draw=1, seed=seed)
tap.eq(q.advance()["draw"], 1, "... only without them")
q.define(seed="another", capacity=2)
tap.eq((q.look()[1]["seed"], q.look()[1]["draw_hash"]),
       (seed, hashlib.sha256(seed.encode()).hexdigest()),
       "the seed stays what it was")
q.define(state="deleted")
tap.eq(q.define(capacity=1, draw=1, opens_at=LATER, seed="another")[1]["seed"],
       "another", "... until it is created anew")
q.define(draw=0)
q.define(draw=1)
tap.eq(q.look()[1]["seed"], "another", "a draw may be put off while nobody waits")
tap.done()
