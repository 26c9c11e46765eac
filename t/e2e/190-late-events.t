#!/usr/bin/env python3
"""Events that sat in the Kafka queue of a stopped worker while Redis forgot the sales they tell of.

Kafka does not answer and the persister is away, so what is sold is in Redis and in the workers' queues only.
Then two workers are stopped, Redis loses everything, Kafka and the persister come back, and the ticket is
rebuilt without those events. When the workers go on, first the one with the cancels, each event has to be
settled, once, against what was sold meanwhile: booked, rejected where the buyer sees it, or void.
"""

import asyncio
import contextlib
import os
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from faults import moved
from recovery import Memory, accounted, epochs, late_events, reopened
from stack import diag, is_, main, ok, quote

CAPACITY, LEFT = 160, 18        # of the ticket; seats that are free when the workers go on
EARLY, PLUG, STAY, AGAIN, BACK, TURNED = 20, 30, 10, 6, 10, 4


def users(kind, count):
    return [f"{kind}-{n}" for n in range(count)]


class Door:
    """One connection, and so one worker."""

    def __init__(self, stack, ticket, ledger):
        self.client, self.ticket, self.ledger = stack.client(connections=1), ticket, ledger
        self.path = f"/tickets/{quote(ticket)}/booking"

    async def worker(self):
        return int((await self.client.request("GET", "/health")).header("X-Worker"))

    async def book(self, users, pause=0.0):
        """The booking_ids."""
        booked = []
        for user in users:
            answer = await self.client.request("POST", self.path, user)
            self.ledger.booked(self.ticket, user, answer)
            booked.append(answer.json.get("booking_id"))
            await asyncio.sleep(pause)
        return booked

    async def cancel(self, users):
        for user in users:
            self.ledger.cancelled(self.ticket, user, await self.client.request("DELETE", self.path, user))


@contextlib.contextmanager
def stopped(pid):
    """Really stopped: until it is, it may still be who is woken for a new connection."""
    try:
        os.kill(pid, signal.SIGSTOP)
        while state(pid) != "T":
            time.sleep(0.002)
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def state(pid):
    with open(f"/proc/{pid}/stat", encoding="latin-1") as file:
        return file.read().rsplit(")", 1)[1].split()[0]


async def doors(stack, ticket, ledger):
    """{pid: a door to this worker}"""
    found = {}
    with contextlib.ExitStack() as others:
        # who is stopped accepts nobody: the next one has to
        for _ in stack.nginx_workers():
            door = Door(stack, ticket, ledger)
            pid = await door.worker()
            found[pid] = door
            others.enter_context(stopped(pid))
    return found


def cancels(stack, ticket):
    """Outcomes of the late cancels."""
    return [outcome for outcome, in stack.sql(
        f"SELECT COALESCE(outcome, 'pending') FROM late_events WHERE ticket_name = '{ticket}' "
        "AND event LIKE '%\"ticket.cancelled\"%'")]


def void(stack):
    return {booking for booking, in stack.sql("SELECT booking_id FROM void_bookings")}


async def forget(stack, ticket, *back):
    """Redis loses everything; what is in `back` goes on then; back when the ticket is open again."""
    before = epochs(stack, [ticket])
    redis = stack.redis()
    redis("FLUSHALL")
    redis.close()
    for server in back:
        await stack.actl("resume", server)
    await reopened(stack, [ticket], before)


async def sale(stack):
    ticket, ledger = stack.name("late"), Memory()
    await stack.create(ticket, CAPACITY, lanes=2)
    found = await doors(stack, ticket, ledger)
    is_(len(found), 3, "a connection to each of three workers")
    (one, first), (two, second), (_, third) = found.items()
    await third.book(users("early", EARLY))
    await stack.stored(ticket)
    before = await stack.persister_metrics()

    with contextlib.ExitStack() as behind:
        async with stack.paused("kafka"), stack.paused("persister"):
            # what is under way to Kafka gets there: at most five requests, behind which the others wait
            await first.book(users("plug", PLUG), pause=0.03)
            await second.book(users("plug-2", PLUG), pause=0.03)
            late = await first.book(users("stay", STAY))
            again = await first.book(users("again", AGAIN))
            back = await first.book(users("back", BACK))
            await second.cancel(users("back", BACK) + users("early", TURNED))
            booking = behind.enter_context(contextlib.ExitStack())
            booking.enter_context(stopped(one))
            cancelling = behind.enter_context(contextlib.ExitStack())
            cancelling.enter_context(stopped(two))
            await forget(stack, ticket, "kafka", "persister")
        drained = {booking_id for _, booking_id in stack.rows(ticket).values()}
        told = [booking_id for _, _, booking_id in ledger.sold]
        waiting = set(told) - drained
        diag(f"of {len(told)} bookings {len(waiting)} wait in the workers")
        ok(set(late + again + back) <= waiting, "felt: the ticket was rebuilt without what waits in the workers")

        # meanwhile: some of them book again, one who had cancelled, too, and others take what there is
        await third.book(users("again", AGAIN) + ["back-0"])
        await third.cancel(["early-10"])
        _, remaining, _ = stack.stock(ticket)
        await third.book(users("other", remaining - LEFT))
        await stack.stored(ticket)

        cancelling.close()
        await stack.until(lambda: len(cancels(stack, ticket)) == BACK + TURNED
                          and "pending" not in cancels(stack, ticket), "the late cancels are settled", 60)
        is_(set(cancels(stack, ticket)), {"cancelled"}, "late cancels are cancels")
        ok(not set(back) & set(late_events(stack, [ticket])), "felt: some come before their bookings")
        ok(set(back) <= void(stack), "which are void")
        booking.close()
    await stack.until(lambda: waiting <= set(late_events(stack, [ticket])), "the other worker's events have come", 60)
    _, outcome = await accounted(stack, [ticket], ledger, "late")

    is_({outcome[one] for one in back}, {"void"}, "a booking that comes after its cancel is void")
    is_({outcome[one] for one in again}, {"rejected"}, "who has booked again meanwhile keeps that one: nobody has two")
    count = {how: sum(outcome[one] == how for one in waiting) for how in ("booked", "rejected", "void")}
    diag(f"late bookings: {count}")
    is_((count["booked"], count["rejected"] > AGAIN), (LEFT + TURNED, True),
        "the others are booked while there is room, then rejected")
    is_(stack.stock(ticket)[1], 0, "which leaves none")
    is_(ledger.strange[:3], [], "no answer but those of booking and cancelling")
    after = await stack.persister_metrics()
    is_(moved(before, after, "ticket_persister_taken_over_total"), len(outcome), "each was settled once")

    await forget(stack, ticket)
    _, now = await accounted(stack, [ticket], ledger, "forgotten once more")
    is_(now, outcome, "forgotten once more: every outcome stands")


async def test(stack):
    async with stack.nginx_conf((r"^worker_processes .*$", "worker_processes 3;"),
                                (r"^( *)ticket_user .*$", r"\g<0>\n\1add_header X-Worker $pid always;")):
        await sale(stack)


main(test, kafka=True)
