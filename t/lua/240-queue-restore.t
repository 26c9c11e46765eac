#!/usr/bin/env python3
"""A signed place outlives Redis: presented again after a loss it is restored.
Where nothing was lost it gains nothing."""

import hashlib

from redis_test import Room, Server, Tap

tap = Tap()
server = Server()
redis = server.client()
MANY, LATER = 1 << 22, 1 << 42


def lose(q, **more):
    """Redis forgets the room, and the keeper restores it"""
    kept = q.look()[1]
    redis("FLUSHALL")
    given = {n: kept[n] for n in ("capacity", "draw", "opens_at", "tickets",
                                  "pass_ttl", "rate", "share", "max_lag")}
    given.update(state=kept["state"], seed=kept["seed"], origin=kept["origin"],
                 drawn=kept["drawn"], draw_hash=kept["draw_hash"],
                 who=kept["changed_by"], changed_at=kept["changed_at"])
    given.update(more)
    got = q.define(catalogue="", **given)
    assert got[0] == "CREATED", got
    return got[1]


q = Room(redis, "gig").make(capacity=1)
q.enter("first")
places = {u: q.enter(u)[1] for u in "abcdef"}
origin = q.hash("origin")
tap.eq(q.hash("base"), origin, "a new room begins at its making")

# nothing lost: an old place is worth nothing
q.leave("a")
tap.eq(q.enter("a", place=places["a"])[1:3], [places["f"] + 1] * 2,
       "who left and comes back is a newcomer")
tap.eq(q.status("zoe", place=places["b"]), ["NOT_WAITING", "open"],
       "... and nothing is restored for who asks")
tap.eq(q.enter("d", place=places["b"])[1], places["d"],
       "who is in line keeps that place, whatever is presented")
tap.eq(q.enter("first", place=1)[0], "ADMITTED", "... as does who has a pass")
for place in (1, MANY - 1, MANY, int(origin) - 1, int(origin)):
    q.enter("x", place=place)
    tap.eq(q.waiting()[-1], "x", "%d is no place of this room" % place)
    q.leave("x")
last = int(q.hash("number"))

# lost: in whatever order they come back
redis("HSET", q.keys[0], "changed_at", 1234567890123)
room = lose(q)
tap.eq((room["changed_by"], room["changed_at"]), ("admin", "1234567890123"),
       "who changed it last, and when, was nobody of this life")
tap.eq((room["origin"], int(room["base"]) > last, room["number"]),
       (origin, True, room["base"]), "numbers rise over a loss")
tap.eq(q.enter("quick")[0], "ADMITTED", "a newcomer after the loss")
new = q.enter("new")
tap.eq(new[1], int(room["base"]) + 1, "... and one who waits")
tap.eq(q.enter("e", place=places["e"])[1:4], [places["e"]] * 2 + [0],
       "an old place is in front of who came after it")
tap.eq(q.status("c", place=places["c"])[1:4], [places["c"]] * 2 + [0],
       "... restored, too, by who only asks")
for user in "bdf":
    q.enter(user, place=places[user])
tap.eq(q.waiting(), ["b", "c", "d", "e", "f", "new"], "the old order")
tap.eq(q.enter("b", place=places["b"])[1], places["b"], "a repeat changes nothing")
tap.eq(q.enter("y", place=new[1])[1], new[1] + 1,
       "a number of this life is known and restores nothing")
q.define(state="draining")
tap.eq(q.enter("late"), ["QUEUE_CLOSED", "draining"], "draining: no newcomer")
tap.eq(q.enter("g", place=places["f"] + 1)[0], "WAITING",
       "... but who was there before the loss")
q.define(state="closed")
tap.eq(q.enter("h", place=places["b"]), ["QUEUE_CLOSED", "closed"],
       "closed: nobody")

# a replica that did not have the last numbers
q.define(state="open")
known = int(q.hash("number"))
got = q.enter("ahead", place=known + 50)
tap.eq((got[1], q.hash("number")), (known + 50, str(known + 50)),
       "a number that is not given yet was given by another master")
tap.eq(q.enter("next")[1], known + 51, "... and the next one comes after it")
tap.eq(q.enter("back", place=known + 20)[1], known + 52,
       "one below the newest cannot be told from a used one")

# two losses
first = q.look()[1]["base"]
lose(q)
lose(q)
tap.eq(q.enter("next", place=known + 51)[1], known + 51, "after two losses, too")
tap.eq(q.hash("origin"), origin, "the origin stays")

# deleted and created anew: another line
q.define(state="deleted")
q.make(capacity=1)
tap.ok(int(q.hash("origin")) > int(first), "a room that is created anew")
q.enter("first")
q.enter("second")
q.enter("next", place=known + 51)
tap.eq(q.waiting(), ["second", "next"], "... knows no places of the old one")

# the keeper does nothing to a room that is there
before = redis.dump()
for values in ({"capacity": 77}, {"state": "closed", "capacity": 5}):
    got = q.define(origin=5, drawn=9, **values)
    tap.eq((got[0], got[1]["capacity"]), ("OK", "1"), "a room that is there stays")
tap.eq(redis.dump(), before, "... exactly as it is")
q.define(state="deleted")
got = q.define(origin=5, capacity=77)
tap.eq((got[0], got[1]["state"]), ("OK", "deleted"), "... one that is deleted, too")
redis("FLUSHALL")
q.define(capacity=1, origin=1 << 52)
tap.eq((q.hash("origin"), q.hash("base")), (str(1 << 52), str((1 << 52) + 1)),
       "a clock that went back: numbers rise all the same")

# what the line has passed since the loss, when everybody had time to be back
q = Room(redis, "passed")
now = int(redis("TIME")[0]) * 10 ** 6
q.define(capacity=2, origin=now - 3600 * 10 ** 6)
old = int(q.hash("origin"))
for i, user in enumerate("abcd", 1):
    q.enter(user, place=old + i * 10)
tap.eq((q.advance()["admitted"], q.hash("passed")), (2, str(old + 20)),
       "the line has passed two places")
q.enter("slow", place=old + 5)
q.expire("a", "b")
q.advance()
tap.eq((sorted(q.live()), q.hash("passed")), (["c", "slow"], str(old + 30)),
       "in the first minutes who is slow is restored all the same")
q.enter("slower", place=old + 3)
q.expire("c")
q.advance()
tap.eq((sorted(q.live()), q.hash("passed")), (["slow", "slower"],
                                              str(old + 30)),
       "... and takes nothing back of what was passed")
redis("HSET", q.room, "base", (q.now - 500000) * 1000)
tap.eq(q.enter("x", place=old + 30)[1], old + 30, "... for ten minutes")
q.leave("x")
redis("HSET", q.room, "base", (q.now - 601000) * 1000)
last = int(q.hash("number"))
tap.eq((q.enter("x", place=old + 30)[1], q.enter("y", place=old + 4)[1]),
       (last + 1, last + 2), "later a place that the line has passed is over")
tap.eq(q.enter("z", place=old + 31)[1:4], [old + 31] * 2 + [0],
       "... and one that it has not is as good as ever")
q.expire(*q.live())
q.advance()
tap.eq(q.hash("passed"), str(old + 40), "numbers of this life do not count")
q.expire(*q.live())
q.advance()
tap.eq(q.hash("passed"), str(old + 40), "... at all")

# a draw, and one after it under the same name: its numbers are small, too
seed = "secret"
again = Room(redis, "again").make(draw=1, opens_at=LATER, seed=seed)
again.enter("ann")
before = again.now
again.define(state="deleted")
again.make(draw=1, opens_at=LATER, seed="other")
tap.eq(again.status("ann", place=1, since=before - 1), ["NOT_WAITING", "open"],
       "a draw number of a deleted room is none of this one")
tap.eq(again.enter("ann", place=7, since=before - 1)[1], 1, "... nor one beyond")
lose(again)
tap.eq(again.enter("joe", place=1, since=before - 1)[1], 2, "... nor after a loss")
tap.eq(again.enter("ann", place=1, since=again.now)[1], 1, "its own is")
q = Room(redis, "draw").make(draw=1, opens_at=LATER, seed=seed)
numbers = {u: q.enter(u)[1:3] for u in "abcdefgh"}
order = q.waiting()
q.leave("c")
tap.eq(q.status("c", place=3), ["NOT_WAITING", "open"],
       "a draw number that was given is known")
tap.eq(q.enter("c", place=3)[1], 9, "... who left gets another")
tap.eq(q.enter("z", place=12)[1], 12, "one beyond was given by another master")
tap.eq(q.enter("y")[1], 13, "... and the next comes after it")
lose(q, drawn=5)
tap.eq(q.hash("drawn"), "5", "restored with what MySQL knew")
tap.eq([q.enter(u, place=n[0])[1:3] for u, n in numbers.items()],
       list(numbers.values()), "after a loss: number and score again")
tap.eq((q.waiting(), q.hash("drawn")), (order, "8"), "... and the order")
tap.eq(q.enter("new")[1], 9, "a newcomer gets the next one")
q.define(opens_at=q.now - 1)
lose(q)
q.enter("quick")
q.enter("new2")
tap.eq(q.enter("d", place=4)[1:4], numbers["d"] + [0],
       "restored after the opening it is in front")
tap.eq(q.advance()["seed"], seed, "by the same seed")
tap.eq(hashlib.sha256(seed.encode()).hexdigest(), q.advance()["draw_hash"],
       "... which has the same hash")
tap.done()
