"""What the tests share in which Redis forgets in the middle of a sale: how long a ticket stays closed, and
what became of every 201.

A 201 ends in one of these ways: its row is there; it was cancelled; its event came late, when the ticket
had been rebuilt without it, and was then rejected where the buyer sees it (GET booking answers 410, or
names the other booking he has made since) or void, because he had cancelled it. Anything else is a lost sale.
"""

import asyncio
import collections
import time

from client import Ledger
from stack import books_agree, diag, is_, key_of, ok, quote

FATES = ("held", "cancelled", "late, rejected", "late, void", "lost")


class Memory(Ledger):
    """A ledger that keeps every booking_id a user was told, not only what he was told last."""

    def __init__(self):
        super().__init__()
        self.sold = []          # every 201: (ticket, user, booking_id)
        self.told = {}          # (ticket, user) -> every booking_id in an answer to him
        self.back = set()       # booking_ids that a cancel was answered with
        self.missed = {}        # (ticket, user) -> how often he asked, who cancelled what he had: not_booked
        self.safe = None        # without Kafka: of so many in `sold` nothing may be lost

    def booked(self, ticket, user, answer):
        super().booked(ticket, user, answer)
        if "booking_id" in answer.json:
            self.told.setdefault((ticket, user), set()).add(answer.json["booking_id"])
        if answer.status == 201:
            self.sold.append((ticket, user, answer.json["booking_id"]))

    def cancelled(self, ticket, user, answer):
        strange = len(self.strange)
        super().cancelled(ticket, user, answer)
        if answer.status == 200:
            self.back.add(answer.json["booking_id"])
        elif answer.code == "not_booked" and len(self.strange) > strange:
            # an earlier try did it and its answer died with Redis, or the booking is late: the fates tell
            self.strange.pop()
            self.missed[ticket, user] = answer.tries


def late_events(stack, tickets):
    """event_id -> outcome, of what was confirmed before its ticket was rebuilt without it."""
    names = ",".join(f"'{ticket}'" for ticket in tickets)
    return {event: outcome for event, outcome in stack.sql(
        f"SELECT event_id, COALESCE(outcome, 'pending') FROM late_events WHERE ticket_name IN ({names})")}


def buyers(stack, ticket):
    """user (bytes) -> (quantity, booking_id), from Redis."""
    redis = stack.redis()
    flat = redis("HGETALL", key_of(ticket, "buyers"))
    redis.close()
    return {user: (int(value.split()[0]), value.split()[2].decode()) for user, value in zip(flat[::2], flat[1::2])}


async def rejected_visibly(stack, ticket, user, booking):
    """What the buyer of a rejected booking sees when he looks."""
    async with stack.client(connections=1) as client:
        answer = await client.request("GET", f"/tickets/{quote(ticket)}/booking", user)
    return answer.json.get("booking_id") == booking if answer.status == 410 else answer.status == 200


async def fates(stack, tickets, ledger):
    """Waits until nothing late is pending; then (the fate of each 201, late events): {booking_id: fate}, {id: outcome}."""
    await stack.until(lambda: "pending" not in late_events(stack, tickets).values(), "late events are settled", 60)
    await stack.stored(*tickets)
    late, rows = late_events(stack, tickets), {ticket: stack.rows(ticket) for ticket in tickets}
    found = {}
    for ticket, user, booking in ledger.sold:
        outcome = late.get(booking)
        if rows[ticket].get(user.encode(), (0, None))[1] == booking:
            fate = "held"
        elif booking in ledger.back or ledger.missed.get((ticket, user), 0) > 1:
            fate = "cancelled"
        elif outcome == "rejected" and await rejected_visibly(stack, ticket, user, booking):
            fate = "late, rejected"
        elif outcome == "void" and (ticket, user) in ledger.missed:
            fate = "late, void"
        else:
            fate = "lost"
        found[booking] = fate
    return found, late


async def accounted(stack, tickets, ledger, name):
    """Every 201 has a fate, none is lost; Redis and MySQL agree, buyer by buyer; nobody has what he was not
    told of. (fate -> how many, the late events)."""
    fate, late = await fates(stack, tickets, ledger)
    count = collections.Counter(fate.values())
    diag(f"{name}: {len(fate)} times 201: " + ", ".join(f"{count[one]} {one}" for one in FATES)
         + f"; {len(late)} late events {dict(collections.Counter(late.values()))}")
    is_(len(fate), len(ledger.sold), f"{name}: no booking was sold twice")
    lost = {booking for booking, one in fate.items() if one == "lost"}
    if ledger.safe is None:
        is_(sorted(lost)[:3], [], f"{name}: every 201 is held, was cancelled, or is late and settled")
    else:
        diag(f"{name}: LOST, as there is no Kafka: {len(lost)} of {len(fate)} sales")
        ok(lost <= {booking for _, _, booking in ledger.sold[ledger.safe:]},
           f"{name}: only what was not stored when Redis forgot it is lost")
    for ticket in tickets:
        rows, held = stack.rows(ticket), buyers(stack, ticket)
        is_(held, rows, f"{name}: {ticket}: the buyers in Redis are the rows in MySQL ({len(rows)})")
        capacity, remaining, sold = stack.stock(ticket)
        ok(remaining >= 0 and remaining + sold == capacity, f"{name}: {ticket}: remaining + held = capacity "
           f"({remaining} + {sold} = {capacity})")
        # a cancel is lost as a sale is
        unknown = [(user, booking) for user, (_, booking) in rows.items()
                   if booking in ledger.back and ledger.safe is None
                   or booking not in ledger.told.get((ticket, user.decode()), ()) and booking not in late]
        is_(unknown[:3], [], f"{name}: {ticket}: nobody has what he was not told of, or has cancelled")
        without = [user for user in ledger.owners(ticket) - {user.decode() for user in rows}
                   if not any(late.get(booking) == "rejected" or booking in lost
                              for booking in ledger.told[ticket, user])]
        is_(without[:3], [], f"{name}: {ticket}: who was last told that he has one has it")
    return count, late


# ---------------------------------------------------------------- closed and open

def epochs(stack, tickets):
    """{ticket: epoch} of those that are open in this Redis, 0 for the others; raises when it is away."""
    redis = stack.redis()
    info, *replies = redis.pipeline([("INFO", "replication")] + [("HMGET", key_of(t), "history", "epoch") for t in tickets])
    redis.close()
    return {ticket: int(epoch) if history and history in info else 0 for ticket, (history, epoch) in zip(tickets, replies)}


async def reopened(stack, tickets, before, deadline=120):
    """Waits until all are open in a later epoch than `before`."""
    def check():
        try:
            now = epochs(stack, tickets)
        except OSError:
            return False
        return all(now[ticket] > before[ticket] for ticket in tickets)
    await stack.until(check, f"{tickets} are open again", deadline, every=0.05)


class Closed:
    """`async with Closed(sale, what)`: the tickets of a sale close in here and open by themselves; prints how
    long. `forgets`: without Kafka what is sold in here may be lost."""

    def __init__(self, sale, what, forgets=True):
        self.sale, self.what, self.forgets = sale, what, forgets

    async def __aenter__(self):
        sale = self.sale
        if self.forgets and sale.stack.env["KAFKA"] == "no" and sale.ledger.safe is None:
            safe, events = len(sale.ledger.sold), await asyncio.to_thread(sale.events)
            await sale.stack.until(lambda: sale.applied() >= events, "what was sold up to now is stored", 60)
            sale.ledger.safe = safe
        self.before = epochs(self.sale.stack, self.sale.tickets)
        self.refused = self.sale.client.total(503, "recovering")
        self.sold = len(self.sale.ledger.sold)
        self.began, self.there = time.monotonic(), None
        return self

    def reachable(self):
        """Says when there was a Redis again; without it, at the end of the block."""
        self.there = time.monotonic()

    async def __aexit__(self, kind, *_):
        if kind is not None:
            return
        sale, there = self.sale, self.there or time.monotonic()
        await reopened(sale.stack, sale.tickets, self.before)
        now = time.monotonic()
        diag(f"{self.what}: open again {now - self.began:.1f} s after it, {now - there:.1f} s after Redis could be "
             f"reached, with {len(sale.ledger.sold)} sold")
        refused = sale.client.total(503, "recovering") - self.refused
        ok(refused > 0, f"{self.what}: felt: the tickets were closed, {refused} requests answered 503 recovering")
        # and it sells: not only until it was broken
        sold = len(sale.ledger.sold)
        await sale.stack.until(lambda: len(sale.ledger.sold) > sold + 100, "it sells again", 60)
        ok(True, f"{self.what}: the tickets opened by themselves, and it sells")
