#!/usr/bin/env python3
"""2000 random calls against a model of a few lines: every answer, and after
every call remaining + held = capacity.  TICKET_SEED repeats a run."""

import os
import random

from redis_test import Server, Tap, Ticket

seed = int(os.environ.get("TICKET_SEED", random.randrange(1 << 30)))
rng = random.Random(seed)
tap = Tap()
print("# TICKET_SEED=%d" % seed)
server = Server()
redis = server.client()


class Model:
    def __init__(self, ticket, capacity, per_user):
        self.t, self.capacity, self.per_user = ticket, capacity, per_user
        self.state, self.epoch = "open", 1
        self.seq = [0] * ticket.lanes
        self.persisted = [0] * ticket.lanes
        self.held, self.idem, self.rejected, self.log = {}, {}, {}, []

    def remaining(self):
        return self.capacity - sum(q for q, _, _ in self.held.values())

    def event(self, user, *what):
        lane = self.t.lane(user)
        self.seq[lane] += 1
        self.log.append((lane, self.seq[lane], what[0], user, *what[1:]))
        return self.seq[lane], self.t.id(self.seq[lane], lane, self.epoch)

    def book(self, now, user, quantity, more):
        if "not_after" in more:
            return ["LATE"]
        key = (user, "book", more.get("key"))
        if key[2] and key in self.idem:
            asked, bid, left, at = self.idem[key]
            if asked != quantity:
                return ["IDEMPOTENCY_MISMATCH"]
            current = user in self.held and self.held[user][1] == bid
            return ["REPLAYED", bid, quantity, left, at, int(current)]
        if user in self.held:
            held, bid, at = self.held[user]
            return ["ALREADY_BOOKED", bid, held, at]
        if self.state != "open":
            return [self.state.upper()]
        if quantity > self.per_user:
            return ["LIMIT_EXCEEDED", self.per_user]
        if self.remaining() == 0:
            return ["SOLD_OUT"]
        if self.remaining() < quantity:
            return ["NOT_ENOUGH", self.remaining()]
        seq, bid = self.event(user, "booked", quantity)
        self.held[user] = (quantity, bid, now)
        self.rejected.pop(user, None)
        if key[2]:
            self.idem[key] = (quantity, bid, self.remaining(), now)
        return ["BOOKED", seq, self.remaining()]

    def cancel(self, now, user, asked, more):
        if "not_after" in more:
            return ["LATE"]
        key = (user, "cancel", more.get("key"))
        if key[2] and key in self.idem:
            print_, bid, quantity, left, at = self.idem[key]
            if print_ != asked:
                return ["IDEMPOTENCY_MISMATCH"]
            return ["REPLAYED", bid, quantity, left, at, 1]
        if user not in self.held or asked not in ("", self.held[user][1]):
            return ["NOT_BOOKED"]
        quantity, bid, _ = self.held.pop(user)
        seq, _ = self.event(user, "cancelled", quantity, bid)
        if key[2]:
            self.idem[key] = (asked, bid, quantity, self.remaining(), now)
        return ["CANCELLED", seq, bid, quantity, self.remaining()]


users = ["user%d" % i for i in range(14)]
t = Ticket(redis, "random", lanes=3).open(capacity=20, per_user=4)
m = Model(t, 20, 4)
wrong, seen, stored = [], set(), [[] for _ in range(3)]


def more():
    out = {}
    if rng.random() < 0.4:
        out["key"] = "k%d" % rng.randrange(6)
    if rng.random() < 0.05:
        out["not_after"] = 1
    return out


def step():
    kind = rng.random()
    if kind < 0.5:
        commands = [(rng.choice(users), rng.randint(1, 5), more())
                    for _ in range(rng.randint(1, 6))]
        got = t.book(*commands)
        return got, [m.book(t.now, *c) for c in commands]
    if kind < 0.8:
        commands = []
        for _ in range(rng.randint(1, 6)):
            user = rng.choice(users)
            bid = rng.choice(["", m.held.get(user, ("", "", 0))[1],
                              t.id(rng.randint(1, 9))])
            commands.append((user, bid, more()))
        got = t.cancel(*commands)
        return got, [m.cancel(t.now, *c) for c in commands]
    if kind < 0.88:
        picked = rng.sample(users, 3)
        return t.booking(*picked), [
            ["FOUND", m.held[u][1], m.held[u][0], m.held[u][2],
             int(int(m.held[u][1].split("-")[1]) <= m.persisted[t.lane(u)])]
            if u in m.held else ["REJECTED", m.rejected[u], "data"]
            if u in m.rejected else ["NOT_BOOKED"] for u in picked]
    if kind < 0.93:
        held = m.capacity - m.remaining()
        capacity, state = rng.randint(0, 30), rng.choice(
            ["open", "open", "open", "paused", "closed"])
        got = t.define(capacity=capacity, state=state)
        if capacity < held:
            return got, ["BELOW_HELD", held]
        seq = 0
        if (capacity, state) != (m.capacity, m.state):
            m.seq[0] += 1
            m.log.append((0, m.seq[0], "defined"))
            seq = m.seq[0]
        m.capacity, m.state = capacity, state
        return got[:5], ["OK", 1, seq, capacity, m.remaining()]
    lane = rng.randrange(3)
    user = rng.choice([u for u in users if t.lane(u) == lane])
    bid = m.held[user][1] if user in m.held and rng.random() < 0.3 else t.id(
        rng.randint(1, 50), lane)
    applied = rng.randint(m.persisted[lane], m.seq[lane])
    stored[lane] += [e for e in t.events(lane)
                     if int(e[0].split("-")[1]) <= applied]
    trimmed = applied - m.persisted[lane]
    got = t.ack(applied, (user, bid, "data"), lane=lane)
    m.persisted[lane] = applied
    back = user in m.held and m.held[user][1] == bid
    if back:
        quantity, bid, _ = m.held.pop(user)
        m.rejected[user] = bid
        m.event(user, "rejected", quantity, bid)
    return got, ["OK", trimmed, int(back)]


for i in range(2000):
    got, want = step()
    seen.update(r[0] for r in (got if isinstance(got[0], list) else [got]))
    if got != want:
        wrong.append((i, got, want))
    if t.balance() != m.capacity or int(t.hash("remaining")) != m.remaining():
        wrong.append((i, "remaining", t.hash("remaining"), m.remaining()))
    if wrong:
        break
tap.eq(wrong, [], "2000 calls answered as the model does")
tap.eq(seen, {"BOOKED", "REPLAYED", "ALREADY_BOOKED", "SOLD_OUT", "NOT_ENOUGH",
              "LIMIT_EXCEEDED", "PAUSED", "CLOSED", "IDEMPOTENCY_MISMATCH",
              "LATE", "CANCELLED", "NOT_BOOKED", "FOUND", "REJECTED",
              "BELOW_HELD", "OK"}, "every answer came up")
tap.eq({u: (int(v.split()[0]), v.split()[2]) for u, v in t.held().items()},
       {u: (q, b) for u, (q, b, _) in m.held.items()}, "the buyers at the end")

# what was stored and what is still in the outbox rebuilds the same
rows = {}
for lane in range(3):
    entries = stored[lane] + t.events(lane)
    tap.eq([e[0] for e in entries],
           ["1-%d" % (i + 1) for i in range(m.seq[lane])],
           "lane %d is dense from the first number to the last" % lane)
    tap.eq([(v.split()[0], v.split()[2]) if v[0] != "d" else ("defined",)
            for _, v in entries],
           [(e[2], e[3]) if e[2] != "defined" else ("defined",)
            for e in m.log if e[0] == lane], "... in order")
    for entry, value in entries:
        kind, _, user, quantity, holding, *bid = value.split()
        if kind == "defined":
            continue
        rows.pop(user, None)
        if int(holding):
            rows[user] = (int(holding), t.id(int(entry.split("-")[1]), lane))
tap.eq(rows, {u: (q, b) for u, (q, b, _) in m.held.items()},
       "the events alone lead to the same buyers")
tap.done()
