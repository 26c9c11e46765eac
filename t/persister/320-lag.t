#!/usr/bin/env python3
"""Admission follows the database: while MySQL does not store what is sold, a waiting room lets nobody in.

MySQL is stopped (SIGSTOP) under a running persister while those who were admitted go on booking. Time is counted
in ticks, as an edge makes them: one queue_advance each. A tick is here as long as the room's max_lag.
"""

import os
import signal
import time

from base import Database, done, env, equal, note, ok, stop
from core import Persister, agree, stored, users
from rooms import Rooms

TICK_MS, SECONDS, CAPACITY = 500, 5, 40
office, database = Rooms(), Database()
persister = Persister(database)
office.create("gig", capacity=100000, lanes=2)
office.create("vip@gig", capacity=1000)
TICKETS = "gig vip@gig"
office.room("gig", capacity=CAPACITY, tickets=TICKETS, max_lag=TICK_MS, pass_ttl=600000)
line = iter(users(100000))
with open(env("MYSQL_PID"), encoding="ascii") as file:
    mysql = int(file.read())


def crowd(n):
    """So many more are in the line."""
    for _ in range(n):
        office.enter("gig", next(line), tickets=TICKETS)


def buy(most):
    """Some of those who have a pass book, and make room by that; how many."""
    passes = office.redis("ZRANGE", "queue:pass:z:{gig}", 0, -1, "WITHSCORES")
    some = list(zip(passes[::2], passes[1::2]))[:most]
    for user, expires in some:
        got = office.book_with_pass("gig", user, "gig", expires)
        if not isinstance(got, int):
            stop(f"{user} with a pass is not served: {got}")
    return len(some)


def tick():
    """What an edge does each tick, once one has gone by since the last; how many were let in."""
    time.sleep(TICK_MS / 1000)
    got = office.advance("gig", TICKETS)
    ticks.append(got)
    return got["admitted"]


def closes(what, seconds):
    """Some buy and more come, tick by tick, for so long; the room closes, though it is not full."""
    ticks.clear()
    let_in, until = [], time.monotonic() + seconds
    while time.monotonic() < until or len(ticks) < 5:
        buy(3)
        crowd(3)
        let_in.append(tick())
    free = CAPACITY - ticks[-1]["live"]
    note(f"let in at each tick: {let_in}; lag in ms: {[one['lag'] for one in ticks]}")
    equal(let_in[1:], [0] * len(let_in[1:]), f"{what}: from the second tick on nobody is let in")
    ok(free > 0 and ticks[-1]["waiting"] > free, f"though {free} passes are free and {ticks[-1]['waiting']} wait")
    equal(office.enter("gig", next(line), tickets=TICKETS)[0], "WAITING", "nor is a newcomer")
    ok(buy(1) == 1, "who has a pass goes on buying")


ticks = []
crowd(4 * CAPACITY)
equal(office.advance("gig", TICKETS)["live"], CAPACITY, "the room is full")
admitted = 0
for _ in range(4):
    buy(10)
    ok(stored(office, database, "gig"), "what is sold is stored")
    crowd(10)
    admitted += tick()
equal(admitted, 40, "MySQL stores: whoever buys makes room for another one")

os.kill(mysql, signal.SIGSTOP)
try:
    closes("MySQL sleeps", SECONDS)
finally:
    os.kill(mysql, signal.SIGCONT)
agree(office, database, "gig", "MySQL goes on: everything that was sold is stored", 60)
let_in = [tick(), tick()]
ok(sum(let_in) > 0, f"and within two ticks some are let in: {let_in}")
equal(ticks[-1]["lag"], 0, "there is no lag any more")

persister.kill()
closes("no persister", 0)
persister = Persister(database)
agree(office, database, "gig", "a persister is started: everything is stored")
let_in = [tick(), tick()]
ok(sum(let_in) > 0, f"and within two ticks some are let in: {let_in}")
equal(persister.stop(), 0, "it ends")
done()
