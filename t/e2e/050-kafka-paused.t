#!/usr/bin/env python3
"""Kafka stopped (SIGSTOP, so that nothing is refused and nothing answers) for 10 s under load.

Selling must not depend on it: a producer that blocks, or a queue that may not overflow, would stop the
sale. And rows must not wait for it, because the outbox has everything. Afterwards Kafka brings what it
was sent late, long after those rows are there: duplicates, and nothing else.
"""

import asyncio
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from faults import Sale, moved
from stack import books_agree, diag, main, ok

SECONDS = 10
APPLIED = "ticket_persister_applied_total"


async def test(stack):
    sale = Sale(stack, "kafka")
    await sale.create()
    queued, applied = [], []
    before = await stack.persister_metrics()

    async def pause(sale):
        async with stack.paused("kafka"):
            for _ in range(SECONDS):
                await asyncio.sleep(1)
                queued.append((await stack.edge_metrics()).get("ticket_edge_kafka_queue"))
                applied.append((await stack.persister_metrics()).get(APPLIED, source="outbox"))

    await sale.run(pause)
    await sale.agrees()

    # then it brings them after all
    async def late():
        metrics = await stack.persister_metrics()
        return ((await stack.edge_metrics()).get("ticket_edge_kafka_queue") == 0
                and moved(before, metrics, "ticket_persister_messages_total") >= sale.events() and metrics)
    after = await stack.until(late, "Kafka has brought everything", 120)
    diag(f"events waiting in the workers, each second: {queued}",
         f"applied from the outbox, each second: {applied}",
         f"duplicates {moved(before, after, 'ticket_persister_duplicates_total'):.0f}, "
         f"by Kafka {moved(before, after, APPLIED, source='kafka'):.0f}, "
         f"by the outbox {moved(before, after, APPLIED, source='outbox'):.0f}")
    ok(max(queued) > 1000, "felt: events piled up in the workers")
    ok(applied[-1] > applied[0], "felt: rows came by the outbox while Kafka was away")
    ok(moved(before, after, "ticket_persister_duplicates_total") > 1000,
       "felt: Kafka brought them again: duplicates")
    for ticket, name in zip(sale.tickets, ("plenty", "four lanes", "scarce")):
        books_agree(stack, ticket, sale.ledger, f"{name}, after the duplicates")
    sale.unnoticed()


main(test, kafka=True)
