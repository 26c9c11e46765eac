"""Edges of a test's own before the stack's Redis, and waiting rooms as the scripts see them.

    edge = Edge(stack, "one", "location / { ... }", workers=4)
    async with edge.running():
        async with edge.client() as client: ...
"""

import asyncio
import contextlib
import functools
import hashlib
import os
import re
import shutil
import signal
import subprocess
import threading

from client import Client, Cut
from stack import ROOT, Redis, free_port

KEYS = "k1 the-key-of-the-tests-and-of-nobody-else\n"

CONF = """{module}
{user}
worker_processes {workers};
pid {dir}/nginx.pid;
error_log {dir}/error.log info;
lock_file {dir}/nginx.lock;
env ASAN_OPTIONS;
env LSAN_OPTIONS;
env UBSAN_OPTIONS;
worker_rlimit_nofile 16384;

events {{ worker_connections 8192; }}

http {{
    access_log off;
    client_body_temp_path {dir}/body;
    proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
    keepalive_requests 1000000;
    ticket_zone ticket:2m;
    ticket_redis redis://{redis}/0 timeout=10s;
    ticket_kafka off;
    ticket_max_pending 100000;
    ticket_pass_keys {dir}/keys;
    ticket_user $http_x_user;
    {http}

    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location ~ ^/queues/(?<room>[^/]+)$ {{ ticket queue; ticket_queue $room; }}
        location = /metrics {{ ticket metrics; }}
        location = /ready {{ ticket ready; }}
        {locations}
    }}
}}
"""


class Edge:
    def __init__(self, stack, name, locations="", workers=2, http=""):
        env = stack.env
        self.stack, self.port, self.pid = stack, free_port(), None
        self.dir = os.path.join(stack.run_dir, "edge-" + name)
        self.url = f"http://127.0.0.1:{self.port}"
        self.conf = CONF.format(
            module=f"load_module {env['NGINX_MODULE']};" if env["NGINX_MODULE"] else "",
            user="user root;" if os.geteuid() == 0 else "", workers=workers, dir=self.dir,
            redis=f"{env['REDIS_HOST']}:{env['REDIS_PORT']}", port=self.port, http=http, locations=locations)

    def client(self, **options):
        return Client(self.url, **options)

    @contextlib.asynccontextmanager
    async def running(self):
        shutil.rmtree(self.dir, ignore_errors=True)
        os.makedirs(self.dir)
        with open(os.open(os.path.join(self.dir, "keys"), os.O_CREAT | os.O_WRONLY, 0o600), "w") as file:
            file.write(KEYS)
        path = os.path.join(self.dir, "nginx.conf")
        with open(path, "w", encoding="utf-8") as file:
            file.write(self.conf)
        binary = shutil.which(os.environ.get("NGINX_BIN") or "nginx")
        subprocess.run([binary, "-p", self.dir + "/", "-c", path], check=True, stdin=subprocess.DEVNULL, timeout=60)
        try:
            self.pid = await self.stack.until(self._pid, f"{path} has a pid", 30)
            await self.stack.until(self._ready, f"the edge of {path} is ready", 60)
            yield self
        finally:
            workers = self.stack.children(self.pid) if self.pid else []
            if self.pid:
                # not TERM, after which a master kills who takes longer than a second
                os.kill(self.pid, signal.SIGQUIT)
                for pid in [self.pid, *workers]:
                    await self.stack.until(lambda pid=pid: not os.path.exists(f"/proc/{pid}/fd/0"), f"{pid} is gone", 60)

    def _pid(self):
        with contextlib.suppress(OSError, ValueError):
            with open(os.path.join(self.dir, "nginx.pid")) as file:
                return int(file.read())

    async def _ready(self):
        with contextlib.suppress(Cut):
            async with self.client(connections=1, timeout=5) as client:
                return (await client.request("GET", "/ready")).status == 200

    def complaints(self):
        """Lines of its log that no test may cause."""
        with open(os.path.join(self.dir, "error.log"), encoding="utf-8", errors="replace") as file:
            return [line for line in file if any(f"[{level}]" in line for level in ("error", "crit", "alert", "emerg"))]


@functools.lru_cache(maxsize=None)
def script(name):
    return subprocess.run(["sh", os.path.join(ROOT, "lua", "embed"), "script", name], check=True,
                          stdout=subprocess.PIPE).stdout


def room_keys(room):
    return f"queue:room:{{{room}}}", f"queue:{{{room}}}", f"queue:pass:z:{{{room}}}"


def define(redis, room, **values):
    """Makes or changes a room, as the action queue_admin does; values as queue_define takes them."""
    names = ("capacity", "rate", "share", "pass_ttl", "state", "tickets", "max_lag", "opens_at", "draw", "seed",
             "draw_hash", "origin")
    replid = dict(line.split(b":", 1) for line in redis("INFO", "replication").split(b"\r\n")
                  if b":" in line)[b"master_replid"]
    redis("SADD", "queues", room)
    reply = redis("EVAL", script("queue_define"), 3, *room_keys(room), room, "test", 1, replid,
                  *(values.get(name, "") for name in names), "")
    if reply[0] not in (0, 5):
        raise RuntimeError(f"queue_define {room}: {reply}")


def remove(redis, room):
    define(redis, room, state="deleted")
    redis("SREM", "queues", room)


def counters(redis, room):
    """issued, used, expired, returned; how many wait; how many live passes there are."""
    R, Q, Z = room_keys(room)
    reply = redis("EVAL", "local t = redis.call('TIME') local now = t[1] * 1000 + math.floor(t[2] / 1000) "
                  "local v = redis.call('HMGET', KEYS[1], 'issued', 'used', 'expired', 'returned') "
                  "return {v[1], v[2], v[3], v[4], redis.call('ZCARD', KEYS[2]), "
                  "redis.call('ZCOUNT', KEYS[3], '(' .. string.format('%d', now), '+inf')}", 3, R, Q, Z)
    return dict(zip(("issued", "used", "expired", "returned", "waiting", "live"), (int(value or 0) for value in reply)))


class Monitor:
    """What Redis is asked about a room, in its order: a list of (kind, client's port, value, Redis' time).

    kind is a script's name, `issued` (value: the total a script wrote; the script is the one before it) or
    `mark` (value: what was given to mark())."""

    LINE = re.compile(r'(\d+\.\d+) \[\d+ (?:\S*:(\d+)|lua)\] "(\w+)"(.*)')
    SCRIPTS = ("queue_enter", "queue_advance", "queue_leave", "queue_define", "queue_room")

    def __init__(self, stack, room):
        self.events, self.room, self.address = [], room, (stack.env["REDIS_HOST"], int(stack.env["REDIS_PORT"]))
        self.scripts = {hashlib.sha1(script(name)).hexdigest(): name for name in self.SCRIPTS}

    def __enter__(self):
        self.redis = Redis(*self.address, timeout=None)
        self.redis("MONITOR")
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.redis.socket.shutdown(2)
        self.thread.join()
        self.redis.close()

    def mark(self, text):
        redis = Redis(*self.address)
        redis("ECHO", f"mark:{self.room}:{text}")
        redis.close()

    def _read(self):
        key = f'"queue:room:{{{self.room}}}"'
        for line in self.redis.file:
            found = self.LINE.match(line.decode("latin-1").lstrip("+"))
            if not found:
                continue
            when, port, command, rest = found.groups()
            mark = re.match(rf' "mark:{re.escape(self.room)}:(.*)"', rest)
            if mark:
                self.events.append(("mark", 0, mark.group(1), float(when)))
            elif key not in rest:
                continue
            elif port and command.lower() in ("eval", "evalsha"):
                text = rest.split('"')[1]
                # a text is sent when Redis does not know it yet: to the same effect, and as rarely as it starts
                name = self.scripts.get(text)
                if name:
                    self.events.append((name, int(port), None, float(when)))
            elif command.upper() == "HSET" and not port:
                issued = re.search(r' "issued" "(\d+)"', rest)
                if issued and self.events:
                    self.events.append(("issued", self.events[-1][1], int(issued.group(1)), float(when)))


def ports_of(pid):
    """The local ports of a process' TCP connections."""
    inodes, ports = set(), set()
    for name in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):
            found = re.match(r"socket:\[(\d+)\]", os.readlink(f"/proc/{pid}/fd/{name}"))
            if found:
                inodes.add(found.group(1))
    with open(f"/proc/{pid}/net/tcp") as file:
        for line in file:
            fields = line.split()
            if fields[9] in inodes:
                ports.add(int(fields[1].split(":")[1], 16))
    return ports


async def sampled(every, sample):
    """Calls sample() again and again until it is cancelled; it is a blocking function."""
    with contextlib.suppress(asyncio.CancelledError):
        while True:
            await asyncio.to_thread(sample)
            await asyncio.sleep(every)
