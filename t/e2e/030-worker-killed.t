#!/usr/bin/env python3
"""A worker killed with SIGKILL every second, under load: nothing confirmed is lost, nothing is sold twice.

A killed worker takes with it the answers it had not written, the events librdkafka had not sent, and
the batches Redis had already decided. The buyers see cut connections and ask again with the same key;
the events are in the outbox. Both roads are only ever used when something dies, so something has to.
"""

import asyncio
import os
import random
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from faults import Sale, moved
from stack import diag, is_, main, ok

KILLS = 10


async def test(stack):
    sale = Sale(stack, "worker")
    await sale.create()
    killed = []
    before = await stack.persister_metrics()

    def kill_one():
        workers = stack.nginx_workers()
        killed.append(random.choice(workers))
        os.kill(killed[-1], signal.SIGKILL)
        return workers, killed[-1]

    async def kill(sale):
        for _ in range(KILLS):
            # in a thread: the load goes on, so that it hits requests on their way
            workers, victim = await asyncio.to_thread(kill_one)
            await asyncio.sleep(1)
            await stack.until(lambda: victim not in stack.nginx_workers()
                              and len(stack.nginx_workers()) >= len(workers), "the worker is replaced", 20)

    # as fast as it goes, so that there always are some
    await sale.run(kill, rate=None)
    await sale.agrees()

    after = await stack.persister_metrics()
    gaps = moved(before, after, "ticket_persister_gaps_filled_total")
    outbox = moved(before, after, "ticket_persister_applied_total", source="outbox")
    diag(f"{gaps:.0f} gaps filled, {outbox:.0f} events by the outbox, {sale.client.cuts} connections cut")
    is_((len(set(killed)), set(killed) & set(stack.nginx_workers())), (KILLS, set()),
        "felt: ten workers were killed and are gone")
    ok(sale.client.cuts > 0, "felt: requests were cut")
    # without Kafka the outbox is the only road, and knows no gaps
    ok(outbox > 0 and (gaps > 0 or stack.env["KAFKA"] == "no"), "felt: events died with them, and the gaps were filled from the outbox")


main(test)
