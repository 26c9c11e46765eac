#!/usr/bin/env python3
"""What a room may be, who may make it when, and what its administration is
told."""

from redis_test import DEFINITION, Room, Server, Tap

tap = Tap()
server = Server()
redis = server.client()
replid = redis.replid()

q = Room(redis, "gig")
tap.eq(q.define(create=0, capacity=1), ["UNKNOWN_QUEUE", replid],
       "a change of a room that is not there")
tap.eq(q.define(catalogue="another", capacity=1), ["RECOVERING", 0],
       "none is made while Redis may have forgotten it")
tap.eq(redis.dump(), {}, "... and nothing was written")
got = q.define(who="sue", capacity=7)
tap.eq(got[0], "CREATED", "made")
number = "%d" % (q.now * 1000)
tap.eq(got[1], {
    "capacity": "7", "rate": "", "share": "", "pass_ttl": "60000",
    "state": "open", "tickets": "", "max_lag": "1000", "opens_at": "",
    "draw": "0", "seed": "", "draw_hash": "", "origin": number, "drawn": "0",
    "rows_per_s": "", "base": number, "number": number, "issued": "0",
    "used": "0", "expired": "0", "returned": "0", "pace": "0",
    "changed_by": "sue", "changed_at": str(q.now)}, "... with the defaults")
made = got[1]
tap.eq(q.look(), ["OK", {**made, "waiting": 0, "live": 0}],
       "as the administration sees it")

before = redis.dump()
tap.eq(q.define(who="joe"), ["OK", made], "nothing given, nothing changed")
tap.eq(q.define(who="joe", capacity=7, state="open", rate="-"), ["OK", made],
       "the same again: nothing changed")
tap.eq(redis.dump(), before, "... not even who changed it")
full = {"capacity": "5", "rate": "20", "share": "75", "pass_ttl": "1500",
        "state": "paused", "tickets": "gig vip@gig", "max_lag": "200",
        "opens_at": "123", "draw": "0"}
got = q.define(who="joe", create=0, catalogue="", **full)
tap.eq(got[0], "OK", "changed, whatever is known of the catalogue")
tap.eq({n: got[1][n] for n in DEFINITION}, full, "... everything at once")
tap.eq((got[1]["changed_by"], got[1]["changed_at"]), ("joe", str(q.now)),
       "... by whom and when")
got = q.define(rate="-", share="-", tickets="-", opens_at="-")
tap.eq([got[1][n] for n in ("rate", "share", "tickets", "opens_at")], [""] * 4,
       "what may be cleared")

before = redis.dump()
most = " ".join("t%d@gig" % i for i in range(16))
for name, values in {
        "capacity": (0, "-", "x", "1.5", "-1", "01", "1" * 16, " 1"),
        "rate": (0, "x", "1.5", "-1"), "share": (0, 101, "x"),
        "pass_ttl": (0, "-", "x"), "max_lag": (0, "-", "x"),
        "state": ("-", "x", "open paused", "OPEN", " "), "draw": (2, "-", "on"),
        "opens_at": (0, "x", "2020-01-01"),
        "tickets": ("other", "gig@other", "a@b@gig", "@gig", "gig ", " gig",
                    "gig  a@gig", "gig gig", "a@gig gig a@gig", most + " gig",
                    " ")}.items():
    for value in values:
        given = {n: "" for n in DEFINITION}
        given[name] = value
        error = redis.script_error("queue_define", q.keys, [
            "gig", "joe", 1, replid, *given.values(), "", "", "", ""])
        tap.ok(error and "wrong " + name in error,
               "%s %r is refused" % (name, value))
for seed, draw_hash in (("a b", "0" * 64), ("abc", ""), ("abc", "0" * 63),
                        ("", "0" * 64), ("abc", "x" * 64)):
    error = redis.script_error("queue_define", q.keys, [
        "gig", "joe", 1, replid, *[""] * 9, seed, draw_hash, "", ""])
    tap.ok(error and "wrong seed" in error, "seed %r %r" % (seed, draw_hash))
error = redis.script_error("queue_define", q.keys, [
    "gig", "joe", 1, replid, *[""] * 7, 99, 1, "", "", "", ""])
tap.ok(error and "wrong seed" in error, "a draw without a seed")
new = Room(redis, "new")
error = redis.script_error("queue_define", new.keys, [
    "new", "joe", 1, replid, *[""] * 9, "", "", "", ""])
tap.ok(error and "wrong capacity" in error, "no room without a capacity")
error = redis.script_error("queue_define", new.keys, [
    "new", "joe", 1, replid, 5, "", "", "", "deleted", *[""] * 8])
tap.ok(error and "wrong state" in error, "none is made to be deleted")
tap.eq(redis.dump(), before, "nothing of that was written")
tap.eq(q.define(tickets=most)[1]["tickets"], most, "16 tickets may be guarded")

# deleted, and made again
q.define(tickets="-", state="open", capacity=1)
q.enter("ann")
q.enter("bob")
tap.eq((q.look()[1]["waiting"], q.look()[1]["live"]), (1, 1), "in use")
got = q.define(state="deleted")
tap.eq((got[0], got[1]["state"], redis("EXISTS", q.line, q.passes)),
       ("OK", "deleted", 0), "deleted, with its line and passes")
for reply in (q.enter("ann"), q.status("bob"), q.leave("ann"), q.advance(),
              q.look(), q.define(create=0, capacity=2),
              q.define(create=0, state="open")):
    tap.eq(reply, ["UNKNOWN_QUEUE", ""], "it is gone, and that is certain")
old = int(q.hash("number"))
got = q.define(catalogue="", capacity=3)
tap.eq((got[0], got[1]["capacity"], got[1]["issued"]), ("CREATED", "3", "0"),
       "made again, as Redis knows of it")
tap.ok(int(got[1]["base"]) > old, "... with higher numbers")
redis("HSET", q.room, "number", 1 << 52)
q.define(state="deleted")
tap.eq(q.define(capacity=3)[1]["base"], str(1 << 52),
       "... even when the clock went back")

# what the keeper writes before the room is there is no room
redis("HSET", new.room, "rows_per_s", 1000)
tap.eq(new.enter("ann"), ["UNKNOWN_QUEUE", replid], "rows_per_s is no room")
tap.eq(new.define(capacity=1)[1]["rows_per_s"], "1000", "... and stays in one")
tap.done()
