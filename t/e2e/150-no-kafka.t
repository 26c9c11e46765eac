#!/usr/bin/env python3
"""The product without Kafka (`KAFKA=no`), on a small stack of its own, as on a machine without a JRE.

Everything then depends on the outbox, and the lanes are shared out by locks in MySQL instead of a
consumer group. A Redis that forgets takes with it what was not stored: how much is printed. It also shows
that two stacks run side by side.
"""

import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from client import Ledger
from faults import Sale
from recovery import Closed, Memory, accounted
from stack import ROOT, Stack, books_agree, diag, free_port, is_, main, ok, quote

USERS = 1500


def stack_script(name, *args, **settings):
    """stack/up or stack/down, untouched by what the environment says of the first stack but its programs."""
    keep = {name: value for name, value in os.environ.items()
            if name in ("PATH", "HOME", "TMPDIR", "LANG", "NGINX_BIN", "NGINX_MODULE", "PERSISTER_BIN", "MYSQL_KIND",
                        "ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS") or name.startswith("PYENV")}
    done = subprocess.run([os.path.join(ROOT, "stack", name), *args], env={**keep, **settings},
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=180)
    if done.returncode:
        raise RuntimeError(f"stack/{name}: {done.stdout}")


async def test(first):
    run_dir = first.run_dir + "-no-kafka"
    settings = {"RUN_DIR": run_dir, "KAFKA": "no", "SAMPLES": "no"}
    servers, ports = ("NGINX", "PERSISTER", "REDIS", "KAFKA", "KAFKA_CONTROLLER", "MYSQL"), set()
    while len(ports) < len(servers):
        ports.add(free_port())
    settings.update((f"{server}_PORT", str(port)) for server, port in zip(servers, ports))
    stack_script("down", "--wipe", RUN_DIR=run_dir)
    try:
        stack_script("up", **settings)
        await sale(Stack(run_dir))
        await forgotten(Stack(run_dir))
    finally:
        stack_script("down", "--wipe", RUN_DIR=run_dir)


async def sale(stack):
    is_(stack.env["KAFKA"], "no", "a stack without Kafka is up")
    tickets = [await stack.create(stack.name("one"), 400), await stack.create(stack.name("four"), 10_000, lanes=4)]
    ledger = Ledger()
    async with stack.client(connections=64) as client:
        async def story(number):
            user, ticket = f"user-{number}", tickets[number % 2]
            path = f"/tickets/{quote(ticket)}/booking"
            ledger.booked(ticket, user, await client.request("POST", path, user))
            if number % 3 == 0:
                ledger.cancelled(ticket, user, await client.request("DELETE", path, user))
        await client.run(story(n) for n in range(USERS))
        diag(client.summary())
    is_(ledger.strange[:3], [], "no answer but those of booking and cancelling")
    await stack.stored(*tickets)
    for ticket in tickets:
        books_agree(stack, ticket, ledger, ticket.split("-")[1])
    metrics = await stack.persister_metrics()
    is_(metrics.get("ticket_persister_applied_total", source="kafka"), 0, "nothing came from Kafka")
    ok(metrics.get("ticket_persister_applied_total", source="outbox") > USERS / 2, "all of it came from the outbox")

    # killed in the middle, without a group that would notice: MySQL's locks go with its session
    stack.ctl("kill", "persister")
    async with stack.client(connections=64) as client:
        async def late(number):
            ticket, user = tickets[1], f"late-{number}"
            ledger.booked(ticket, user, await client.request("POST", f"/tickets/{quote(ticket)}/booking", user))
        await client.run(late(n) for n in range(300))
    stack.ctl("start", "persister")
    await stack.stored(*tickets)
    books_agree(stack, tickets[1], ledger, "after the persister was killed")


async def forgotten(stack):
    """FLUSHALL in the middle of a sale, with the persister behind."""
    sale = Sale(stack, "forgotten", Memory())
    await sale.create()

    async def fault(sale):
        async with Closed(sale, "FLUSHALL"):
            async with stack.paused("persister"):
                before = len(sale.ledger.sold)
                await stack.until(lambda: len(sale.ledger.sold) >= before + 300, "300 more are sold", every=0.02)
                redis = stack.redis()
                redis("FLUSHALL")
                redis.close()

    await sale.run(fault)
    is_(sale.ledger.unsettled[:3], [], "FLUSHALL: every request was settled in the end")
    is_(sale.ledger.strange[:3], [], "FLUSHALL: no answer but those of booking and cancelling")
    count, _ = await accounted(stack, sale.tickets, sale.ledger, "FLUSHALL")
    ok(count["lost"] >= 100, "felt: what only Redis had is lost, as the limits say")


main(test)
