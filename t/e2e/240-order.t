#!/usr/bin/env python3
"""10,000 users enter in random order over 2 edges of 4 workers each: admitted in exactly the order of their numbers.

All edges let people in at the same time, and nobody leads. Every pass says when it was given, since it says
when it is over, and here all of them lapse: so from what Redis held of each one follows who was let in
before whom, and how many were in at every instant, not only when somebody looked. Meanwhile users
ask again, at the other edge, with their place or without, and are where they were. A third is never seen
again after entering, which holds nobody up. No time is asserted.
"""

import asyncio
import os
import random
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from edges import Edge, counters, define, remove, room_keys, sampled
from stack import diag, is_, main, ok

USERS, CAPACITY, TTL, WORKERS = 10000, 1000, 1500, 4

# all passes that were given since the last look, how many are live, how many wait
LOOK = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
return {redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. ARGV[1], '+inf', 'WITHSCORES'),
    redis.call('ZCOUNT', KEYS[1], '(' .. string.format('%d', now), '+inf'), redis.call('ZCARD', KEYS[2]), now}
"""


class Passes:
    """What a room has given, seen often enough that none of it is missed."""

    def __init__(self, stack, room):
        self.redis, (_, self.line, self.live) = stack.redis(), room_keys(room)
        self.given = {}             # user -> [when each of his passes is over, ms]
        self.last, self.most, self.full, self.looks = 0, 0, 0, 0

    def look(self):
        # those of the last moment again: there may be more of it
        given, live, waiting, now = self.redis("EVAL", LOOK, 2, self.live, self.line, self.last - 1)
        for user, over in zip(given[::2], map(int, given[1::2])):
            passes = self.given.setdefault(user.decode(), [])
            if over not in passes:
                passes.append(over)
            self.last = max(self.last, over)
        self.looks += 1
        self.most = max(self.most, live)
        self.full += live == CAPACITY and waiting > 0

    def at_once(self):
        """The most passes that were live at any instant; one that is over at a moment is not live in it."""
        ends = [over for passes in self.given.values() for over in passes]
        moments = sorted([(over, -1) for over in ends] + [(over - TTL, 1) for over in ends])
        now = most = 0
        for _, change in moments:
            now += change
            most = max(most, now)
        return most


class Line:
    def __init__(self, room, clients):
        self.room, self.clients = room, clients
        self.numbers = {}           # user -> those of each time he stood in line
        self.place, self.position = {}, {}
        self.moved, self.strange, self.lapsed, self.repeats = [], [], set(), 0

    async def ask(self, user, method="POST", edge=None, headers=()):
        client = self.clients[random.randrange(2) if edge is None else edge]
        answer = await client.request(method, f"/queues/{self.room}", user, headers=headers)
        if answer.status == 404 and method == "GET":
            self.lapsed.add(user)
        elif answer.status not in (200, 202):
            self.strange.append((user, answer))
        elif answer.status == 202:
            told = answer.json
            numbers = self.numbers.setdefault(user, [])
            if told["number"] not in numbers:
                numbers.append(told["number"])
                self.position[user] = told["position"]
            # nothing but time moves anybody: the same number, and never further back
            if told["number"] != numbers[-1] or told["position"] > self.position[user]:
                self.moved.append((user, numbers, self.position[user], told))
            self.place.setdefault(user, told["place"])
            self.position[user] = told["position"]

    async def again(self, user):
        """With the place he was given first, or without; not to join, or, as if he knew nothing, to join."""
        headers = random.choice(((), (("Ticket-Place", self.place[user]),)))
        await self.ask(user, "POST" if random.random() < 0.3 else "GET", headers=headers)
        self.repeats += 1


async def test(stack):
    room = stack.name("order")
    redis, passes = stack.redis(), Passes(stack, room)
    define(redis, room, capacity=CAPACITY, pass_ttl=TTL)
    edges = [Edge(stack, f"order-{n}", workers=WORKERS, http="ticket_queue_tick 100ms;") for n in range(2)]
    users = [f"user-{n}" for n in range(USERS)]
    random.shuffle(users)
    try:
        async with edges[0].running(), edges[1].running(), edges[0].client(connections=100, timeout=60) as one, \
                edges[1].client(connections=100, timeout=60) as two:
            line, begun = Line(room, (one, two)), time.monotonic()
            watch = asyncio.create_task(sampled(0.1, passes.look))

            # as many as fit in are in: of all others each has a number
            await asyncio.gather(*(line.ask(f"first-{n}") for n in range(CAPACITY)))
            # none of them asks twice at once, so that what he is told last is the last word
            tasks = [asyncio.create_task(repeat(line, users[n:USERS * 2 // 3:8])) for n in range(8)]
            await one.run((line.ask(user) for user in users), width=150)
            entered = time.monotonic() - begun
            diag(f"{USERS} entered in {entered:.1f} s: {len(line.numbers)} of them have a number")

            await stack.until(lambda: counters(redis, room)["waiting"] == 0, "the line is empty", 120)
            for task in tasks:
                task.cancel()
            # the last ones lapse, and are counted by the next tick
            await stack.until(lambda: (now := counters(redis, room))["issued"] == now["expired"], "all passes have lapsed", 60)
            seconds = time.monotonic() - begun
            watch.cancel()
            await watch
            state = counters(redis, room)
        first = {user: min(over) for user, over in passes.given.items()}
        diag(f"{state['issued']} passes in {seconds:.1f} s, {line.repeats} repeats, at most {passes.at_once()} of {CAPACITY} "
             f"at once, {passes.looks} looks of which {passes.full} saw it full", one.summary(), two.summary())
        is_(line.strange[:3], [], "everybody waits or is in")
        is_(sum(map(len, passes.given.values())), state["issued"], "every pass was seen")
        is_(sorted(set(users) - set(first))[:3], [], "everybody had one, seen again or not")
        ok(len(line.numbers) > USERS * 0.9, f"felt: {len(line.numbers)} had to wait")
        numbers = [number for of in line.numbers.values() for number in of]
        is_(len(set(numbers)), len(numbers), "all numbers differ")
        # who comes again when his pass has lapsed stands in line for the next one, as anybody does
        order = sorted((number, over, user) for user in line.numbers
                       for number, over in zip(line.numbers[user], sorted(passes.given[user])))
        is_([pair for pair in zip(order, order[1:]) if pair[0][1] > pair[1][1]][:3], [],
            "admitted in exactly the order of their numbers")
        ok(len({over for _, over, _ in order}) > USERS / CAPACITY, "felt: at many different moments: "
           f"{len({over for _, over, _ in order})}")
        came = sum(len(of) > 1 for of in line.numbers.values())
        ok(came > 0, f"felt: {came} stood in line twice, behind all others")
        is_(sorted(line.lapsed - set(first))[:3], [], "who waits no more has had his pass")
        ok(passes.most <= CAPACITY, f"never more live passes than {CAPACITY}, whenever one looked: {passes.most}")
        is_(passes.at_once(), CAPACITY, "nor at any instant, and as many again after each batch lapsed")
        ok(passes.full > 0, "felt: it was full while others waited")
        ok(line.repeats > USERS / 10, f"felt: {line.repeats} asked again")
        is_(line.moved[:3], [], "which moved nobody")
        is_([state[name] for name in ("used", "returned", "live")], [0, 0, 0], "all passes lapsed")
        for edge in edges:
            is_(edge.complaints()[:3], [], "nothing bad in the log")
    finally:
        remove(redis, room)


async def repeat(line, users):
    """Those that are seen again, one after the other, for as long as there is a line."""
    while True:
        user = random.choice(users)
        if user in line.place:
            await line.again(user)
        await asyncio.sleep(0.01)


main(test)
