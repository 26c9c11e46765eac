#!/usr/bin/env python3
"""Commands of one batch are decided in order, each with its own result, and
each lane has its own dense sequence."""

from redis_test import FOREVER, Server, Tap, Ticket

tap = Tap()
server = Server()
redis = server.client()

t = Ticket(redis, "mixed").open(capacity=50, per_user=3)
t.sell("owner", 2)
owned = t.now
commands, want, remaining, seq = [], [], 48, 1
for i in range(64):
    if i % 8 == 3:
        commands.append(("owner", 1))
        want.append(["ALREADY_BOOKED", "mixed:0:1-1", 2, owned])
    elif i % 8 == 5:
        commands.append(("late", 1, {"not_after": 1}))
        want.append(["LATE"])
    elif i % 8 == 6:
        commands.append(("greedy", 4))
        want.append(["LIMIT_EXCEEDED", 3])
    else:
        commands.append(("user%d" % i, 2))
        if remaining >= 2:
            remaining -= 2
            seq += 1
            want.append(["BOOKED", seq, remaining])
        else:
            want.append(["SOLD_OUT"])
tap.eq(t.book(*commands), want, "64 commands with mixed results")
tap.eq(t.balance(), 50, "remaining + held = capacity")
tap.eq([e[0] for e in t.events()], ["1-%d" % i for i in range(1, seq + 1)],
       "the sequence has no holes")

t = Ticket(redis, "same").open(capacity=5)
got = t.book(("ann", 1), ("ann", 1), ("bob", 1), ("ann", 1))
tap.eq(got, [["BOOKED", 1, 4], ["ALREADY_BOOKED", "same:0:1-1", 1, t.now],
             ["BOOKED", 2, 3], ["ALREADY_BOOKED", "same:0:1-1", 1, t.now]],
       "a user twice in one batch holds one booking")
t = Ticket(redis, "last").open(capacity=3, per_user=2)
tap.eq(t.book(("a", 2), ("b", 2), ("c", 1), ("d", 1)),
       [["BOOKED", 1, 1], ["NOT_ENOUGH", 1], ["BOOKED", 2, 0], ["SOLD_OUT"]],
       "the stock runs out inside a batch")

t = Ticket(redis, "lanes", lanes=4).open(capacity=200)
users = ["user%d" % i for i in range(64)]
per_lane = {lane: [u for u in users if t.lane(u) == lane] for lane in range(4)}
got = t.book(*[(u, 1) for u in users])
tap.eq({u: r[1] for u, r in zip(users, got)},
       {u: i + 1 for us in per_lane.values() for i, u in enumerate(us)},
       "each lane counts for itself")
tap.eq([t.hash("seq:%d" % i) for i in range(4)],
       [str(len(per_lane[i])) for i in range(4)], "... in the hash")
for lane in range(4):
    tap.eq([(e, v.split()[2]) for e, v in t.events(lane)],
           [("1-%d" % (i + 1), u) for i, u in enumerate(per_lane[lane])],
           "lane %d is dense" % lane)
user = per_lane[2][0]
tap.eq(t.booking(user)[0][1], "lanes:2:1-1", "the lane is in the booking_id")
tap.eq(t.undo(user)[:3], ["CANCELLED", len(per_lane[2]) + 1, "lanes:2:1-1"],
       "cancel uses the user's lane")
tap.eq(t.balance(), 200, "the stock is one")

before = t.dump()
for n in [1, 3, 5]:
    tap.eq(t.book(("x", 1, {"lane": 0}), lanes=n), ["WRONG_LANES", 4],
           "with %d lanes: told the number" % n)
    tap.eq(t.cancel((user, "", {"lane": 0}), lanes=n), ["WRONG_LANES", 4],
           "... by cancel")
tap.eq(t.dump(), before, "... and nothing was done")

for lane in ["4", "-1", "00", "x", ""]:
    tap.has(redis.script_error(
        "book", [t.key, t.buyers, t.rejected] + [t.outbox(i) for i in range(4)],
        [t.name, 4, 0, 1, "x", lane, 1, FOREVER, 0]), "wrong lane",
        "%r is no lane" % lane)
tap.eq(t.dump(), before, "... and nothing was done")

# the contract counts on 64 commands of one call; there is room above
t = Ticket(redis, "room").open(capacity=1000)
users = ["u%d" % i for i in range(200)]
tap.eq([r[0] for r in t.book(*[(u, 1, {"key": "k"}) for u in users])],
       ["BOOKED"] * 200, "200 commands with keys")
tap.has(redis.error("EVALSHA", redis.scripts["book"], 4, t.key, t.buyers,
                    t.rejected, t.outbox(), t.name, 1, 0, 201,
                    *["u", 0, 1, FOREVER, 0] * 201),
        "wrong arguments", "201 are refused")
tap.done()
