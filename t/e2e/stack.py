"""The running stack as the tests see it, and TAP.

Everything is found through $RUN_DIR/env (default run/check), which `make up` wrote; servers are acted
on by stack/ctl only. A server that cannot be reached is an exception, and so a failed test.
"""

import asyncio
import contextlib
import os
import random
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
import traceback
import urllib.parse
import zlib

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from client import Client, Cut  # noqa: E402  (tests are run from anywhere)

ROOT = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))

# ---------------------------------------------------------------- TAP

_count = _failed = 0


def ok(true, name):
    global _count, _failed
    _count += 1
    _failed += not true
    print(f"{'ok' if true else 'not ok'} {_count} - {name}", flush=True)
    return bool(true)


def shown(value):
    text = repr(value)
    return text if len(text) < 2000 else text[:2000] + "..."


def is_(got, expected, name):
    if not ok(got == expected, name):
        diag(f"     got: {shown(got)}", f"expected: {shown(expected)}")
        return False
    return True


def same_set(got, expected, name):
    """Sets of ids; says which are missing and which are too many."""
    got, expected = set(got), set(expected)
    if not ok(got == expected, f"{name} ({len(expected)})"):
        for what, ids in (("missing", expected - got), ("too many", got - expected)):
            diag(f"{what}: {len(ids)}, such as {sorted(map(str, ids))[:5]}")
        return False
    return True


def diag(*lines):
    for line in lines:
        for part in str(line).split("\n"):
            print(f"# {part}", flush=True)


def main(test, kafka=False):
    """Runs the coroutine function `test(stack)` and ends the process as prove expects. `kafka`: not without it."""
    def ended(*_):
        raise SystemExit("ended by a signal")

    # so that what a test paused or changed is set right again when its time is up
    signal.signal(signal.SIGTERM, ended)
    begun = time.monotonic()
    try:
        stack = Stack()
        skip = kafka and stack.env["KAFKA"] == "no"
        if not skip:
            asyncio.run(test(stack))
    except BaseException as error:  # also what is meant to end the program: it must not look like success
        ok(False, f"runs to its end: {type(error).__name__}: {str(error)[:300]}".replace("#", "no. "))
        diag(traceback.format_exc())
    else:
        if skip:
            print("1..0 # SKIP it needs Kafka", flush=True)
            sys.exit(0)
    diag(f"took {time.monotonic() - begun:.1f} s")
    print(f"1..{_count}", flush=True)
    sys.exit(1 if _failed else 0)


# ---------------------------------------------------------------- Redis

class RedisError(Exception):
    pass


class Redis:
    """As much of a Redis client as the tests need: a list in, a reply out, bytes left as they are."""

    def __init__(self, host, port, timeout=10):
        self.socket = socket.create_connection((host, port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")

    def close(self):
        self.file.close()
        self.socket.close()

    def __call__(self, *args):
        return self.pipeline([args])[0]

    def pipeline(self, commands):
        """Several at once; an error is in the list, not raised, unless it is the only reply."""
        out = bytearray()
        for args in commands:
            out += b"*%d\r\n" % len(args)
            for arg in args:
                arg = arg if isinstance(arg, bytes) else str(arg).encode()
                out += b"$%d\r\n%s\r\n" % (len(arg), arg)
        self.socket.sendall(out)
        replies = [self._reply() for _ in commands]
        if len(replies) == 1 and isinstance(replies[0], RedisError):
            raise replies[0]
        return replies

    def _reply(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("redis closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest
        if kind == b"-":
            return RedisError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            if rest == b"-1":
                return None
            return self.file.read(int(rest) + 2)[:-2]
        if kind == b"*":
            return None if rest == b"-1" else [self._reply() for _ in range(int(rest))]
        raise RedisError(f"unknown reply {line!r}")


# ---------------------------------------------------------------- Prometheus

class Metrics:
    """One scrape: metrics.get("name", label="value"), summed over what is not named."""

    LINE = re.compile(r'^([A-Za-z_:][A-Za-z0-9_:]*)(?:\{(.*)\})? (\S+)$')
    LABEL = re.compile(r'([A-Za-z_][A-Za-z0-9_]*)="((?:[^"\\]|\\.)*)"')

    def __init__(self, text):
        self.samples = {}
        for line in text.split("\n"):
            if line and not line.startswith("#"):
                name, labels, value = self.LINE.match(line).groups()
                labels = dict(self.LABEL.findall(labels or ""))
                self.samples.setdefault(name, []).append((labels, float(value)))

    def get(self, name, **labels):
        if name not in self.samples:
            raise KeyError(f"no metric {name}")
        return sum(value for have, value in self.samples[name]
                   if all(have.get(k) == v for k, v in labels.items()))


# ---------------------------------------------------------------- the stack

def key_of(ticket, suffix=""):
    group = ticket.split("@", 1)[1] if "@" in ticket else None
    key = f"ticket:{{{group}}}:{ticket}" if group else f"ticket:{{{ticket}}}"
    return key + (":" + suffix if suffix else "")


def lane_of(user, lanes):
    return zlib.crc32(user if isinstance(user, bytes) else user.encode()) % lanes


def quote(text):
    return urllib.parse.quote(text, safe="")


def free_port():
    """A port nobody has, and below those that outgoing connections are given."""
    while True:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", random.randrange(20000, 32000)))
            return probe.getsockname()[1]


class Stack:
    def __init__(self, run_dir=None):
        self.run_dir = os.path.realpath(run_dir or os.environ.get("RUN_DIR") or os.path.join(ROOT, "run", "check"))
        path = os.path.join(self.run_dir, "env")
        if not os.path.exists(path):
            raise FileNotFoundError(f"no stack in {self.run_dir}: RUN_DIR={self.run_dir} make up, first")
        self.env = {}
        with open(path, encoding="utf-8") as file:
            for line in file:
                name, _, value = line.strip().removeprefix("export ").partition("=")
                self.env[name] = (shlex.split(value) or [""])[0]
        self.url, self.persister_url = self.env["TICKET_URL"], self.env["PERSISTER_URL"]
        self.tag = f"{os.getpid():x}{int(time.time()) & 0xffff:x}"

    # processes

    def ctl(self, *args, env=None, timeout=120):
        """stack/ctl; what it printed. Fails loudly."""
        done = subprocess.run([os.path.join(ROOT, "stack", "ctl"), *args], text=True, timeout=timeout,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              env={**os.environ, "RUN_DIR": self.run_dir, **(env or {})})
        if done.returncode:
            raise RuntimeError(f"stack/ctl {' '.join(args)}: {done.stdout.strip()}")
        return done.stdout.strip()

    async def actl(self, *args, env=None):
        return await asyncio.to_thread(self.ctl, *args, env=env)

    def pid(self, server):
        with open(self.env[server.upper() + "_PID"]) as file:
            return int(file.read())

    @contextlib.asynccontextmanager
    async def paused(self, server):
        await self.actl("pause", server)
        try:
            yield
        finally:
            await self.actl("resume", server)

    def children(self, pid):
        found = []
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                with contextlib.suppress(OSError):
                    with open(f"/proc/{entry}/stat", encoding="latin-1") as file:
                        fields = file.read().rsplit(")", 1)[1].split()
                    if int(fields[1]) == pid and fields[0] != "Z":
                        found.append(int(entry))
        return sorted(found)

    def nginx_workers(self, master=None):
        return self.children(master or self.pid("nginx"))

    def signal_nginx(self, sig):
        os.kill(self.pid("nginx"), sig)

    async def reload_nginx(self, deadline=60):
        """HUP; back when the old workers are gone and new ones are there."""
        old = set(self.nginx_workers())
        self.signal_nginx(signal.SIGHUP)
        await self.until(lambda: not old & set(self.nginx_workers()) and self.nginx_workers(),
                         f"the old nginx workers {sorted(old)} are gone", deadline)

    @contextlib.asynccontextmanager
    async def nginx_conf(self, *edits):
        """nginx with another configuration for a while: edits are (pattern, replacement), each must match."""
        path = self.env["NGINX_CONF"]
        with open(path, encoding="utf-8") as file:
            was = file.read()
        text = was
        for pattern, replacement in edits:
            text, found = re.subn(pattern, replacement, text, flags=re.M)
            if not found:
                raise ValueError(f"{path} has nothing like {pattern}")
        try:
            _write(path, text)
            await self.reload_nginx()
            await self.ready()
            yield
        finally:
            _write(path, was)
            await self.reload_nginx()
            await self.ready()

    # servers

    def client(self, **options):
        return Client(self.url, **options)

    def redis(self):
        return Redis(self.env["REDIS_HOST"], int(self.env["REDIS_PORT"]))

    def sql(self, query, timeout=60):
        """The rows as lists of str. Ask for HEX() of what users chose."""
        env = self.env
        done = subprocess.run(
            [env.get("MYSQL_KIND", "mariadb"), "--no-defaults", "-h", env["MYSQL_HOST"], "-P", env["MYSQL_PORT"],
             "-u", env["MYSQL_USER"], "--default-character-set=utf8mb4", "--connect-timeout=10",
             "-N", "-B", env["MYSQL_DATABASE"], "-e", query],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout,
            env={**os.environ, "MYSQL_PWD": env["MYSQL_PASSWORD"]})
        if done.returncode:
            raise RuntimeError(f"MySQL: {done.stderr.decode(errors='replace').strip()}")
        return [line.split("\t") for line in done.stdout.decode().splitlines()]

    async def scrape(self, url):
        async with Client(url, connections=1) as client:
            answer = await client.request("GET", "/metrics")
        if answer.status != 200:
            raise RuntimeError(f"{url}/metrics: {answer!r}")
        return Metrics(answer.body.decode())

    async def edge_metrics(self):
        return await self.scrape(self.url)

    async def persister_metrics(self):
        return await self.scrape(self.persister_url)

    # waiting: a deadline is generous, because it only ends what has failed

    async def until(self, true, what, deadline=90, every=0.1):
        """Waits until the function or coroutine function `true` says so."""
        end = time.monotonic() + deadline
        while True:
            # what blocks must not hold up the load that goes on meanwhile
            result = await (true() if asyncio.iscoroutinefunction(true) else asyncio.to_thread(true))
            if result:
                return result
            if time.monotonic() > end:
                raise TimeoutError(f"after {deadline} s it is still not so that {what}")
            await asyncio.sleep(every)

    async def ready(self, deadline=60):
        async def check():
            try:
                async with self.client(connections=1, timeout=5) as client:
                    return (await client.request("GET", "/ready")).status == 200
            except Cut:
                return False
        await self.until(check, "the edge is ready", deadline)

    # tickets

    def name(self, what):
        return f"e2e-{what}-{self.tag}"

    async def admin(self, method, path, body=None, **options):
        async with self.client(connections=1) as client:
            return await client.request(method, "/admin/tickets" + path, body=body, **options)

    async def ticket(self, ticket):
        """Its definition as admin sees it."""
        answer = await self.admin("GET", "/" + quote(ticket))
        if answer.status != 200:
            raise RuntimeError(f"GET /admin/tickets/{ticket}: {answer!r}")
        return answer.json

    async def create(self, ticket, capacity, deadline=60, **definition):
        """Creates it and waits until it sells."""
        async with self.client(connections=1) as client:
            answer = await client.ask("PUT", f"/admin/tickets/{quote(ticket)}", body={"capacity": capacity, **definition})
        if answer.status not in (200, 201):
            raise RuntimeError(f"PUT /admin/tickets/{ticket}: {answer!r}")
        await self.opened(ticket, deadline)
        return ticket

    async def opened(self, ticket, deadline=60):
        async def check():
            return (await self.ticket(ticket))["state"] != "recovering"
        await self.until(check, f"ticket {ticket} is open", deadline)

    def lanes(self, ticket):
        """Per lane (epoch, seq) as Redis has them."""
        redis = self.redis()
        try:
            flat = redis("HGETALL", key_of(ticket))
        finally:
            redis.close()
        fields = {k.decode(): v.decode() for k, v in zip(flat[::2], flat[1::2])}
        return {lane: (int(fields["epoch"]), int(fields.get(f"seq:{lane}", 0)))
                for lane in range(int(fields["lanes"]))}

    def unstored(self, ticket):
        """Events of the ticket that MySQL does not have yet."""
        rows = self.sql("SELECT lane, epoch, applied_seq FROM lane_progress "
                        f"WHERE ticket_name = CONVERT(X'{_hex(ticket)}' USING utf8mb4)")
        applied = {(int(lane), int(epoch)): int(seq) for lane, epoch, seq in rows}
        return sum(seq - applied.get((lane, epoch), 0) for lane, (epoch, seq) in self.lanes(ticket).items())

    async def stored(self, *tickets, deadline=120):
        """Waits until MySQL has applied what Redis decided."""
        for ticket in tickets:
            left = None

            def check():
                nonlocal left
                left = self.unstored(ticket)
                return left == 0
            try:
                await self.until(check, "", deadline)
            except TimeoutError:
                raise TimeoutError(f"after {deadline} s {left} events of {ticket} are still not in MySQL") from None

    def rows(self, ticket):
        """user (bytes) -> (quantity, booking_id), from MySQL."""
        rows = self.sql("SELECT HEX(user_id), quantity, HEX(booking_id) FROM purchases "
                        f"WHERE ticket_name = CONVERT(X'{_hex(ticket)}' USING utf8mb4)")
        return {bytes.fromhex(user): (int(quantity), bytes.fromhex(booking).decode())
                for user, quantity, booking in rows}

    def row_users(self, ticket):
        return {user.decode() for user in self.rows(ticket)}

    def stock(self, ticket):
        """(capacity, remaining, held) in Redis at one instant."""
        redis = self.redis()
        try:
            _, _, _, (numbers, buyers) = redis.pipeline([
                ("MULTI",), ("HMGET", key_of(ticket), "capacity", "remaining"),
                ("HVALS", key_of(ticket, "buyers")), ("EXEC",)])
        finally:
            redis.close()
        return int(numbers[0]), int(numbers[1]), sum(int(buyer.split()[0]) for buyer in buyers)


def _write(path, text):
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(text)
    os.rename(path + ".new", path)


def _hex(text):
    return text.encode().hex().upper()


def books_agree(stack, ticket, ledger, name):
    """After everything is stored: owners = rows, every 201 among them with its booking_id, Redis agrees."""
    rows = stack.rows(ticket)
    users = {user.decode() for user in rows}
    same_set(users, ledger.owners(ticket), f"{name}: the owners and nobody else have a row")
    lost = {user: (booking, rows.get(user.encode(), (0, None))[1])
            for (one, user), booking in ledger.created.items()
            if one == ticket and rows.get(user.encode(), (0, None))[1] != booking}
    if not ok(not lost, f"{name}: every 201 is a row with the booking_id it was answered with"):
        diag(f"{len(lost)}, such as {list(lost.items())[:3]}")
    capacity, remaining, held = stack.stock(ticket)
    is_((remaining + held, held), (capacity, sum(q for q, _ in rows.values())),
        f"{name}: remaining + held = capacity in Redis, and MySQL has what is held ({held} of {capacity})")
