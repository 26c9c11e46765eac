#!/usr/bin/env python3
"""claim.lua and open.lua: of all recoverers only the last one that claimed,
on the same server, with a larger epoch and all its buyers, opens a ticket."""

from redis_test import RedisError, Server, Tap, Ticket

tap = Tap()
server = Server()
redis = server.client()
replid = redis.replid()

# claim
t = Ticket(redis, "claimed")
tap.eq(t.claim("one"), ["OK", replid, 0, "", "", "", "", "", ""],
       "a missing hash is made, nothing is known of the ticket")
tap.eq(t.dump(), {t.key: ("hash", {"claim": "one"})}, "... only the claim")
t = Ticket(redis, "new")
t.define(capacity=9, per_user=2, lanes=1, opens_at=5000)
tap.eq(t.claim("one"), ["OK", replid, 0, 9, 2, 1, "open", 5000, ""],
       "a definition is handed over")
tap.eq(t.claim("two"), ["OK", replid, 0, 9, 2, 1, "open", 5000, ""],
       "claimed again, by another")
tap.eq(t.hash("claim"), "two", "the last claim counts")
before = t.dump()
args = {"capacity": 9, "per_user": 2}
tap.eq(t.open_script(1, token="one", **args), ["STALE", "token"],
       "the first one is too late")
tap.eq(t.open_script(1, token="two", replid="f" * 40, **args),
       ["STALE", "replid"], "claimed on another server")
tap.eq(t.open_script(1, token="two", count=1, **args), ["STALE", "count"],
       "not all buyers are staged")
tap.eq(t.dump(), before, "nothing was done")
tap.eq(t.open_script(1, token="two", opens_at="-", closes_at=7000, **args),
       ["OK", 9], "opened")
tap.eq(t.dump(), {t.key: ("hash", {
    "capacity": "9", "per_user": "2", "lanes": "1", "state": "open",
    "opens_at": "", "closes_at": "7000", "remaining": "9", "epoch": "1",
    "seq:0": "0", "persisted:0": "1-0", "history": replid})},
    "the hash is exactly this")
tap.eq(t.claim("three"), ["ALREADY_OPEN", 1], "open: no claim")
tap.eq(t.hash("claim"), None, "... is written")
tap.eq(t.open_script(2, token="two", **args), ["STALE", "open"],
       "open: not opened again")

# reopened with buyers, rejections, and what must go
t = Ticket(redis, "gig", lanes=2).open(capacity=9, per_user=5)
for user in "abcdef":
    t.sell(user)
redis("HSET", t.rejected, "old", "x y")
redis("HSET", t.late, "gig:0:1-1", "booked")
redis("HDEL", t.key, "history")
tap.eq(t.claim("four"), ["OK", replid, 1, 9, 5, 2, "open", "", ""],
       "claim tells the epoch")
args = {"capacity": 10, "per_user": 5, "token": "four", "count": 2, "held": 5}
staged = {"ann": "2 5 gig:0:1-1", "bob": "3 6 gig:1:1-1"}
for user, value in staged.items():
    redis("HSET", t.buyers + ":new:2", user, value)
redis("HSET", t.rejected + ":new:2", "cid", "gig:0:1-7 data")
for key in (t.buyers, t.rejected):
    redis("EXPIRE", key + ":new:2", 1000)
before = t.dump()
tap.eq(t.open_script(1, **args), ["STALE", "epoch"], "an epoch already used")
tap.eq(t.open_script(2, **{**args, "count": 3}), ["STALE", "count"],
       "one buyer is missing")
tap.eq(t.open_script(2, **{**args, "count": 1}), ["STALE", "count"],
       "one too many")
try:
    got = str(t.open_script(2, **{**args, "held": 11}))
except RedisError as error:
    got = str(error)
tap.has(got, "exceeds", "more held than there are places")
for key, (kind, content) in before.items():
    if t.dump()[key] != (kind, content):
        tap.ok(False, key + " changed")
tap.eq(t.open_script(2, **args), ["OK", 5], "opened")
tap.eq(t.held(), staged, "the buyers are those of MySQL")
tap.eq(redis("HGETALL", t.rejected), ["cid", "gig:0:1-7 data"], "rejected, too")
tap.eq(redis("TTL", t.buyers), -1, "they stay, though staging had an end")
tap.eq(redis("TTL", t.rejected), -1, "... both")
tap.eq(sorted(t.dump()), sorted([t.key, t.buyers, t.rejected]),
       "late, the outboxes and what was staged are gone")
tap.eq([t.hash(f) for f in ("epoch", "remaining", "seq:0", "seq:1",
                            "persisted:0", "persisted:1")],
       ["2", "5", "0", "0", "2-0", "2-0"], "counters begin anew")
tap.eq(t.balance(), 10, "remaining + held = capacity")
tap.eq(t.booking("ann", "cid"), [["FOUND", "gig:0:1-1", 2, 5, 1],
                                 ["REJECTED", "gig:0:1-7", "data"]],
       "buyers find what they have")
tap.eq(t.undo("ann")[2], "gig:0:1-1", "old bookings can be cancelled")
lane = t.lane("dan")
t.sell("dan")
tap.eq(t.events(lane)[-1][0].split("-")[0], "2", "new events, new epoch")

# without buyers and rejections the old ones must go
redis("HSET", t.rejected, "x", "y z")
redis("HSET", t.key, "history", "f" * 40)
t.open(capacity=4)
tap.eq(sorted(t.dump()), [t.key], "opened empty: nothing old is left")

# a recoverer that was paused comes too late in every case
t = Ticket(redis, "paused").open()
redis("HDEL", t.key, "history")
t.claim("slow")
t.claim("fast")
t.open_script(2, token="fast")
redis("HDEL", t.key, "history")
for epoch in (2, 3):
    tap.eq(t.open_script(epoch, token="slow"), ["STALE", "token"],
           "the paused one, epoch %d" % epoch)
    tap.eq(t.open_script(epoch, token="fast"), ["STALE", "token"],
           "a token is good for one opening, epoch %d" % epoch)
t.claim("slow")
tap.eq(t.open_script(2, token="slow"), ["STALE", "epoch"], "the epoch is used")
tap.eq(t.open_script(3, token="slow"), ["OK", 10], "with a new claim it may")

# MySQL decides on the lanes; keys of the wrong type are no obstacle
t = Ticket(redis, "healed", lanes=3)
redis("SET", t.buyers, "x")
redis("SET", t.outbox(1), "x")
t.open()
tap.eq(t.book(*[("u%d" % i, 1) for i in range(9)])[-1][0], "BOOKED",
       "opening heals keys of the wrong type")
for lanes in (0, "x", 2):
    tap.has(redis.script_error(
        "open", t.open_keys(5),
        [t.name, "token", replid, 5, 0, 0, 10, 1, lanes, "open", "", ""]),
        "wrong arguments", "lanes %s do not fit the keys" % lanes)
tap.done()
