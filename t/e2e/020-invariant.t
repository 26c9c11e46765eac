#!/usr/bin/env python3
"""Remaining stays within 0..capacity at every instant, not only in the end (R1, R6).

A script that gives back before it looks, or decrements and repairs, is right again by the time a sale is
over; only somebody who looks while it happens can see it. So a small stock is booked and cancelled
without end, with quantities, and Redis and the public availability are looked at every 10 ms.
"""

import asyncio
import os
import random
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from client import Ledger
from stack import books_agree, diag, is_, key_of, main, ok, quote

CAPACITY, PER_USER, USERS, SECONDS = 50, 4, 120, 8


async def test(stack):
    ticket = await stack.create(stack.name("invariant"), CAPACITY, per_user=PER_USER)
    path = f"/tickets/{quote(ticket)}"
    ledger, stop = Ledger(), asyncio.Event()
    cancelled = 0

    async def loop(client, number):
        nonlocal cancelled
        user, chance = f"user-{number}", random.Random(number)
        while not stop.is_set():
            # somebody who books what he has, or cancels what he has not, is refused and changes nothing
            if chance.random() < 0.5:
                quantity = chance.randint(1, PER_USER)
                answer = await client.request("POST", f"{path}/booking?quantity={quantity}", user)
                ledger.booked(ticket, user, answer)
            else:
                answer = await client.request("DELETE", f"{path}/booking", user)
                cancelled += answer.status == 200
                ledger.cancelled(ticket, user, answer)

    redis, instants, shown, wrong = stack.redis(), set(), set(), []

    async def sample(client):
        tick = time.monotonic()
        while not stop.is_set():
            _, _, _, (numbers, buyers) = redis.pipeline([
                ("MULTI",), ("HMGET", key_of(ticket), "remaining", "capacity"),
                ("HVALS", key_of(ticket, "buyers")), ("EXEC",)])
            remaining, held = int(numbers[0]), sum(int(b.split()[0]) for b in buyers)
            instants.add(remaining)
            if not 0 <= remaining <= CAPACITY or remaining + held != CAPACITY:
                wrong.append((remaining, held))
            answer = await client.request("GET", path)
            told = answer.json["remaining"]
            shown.add(told)
            if answer.status != 200 or not 0 <= told <= CAPACITY:
                wrong.append(("GET", answer))
            sample.count += 1
            tick = max(tick + 0.01, time.monotonic())
            await asyncio.sleep(tick - time.monotonic())
    sample.count = 0

    # not as fast as it goes: whoever looks has to come to his turn every 10 ms
    async with stack.client(connections=64, rate=2000) as client, stack.client(connections=1) as looker:
        loops = [asyncio.create_task(loop(client, n)) for n in range(USERS)]
        looking = asyncio.create_task(sample(looker))
        end = time.monotonic() + SECONDS
        while time.monotonic() < end and not looking.done():
            await asyncio.sleep(0.1)
        stop.set()
        await asyncio.gather(looking, *loops)
        diag(client.summary(), f"{cancelled} cancelled",
             f"{sample.count} samples, one each {1000 * SECONDS / sample.count:.1f} ms")

    ok(sample.count > 100, "it was looked at often")
    ok(len(instants) > 10 and len(shown) > 3, f"and it moved: {len(instants)} different values, {len(shown)} shown")
    is_(wrong[:3], [], "at every sample 0 <= remaining <= capacity and remaining + held = capacity")
    is_(ledger.strange[:3], [], "no answer but those of booking and cancelling")
    ok(cancelled > 100, "many were cancelled")
    await stack.stored(ticket)
    books_agree(stack, ticket, ledger, "in the end")
    redis.close()


main(test)
