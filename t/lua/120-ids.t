#!/usr/bin/env python3
"""Ids are kept byte for byte and apart: nothing in them is a pattern, a
format, a quote or another id's beginning."""

from redis_test import Server, Tap, Ticket

tap = Tap()
server = Server()
redis = server.client()

users = ["ann", "Ann", "ANN", "a", "aa", "'", "\"", "\\", "\\n", "%s", "%d%%",
         "%27", "a%20b", "^(.*)$", "[%w]", "a:b", "a:", ":", "::book:", "-",
         "=", "0", "1", "{x}", "*", "?", "~", "é", "e\u0301",
         "\u00df", "ss", "\U0001f3ab", "\u6771\u4eac", "\u202e", "';--",
         "$(id)", "`id`", "x" * 255, "\U0001f600" * 63 + "abc",
         "1 5 gig:0:1-1".replace(" ", "_"), "nil", "false", "NaN", "inf"]
assert all(1 <= len(u.encode()) <= 255 for u in users)
names = ["gig", "Gig", "%s", "%d", "a'b", "a\"b", "a\\b", "-", "=", "é",
         "e\u0301", "\U0001f3ab", "vip@concert", "%@%", "(.*)", "[x]",
         "x" * 255, "y" * 127 + "@" + "z" * 127, "1-1", "a*b?"]

for name in names:
    t = Ticket(redis, name, lanes=2).open(capacity=len(users), per_user=2)
    got = t.book(*[(u, 1, {"key": u}) for u in users])
    want = {}
    for user in users:
        lane = t.lane(user)
        seq = 1 + sum(t.lane(u) == lane for u in want)
        want[user] = t.id(seq, lane)
    short = name if len(name) < 40 else "%s... (%d)" % (name[:9], len(name))
    tap.eq([r[0] for r in got], ["BOOKED"] * len(users), short + ": booked")
    tap.eq({u: v.split()[2] for u, v in t.held().items()}, want,
           short + ": each buyer, each id, as it is")
    at = t.now
    tap.eq(t.booking(*users), [["FOUND", want[u], 1, at, 0] for u in users],
           short + ": found")
    tap.eq([r[:2] for r in t.book(*[(u, 1, {"key": u}) for u in users])],
           [["REPLAYED", want[u]] for u in users], short + ": replayed")
    tap.eq(sorted(v.split()[2] for lane in (0, 1) for _, v in t.events(lane)),
           sorted(users), short + ": in the outbox")
    tap.eq([r[:1] + r[2:3] for r in t.cancel(*[(u, want[u]) for u in users])],
           [["CANCELLED", want[u]] for u in users], short + ": cancelled")
    tap.eq(t.define(capacity=3)[:1], ["OK"], short + ": defined")
    tap.eq(t.balance(), 3, short + ": nothing lost")
    lane = t.lane("ann")
    t.sell("ann")
    bid = t.booking("ann")[0][1]
    tap.eq(t.ack(0, ("ann", bid, "data"), lane=lane), ["OK", 0, 1],
           short + ": taken back")
    tap.eq(t.booking("ann"), [["REJECTED", bid, "data"]], short + ": rejected")

keys = [Ticket(redis, n).key for n in names]
tap.eq(len(set(keys)), len(names), "every name has a key of its own")
tap.done()
