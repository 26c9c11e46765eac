"""A sale under load while something is broken, and what has to be true afterwards.

Three tickets at once: one nobody can empty, one with four lanes, and one that sells out, so that
refusals and returned stock are part of it. A third of the users cancel, half of those book again.
"""

import asyncio
import time

from client import Ledger, Unsettled
from stack import books_agree, diag, is_, ok, quote

RATE = 1500             # a second, aimed at; the issue asks for 1,000


class Sale:
    def __init__(self, stack, what, ledger=None):
        self.stack, self.what = stack, what
        self.tickets = [stack.name(f"{what}-{kind}") for kind in ("plenty", "lanes", "scarce")]
        self.plenty, self.lanes, self.scarce = self.tickets
        self.ledger = ledger or Ledger()
        self.client = None

    async def create(self, scarce=500):
        await self.stack.create(self.plenty, 10 ** 6)
        await self.stack.create(self.lanes, 10 ** 6, lanes=4)
        await self.stack.create(self.scarce, scarce)

    def events(self):
        """How many Redis has decided."""
        return sum(seq for ticket in self.tickets for _, seq in self.stack.lanes(ticket).values())

    def applied(self):
        """How many of them MySQL has."""
        names = ",".join(f"'{ticket}'" for ticket in self.tickets)
        rows = self.stack.sql(f"SELECT SUM(applied_seq) FROM lane_progress WHERE ticket_name IN ({names})")
        return int(rows[0][0])

    def _ticket(self, number):
        return self.scarce if number % 10 == 9 else self.lanes if number % 10 >= 6 else self.plenty

    async def _story(self, number):
        """One user: each of his requests is repeated with its key until it is settled."""
        ticket, user = self._ticket(number), f"user-{number}"
        path, ledger, ask = f"/tickets/{quote(ticket)}/booking", self.ledger, self.client.ask
        deadline = time.monotonic() + 90
        try:
            ledger.booked(ticket, user, await ask("POST", path, user, f"{user}-1", deadline=deadline))
            if number % 3 == 0:
                ledger.cancelled(ticket, user, await ask("DELETE", path, user, f"{user}-2", deadline=deadline))
            if number % 6 == 0:
                ledger.booked(ticket, user, await ask("POST", path, user, f"{user}-3", deadline=deadline))
        except Unsettled as unsettled:
            ledger.unsettled.append((user, str(unsettled)))

    def _stories(self, stop):
        number = 0
        while not stop.is_set():
            yield self._story(number)
            number += 1

    async def run(self, fault, rate=RATE, connections=100, **options):
        """Users come until the coroutine `fault(sale)` has ended and one second more, then the last settle."""
        stop = asyncio.Event()

        async def whole():
            try:
                await asyncio.sleep(1)
                await fault(self)
                await asyncio.sleep(1)
            finally:
                stop.set()

        async with self.stack.client(connections=connections, rate=rate, **options) as self.client:
            breaking = asyncio.create_task(whole())
            try:
                await self.client.run(self._stories(stop))
            finally:
                breaking.cancel() if not stop.is_set() else None
                await asyncio.gather(breaking, return_exceptions=True)
            if breaking.done() and not breaking.cancelled() and breaking.exception():
                raise breaking.exception()
        diag(self.client.summary())
        if (rate or RATE) >= 1000 > self.client.achieved:
            diag(f"LOAD: this machine gave {self.client.achieved:.0f} requests/s; 1,000 are asked for")

    def unnoticed(self):
        """Selling does not wait for what was broken. One in a hundred is a busy machine's own."""
        client = self.client
        felt = client.total(503) + client.total(504) + client.cuts
        ok(felt <= client.answers / 100, f"buyers did not notice: {felt} of {client.answers} had to ask again")

    async def agrees(self, deadline=120):
        """Everything is settled and stored, and Redis, MySQL and the users say the same."""
        if not is_(len(self.ledger.unsettled), 0, "every request was settled in the end"):
            diag(self.ledger.unsettled[:3])
        if not is_(len(self.ledger.strange), 0, "no user got an answer that is none of booking's or cancelling's"):
            diag(self.ledger.strange[:3])
        ok(self.ledger.created, f"there were sales: {len(self.ledger.created)} users hold a 201")
        begun = time.monotonic()
        await self.stack.stored(*self.tickets, deadline=deadline)
        diag(f"stored {time.monotonic() - begun:.1f} s after the last answer")
        for ticket, name in zip(self.tickets, ("plenty", "four lanes", "scarce")):
            books_agree(self.stack, ticket, self.ledger, name)


def unharmed(sale, name):
    client = sale.client
    is_((client.cuts, client.refused), (0, 0), f"{name}: no connection was cut or refused")
    # a new worker's requests wait for its first connection to Redis; on a machine so busy that this attempt
    # fails they are told so, and asked again it serves
    diag(f"{name}: 503 unavailable {client.total(503, 'unavailable')} of {client.answers}")
    failed = {key: n for key, n in client.counts.items() if key[0] >= 500 and key[1] != "unavailable"}
    is_(failed, {}, f"{name}: no request failed")


def moved(before, after, name, **labels):
    """How much a counter moved between two scrapes; what was not there yet counts as 0."""
    def of(metrics):
        try:
            return metrics.get(name, **labels)
        except KeyError:
            return 0
    return of(after) - of(before)
