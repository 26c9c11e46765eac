#!/usr/bin/env python3
"""streams.py URL REDIS_PORT ROOM COUNT WORKER_PID...: what bench/streams measures once, as a line of JSON.

clients; bytes (of the workers' resident memory, a client); scripts and calls (a second, while nothing happens: in
Redis, and sent by this edge); moved, passed (ticks from the change of the room to the last client that heard of it);
missing (clients that got no pass); cpu (cores the workers use while everybody's position changes each tick).
"""

import asyncio
import json
import os
import resource
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "t", "e2e"))
from client import Client
from events import Events
from stack import Metrics, Redis

TICK = 1.0      # s, ticket_queue_tick as it is when nobody says otherwise
SECONDS = 10    # of each measurement over time


def resident(pids):
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/status") as file:
            total += next(int(line.split()[1]) for line in file if line.startswith("VmRSS:")) * 1024
    return total


def cpu(pids):
    ticks = 0
    for pid in pids:
        with open(f"/proc/{pid}/stat", encoding="latin-1") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


class Bench:
    def __init__(self, url, redis_port, room, count, pids):
        self.url, self.room, self.count, self.pids = url, room, count, pids
        self.redis = Redis("127.0.0.1", redis_port)
        self.streams = {}
        self.positions, self.passed = {}, {}    # user -> (position, when), when

    async def admin(self, **definition):
        async with Client(self.url, connections=1) as client:
            answer = await client.ask("PUT", f"/admin/queues/{self.room}", body=definition)
        if answer.status not in (200, 201):
            sys.exit(f"error: PUT /admin/queues/{self.room}: {answer!r}")

    async def enter(self, user, client, status):
        answer = await client.ask("POST", f"/queues/{self.room}", user)
        if answer.status != status:
            sys.exit(f"error: {user} enters: {answer!r}")

    async def listen(self, user):
        def heard(stream, event):
            if event.kind == "position":
                self.positions[user] = event.data["position"], event.at
            elif event.kind == "pass":
                self.passed[user] = event.at
            else:
                sys.exit(f"error: {user} hears {event}")
        stream = await Events.open(self.url, f"/queues/{self.room}/events", user, on_event=heard)
        if stream.status != 200:
            sys.exit(f"error: {user} is answered {stream.status}")
        self.streams[user] = stream

    async def until(self, true, what, seconds=60):
        end = time.monotonic() + seconds
        while not true():
            if time.monotonic() > end:
                sys.exit(f"error: after {seconds} s it is not so that {what}")
            await asyncio.sleep(0.02)

    def scripts(self):
        for line in self.redis("INFO", "commandstats").decode().split("\r\n"):
            if line.startswith("cmdstat_evalsha:"):
                return int(line.split("calls=")[1].split(",")[0])
        return 0

    async def calls(self):
        async with Client(self.url, connections=1) as client:
            answer = await client.request("GET", "/metrics")
        return Metrics(answer.body.decode()).get("ticket_edge_redis_calls_total")

    async def run(self):
        users = [f"user-{number}" for number in range(self.count)]
        await self.admin(capacity=2, pass_ttl=3600)
        async with Client(self.url, connections=32) as client:
            await self.enter("first", client, 200)
            await self.enter("second", client, 200)
            for user in users[:1]:      # the others stay behind him
                await self.enter(user, client, 202)
            await client.run(self.enter(user, client, 202) for user in users[1:])
        # what the first ones take of a worker is no client's
        for user in users[:20]:
            await self.listen(user)
        for stream in self.streams.values():
            stream.close()
        self.streams.clear()
        self.positions.clear()
        await asyncio.sleep(2 * TICK)

        before = resident(self.pids)
        for start in range(0, self.count, 100):
            await asyncio.gather(*(self.listen(user) for user in users[start:start + 100]))
        await self.until(lambda: len(self.positions) == self.count, "all have their position")
        await asyncio.sleep(3 * TICK)
        result = {"clients": self.count, "bytes": (resident(self.pids) - before) / self.count}

        scripts, calls, since = self.scripts(), await self.calls(), time.monotonic()
        await asyncio.sleep(SECONDS)
        took = time.monotonic() - since
        result["scripts"] = (self.scripts() - scripts) / took
        result["calls"] = (await self.calls() - calls) / took

        result["moved"] = await self.move(users)
        result["cpu"] = await self.newcomers()
        result["passed"], result["missing"] = await self.admit(users)
        # another one's calls are not to be counted with the next one's
        async with Client(self.url, connections=1) as client:
            await client.ask("DELETE", f"/admin/queues/{self.room}")
        return result

    async def move(self, users):
        """One is let in; all others are one place ahead."""
        expected = {user: position - 1 for user, (position, _) in self.positions.items() if position > 1}
        since = time.monotonic()
        await self.admin(capacity=3)
        await self.until(lambda: all(self.positions[user][0] <= place for user, place in expected.items()),
                         "all have moved up")
        return (max(self.positions[user][1] for user in expected) - since) / TICK

    async def newcomers(self):
        """The line grows in each tick, of which everybody is told."""
        used, since = cpu(self.pids), time.monotonic()
        async with Client(self.url, connections=1, rate=2) as client:
            for number in range(2 * SECONDS):
                await self.enter(f"late-{number}", client, 202)
        return (cpu(self.pids) - used) / (time.monotonic() - since)

    async def admit(self, users):
        """There is room for everybody."""
        already = set(self.passed)
        since = time.monotonic()
        await self.admin(capacity=self.count + 1000)
        waiting = set(users) - already
        end = time.monotonic() + 60
        while waiting - set(self.passed) and time.monotonic() < end:
            await asyncio.sleep(0.02)
        missing = len(waiting - set(self.passed))
        last = max(at for user, at in self.passed.items() if user in waiting)
        return (last - since) / TICK, missing


def main():
    url, redis_port, room, count = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if 0 < hard < count + 100:
        sys.exit(f"error: {count} connections, but only {hard} files may be open (ulimit -Hn)")
    bench = Bench(url, redis_port, room, count, [int(pid) for pid in sys.argv[5:]])
    print(json.dumps(asyncio.run(bench.run())))


main()
