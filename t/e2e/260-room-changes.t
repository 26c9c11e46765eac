#!/usr/bin/env python3
"""Who runs the sale turns it at one edge, and every edge acts on it within a tick; the log says who it was.

Capacity and rate are Redis' to keep, but what people are told is each edge's own picture, which it makes
once a tick. So the ticks of the other edge are counted, in Redis' own order, from the change until that edge
says it: its first picture after the change must have it. No time is asserted.
"""

import asyncio
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from edges import Edge, Monitor, counters, ports_of
from events import Events
from stack import diag, is_, main, ok

# the first picture after the change, and one that was on its way when it came
PICTURES = 2
LOCATIONS = """
    location ~ ^/queues/(?<q>[^/]+)/events$ { ticket queue_events; ticket_queue $q; }
    location ~ ^/admin/queues/(?<q>[^/]+)$  { ticket queue_admin; ticket_queue $q; }
"""


class Office:
    """The room's, at the edge of the stack; `other` is the other edge."""

    def __init__(self, stack, room, other, monitor):
        self.stack, self.room, self.other, self.monitor = stack, room, other, monitor
        self.here, self.there = stack.client(connections=4), other.client(connections=4)
        (worker,) = stack.children(other.pid)
        self.ports = ports_of(worker)

    async def change(self, who="boss", at=None, **values):
        """Made, and logged; the place of the change in Redis' order. Values in the order README has them."""
        answer = await (at or self.here).ask("PATCH", f"/admin/queues/{self.room}", who, body=values)
        is_((answer.status, answer.json["changed_by"]), (200, f"{who} 127.0.0.1"), f"{values}: done, by {who}")
        log = os.path.join(self.other.dir, "error.log") if at is self.there else os.path.join(
            self.stack.run_dir, "log", "nginx.log")
        said = " ".join(f"{name}={'none' if value is None else value}" for name, value in values.items())
        line = f'ticket queue: "{self.room}" was changed by {who} 127.0.0.1: {said}'

        def logged():
            with open(log, encoding="utf-8", errors="replace") as file:
                return any("[notice]" in one and one.rstrip().endswith(line) for one in file)
        await self.stack.until(logged, f"{log} has '{line}'", 10)
        ok(True, f"... and logged: {line}")
        # what it was given is read by a thread of its own
        await self.stack.until(lambda: self.defined() > self.seen, "Redis was asked", 10)
        self.seen = self.defined()
        return self.seen

    seen = -1

    def defined(self):
        return max((i for i, event in enumerate(self.monitor.events) if event[0] == "queue_define"), default=-1)

    def pictures(self, since):
        """How many the other edge has asked for since."""
        return sum(kind == "queue_advance" and port in self.ports for kind, port, *_ in self.monitor.events[since:])

    def admitted(self, since):
        """[(after how many ticks of the other edge, how many)]; `first` was there before anybody looked."""
        before = max((event[2] for event in self.monitor.events[:since] if event[0] == "issued"), default=1)
        found = []
        for i, (kind, _, value, _) in enumerate(self.monitor.events[since:], since):
            if kind == "issued" and value > before:
                found.append((sum(event[0] == "queue_advance" and event[1] in self.ports
                                  for event in self.monitor.events[since:i]), value - before))
                before = value
        return found

    async def told(self, since, what, true, user="ann"):
        """Asks the other edge until it says so: how many pictures it had made when it was asked last in vain."""
        async def asked():
            made = self.pictures(since)
            if true(await self.there.ask("GET", f"/queues/{self.room}", user)):
                return True
            asked.made = made
            return False
        asked.made = 0
        await self.stack.until(asked, what, 60, every=0.02)
        ok(asked.made < PICTURES, f"... and the other edge says so by its picture {asked.made + 1}: {what}")


async def test(stack):
    room, other, redis = stack.name("changes"), Edge(stack, "other", LOCATIONS, workers=1), stack.redis()
    path = f"/queues/{room}"
    async with stack.client(connections=1) as client:
        answer = await client.ask("PUT", f"/admin/queues/{room}", "boss", body={"capacity": 1, "pass_ttl": 3600})
        is_(answer.status, 201, "a room for one")
        is_((await client.ask("POST", path, "first")).status, 200, "who has it")
    async with other.running():
        with Monitor(stack, room) as monitor:
            office = Office(stack, room, other, monitor)
            for number in range(60):
                answer = await office.there.ask("POST", path, f"user-{number}")
            last = await office.there.ask("POST", path, "ann")
            is_((last.status, last.json["position"], last.json["room"]), (202, 61, "open"), "60 wait, and ann")
            # its worker asks for pictures of the room by this connection
            await stack.until(lambda: office.pictures(0) > 1, "the other edge ticks", 30)
            stream = await Events.open(other.url, path + "/events", "ann")
            await stream.next("position")

            since = await office.change(state="paused")
            await office.told(since, "paused", lambda answer: answer.json.get("room") == "paused")
            await stream.next("position", where=lambda data: data["room"] == "paused")
            ok(True, "... and so does a stream")

            since = await office.change(capacity=11)
            await stack.until(lambda: office.pictures(since) >= 3, "three pictures later", 60)
            is_(office.admitted(since), [], "a larger room lets nobody in while it pauses")

            since = await office.change(state="open", who="deputy", at=office.there)
            await stack.until(lambda: counters(redis, room)["live"] == 11, "ten are let in", 60)
            await office.told(since, "ten fewer wait", lambda answer: answer.json["position"] == 51)
            is_([(tick < PICTURES, count) for tick, count in office.admitted(since)], [(True, 10)],
                "opened at the other edge: the first tick of any edge lets in ten")

            since = await office.change(capacity=1000, rate=3)
            await stack.until(lambda: office.pictures(since) >= 4, "four pictures later", 60)
            # by Redis' own clock, which the script asks, too
            events = [event for event in monitor.events[since:] if event[0] in ("queue_define", "queue_advance")]
            seconds, count = events[-1][3] - events[0][3], sum(count for _, count in office.admitted(since))
            ok(0 < count <= 3 + 3 * seconds + 1, f"a rate of 3: {count} in {seconds:.1f} s of Redis, of 1000 there is room for")
            is_(office.admitted(since)[0][0] < PICTURES, True, "... from the next tick on")

            since = await office.change(rate=None, state="draining")
            new = await office.there.ask("POST", path, "late")
            is_((new.status, new.code), (403, "queue_closed"), "draining: nobody new at the other edge")
            await stream.next("pass", timeout=60)
            ok(True, "... and who waited gets his pass, by the stream")
            await stack.until(lambda: counters(redis, room)["waiting"] == 0, "the line is empty", 60)
            ok(office.admitted(since)[0][0] < PICTURES, "... within a tick")

            await office.change(capacity=1, state="paused")
            await office.change(state="open")
            is_((await office.there.ask("POST", path, "bob")).status, 202, "bob waits")
            stream = await Events.open(other.url, path + "/events", "bob")
            await stream.next("position")
            since = await office.change(state="closed")
            closed = await stream.next("closed", timeout=60)
            ok(office.pictures(since) <= PICTURES, "closed: his stream ends by the next picture")
            is_(closed.data["code"], "queue_closed", "... and says why")
            await stream.ended()
            for method in ("GET", "POST"):
                answer = await office.there.ask(method, path, "bob")
                is_((answer.status, answer.code), (403, "queue_closed"), f"... and so does {method}")
            is_((await office.there.ask("POST", path, "ann")).status, 200, "who has a pass may use it")
            await office.here.ask("DELETE", f"/admin/queues/{room}", "boss")
            is_((await office.there.ask("POST", path, "ann")).code, "unknown_queue", "deleted: gone at the other edge, too")
            diag(f"{office.pictures(0)} pictures of the other edge, {len(monitor.events)} looked at")
        is_(other.complaints()[:3], [], "nothing bad in its log")
    redis.close()


main(test)
