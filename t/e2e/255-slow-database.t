#!/usr/bin/env python3
"""MySQL stopped (SIGSTOP) for 5 s during a sale behind a waiting room: admission closes within two ticks, and opens.

Tickets that were sold are stored late, that is what the outbox is for. But a site whose database does not
move must not take in more people. Nobody publishes the lag and no edge leads, so it is counted at Redis, in
its own order: of each worker's ticks after the stop only the first two may let in anybody. No time is asserted.
"""

import asyncio
import collections
import os
import random
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from client import Ledger
from edges import Monitor, counters
from stack import books_agree, diag, is_, main, ok, quote

USERS, CAPACITY, RATE, SECONDS, TICKS = 1500, 100, 100, 5, 2


async def test(stack):
    ticket = await stack.create(stack.name("slow"), 10 ** 5)
    queue, path, ledger, redis = f"/queues/{quote(ticket)}", f"/sale/{quote(ticket)}/booking", Ledger(), stack.redis()
    strange, stop = [], asyncio.Event()

    async def story(client, user):
        method = "POST"
        while not stop.is_set():
            answer = await client.ask(method, queue, user)
            if answer.status == 200:
                await asyncio.sleep(random.uniform(0, 0.5))
                ledger.booked(ticket, user, await client.ask(
                    "POST", path, user, f"{user}-1", [("Ticket-Pass", answer.json["pass"])]))
                return
            if answer.status != 202:
                strange.append((user, answer))
                return
            method = "GET"
            await asyncio.sleep(min(answer.json["poll_after_ms"] / 1000, 2))

    async def sold(count):
        await stack.until(lambda: len(ledger.created) >= count, f"{count} are sold", 60)

    async with stack.client(connections=100) as client:
        answer = await client.ask("PUT", f"/admin/queues/{quote(ticket)}", body={
            "capacity": CAPACITY, "rate": RATE, "tickets": [ticket]})
        is_(answer.status, 201, "there is a room")
        with Monitor(stack, ticket) as monitor:
            stories = asyncio.gather(*(story(client, f"user-{number}") for number in range(USERS)))
            await sold(100)
            async with stack.paused("mysql"):
                monitor.mark("stopped")
                await asyncio.sleep(SECONDS)
                during = counters(redis, ticket)
                # what they are told is what is so
                waits = await client.ask("POST", queue, "one-more")
                monitor.mark("goes on")
            now = len(ledger.created)
            await sold(now + 100)
            stop.set()
            await stories
        await stack.stored(ticket)
        await client.ask("DELETE", f"/admin/queues/{quote(ticket)}")
    redis.close()

    # ticks and admissions of each worker: before, while MySQL stood still, and after
    phase, ticks, admitted = "before", collections.Counter(), collections.Counter()
    issued, late = 0, []
    for kind, worker, value, _ in monitor.events:
        if kind == "mark":
            phase = value
        elif kind == "queue_advance":
            ticks[phase, worker] += 1
        elif kind == "issued" and value > issued:
            admitted[phase] += value - issued
            if phase == "stopped" and ticks[phase, worker] > TICKS:
                late.append((worker, ticks[phase, worker], value - issued))
            issued = value
    stood = {worker: count for (phase, worker), count in ticks.items() if phase == "stopped"}
    diag(f"let in: {dict(admitted)}; ticks while MySQL stood still: {list(stood.values())}; {client.summary()}")
    is_(strange[:3], [], "everybody was let in or told to wait")
    ok(admitted["before"] >= 100, f"before: {admitted['before']} were let in")
    ok(stood and min(stood.values()) > TICKS, f"felt: each of {len(stood)} workers had more than {TICKS} ticks")
    ok(during["waiting"] > 100 and during["live"] < CAPACITY / 2,
       f"felt: there was room, and {during['waiting']} waited for it")
    is_(late, [], "nobody was let in after the second tick of any worker")
    is_((waits.status, waits.json["state"]), (202, "waiting"), "who comes meanwhile waits")
    ok(admitted["goes on"] >= 100, f"it goes on by itself: {admitted['goes on']} more were let in")
    books_agree(stack, ticket, ledger, "the sale")
    is_(ledger.strange[:3], [], "who was let in could book all the time")


main(test)
