#!/usr/bin/env python3
"""The persister killed with SIGKILL while it stores: no row is lost, none is made twice, none comes back.

It dies between COMMIT and the acknowledgement to Redis, between that and Kafka's offset, or in the
middle of a transaction. What it had done is then told to it again, and what it had not done must not
be passed over; the buyers must not notice at all.
"""

import asyncio
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from faults import Sale
from stack import diag, is_, main, ok

KILLS = 3


async def test(stack):
    sale = Sale(stack, "persister")
    await sale.create()
    pids, behind = [stack.pid("persister")], []

    async def kill(sale):
        for _ in range(KILLS):
            # in the middle of its work, not while it waits for some
            await stack.until(lambda: stack.unstored(sale.plenty) > 0, "there is something to store", 20, every=0)
            await stack.actl("kill", "persister")
            begun = time.monotonic()
            behind.append(await asyncio.to_thread(lambda: sum(map(stack.unstored, sale.tickets))))
            await asyncio.sleep(0.5)
            await stack.actl("start", "persister")
            pids.append(stack.pid("persister"))
            # it has to take over what the dead one was assigned, which Kafka notices after a while
            was = await asyncio.to_thread(sale.applied)
            await stack.until(lambda: sale.applied() > was, "it stores again", 60)
            diag(f"it stored again {time.monotonic() - begun:.1f} s after the kill")

    await sale.run(kill)
    await sale.agrees()

    # it stores from the outbox before Kafka has taken the partitions from the dead one
    async def taken_over():
        after = await stack.persister_metrics()
        both = [after.get(f"ticket_persister_{name}_total") or 0 for name in ("duplicates", "rebalances")]
        return both if any(both) else None

    duplicates, rebalances = await stack.until(taken_over, "the last one took over what the dead one had", 60)
    diag(f"unstored at each kill: {behind}; since the last start {duplicates:.0f} duplicates, "
         f"{rebalances:.0f} rebalances")
    is_(len(set(pids)), KILLS + 1, "felt: it was another process each time")
    ok(any(behind), "felt: it died with work before it")
    ok(True, "felt: the last one had duplicates to skip, or took the partitions over")
    sale.unnoticed()


main(test)
