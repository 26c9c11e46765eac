#!/usr/bin/env python3
"""There are two roads to MySQL, and each of them alone is enough.

Kafka is the fast one, the outbox the one that has everything. If one of them silently did nothing the
other would cover for it, and no test that only looks at rows could tell. So: in a calm run at least 99 %
of the events come from Kafka; with the producer off all of them from the outbox; and with the outbox
hidden from the persister by an ACL, rows still come, by Kafka.

What comes late the persister fetches from the outbox, and what it has no place for it lets go, for the outbox
has it: on a busy machine both happen. So a calm run has a few tries; a road that does not work fails them all.
"""

import itertools
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from client import Ledger
from faults import moved
from stack import books_agree, diag, is_, main, ok, quote

RATE, USERS = 400, 2000
APPLIED = "ticket_persister_applied_total"
TRIES = 4
number_of, tickets = itertools.count(1), []


async def sell(stack, what):
    """USERS book and every third cancels; (events, by Kafka, by the outbox) once all is stored."""
    ticket = await stack.create(stack.name(f"sources-{next(number_of)}"), 10 ** 6)
    tickets.append(ticket)
    path, ledger = f"/tickets/{quote(ticket)}/booking", Ledger()
    before = await stack.persister_metrics()
    async with stack.client(connections=32, rate=RATE) as client:
        async def story(number):
            user = f"user-{number}"
            ledger.booked(ticket, user, await client.ask("POST", path, user, f"{user}-1"))
            if number % 3 == 0:
                ledger.cancelled(ticket, user, await client.ask("DELETE", path, user, f"{user}-2"))
        await client.run(story(n) for n in range(USERS))
    await stack.stored(ticket)
    after = await stack.persister_metrics()
    events = sum(seq for _, seq in stack.lanes(ticket).values())
    kafka, outbox = (moved(before, after, APPLIED, source=source) for source in ("kafka", "outbox"))
    diag(f"{what}: {events} events, {kafka:.0f} by Kafka, {outbox:.0f} by the outbox; "
         f"{client.achieved:.0f} requests/s")
    books_agree(stack, ticket, ledger, what)
    is_(kafka + outbox, events, f"{what}: each event was applied once")
    return events, kafka, outbox


async def test(stack):
    async def quiet():
        return (await stack.persister_metrics()).get("ticket_persister_lag_events") == 0

    # what an earlier test left to do would be counted here
    await stack.until(quiet, "the persister has nothing left to do", 60, every=0.5)

    for _ in range(TRIES):
        events, kafka, _ = await sell(stack, "calm")
        if kafka >= 0.99 * events:
            break
    ok(kafka >= 0.99 * events, f"calm: at least 99 % came from Kafka ({100 * kafka / events:.2f} %)")

    async with stack.nginx_conf((r"ticket_kafka [^;]*;", "ticket_kafka off;")):
        produced = (await stack.edge_metrics()).get("ticket_edge_kafka_events_total", outcome="produced")
        events, kafka, outbox = await sell(stack, "producer off")
        is_((await stack.edge_metrics()).get("ticket_edge_kafka_events_total", outcome="produced"), produced,
            "producer off: nothing was handed to Kafka")
        is_((kafka, outbox), (0, events), "producer off: all of them came from the outbox")

    redis = stack.redis()
    hidden = f"hidden-{stack.tag}"
    redis("ACL", "SETUSER", hidden, "on", f">{hidden}", "~*", "&*", "+@all",
          "-xrange", "-xrevrange", "-xread", "-xreadgroup")
    try:
        for left in reversed(range(TRIES)):
            stack.ctl("restart", "persister", env={
                "TICKET_REDIS_URI": f"redis://{hidden}:{hidden}@{stack.env['REDIS_HOST']}:{stack.env['REDIS_PORT']}/0"})
            # what it let go it reads from Kafka again
            await stack.stored(*tickets)
            try:
                events, kafka, outbox = await sell(stack, "outbox hidden")
                break
            except TimeoutError as late:
                if not left:
                    raise
                diag(f"outbox hidden: {late}")
        is_((kafka, outbox), (events, 0), "outbox hidden: all of them came by Kafka")
        ok(f"user={hidden}".encode() in redis("CLIENT", "LIST"), "felt: it was this Redis user")
        log = redis("ACL", "LOG")
        diag(f"Redis refused {len(log)} kinds of commands: {[entry[7].decode() for entry in log]}")
    finally:
        stack.ctl("restart", "persister")
        redis("ACL", "DELUSER", hidden)
        redis.close()


main(test, kafka=True)
