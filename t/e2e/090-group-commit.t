#!/usr/bin/env python3
"""A batch of one is not group commit: at 256 connections a call carries at least 4 commands on average.

Batching that stopped working would change no answer and break no other test, it would only cost Redis
the capacity that the whole design counts on. wrk makes the load, because the client must not be what
limits it.
"""

import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from faults import moved
from stack import diag, is_, main, ok, quote

SECONDS, CONNECTIONS = 3, 256

SCRIPT = """
local threads = 0
function setup(thread) threads = threads + 1; thread:set("id", threads) end
local n = 0
function request()
    n = n + 1
    return wrk.format("POST", "%s", { ["X-User"] = "wrk-" .. id .. "-" .. n })
end
local wrong = 0
function response(status) if status ~= 201 then wrong = wrong + 1 end end
"""


async def test(stack):
    ticket = await stack.create(stack.name("batch"), 10 ** 9)
    path = os.path.join(stack.run_dir, "batch.lua")
    with open(path, "w") as file:
        file.write(SCRIPT % f"/tickets/{quote(ticket)}/booking")
    before = await stack.edge_metrics()
    done = subprocess.run(
        ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "--timeout", "30s", "-s", path, stack.url],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)
    after = await stack.edge_metrics()
    diag(done.stdout.strip())
    is_(done.returncode, 0, "wrk ran")
    ok("Non-2xx" not in done.stdout and "Socket errors" not in done.stdout, "every answer was a 201")
    calls = moved(before, after, "ticket_edge_batch_commands_count")
    commands = moved(before, after, "ticket_edge_batch_commands_sum")
    ok(calls > 0 and commands / calls >= 4,
       f"at {CONNECTIONS} connections a call carries {commands / max(calls, 1):.1f} commands")
    sold = int(re.search(r"(\d+) requests in", done.stdout).group(1))
    diag(f"{sold / SECONDS:.0f} bookings/s")
    await stack.stored(ticket, deadline=180)
    capacity, remaining, held = stack.stock(ticket)
    ok(held >= sold, f"what was answered is held ({sold} answered, {held} held)")
    is_(int(stack.sql(f"SELECT COUNT(*) FROM purchases WHERE ticket_name = '{ticket}'")[0][0]), held, "and stored")


main(test)
