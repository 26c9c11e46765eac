#!/usr/bin/env python3
"""A room's line: first come, first served; repeats keep the place; passes are
given as there is room, and what is free again goes to the next in line."""

from redis_test import Room, Server, Tap

tap = Tap()
server = Server()
redis = server.client()

q = Room(redis, "gig")
replid = redis.replid()
tap.eq(q.enter("ann"), ["UNKNOWN_QUEUE", replid], "a room that is not there")
tap.eq((q.advance(), q.leave("ann"), q.look()),
       tuple([["UNKNOWN_QUEUE", replid]] * 3), "... by the others, too")
tap.eq(redis.dump(), {}, "... and nothing was written")

q.make(capacity=2, pass_ttl=60000)
base = q.now * 1000
tap.eq(q.status("ann"), ["NOT_WAITING", "open"], "who only asks is not in line")
tap.eq(q.enter("ann"), ["ADMITTED", q.now + 60000],
       "nobody waits and there is room: a pass at once")
expires = q.now + 60000
tap.eq(q.enter("ann"), ["ADMITTED", expires], "a repeat gets the same pass")
tap.eq(q.status("ann"), ["ADMITTED", expires], "... and so does who asks")
tap.eq(q.enter("bob")[0], "ADMITTED", "up to the capacity")
for i, user in enumerate("cdef"):
    n = base + i + 1
    tap.eq(q.enter(user), ["WAITING", n, n, i, i + 1, 2],
           "number %d in line" % (i + 1))
tap.eq(q.enter("d"), ["WAITING", base + 2, base + 2, 1, 4, 2],
       "a repeat keeps the place")
tap.eq(q.status("e"), ["WAITING", base + 3, base + 3, 2, 4, 2], "a status")
got = q.advance()
tap.eq((got["waiting"], got["live"], got["admitted"], got["more"]),
       (4, 2, 0, 0), "no room, nobody is let in")
tap.eq(got["head"], [base + 1, base + 2, base + 3, base + 4],
       "the picture has the line's head")
tap.eq(got["base"], base, "... and tells which life of the room it is of")

q.expire("ann")
got = q.advance()
tap.eq((got["admitted"], got["waiting"], got["live"], got["expired"]),
       (1, 3, 2, 1), "an expired pass is handed on in the same call")
tap.eq((q.status("c")[0], q.waiting()), ("ADMITTED", ["d", "e", "f"]),
       "... to the first in line")
tap.eq(q.leave("bob"), ["LEFT", 2], "a pass is given back")
tap.eq(q.enter("new")[0], "WAITING",
       "... and is not for a newcomer while others wait")
tap.eq(q.leave("e"), ["LEFT", 1], "who waits may leave")
tap.eq(q.leave("e"), ["NOT_WAITING"], "... once")
got = q.advance()
tap.eq((got["admitted"], q.waiting(), q.live()), (1, ["f", "new"], ["c", "d"]),
       "the next one gets it")
tap.eq((got["issued"], got["used"], got["expired"], got["returned"]),
       (4, 0, 1, 1), "the totals")
tap.eq(q.totals(), 0, "issued = live + used + expired + returned")
tap.eq(q.look()[1]["live"], 2, "the room as its administration sees it")

q.define(capacity=10)
tap.eq(q.advance()["admitted"], 2, "more capacity, more passes")
got = q.define(state="deleted")
tap.eq((got[0], got[1]["state"]), ("OK", "deleted"), "deleted")
tap.eq((q.enter("ann"), redis("EXISTS", q.line, q.passes)),
       (["UNKNOWN_QUEUE", ""], 0), "... with line and passes")
tap.done()
