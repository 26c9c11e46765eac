"""What the tests of recovery share: a Redis of their own that they can kill, replace and make forget.

The tests of core.py then work on it, as it takes the place of the stack's in the environment.
"""

import atexit
import os
import shutil
import subprocess
import time

import base
from base import DIR, Redis, env, equal, free_port, note, ok, stop, wait_for
from core import CODES, LATER, Office, agree, key, lane_of, rows

PAUSE_BIN = os.environ.get("PERSISTER_PAUSE_BIN") or os.path.join(base.ROOT, "build", "persister-pause",
                                                                  "ticket-persister")


def pause_build():
    """From here the daemon is the build with pause points."""
    if not os.environ.get("PERSISTER_PAUSE_BIN"):
        subprocess.run(["flock", os.path.join(base.ROOT, "build", ".lock"), "make", "-s", "-C",
                        os.path.join(base.ROOT, "persister"), "PAUSE=1"], check=True, stdout=subprocess.DEVNULL)
    base.PERSISTER = PAUSE_BIN


class Server:
    """A redis-server of this test alone."""

    count = 0

    def __init__(self, *options, port=None):
        Server.count += 1
        self.port = port or free_port()
        self.dir = os.path.join(DIR, f"redis{Server.count}")
        self.options, self.process = options, None
        os.mkdir(self.dir)
        atexit.register(self.kill)
        self.start()

    def start(self, *more):
        with open(os.path.join(self.dir, "log"), "ab") as log:
            self.process = subprocess.Popen(
                ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", self.dir, "--save", "",
                 "--maxmemory-policy", "noeviction", "--repl-diskless-sync-delay", "0", *self.options, *more],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL)

        def up():
            try:
                return self.client()("PING") == "PONG"
            except (OSError, Redis.Error, IndexError):
                return False
        if not wait_for(up, 30):
            stop("redis-server does not start")

    def client(self, db=base.REDIS_DB):
        before, os.environ["REDIS_PORT"] = os.environ["REDIS_PORT"], str(self.port)
        try:
            return Redis(db)
        finally:
            os.environ["REDIS_PORT"] = before

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def wipe(self):
        shutil.rmtree(self.dir)
        os.mkdir(self.dir)


def own_redis(*options):
    """The server everything of this test uses from now on."""
    env("REDIS_PORT")
    os.environ["REDIS_HOST"] = "127.0.0.1"
    server = Server(*options)
    os.environ["REDIS_PORT"] = str(server.port)
    return server


class Sale(Office):
    """An office whose Redis comes and goes."""

    def __init__(self, server):
        self.server = server
        super().__init__()

    def reconnect(self):
        self.redis = self.server.client()

    def restart(self, *more):
        self.server.kill()
        self.server.start(*more)
        self.reconnect()

    def hash(self, ticket):
        pairs = self.redis("HGETALL", key(ticket))
        return dict(zip(pairs[::2], pairs[1::2]))

    def reopened(self, ticket, epoch, name, seconds=30):
        began = time.monotonic()
        good = wait_for(lambda: self.is_open(ticket) and int(self.redis("HGET", key(ticket), "epoch")) >= epoch,
                        seconds)
        ok(good and self.hash(ticket)["epoch"] == str(epoch), f"{name} ({time.monotonic() - began:.1f} s)")
        if not good or self.hash(ticket)["epoch"] != str(epoch):
            note(self.hash(ticket))

    def full(self, ticket, name):
        """remaining + held = capacity, in Redis"""
        hash_ = self.hash(ticket)
        held = sum(int(quantity) for _, quantity, _ in self.buyers(ticket))
        equal(int(hash_["remaining"]) + held, int(hash_["capacity"]), name)

    def look(self, ticket, user):
        """What GET booking would say."""
        reply = self.call("booking", [key(ticket), *(key(ticket, part) for part in ("buyers", "rejected", "late"))],
                          ticket, 1, user)
        names = {code: name for name, code in CODES.items()}
        return [names[reply[3][0]], *reply[3][1:]] if reply[0] == CODES["OK"] else [names[reply[0]]]

    def takeover(self, ticket, lane, epoch, event, void=0):
        data = event["data"]
        return self.call("takeover", [key(ticket), key(ticket, "buyers"), key(ticket, "rejected"), key(ticket, "late"),
                                      key(ticket, f"outbox:{lane}")], ticket, lane, epoch, event["id"],
                         event["type"].replace("ticket.", ""), data["user"], data["quantity"], data["booking_id"],
                         void)


def outcomes(database):
    return {row[0]: row[1] for row in database("SELECT event_id, COALESCE(outcome, 'pending') FROM late_events")}


def settled(database, seconds=60):
    return wait_for(lambda: "pending" not in outcomes(database).values(), seconds)


class Pauses:
    """Points at which the daemon's threads stop: TICKET_PAUSE."""

    def __init__(self, *names):
        self.files = {name: os.path.join(DIR, f"pause-{name}-{os.urandom(3).hex()}") for name in names}

    @property
    def environment(self):
        return {"TICKET_PAUSE": ",".join(f"{name}:{file}" for name, file in self.files.items())}

    def arm(self, name):
        if os.path.exists(self.files[name] + ".at"):
            os.unlink(self.files[name] + ".at")
        with open(self.files[name], "w", encoding="ascii"):
            pass

    def there(self, name, seconds=30):
        return wait_for(lambda: os.path.exists(self.files[name] + ".at"), seconds)

    def go(self, name):
        if os.path.exists(self.files[name]):
            os.unlink(self.files[name])
