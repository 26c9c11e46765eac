#!/usr/bin/env python3
"""Each script takes the documented number of keys and arguments and refuses
any other, having done nothing."""

from redis_test import FOREVER, Room, Server, Tap, Ticket

tap = Tap()
server = Server()
redis = server.client()
t = Ticket(redis, "gig").open()
t.sell("ann")
replid = redis.replid()
K, B, R, O = t.key, t.buyers, t.rejected, t.outbox()
q = Room(redis, "gig", t).make()
guards = q.keys + [K]
scratch = ["ticket:{:selftest}:" + k
           for k in ("hash", "stream", "string", "zset")]

documented = {
    "book": ([K, B, R, O], [t.name, 1, 0, 1, "bob", 0, 1, FOREVER, 0]),
    "cancel": ([K, B, R, O], [t.name, 1, 1, "bob", 0, "", FOREVER, 0]),
    "booking": ([K, B, R, t.late], [t.name, 1, "ann"]),
    "ticket": ([K], [t.name]),
    "define": ([K, O], [t.name, 0, FOREVER, replid, "", "", "", "", "", ""]),
    "delete": ([K, B, O], [t.name, FOREVER]),
    "bookings": ([K, B], [t.name, 0, 10]),
    "ack": ([K, B, R, O], [t.name, 0, 1, 0, "ann", "no", "x"]),
    "replay": ([K, B, R, t.late, O], [t.name, 0, 1, "gig:0:1-9", "bob", 1]),
    "claim": ([K], [t.name, "token"]),
    "open": (t.open_keys(2), [t.name, "token", replid, 2, 0, 0, 9, 1, 1,
                              "open", "", ""]),
    "queue_enter": (guards, [q.name, t.name, "ann", 1, 0, 0, FOREVER]),
    "queue_advance": (guards, [q.name, t.name, 0]),
    "queue_leave": (q.keys, [q.name, "ann", FOREVER]),
    "queue_room": (q.keys, [q.name]),
    "queue_define": (q.keys, [q.name, "joe", 0, replid, *[""] * 12, FOREVER]),
    "selftest": (scratch, ["nonce"]),
}
for name, (keys, args) in documented.items():
    before = redis.dump()
    short = [(keys, args[:n]) for n in range(len(args))]
    long = [(keys, args + ["1"]), (keys, args + ["1", "2"])]
    few = [(keys[:n], args) for n in range(len(keys))]
    many = [(keys + ["ticket:{gig}:x"], args)]
    if name in ("book", "cancel"):
        many = []               # idempotency keys
    if name == "ack":
        short = [s for s in short if len(s[1]) != 4]
    if name == "booking":
        long += [(keys, [t.name, 2, "ann"]), (keys, [t.name, 0]),
                 (keys, [t.name, 201] + ["ann"] * 201)]
    if name in ("book", "cancel"):
        at = args.index(1, 2) if name == "cancel" else 3
        for n in (0, 2, 201, "x", ""):
            long.append((keys, args[:at] + [n] + args[at + 1:]))
        for lanes in ("x", "", 2):
            long.append((keys, args[:1] + [lanes] + args[2:]))
    wrong = []
    for k, a in short + long + few + many:
        got = redis.script_error(name, k, a)
        if not got or "wrong arguments" not in got:
            wrong.append((len(k), len(a), got))
    tap.eq(wrong, [], name + ": any other number is an error that says so")
    tap.eq(redis.dump(), before, name + ": ... and nothing was done")
    got = redis.script(name, keys, args)
    tap.ok(isinstance(got[0], int) and got[1] > 10 ** 12,
           name + ": the documented number gives a code and the time")


def refuses(name, keys, args, title):
    before = redis.dump()
    tap.has(redis.script_error(name, keys, args), "wrong arguments", title)
    tap.eq(redis.dump(), before, "... and nothing was done")


# of a guarded batch two more keys and one more argument, for each command
keys, command = [K, B, R, O, q.passes, q.room], ["x", 0, 1, FOREVER, 0]
for passes, n in (("", 1), ("0 0", 1), ("0", 2), ("x", 1)):
    refuses("book", keys, [t.name, 1, 0, passes, n, *command * n],
            "book: %d commands with the passes %r" % (n, passes))
refuses("book", keys[:4], [t.name, 1, 0, "0", 1, *command],
        "book: passes without the room")
refuses("book", keys, [t.name, 1, 0, "0", 2, *command], "book: another n")
tap.eq(redis.script("book", keys, [t.name, 1, 0, "0", 1, *command])[0], 0,
       "book: what is documented")
for args in (["", 1, 0, 0, 0], ["x", 2, 0, 0, 0], ["x", "", 0, 0, 0],
             ["x", 1, "", 0, 0], ["x", 1, "y", 0, 0], ["x", 1, 0, "", 0],
             ["x", 1, 0, "y", 0], ["x", 1, 0, 0, "y"], ["x", 1, 0, 0]):
    refuses("queue_enter", guards, [q.name, t.name, *args],
            "queue_enter: %r" % args)
refuses("queue_leave", q.keys, [q.name, "x", "y"], "queue_leave: 'y'")
for more in ([""], ["x", ""], ["x", 5, 6, ""], [5, ""], [5, 6, ""],
             [5, "x", 6, ""], [5, 6, "x", ""], [5, 6, 7, 8, ""], [5, 6, 7],
             ["", "x"], [5, 6, 7, "x"]):
    refuses("queue_define", q.keys,
            [q.name, "joe", 1, replid, *[""] * 11, *more],
            "queue_define: origin, drawn, changed_at, not_after %r" % more)
tap.done()
