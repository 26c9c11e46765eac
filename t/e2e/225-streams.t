#!/usr/bin/env python3
"""5,000 who wait and listen, on one edge.

What must not grow with them: what Redis is asked, what a worker keeps for each, and how long buyers who are
in wait behind them. All hear of their place, a reload sends them away and has them back where they were,
and when the room gets large enough all have their pass.
"""

import asyncio
import os
import resource
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from events import Room
from stack import diag, is_, main, ok, quote

CLIENTS = 5000


class Crowd:
    def __init__(self, room, users):
        self.room, self.users = room, users
        self.streams, self.place, self.kinds = {}, {}, {}

    def heard(self, user):
        def event(stream, event):
            if stream is self.streams.get(user, stream):
                self.kinds[user] = event.kind
                if event.kind in ("position", "pass"):
                    self.place[user] = event.data
        return event

    async def listen(self, again=False):
        """Back when all have heard of something."""
        self.kinds.clear()

        async def one(user):
            last = self.streams[user].last_id if again else None
            stream = await self.room.listen(user, last, on_event=self.heard(user))
            if stream.status != 200:
                raise RuntimeError(f"{user} is answered {stream.status}")
            self.streams[user] = stream
        for start in range(0, len(self.users), 100):
            await asyncio.gather(*(one(user) for user in self.users[start:start + 100]))
        await self.all(lambda user: user in self.kinds, "all have heard of something")

    async def all(self, true, what, deadline=120):
        async def check():
            return all(map(true, self.users))
        await self.room.stack.until(check, what, deadline)

    def positions(self):
        return [self.place[user]["position"] for user in self.users]

    def close(self):
        for stream in self.streams.values():
            stream.close()


def resident(stack):
    total = 0
    for pid in stack.nginx_workers():
        with open(f"/proc/{pid}/status") as file:
            total += next(int(line.split()[1]) for line in file if line.startswith("VmRSS:")) * 1024
    return total


def scripts(stack):
    redis = stack.redis()
    try:
        for line in redis("INFO", "commandstats").decode().split("\r\n"):
            if line.startswith("cmdstat_evalsha:"):
                return int(line.split("calls=")[1].split(",")[0])
    finally:
        redis.close()


async def test(stack):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    users = [f"user-{n}" for n in range(CLIENTS)]
    room = await Room(stack, "streams").define(capacity=1, pass_ttl=3600)
    ticket = await stack.create(stack.name("streams"), 1000)
    await room.enter("ann")
    await room.fill(users)
    redis = stack.redis()
    users = [user.decode() for user in redis("ZRANGE", f"queue:{{{room.name}}}", 0, -1)]
    redis.close()
    is_(len(users), CLIENTS, "all wait")

    pids, before = stack.nginx_workers(), resident(stack)
    crowd = Crowd(room, users)
    await crowd.listen()
    is_(crowd.positions(), list(range(1, CLIENTS + 1)), "each is told of his own place")
    each = (resident(stack) - before) / CLIENTS
    ok(each <= 12 * 1024, f"{each / 1024:.1f} KB of nginx for each")

    was, numbers = scripts(stack), {user: crowd.place[user]["number"] for user in users}
    await asyncio.sleep(5)
    called = scripts(stack) - was
    # those of the other rooms of the stack among them; one a client and tick would be five times as many as clients
    ok(called < CLIENTS / 10, f"5 s of them cost Redis {called} scripts")

    await room.leave("ann")
    users.pop(0)
    await crowd.all(lambda user: crowd.place[user]["waiting"] == CLIENTS - 1, "all have heard of it")
    is_(crowd.positions(), list(range(1, CLIENTS)), "one is let in, all others move up by one")

    await stack.reload_nginx()
    await crowd.all(lambda user: crowd.streams[user].over, "all streams have ended")
    is_({user for user in users if crowd.kinds[user] != "reload" or not crowd.streams[user].whole}, set(),
        "a reload ends all of them in order")
    retries = sorted(crowd.streams[user].retry for user in users)
    diag(f"they are to come back after {retries[0]} to {retries[-1]} ms")
    ok(retries[-1] - retries[0] >= 1000, "... and spreads their return")
    await crowd.listen(again=True)
    is_([user for user in users if crowd.place[user]["number"] != numbers[user]], [], "all are back in the same place")
    is_(crowd.positions(), list(range(1, CLIENTS)), "... of the line")

    pids = stack.nginx_workers()
    path, booked = f"/tickets/{quote(ticket)}/booking", []

    async def buy(client, number):
        booked.append((await client.request("POST", path, f"buyer-{number}")).status)
    async with stack.client(connections=20) as client:
        buyers = asyncio.create_task(client.run(buy(client, number) for number in range(1000)))
        await room.define("PATCH", capacity=CLIENTS + 10)
        await crowd.all(lambda user: crowd.kinds[user] == "pass", "all have their pass")
        await buyers
        diag(f"buyers meanwhile: slowest {client.slowest * 1000:.0f} ms")
    ok(True, "the room gets larger: all have their pass")
    is_(len({crowd.place[user]["pass"] for user in users}), CLIENTS - 1, "... each his own")
    await crowd.all(lambda user: crowd.streams[user].over, "all streams have ended")
    is_({user for user in users if not crowd.streams[user].whole}, set(), "... and all streams ended in order")
    is_(booked, [201] * 1000, "buyers who came at the same time were served")
    is_(stack.nginx_workers(), pids, "no worker died")
    await room.define("DELETE")
    crowd.close()


main(test)
