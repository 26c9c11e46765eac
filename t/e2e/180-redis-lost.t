#!/usr/bin/env python3
"""Redis dies, forgets, or is followed by a replica that had not heard of the last sales, in the middle of a sale.

A Redis that is not the one the tickets were sold in must not sell: what it knows may be old, or nothing at
all. So the tickets close, a persister stores what outboxes and Kafka still have, and rebuilds them. In each
case every 201 is looked for afterwards. How long a ticket was closed is printed; without Kafka (KAFKA=no),
how many sales were lost.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from faults import Sale
from recovery import Closed, Memory, accounted
from stack import ROOT, Redis, RedisError, free_port, is_, key_of, main, ok

SCARCE = 100            # sold out about when Redis dies; what is cancelled is sold again


async def lost(stack, what, name, lose, forgets=True):
    """A sale during which `lose(sale)` takes Redis' memory, or, if it does not forget, its life only."""
    sale = Sale(stack, what, Memory())
    await sale.create(SCARCE)

    async def fault(sale):
        async with Closed(sale, name, forgets):
            await lose(sale)

    await sale.run(fault)
    await all_accounted(stack, sale, name)


async def sold(sale, count):
    """Waits until so many more are."""
    before = len(sale.ledger.sold)
    await sale.stack.until(lambda: len(sale.ledger.sold) >= before + count, f"{count} more are sold", every=0.02)


async def all_accounted(stack, sale, name):
    is_(sale.ledger.unsettled[:3], [], f"{name}: every request was settled in the end")
    is_(sale.ledger.strange[:3], [], f"{name}: no answer but those of booking and cancelling")
    await accounted(stack, sale.tickets, sale.ledger, name)


async def killed(stack):
    async def lose(sale):
        await stack.actl("kill", "redis")
        await stack.actl("start", "redis")
    await lost(stack, "killed", "killed, with its data", lose, forgets=False)


async def emptied(stack):
    async def lose(sale):
        # some of what was sold is in Kafka only, then
        async with stack.paused("persister"):
            await sold(sale, 300)
            await stack.actl("kill", "redis")
        shutil.rmtree(os.path.join(stack.run_dir, "redis", "appendonlydir"))
        await stack.actl("start", "redis")
    await lost(stack, "emptied", "killed, without its data", lose)


async def flushed(stack):
    async def lose(sale):
        redis = stack.redis()
        redis("FLUSHALL")
        await stack.until(lambda: (redis("HGET", key_of(sale.plenty), "claim") or b"").startswith(b"old:"),
                          "a persister is at it", every=0.02)
        redis("FLUSHALL")
        redis.close()
    await lost(stack, "flushed", "FLUSHALL, and again while it recovers", lose)


class Replica:
    """A second redis-server that follows the stack's through a forwarder, which can hold back what it carries."""

    def __init__(self, stack):
        self.port, door = free_port(), free_port()
        self.dir = tempfile.mkdtemp(dir=stack.run_dir, prefix="replica-")
        self.door = subprocess.Popen(["perl", os.path.join(ROOT, "t", "lib", "forward"), str(door), stack.env["REDIS_PORT"]])
        with open(os.path.join(self.dir, "log"), "wb") as log:
            self.server = subprocess.Popen(
                ["redis-server", "--bind", "127.0.0.1", "--port", str(self.port), "--dir", self.dir, "--save", "",
                 "--appendonly", "yes", "--maxmemory-policy", "noeviction", "--repl-backlog-ttl", "0",
                 "--repl-diskless-sync-delay", "0", "--replicaof", "127.0.0.1", str(door)], stdout=log, stderr=log)

    def __call__(self, *command):
        redis = Redis("127.0.0.1", self.port)
        try:
            return redis(*command)
        finally:
            redis.close()

    def shut(self):
        os.kill(self.door.pid, signal.SIGSTOP)

    def end(self):
        for process in (self.door, self.server):
            process.kill()
            process.wait()
        shutil.rmtree(self.dir)


def follows(port):
    """Has this server all that its master had when it began to follow it?"""
    with contextlib.suppress(OSError, RedisError):
        redis = Redis("127.0.0.1", port)
        info = redis("INFO", "replication")
        redis.close()
        return b"master_link_status:up" in info and b"master_sync_in_progress:0" in info
    return False


def set_config(stack, name, value):
    redis = stack.redis()
    redis("CONFIG", "SET", name, value)
    redis.close()


async def failed_over(stack):
    """The master dies while the replica hangs behind; an operator promotes the replica and points edges and
    persister to it. Later the old master is followed back, without a loss."""
    first = stack.env["REDIS_PORT"]
    set_config(stack, "repl-diskless-sync-delay", 0)
    replica = Replica(stack)
    try:
        await stack.until(lambda: follows(replica.port), "the replica follows")
        # without it an edge with replicas is not ready
        set_config(stack, "min-replicas-to-write", 1)
        sale = Sale(stack, "failover", Memory())
        await sale.create(SCARCE)         # when the tickets are open again that its coming has closed

        async def point_to(port, nginx):
            """Edges and persister: by their configuration."""
            stack.env["REDIS_PORT"] = str(port)
            env = {"TICKET_REDIS_URI": f"redis://127.0.0.1:{port}/0"}
            await asyncio.gather(stack.actl("restart", "persister", env=env), nginx)

        async def fault(sale):
            async with contextlib.AsyncExitStack() as conf:
                async with Closed(sale, "failover") as closed:
                    replica.shut()
                    before = len(sale.ledger.sold)
                    await sold(sale, 300)
                    await stack.actl("kill", "redis")
                    replica.door.kill()
                    replica("REPLICAOF", "NO", "ONE")
                    closed.reachable()
                    behind = [one for one in sale.ledger.sold[before:] if one[2] not in sale.ledger.back
                              and not replica("HEXISTS", key_of(one[0], "buyers"), one[1])]
                    ok(len(behind) > 100, f"failover: felt: the promoted replica has not heard of {len(behind)} bookings")
                    await point_to(replica.port, conf.enter_async_context(stack.nginx_conf(
                        (r"(ticket_redis +redis://127\.0\.0\.1:)\d+", rf"\g<1>{replica.port}"))))
                async with Closed(sale, "planned failover back") as closed:
                    await stack.actl("start", "redis")
                    old = Redis("127.0.0.1", int(first))
                    old("REPLICAOF", "127.0.0.1", replica.port)
                    await stack.until(lambda: follows(first), "the old master follows", every=0.02)
                    replica("FAILOVER", "TO", "127.0.0.1", first, "TIMEOUT", "30000")
                    await stack.until(lambda: b"role:master" in old("INFO", "replication"), "it is the master", every=0.02)
                    old("CONFIG", "SET", "min-replicas-to-write", 1)
                    old.close()
                    closed.reachable()
                    await point_to(first, conf.aclose())

        await sale.run(fault)
    finally:
        stack.env["REDIS_PORT"] = first
        replica.end()
        await stack.actl("start", "redis")
        set_config(stack, "min-replicas-to-write", 0)
        await stack.actl("restart", "persister")
    await all_accounted(stack, sale, "failover")


async def test(stack):
    for case in sys.argv[1:] or ("killed", "emptied", "flushed", "failed_over"):
        await globals()[case](stack)


main(test)
