#!/usr/bin/env python3
"""A Redis that refuses writes, or is no master: nothing is half done.  Nobody
is ever both in line and admitted, or lost between the two."""

from redis_test import Room, Server, Tap, Ticket

tap = Tap()
server = Server()
redis = server.client()

t = Ticket(redis, "gig").open(capacity=100)
q = Room(redis, "gig", t).make(capacity=2)
for user in "abcdef":
    q.enter(user)
q.expire("b")
q.advance()
q.expire("a")
free = Room(redis, "free").make(capacity=2)
free.define(state="paused")
for user in "abc":
    free.enter(user)
free.define(state="open")
empty = Room(redis, "empty").make(capacity=2)


def everybody(q):
    return sorted(q.waiting() + q.live())


def refused(reply, part, title):
    tap.eq(reply[0], "REFUSED", title)
    tap.has(reply[1], part, "... with Redis' message")


# out of memory
before = redis.dump()
redis("CONFIG", "SET", "maxmemory", "1000000")
refused(q.enter("new"), "OOM", "out of memory: nobody enters the line")
refused(q.enter("a"), "OOM", "... nor who has an expired pass")
refused(empty.enter("new"), "OOM", "... nor with a pass at once")
refused(empty.status("new", place=int(empty.hash("number")) + 9), "OOM",
        "... and no place is restored")
refused(free.advance(), "OOM", "... and nobody is let in")
refused(empty.define(capacity=3), "OOM", "... and no room is changed")
refused(Room(redis, "other").define(capacity=3), "OOM", "... or made")
tap.eq((q.status("d")[0], q.enter("d")[0], q.enter("c")[0]),
       ("WAITING", "WAITING", "ADMITTED"), "who has something keeps it")
tap.eq((empty.advance()["waiting"], empty.look()[0]), (0, "OK"),
       "the picture goes on where nothing is to be written")
tap.eq(redis.dump(), before, "nothing was written at all")
got = q.advance()
tap.eq((got["admitted"], everybody(q), q.totals()), (1, list("cdef"), 0),
       "who takes the place of an expired pass needs no more memory")
tap.eq((free.leave("c"), q.leave("c")), (["LEFT", 1], ["LEFT", 2]),
       "leaving is not refused")
tap.eq(free.define(state="deleted")[0], "OK", "... nor is deleting")
redis("CONFIG", "SET", "maxmemory", "0")
tap.eq((q.advance()["admitted"], q.live()), (1, ["d", "e"]),
       "with memory it goes on")

# too few replicas
q.expire("d")
before = redis.dump()
redis("CONFIG", "SET", "min-replicas-to-write", "1")
refused(q.enter("new"), "NOREPLICAS", "too few replicas: nobody enters")
refused(q.advance(), "NOREPLICAS", "... nobody is let in")
refused(q.leave("e"), "NOREPLICAS", "... gives back a pass")
refused(q.leave("f"), "NOREPLICAS", "... or leaves")
refused(q.define(capacity=9), "NOREPLICAS", "... and nothing is changed")
refused(q.define(state="deleted"), "NOREPLICAS", "... or deleted")
tap.eq(q.status("f")[0], "WAITING", "who only asks is answered")
redis("CONFIG", "SET", "min-replicas-to-write", "0")
tap.eq(redis.dump(), before, "nothing was written")

# past not_after
before = redis.dump()
past = q.now - 1
for reply in (q.enter("new", not_after=past), empty.enter("new", not_after=1),
              empty.enter("new", join=0, not_after=past,
                          place=int(empty.hash("number")) + 9),
              q.enter("e", not_after=past), q.leave("e", not_after=past),
              q.leave("f", not_after=past), q.leave("new", not_after=past),
              q.define(capacity=9, not_after=past),
              q.define(state="deleted", not_after=past),
              Room(redis, "other").define(capacity=3, not_after=past)):
    tap.eq(reply, ["LATE"], "too late")
tap.eq(redis.dump(), before, "... and nothing was done")
tap.eq((Room(redis, "other").enter("new", not_after=1)[0],
        Room(redis, "other").leave("new", not_after=1)[0]),
       ("UNKNOWN_QUEUE",) * 2, "a room that is not there is not there")
soon = q.now + 60000
for i, last in enumerate((soon, 0, "")):
    user = "late%d" % i
    tap.eq((q.enter(user, not_after=last)[0], q.leave(user, not_after=last),
            q.define(capacity=2, not_after=last)[0]),
           ("WAITING", ["LEFT", 1], "OK"), "with not_after %r" % last)

# every right that an edge may lack: the first write is what is refused
for right, run in (("zadd", lambda q: q.enter("new")),
                   ("zadd", lambda q: q.advance()),
                   ("zremrangebyrank", lambda q: q.advance()),
                   ("zrem", lambda q: q.leave("f")),
                   ("zrem", lambda q: q.leave("e")),
                   ("hset", lambda q: q.define(capacity=50)),
                   ("unlink", lambda q: q.define(state="deleted"))):
    redis("ACL", "SETUSER", "edge", "reset", "on", ">secret", "~*", "+@all",
          "-" + right)
    limited = Room(server.client("edge"), "gig", t)
    q.define(state="paused")
    q.enter("f")
    q.advance()
    q.define(state="open", capacity=len(q.live()) + 1)
    redis("HSET", q.room, "pace", 0, "pace_n", 0)
    if right == "zremrangebyrank":
        q.expire("e")
    before = redis.dump()
    got = run(limited)
    tap.eq(got[0] if isinstance(got, list) else got, "REFUSED",
           "without %s: refused" % right)
    tap.eq(redis.dump(), before, "... and nothing is done")

# a key of the wrong type
kinds = {"room": q.room, "line": q.line, "passes": q.passes, "ticket": t.key}
calls = {"enter": lambda w: w.enter("new"), "status": lambda w: w.status("a"),
         "advance": lambda w: w.advance(1), "leave": lambda w: w.leave("a"),
         "define": lambda w: w.define(capacity=4),
         "room": lambda w: w.look()}
for kind in kinds:
    t = Ticket(redis, "type-" + kind).open(capacity=9)
    w = Room(redis, "type-" + kind, t).make(capacity=3)
    key = {"room": w.room, "line": w.line, "passes": w.passes,
           "ticket": t.key}[kind]
    redis("DEL", key)
    redis("SET", key, "x")
    before = redis.dump()
    for name, run in calls.items():
        if (kind, name) in (("line", "define"), ("passes", "define"),
                            ("ticket", "leave"), ("ticket", "define"),
                            ("ticket", "room"), ("ticket", "status")):
            continue                    # do not touch it
        try:
            got = run(w)
        except Exception as error:
            got = str(error)
        tap.has(str(got), "WRONGTYPE", "%s: %s is no such key" % (name, kind))
        tap.eq(redis.dump(), before, "... and nothing was written")

# no master
q = Room(redis, "slave").make(capacity=1)
redis("REPLICAOF", "127.0.0.1", "1")
for name, run in calls.items():
    tap.eq(run(q), ["RECOVERING", 0], name + ": this server is no master")
tap.done()
