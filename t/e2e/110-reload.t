#!/usr/bin/env python3
"""Reload, binary upgrade and a bounded shutdown in the middle of a sale, as nginx users expect them.

A module with its own connections, threads and timers can keep an old worker alive for ever, drop what
it still had to send, or lose the requests it was working on. Each user here has a connection of his
own, so that a cut one is nginx's fault and not the race of a kept-alive connection that is closing.
"""

import asyncio
import os
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from client import Cut
from faults import Sale, unharmed
from stack import diag, is_, main, ok, quote

RATE = 1200             # each request is a connection of its own
FLUSH = 45              # s, generous: an old worker flushes Kafka for a few seconds and leaves


async def gone(stack, workers, name):
    """These processes end by themselves."""
    await stack.until(lambda: not any(map(alive, workers)), f"the old workers are gone ({name})", FLUSH)
    ok(True, f"{name}: the old workers left by themselves")


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="latin-1") as file:
            return file.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


async def reloads(stack):
    sale = Sale(stack, "reload")
    await sale.create()
    old = []

    async def fault(sale):
        for pause in (2, 0.3, 0.3, 0.3, 0.3, 0.3):      # one, and five quick ones
            old.extend(stack.nginx_workers())
            stack.signal_nginx(signal.SIGHUP)
            await asyncio.sleep(pause)
        await stack.until(lambda: not set(old) & set(stack.nginx_workers()), "the old workers are gone", FLUSH)

    await sale.run(fault, rate=RATE, keepalive=False)
    ok(len(set(old)) >= 4, f"felt: {len(set(old))} workers were sent away")
    unharmed(sale, "six reloads")
    await gone(stack, old, "six reloads")
    await sale.agrees()


async def reload_without_kafka(stack):
    old = stack.nginx_workers()
    ticket = await stack.create(stack.name("nokafka"), 1000)
    async with stack.paused("kafka"):
        async with stack.client(connections=16) as client:
            path = f"/tickets/{quote(ticket)}/booking"
            await client.run(client.ask("POST", path, f"user-{n}") for n in range(500))

        async def queued():
            return (await stack.edge_metrics()).get("ticket_edge_kafka_queue")
        ok(await stack.until(queued, "events wait in the workers", 30),
           "Kafka away: the old workers have events to send")
        stack.signal_nginx(signal.SIGHUP)
        await gone(stack, old, "Kafka away")
    await stack.stored(ticket)
    is_(len(stack.rows(ticket)), 500, "Kafka away: what they could not send is stored nevertheless")


async def shutdown_timeout(stack):
    """Requests that wait for a Redis that does not answer hold a worker no longer than worker_shutdown_timeout."""
    ticket = await stack.create(stack.name("timeout"), 1000)
    path, users = f"/tickets/{quote(ticket)}/booking", [f"user-{n}" for n in range(8)]
    async with stack.nginx_conf((r"^worker_processes .*$", r"\g<0>\nworker_shutdown_timeout 2s;"),
                                (r"(ticket_redis +[^ ;]+)[^;]*;", r"\1 timeout=60s;")):
        old = stack.nginx_workers()
        async with stack.client(connections=8, timeout=50) as client:
            async with stack.paused("redis"):
                waiting = [asyncio.create_task(client.request("POST", path, user)) for user in users]
                await asyncio.sleep(1)
                is_([task.done() for task in waiting], [False] * 8, "Redis away: the requests wait")
                stack.signal_nginx(signal.SIGHUP)
                begun = asyncio.get_running_loop().time()
                await gone(stack, old, "worker_shutdown_timeout")
                took = asyncio.get_running_loop().time() - begun
                ends = await asyncio.gather(*waiting, return_exceptions=True)
                diag(f"they left after {took:.1f} s; the requests: {ends[:2]}")
                ok(all(isinstance(end, Cut) or end.status == 504 for end in ends),
                   "Redis away: the waiting ones were ended, not answered 201")
    # whatever became of them, the same request again is safe, and the books agree
    async with stack.client(connections=8) as client:
        await client.run(client.ask("POST", path, user) for user in users)
    await stack.stored(ticket)
    is_(stack.row_users(ticket), set(users), "asked again, each has exactly one")


async def upgrade(stack):
    sale = Sale(stack, "upgrade")
    await sale.create()
    first, old = stack.pid("nginx"), stack.nginx_workers()
    pid_file = stack.env["NGINX_PID"]

    async def fault(sale):
        os.kill(first, signal.SIGUSR2)
        await stack.until(lambda: os.path.exists(pid_file + ".oldbin") and os.path.exists(pid_file)
                          and stack.pid("nginx") != first and stack.nginx_workers(), "there is a second master", 30)
        # its workers have to be ready to sell before the others go, which the manual leaves to the operator
        await asyncio.sleep(2)
        os.kill(first, signal.SIGQUIT)
        await stack.until(lambda: not alive(first), "the first master is gone", FLUSH)

    await sale.run(fault, rate=RATE, keepalive=False)
    ok(stack.pid("nginx") != first, "felt: another master serves")
    unharmed(sale, "binary upgrade")
    await gone(stack, old, "binary upgrade")
    await sale.agrees()


async def test(stack):
    await reloads(stack)
    if stack.env["KAFKA"] != "no":
        await reload_without_kafka(stack)
    await shutdown_timeout(stack)
    await upgrade(stack)


main(test)
