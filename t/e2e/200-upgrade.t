#!/usr/bin/env python3
"""A release is followed by the next one while tickets are sold, one process after the other.

Between the first process that is replaced and the last one, old and new work on the same Redis, topic and
tables: two builds of the edge with scripts of their own, two builds of the persister in one consumer group, on
tables that a newer release has already changed. What one of them writes, the other has to read. So the release
before this one is built from git and sells, stores and recovers side by side with this one, and then the step
itself is taken under load: persisters first, then nginx by USR2.

UPGRADE_FROM names another commit; without it, it is the newest one whose scripts or tables differ.
"""

import asyncio
import contextlib
import fcntl
import hashlib
import itertools
import os
import shlex
import shutil
import signal
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from client import Client
from faults import Sale, moved, unharmed
from stack import ROOT, Stack, diag, free_port, is_, key_of, main, ok, quote

CONTRACT = ["lua", "sql"]
EDGES = {"book", "cancel", "booking", "ticket", "define", "delete", "bookings", "selftest"}     # their scripts
PROGRAMS = ["ngx_ticket_module", "persister", "event", "config", "config.make"] + CONTRACT
RATE = 400              # a second; this machine runs everything twice
NEXT = 9999             # the number of a migration of a release to come


# ---------------------------------------------------------------- the release before

# whoever the checkout belongs to
GIT = ["git", "-c", f"safe.directory={ROOT}", "-C", ROOT]


def git(*args):
    done = subprocess.run([*GIT, *args], text=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return done.stdout.strip() if done.returncode == 0 else None


def differs(commit, paths):
    """The files we build from, with what is not committed yet."""
    return git("diff", "--quiet", commit, "--", *paths) is None


def previous():
    """The commit to come from; or None, and why there is none."""
    if git("rev-parse", "HEAD") is None:
        return None, "this is not a git repository"
    named = os.environ.get("UPGRADE_FROM")
    if named:
        commit = git("rev-parse", "--verify", "--quiet", named + "^{commit}")
        if commit is None:
            raise ValueError(f"UPGRADE_FROM={named} is no commit here")
        return commit, None
    for paths in CONTRACT, PROGRAMS:
        for commit in git("rev-list", "--max-count=500", "HEAD").split():
            if differs(commit, paths):
                return commit, None
    return None, "the history that is here has no other release"


def build(commit):
    """The tree of that commit, built as its own Makefile does; one is kept for the next run."""
    place = os.path.join(ROOT, "build", "previous")
    tree = os.path.join(place, commit[:12])
    os.makedirs(place, exist_ok=True)
    with open(os.path.join(place, ".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for other in os.listdir(place):
            if other not in (".lock", commit[:12]):
                shutil.rmtree(os.path.join(place, other))
        if not os.path.exists(tree):
            os.mkdir(tree + ".part")
            archive = subprocess.Popen([*GIT, "archive", "--format=tar", commit],
                                       stdout=subprocess.PIPE)
            subprocess.run(["tar", "-x", "-C", tree + ".part"], stdin=archive.stdout, check=True)
            archive.stdout.close()
            if archive.wait():
                raise RuntimeError(f"git archive {commit} failed")
            os.rename(tree + ".part", tree)
        # the flags of the make that called us are not that one's
        env = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
        done = subprocess.run(["make", "-s", "-C", tree, "module", "persister"], text=True, env=env,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        raise RuntimeError(f"commit {commit[:12]} does not build:\n{done.stdout}")
    return tree


def hashes(tree):
    """Script by script the name Redis knows it by."""
    names = sorted(name[:-4] for name in os.listdir(os.path.join(tree, "lua"))
                   if name.endswith(".lua") and not name.startswith("prelude"))
    return {name: hashlib.sha1(subprocess.run([os.path.join(tree, "lua", "embed"), "script", name], check=True,
                                              stdout=subprocess.PIPE).stdout).hexdigest() for name in names}


class Previous:
    """An nginx and a persister of the tree, on the servers of `stack`, started by the tree's own stack/up."""

    def __init__(self, stack, tree):
        self.tree = tree
        self.run_dir = os.path.join(stack.run_dir, "previous")
        with open(os.path.join(stack.run_dir, "settings"), encoding="utf-8") as file:
            settings = dict(line.split("=", 1) for line in shlex.split(file.read()))
        for name in ("NGINX_MODULE", "NGINX_EXAMPLE", "PERSISTER_BIN"):
            settings.pop(name, None)
        settings.update(NGINX_PORT=str(free_port()), PERSISTER_PORT=str(free_port()), RUN_DIR=self.run_dir,
                        SAMPLES="no")
        self.env = {**os.environ, **settings}
        for name in ("NGINX_MODULE", "NGINX_EXAMPLE", "PERSISTER_BIN"):
            self.env.pop(name, None)
        self.stack = None

    def command(self, *args):
        done = subprocess.run([os.path.join(self.tree, "stack", args[0]), *args[1:]], text=True, env=self.env,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode:
            raise RuntimeError(f"{' '.join(args)} of the previous release: {done.stdout.strip()}")

    async def start(self, server):
        await asyncio.to_thread(self.command, "up", server)
        self.stack = Stack(self.run_dir)

    async def stop(self, server):
        await asyncio.to_thread(self.command, "ctl", "stop", server)

    def wipe(self):
        self.command("down", "--wipe")


# ---------------------------------------------------------------- both at once

class Alternating(Client):
    """Connections go to the one edge and the other in turn, and so do the requests of each user."""

    def __init__(self, urls, **options):
        super().__init__(urls[0], **options)
        self.ports = itertools.cycle(int(url.rsplit(":", 1)[1]) for url in urls)

    @property
    def port(self):
        return next(self.ports)

    @port.setter
    def port(self, _):
        pass


class Edges(Stack):
    """The stack, seen through several edges."""

    def __init__(self, *urls):
        super().__init__()
        self.urls = urls

    def client(self, **options):
        return Alternating(self.urls, **options)


def runs(pid, path):
    """Does the process have this file mapped?"""
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps:
        return any(line.rstrip("\n").endswith(" " + path) for line in maps)


@contextlib.contextmanager
def next_schema(stack):
    """The tables as a release to come may leave them: a column more in each, with a default, and its migration."""
    tables = [row[0] for row in stack.sql("SHOW TABLES") if row[0] != "schema_migrations"]
    try:
        for table in tables:
            stack.sql(f"ALTER TABLE {table} ADD COLUMN to_come VARCHAR(16) NOT NULL DEFAULT 'x' FIRST")
        stack.sql(f"INSERT INTO schema_migrations (version, name, checksum) VALUES ({NEXT}, '{NEXT}-to-come', 1)")
        yield
    finally:
        stack.sql(f"DELETE FROM schema_migrations WHERE version = {NEXT}")
        for table in tables:
            stack.sql(f"ALTER TABLE {table} DROP COLUMN to_come")


def forget(stack, ticket):
    """The ticket loses its history, as it does in a Redis that was restarted, and somebody has noticed."""
    redis = stack.redis()
    try:
        redis.pipeline([("HDEL", key_of(ticket), "history"), ("SADD", "tickets:recover", ticket)])
    finally:
        redis.close()


async def side_by_side(stack, old):
    """One user on both edges: each takes up what the other has written."""
    ticket = await stack.create(stack.name("mixed"), 100)
    path = f"/tickets/{quote(ticket)}/booking"
    async with stack.client(connections=1) as new, old.stack.client(connections=1) as before:
        for first, second, name in (before, new, "old, then new"), (new, before, "new, then old"):
            user = name[:3]
            booked = await first.request("POST", path, user, "k1")
            again = await second.request("POST", path, user, "k1")
            is_((booked.status, again.code, again.json.get("current", True)), (201, "replayed", True),
                f"{name}: a booking is replayed by the other edge, and stands")
            is_(again.json["booking_id"], booked.json["booking_id"], f"{name}: with its booking_id")
            is_((await second.request("POST", path, user)).code, "already_booked", f"{name}: and not made twice")
            found = await second.request("GET", path, user)
            is_(found.json["booking_id"], booked.json["booking_id"], f"{name}: it is found")
            is_((await second.request("DELETE", path, user, "k2")).status, 200, f"{name}: and cancelled there")
            is_((await first.request("DELETE", path, user, "k2")).code, "replayed", f"{name}: which is replayed, too")
            is_((await first.request("GET", path, user)).code, "not_booked", f"{name}: and gone for both")

        for one, other, name in (stack, old.stack, "new"), (old.stack, stack, "old"):
            made = await one.create(stack.name("made-" + name), 10, lanes=2)
            changed = await other.admin("PATCH", "/" + quote(made), {"capacity": 20, "state": "paused"})
            is_(changed.status, 200, f"a ticket made by the {name} edge is changed by the other")
            got = await one.ticket(made)
            is_((got["capacity"], got["lanes"], got["state"]), (20, 2, "paused"), "... and it sees that")


async def rolling_persisters(stack, old):
    """Both edges sell; the persister is the new one, both, the old one alone, and the new one again."""
    edges = Edges(stack.url, old.stack.url)
    sale = Sale(edges, "persisters")
    await sale.create()
    counts = {}

    async def fault(sale):
        before = [await stack.edge_metrics(), await old.stack.edge_metrics()]
        await old.start("persister")
        await asyncio.sleep(2)
        await stack.actl("stop", "persister")
        first = sale.applied()
        await asyncio.sleep(3)
        await stack.until(lambda: sale.applied() > first, "the old persister stores", 60)
        counts["old"] = sale.applied() - first
        await stack.actl("start", "persister")
        await old.stop("persister")
        after = [await stack.edge_metrics(), await old.stack.edge_metrics()]
        counts["edges"] = [sum(moved(*pair, "ticket_edge_requests_total", action=action, result=result)
                               for action, result in (("book", "booked"), ("cancel", "cancelled")))
                           for pair in zip(before, after)]

    await sale.run(fault, rate=RATE)
    ok(min(counts["edges"]) > 0, f"felt: the new edge and the old one decided {counts['edges']} sales and returns")
    ok(counts["old"] > 0, f"felt: the old persister alone stored {counts['old']} events")
    unharmed(sale, "both edges")
    await sale.agrees()


async def recoveries(stack, old):
    """In the middle of a sale at both edges a ticket is rebuilt by the one persister, then by the other."""
    sale = Sale(Edges(stack.url, old.stack.url), "recovery")
    await sale.create()
    epochs = []

    async def rebuilt():
        was = stack.lanes(sale.plenty)[0][0]
        for ticket in sale.tickets:
            forget(stack, ticket)
        await stack.until(lambda: all(stack.lanes(ticket)[0][0] > was for ticket in sale.tickets),
                          "all tickets are open again", 90)
        epochs.append(stack.lanes(sale.plenty)[0][0])

    async def fault(sale):
        await rebuilt()
        await asyncio.sleep(1)
        await old.start("persister")
        await stack.actl("stop", "persister")
        await rebuilt()

    await sale.run(fault, rate=RATE)
    ok(len(epochs) == 2 and epochs[0] < epochs[1], f"felt: rebuilt by the new persister, then by the old: {epochs}")
    ok(sale.client.total(503, "recovering"), "felt: the tickets were closed meanwhile")
    await sale.agrees()


async def the_step(stack, old):
    """Everything is old, and sells. Persisters first, then the edge, by USR2."""
    edge = old.stack
    await stack.actl("stop", "nginx")
    sale = Sale(edge, "step")
    await sale.create()
    first, workers = edge.pid("nginx"), edge.nginx_workers()
    ok(workers and all(runs(pid, edge.env["NGINX_MODULE"]) for pid in workers), "felt: the old module sells")

    def second():
        """The pid file is the new master's, and its workers are there."""
        with contextlib.suppress(OSError, ValueError):
            return edge.pid("nginx") != first and edge.nginx_workers()

    async def fault(sale):
        await stack.actl("start", "persister")
        await old.stop("persister")
        await asyncio.sleep(1)

        # the new module, and a configuration for it: what this release's own stack would write
        with open(stack.env["NGINX_CONF"], encoding="utf-8") as file:
            conf = file.read()
        conf = conf.replace(stack.run_dir, edge.run_dir).replace(stack.url[7:], edge.url[7:])
        with open(edge.env["NGINX_CONF"], "w", encoding="utf-8") as file:
            file.write(conf)
        os.kill(first, signal.SIGUSR2)
        await edge.until(second, "there is a second master", 60)
        await edge.until(lambda: all(runs(pid, stack.env["NGINX_MODULE"]) for pid in edge.nginx_workers()),
                         "its workers have the new module", 60)
        await asyncio.sleep(1)
        os.kill(first, signal.SIGQUIT)
        await edge.until(lambda: not os.path.exists(f"/proc/{first}"), "the old master is gone", 60)

    await sale.run(fault, rate=RATE, keepalive=False)
    ok(not any(os.path.exists(f"/proc/{pid}") for pid in workers), "felt: no old worker is left")
    unharmed(sale, "the step")
    await sale.agrees()
    await stack.actl("start", "nginx")
    return sale


def reconciled(stack, binary, tickets, name):
    done = subprocess.run([binary, "-c", stack.env["PERSISTER_CONF"], "reconcile"], text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    lines = {line.split()[0]: line.split()[-1] for line in done.stdout.splitlines() if line[:1].strip()}
    is_({ticket: lines.get(ticket) for ticket in tickets}, dict.fromkeys(tickets, "equal"), name)


def test_of(commit):
    async def test(stack):
        tree = await asyncio.to_thread(build, commit)
        diag(f"from {git('log', '-1', '--format=%h %s', commit)}")
        before, now = hashes(tree), hashes(ROOT)
        other = [name for name in before if now.get(name) not in (None, before[name])]
        diag(f"scripts that differ: {' '.join(other) or 'none'}")

        old = Previous(stack, tree)
        old.wipe()
        try:
            await old.start("nginx")
            # a persister of the one before comes later, with scripts of its own
            edges = sorted(EDGES & set(other))
            if edges:
                both = [sha for name in edges for sha in (before[name], now[name])]
                redis = stack.redis()
                is_(redis("SCRIPT", "EXISTS", *both), [1] * len(both), "Redis has the scripts of both")
                redis.close()
            await side_by_side(stack, old)
            with next_schema(stack):
                await rolling_persisters(stack, old)
                await recoveries(stack, old)
                sale = await the_step(stack, old)
                for binary, name in ((stack.env["PERSISTER_BIN"], "this release"),
                                     (old.stack.env["PERSISTER_BIN"], "the one before")):
                    reconciled(stack, binary, sale.tickets, f"reconcile of {name}: no difference")
        finally:
            old.wipe()
            for server in "persister", "nginx":
                await stack.actl("start", server)
    return test


start, why = previous()
if start is None:
    print(f"1..0 # SKIP {why}")
    sys.exit(0)
main(test_of(start))
