#!/usr/bin/env python3
"""4000 random calls of a room and its ticket against a model of a few lines.
After every call: live passes never above capacity, nobody overtakes, nobody is
both in line and admitted, issued = live + used + expired + returned.
TICKET_SEED repeats a run."""

import os
import random

from redis_test import Room, Server, Tap, Ticket

seed = int(os.environ.get("TICKET_SEED", random.randrange(1 << 30)))
rng = random.Random(seed)
tap = Tap()
print("# TICKET_SEED=%d" % seed)
server = Server()
redis = server.client()
TTL = 10 ** 8                           # they expire by hand

t = Ticket(redis, "random").open(capacity=60)
q = Room(redis, "random", t).make(capacity=4, pass_ttl=TTL, max_lag=10 ** 9)


class Model:
    def __init__(self):
        self.capacity, self.state, self.stock = 4, "open", 60
        self.line = []                  # (number, user) in order
        self.live, self.dead = {}, set()
        self.number = int(q.hash("number"))
        self.sums = {"issued": 0, "used": 0, "expired": 0, "returned": 0}
        self.booked = set()

    def free(self):
        if self.state not in ("open", "draining"):
            return 0
        left = self.stock - len(self.booked)
        return max(0, min(self.capacity, left) - len(self.live))

    def admit(self, user, now):
        self.live[user] = now + TTL
        self.sums["issued"] += 1

    def enter(self, now, user, join):
        if user in self.live:
            return ["ADMITTED", self.live[user]]
        if self.state == "closed":
            return ["QUEUE_CLOSED", "closed"]
        if user not in [u for _, u in self.line]:
            if not join:
                return ["NOT_WAITING", self.state]
            if self.state == "draining":
                return ["QUEUE_CLOSED", "draining"]
            if user in self.dead:
                self.dead.remove(user)
                self.sums["expired"] += 1
            if not self.line and self.free():
                self.admit(user, now)
                return ["ADMITTED", self.live[user]]
            self.number += 1
            self.line.append((self.number, user))
        rank = [u for _, u in self.line].index(user)
        number = self.line[rank][0]
        return ["WAITING", number, number, rank, len(self.line),
                len(self.live)]

    def advance(self, now):
        self.sums["expired"] += len(self.dead)
        self.dead.clear()
        n = min(self.free(), len(self.line))
        for _, user in self.line[:n]:
            self.admit(user, now)
        self.line = self.line[n:]
        return n

    def leave(self, user):
        if user in self.live:
            del self.live[user]
            self.sums["returned"] += 1
            return ["LEFT", 2]
        rest = [e for e in self.line if e[1] != user]
        if len(rest) < len(self.line):
            self.line = rest
            return ["LEFT", 1]
        if user in self.dead:
            self.dead.remove(user)
            self.sums["expired"] += 1
        return ["NOT_WAITING"]

    def book(self, user, expires):
        if user in self.booked:
            return "ALREADY_BOOKED"
        if expires == 1:
            return "PASS_EXPIRED"
        if self.live.get(user) != expires:
            return "PASS_USED"
        if len(self.booked) == self.stock:
            return "SOLD_OUT"
        del self.live[user]
        self.booked.add(user)
        self.sums["used"] += 1
        return "BOOKED"


m = Model()
users = ["user%d" % i for i in range(40)]
wrong, seen, last = [], set(), 0        # the number let in last


def step():
    """what the script and the model say"""
    global last
    kind, user = rng.random(), rng.choice(users)
    if kind < 0.42:
        join = int(rng.random() < 0.8)
        got = q.enter(user, join)
        return got, m.enter(q.now, user, join)
    if kind < 0.6:
        head = [n for n, _ in m.line]
        got = q.advance(int(rng.random() < 0.1))
        n = m.advance(q.now)
        if got["admitted"]:
            if head[0] <= last:
                return "overtaken", head[0]
            last = head[got["admitted"] - 1]
        return ([got["admitted"], got["head"], got["live"], got["waiting"],
                 got["left"], {k: got[k] for k in m.sums}],
                [n, [e for e, _ in m.line], len(m.live), len(m.line),
                 m.stock - len(m.booked), m.sums])
    if kind < 0.7:
        return q.leave(user), m.leave(user)
    if kind < 0.78 and m.live:
        user = rng.choice(list(m.live))
        q.expire(user)
        del m.live[user]
        m.dead.add(user)
        return ["EXPIRED"], ["EXPIRED"]
    if kind < 0.92:
        commands = []
        for _ in range(rng.randint(1, 4)):
            user = rng.choice(list(m.live) or users) if rng.random() < 0.7 \
                else rng.choice(users)
            ends = rng.choice([m.live.get(user, q.now + TTL)] * 6 + [1, 1 << 44])
            commands.append((user, 1, ends))
        got = [r[0] for r in t.guarded(q, *commands)]
        seen.update(got)
        return got, [m.book(u, e) for u, _, e in commands]
    if kind < 0.95 and m.booked:
        user = rng.choice(sorted(m.booked))
        m.booked.remove(user)
        return t.undo(user)[0], "CANCELLED"
    m.capacity = rng.randint(1, 8)
    m.state = rng.choice(["open"] * 6 + ["paused", "draining", "closed"])
    m.stock = max(len(m.booked), rng.choice([8, 20, 60]))
    t.define(capacity=m.stock)
    got = q.define(capacity=m.capacity, state=m.state)
    return got[0], "OK"


for i in range(4000):
    held = len(m.live)
    got, want = step()
    if isinstance(got, list) and isinstance(got[0], str):
        seen.add(got[0])
    line, passes = q.waiting(), q.live()
    if got != want:
        wrong.append((i, got, want))
    live = redis("ZCOUNT", q.passes, "(%d" % q.now, "+inf")
    if live != len(m.live) or live > max(m.capacity, held):
        wrong.append((i, "live", live, len(m.live), m.capacity))
    if set(line) & set(passes) or q.totals():
        wrong.append((i, "both", line, passes, q.totals()))
    if line != [u for _, u in m.line] or set(passes) != set(m.live) | m.dead:
        wrong.append((i, "lost", line, passes))
    if wrong:
        break
tap.eq(wrong, [], "4000 calls answered as the model does")
tap.eq(seen, {"ADMITTED", "WAITING", "NOT_WAITING", "QUEUE_CLOSED", "LEFT",
              "EXPIRED", "BOOKED", "ALREADY_BOOKED", "PASS_EXPIRED",
              "PASS_USED", "SOLD_OUT"}, "every answer came up")
tap.ok(last > 0, "passes went from one to the next")
tap.done()
