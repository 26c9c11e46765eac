#!/usr/bin/env python3
"""MySQL stopped (SIGSTOP) for 10 s under load: the sale goes on, the rows come afterwards.

The database writes at its own pace, that is the point of the whole design. A transaction that was cut
off has an unknown end: it may have been committed. The persister has to find out, not guess.
"""

import asyncio
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from faults import Sale, moved
from stack import diag, main, ok

SECONDS = 10


async def test(stack):
    sale = Sale(stack, "mysql")
    await sale.create()
    rows, events = [], []
    before = await stack.persister_metrics()

    async def pause(sale):
        async with stack.paused("mysql"):
            for _ in range(SECONDS):
                await asyncio.sleep(1)
                rows.append((await stack.persister_metrics()).get("ticket_persister_rows_total"))
                events.append(await asyncio.to_thread(sale.events))

    await sale.run(pause)
    await sale.agrees()

    after = await stack.persister_metrics()
    transient = moved(before, after, "ticket_persister_mysql_errors_total", outcome="transient")
    diag(f"rows written, each second: {rows}", f"events decided, each second: {events}",
         f"{transient:.0f} transient errors")
    ok(transient > 0 or (rows[1] == rows[-1] and events[-1] > events[1] + 1000),
       "felt: transient errors, or rows that stood still while bookings grew")
    ok(moved(before, after, "ticket_persister_rows_total") > 0, "rows were written afterwards")
    sale.unnoticed()


main(test)
