#!/usr/bin/env python3
"""A sale behind a waiting room, as it is meant to be used, with everything going wrong that can.

2,000 users wait for 500 tickets; 50 are let in at a time. Some show passes that are forged, another's, over or
given back. Meanwhile workers are killed, nginx is reloaded, Redis is restarted, and once loses all it knew. What
finance asks afterwards: was anything sold without a pass, sold twice, or lost; did anybody lose his place?
"""

import asyncio
import collections
import os
import random
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from edges import counters, room_keys, sampled
from events import waiting_rooms
from recovery import Closed, Memory, accounted
from stack import RedisError, diag, is_, main, ok, quote

USERS, TICKETS, CAPACITY, RATE, TTL, PATIENCE = 2000, 500, 50, 100, 5, 2.0
DEFINITION = ("capacity", "rate", "pass_ttl", "state", "tickets", "max_lag", "origin", "changed_by",
              "changed_at")
LOCAL = {"pass_invalid", "pass_foreign", "pass_required"}


def changed(text, at):
    return text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1:]


def forgeries(shown):
    """Passes that nobody signed: another signature, a later end, another key's."""
    key, expires, *rest = shown.split(".")
    return (changed(shown, len(shown) - 5), ".".join([key, str(int(expires) + 60000), *rest]),
            ".".join(["k2", expires, *rest]), shown[:-1], key)


def over(shown):
    return int(shown.split(".")[1]) <= time.time() * 1000


class Buyers:
    """All who want a ticket. Each asks as he is told to, and again where he is told that he may."""

    def __init__(self, stack, ticket):
        self.stack, self.ticket, self.tickets = stack, ticket, [ticket]
        self.queue, self.path = f"/queues/{quote(ticket)}", f"/sale/{quote(ticket)}/booking"
        self.ledger, self.client = Memory(), None
        self.gone = asyncio.Event()         # nothing is left
        self.life = 0                       # how often Redis has forgotten
        self.number, self.place = {}, {}    # of those who wait; the last signed place of each
        self.passes = {}                    # the last pass of each
        self.strange, self.told = [], collections.Counter()
        self.kept, self.anew = set(), {}    # heard of their old place, or of another one, after Redis forgot

    async def ask(self, *args, **options):
        return await self.client.ask(*args, deadline=time.monotonic() + 90, **options)

    def forgets(self, number):
        return number % 40 == 7

    async def wait(self, number, user):
        """His pass and Redis' life it is of; None: nothing is left, so he has gone."""
        method = "POST"
        while True:
            life, headers = self.life, []
            if user in self.place and not self.forgets(number):
                headers.append(("Ticket-Place", self.place[user]) if number % 2 else
                               ("Cookie", f"ticket_place={self.place[user]}"))
            answer = await self.ask(method, self.queue, user, headers=headers)
            if answer.status == 200:
                self.passes[user] = answer.json["pass"]
                return answer.json["pass"], life
            if answer.code == "not_waiting" and method == "GET":
                # he missed his pass, or cannot show his place
                self.number.pop(user, None)
                method = "POST"
                continue
            if answer.status != 202:
                self.strange.append((user, answer))
                return None, life
            told = answer.json
            if self.number.setdefault(user, told["number"]) != told["number"]:
                self.strange.append((user, self.number[user], answer))
            if life:
                self.anew[user] = told["number"]
            self.place[user], method = told["place"], "GET"
            if self.gone.is_set() and told["unlikely"]:
                await self.ask("DELETE", self.queue, user)
                return None, life
            await asyncio.sleep(min(told["poll_after_ms"] / 1000, PATIENCE))

    async def book(self, number, user, key, shown):
        if number % 3 == 0:
            return await self.ask("POST", self.path, user, key, headers=[("Ticket-Pass", shown)])
        if number % 3 == 1:
            return await self.ask("POST", self.path, user, key, headers=[("Cookie", f"ticket_pass={shown}")])
        return await self.ask("POST", self.path, user, key, body={"pass": shown})

    async def refused(self, number, user, what, code, shown):
        """Must be, by its code. One that only Redis can tell may have expired until it said so."""
        for attempt, one in enumerate(shown):
            answer = await self.book(number, user, f"{user}-{what.replace(' ', '-')}-{attempt}", one)
            if answer.status != 403 or answer.code != code and (
                    code in LOCAL or answer.code != "pass_expired" or not over(one)):
                self.strange.append((user, what, answer))
            self.told[what, answer.code] += 1

    async def mischief(self, number, user, shown):
        """True: he is to wait once more."""
        kind = number % 40
        if kind == 0:
            await self.refused(number, user, "forged", "pass_invalid", forgeries(shown))
        elif kind == 1:
            others = [one for name, one in self.passes.items() if name != user][-3:]
            answer = await self.ask("POST", self.queue + "-other", user)
            await self.refused(number, user, "foreign", "pass_foreign", [*others, answer.json["pass"]])
        elif kind == 2:
            answer = await self.ask("POST", self.path, user)
            if (answer.status, answer.code) != (403, "pass_required"):
                self.strange.append((user, answer))
            self.told["without", answer.code] += 1
        elif kind == 3:
            while not over(shown):
                await asyncio.sleep(0.1)
            await self.refused(number, user, "expired", "pass_expired", [shown])
            return True
        elif kind == 4:
            await self.ask("DELETE", self.queue, user)
            await self.refused(number, user, "given back", "pass_used", [shown])
            return True
        return False

    async def cancels(self, number, user, shown):
        """His pass has bought something, and buys nothing else."""
        again = await self.book(number, user, f"{user}-again", shown)
        if again.code != "already_booked":
            self.strange.append((user, again))
        self.ledger.cancelled(self.ticket, user, await self.ask(
            "DELETE", f"/tickets/{quote(self.ticket)}/booking", user, f"{user}-cancel"))
        await self.refused(number, user, "used", "pass_used", [shown])

    async def story(self, number):
        user, ledger = f"user-{number}", self.ledger
        await asyncio.sleep(random.uniform(0, 1))
        stint = 0
        while True:
            shown, life = await self.wait(number, user)
            if not shown:
                return
            # whoever had a pass waits as anybody else; only after a loss may he have his place back
            self.number.pop(user, None)
            stint += 1
            if number % 40 == 6:
                self.told["vanished", ""] += 1
                return
            if stint == 1 and await self.mischief(number, user, shown):
                continue
            answer = await self.book(number, user, f"{user}-{stint}", shown)
            self.told["books", answer.code] += 1
            if answer.status == 201 or answer.replayed or answer.code == "already_booked":
                ledger.booked(self.ticket, user, answer)
                if number % 20 == 5 and answer.status == 201 and len(ledger.sold) < 200:
                    await self.cancels(number, user, shown)
                return
            if answer.code == "pass_expired" and over(shown) or answer.code == "pass_used" and life < self.life:
                continue
            if answer.code != "sold_out":
                self.strange.append((user, answer))

    async def watch(self):
        while not self.gone.is_set():
            answer = await self.ask("GET", f"/tickets/{quote(self.ticket)}")
            if answer.json["remaining"] == 0:
                self.gone.set()
            await asyncio.sleep(0.3)


class Faults:
    def __init__(self, stack, buyers):
        self.stack, self.buyers = stack, buyers
        self.R, self.Q, self.Z = room_keys(buyers.ticket)

    async def sold(self, count):
        await self.stack.until(lambda: len(self.buyers.ledger.sold) >= count, f"{count} are sold", 90, every=0.02)

    async def entered(self):
        return len(self.buyers.place.keys() | self.buyers.passes.keys()) > USERS * 0.9

    def kill_worker(self):
        os.kill(random.choice(self.stack.nginx_workers()), signal.SIGKILL)

    def room(self, *more):
        """(definition, {user: place in line}, {user: end of his pass}) at one instant; then `more`, in the same."""
        redis = self.stack.redis()
        replies = redis.pipeline([("MULTI",), ("HMGET", self.R, *DEFINITION), ("ZRANGE", self.Q, 0, -1, "WITHSCORES"),
                                  ("ZRANGE", self.Z, 0, -1, "WITHSCORES"), *more, ("EXEC",)])[-1]
        redis.close()
        return (replies[0], *({user.decode(): int(float(score)) for user, score in zip(one[::2], one[1::2])}
                              for one in replies[1:3]))

    async def restarted(self):
        """Redis stops in order and starts again with what it had."""
        stack, buyers = self.stack, self.buyers
        async with Closed(buyers, "restarted", forgets=False):
            redis = stack.redis()
            redis("CLIENT", "PAUSE", 60000, "WRITE")
            before, line, passes = await asyncio.to_thread(self.room)
            redis.close()
            await stack.actl("restart", "redis")
            after, queue, live = await asyncio.to_thread(self.room)
        now = time.time() * 1000
        is_(after, before, "restarted: the room is as it was")
        ok(len(line) > USERS / 3, f"restarted: felt: {len(line)} were waiting")
        lost = [user for user, number in line.items()
                if queue.get(user) != number and user not in live and user not in buyers.passes]
        is_(lost, [], "restarted: all who waited have their places")
        lost = [user for user, end in passes.items() if end > now and live.get(user) != end and
                (buyers.ticket, user) not in buyers.ledger.last]
        is_(lost, [], f"restarted: passes that are not over are as they were ({len(passes)})")

    async def forgotten(self):
        """Redis loses everything, while it runs."""
        stack, buyers = self.stack, self.buyers
        async with Closed(buyers, "FLUSHALL"):
            self.before, self.line, _ = await asyncio.to_thread(self.room, ("FLUSHALL",))
            buyers.life += 1
            # nobody has told anything of the new life yet, or he has told of it in this one
            buyers.anew.clear()
            await stack.until(lambda: self.room()[0][0], "the room is there again", 60)
            self.after = (await asyncio.to_thread(self.room))[0]

            async def back():
                return self.line.keys() <= buyers.anew.keys() | buyers.passes.keys()
            await stack.until(back, "all who waited have shown themselves again", 60)
            self.queue = (await asyncio.to_thread(self.room))[1]

    async def all(self):
        await self.stack.until(self.entered, "nearly all have come")
        for count, fault in ((50, self.kill_worker), (80, self.stack.reload_nginx), (120, self.restarted),
                             (240, self.forgotten), (360, self.kill_worker), (400, self.stack.reload_nginx)):
            await self.sold(count)
            done = fault()
            if done is not None:
                await done


async def test(stack):
    ticket = await stack.create(stack.name("guarded"), TICKETS)
    buyers, live = Buyers(stack, ticket), []
    faults = Faults(stack, buyers)

    def sample():
        try:
            redis = stack.redis()
            live.append(counters(redis, ticket)["live"])
            redis.close()
        except (OSError, RedisError):
            pass

    async with waiting_rooms(stack), stack.client(connections=150, timeout=30) as buyers.client:
        for name, room in ((ticket, {"capacity": CAPACITY, "rate": RATE, "pass_ttl": TTL, "tickets": [ticket]}),
                           (ticket + "-other", {"capacity": USERS})):
            answer = await buyers.ask("PUT", f"/admin/queues/{quote(name)}", body=room)
            if answer.status != 201:
                raise RuntimeError(f"PUT {name}: {answer!r}")
        began = time.monotonic()
        tasks = [asyncio.create_task(one) for one in (buyers.watch(), faults.all(), sampled(0.03, sample))]
        try:
            await asyncio.wait_for(asyncio.gather(*(buyers.story(number) for number in range(USERS)), *tasks[:2]), 240)
        finally:
            for task in tasks:
                task.cancel()
        diag(f"{time.monotonic() - began:.1f} s, {len(live)} samples; {buyers.client.summary()}", f"{dict(buyers.told)}")
        for name in (ticket, ticket + "-other"):
            await buyers.ask("DELETE", f"/admin/queues/{quote(name)}")

    is_(buyers.strange[:3], [], "every answer was one of those that are documented for it, and no place changed")
    is_(max(live), CAPACITY, f"the room was full, and never more than {CAPACITY} had a live pass")
    ok(len(set(line := [faults.line[user] for user in faults.line])) == len(line), "no two had the same place")

    # what was lost came back
    is_(faults.after, faults.before, "FLUSHALL: the room is made again as it was, by the persister")
    shown = {user: number for user, number in faults.line.items() if not buyers.forgets(int(user[5:]))}
    kept = [user for user, number in shown.items() if buyers.anew.get(user) == number]
    ok(len(kept) > USERS / 4, f"FLUSHALL: felt: {len(kept)} who waited have shown their places")
    is_([(user, number, buyers.anew[user]) for user, number in shown.items() if buyers.anew.get(user, number) != number][:3],
        [], "FLUSHALL: ... and have them")
    is_([user for user in faults.queue if user in shown], sorted((user for user in faults.queue if user in shown),
                                                                key=shown.get), "FLUSHALL: ... in the same order")
    late = [buyers.anew[user] for user in faults.line if buyers.forgets(int(user[5:])) and user in buyers.anew]
    ok(late and min(late) > max(faults.line.values()), f"FLUSHALL: who shows none is behind all of them ({len(late)})")

    # nothing was bought without
    for what, code in (("forged", "pass_invalid"), ("foreign", "pass_foreign"), ("without", "pass_required"),
                       ("expired", "pass_expired"), ("given back", "pass_used"), ("used", "pass_used")):
        ok(buyers.told[what, code] > 2, f"{what}: {buyers.told[what, code]} times 403 {code}")

    # the books
    fates, late = await accounted(stack, [ticket], buyers.ledger, "the sale")
    is_(buyers.ledger.strange[:3], [], "bookings were answered as bookings are")
    ok(buyers.told["books", "sold_out"] <= len(late), "nobody was let in for a ticket that was not there")
    (rows, users), = stack.sql("SELECT COUNT(*), COUNT(DISTINCT user_id) FROM purchases "
                               f"WHERE ticket_name = '{ticket}'")
    is_((int(rows), int(users)), (TICKETS, TICKETS), "sold out: as many rows in MySQL, each of another user")
    is_(fates["held"], TICKETS, "... and each was answered 201, once")


main(test, kafka=True)
