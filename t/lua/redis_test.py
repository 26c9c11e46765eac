"""What the tests of lua/ share: a Redis server of their own, a RESP client,
TAP, and a ticket as its callers see it.  Only the standard library."""

import atexit
import hashlib
import os
import shutil
import signal
import random
import socket
import subprocess
import sys
import tempfile
import time
import traceback
import zlib

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
EMBED = os.path.join(ROOT, "lua", "embed")

CODES = {}
with open(os.path.join(ROOT, "lua", "codes")) as codes:
    for line in codes:
        if line.strip() and not line.startswith("#"):
            name, number = line.split()
            CODES[int(number)] = name

FOREVER = 1 << 45               # a not_after that never comes


class RedisError(Exception):
    pass


class Client:
    def __init__(self, port, user=None):
        self.socket = socket.create_connection(("127.0.0.1", port), 10)
        self.file = self.socket.makefile("rb")
        self.scripts = {}
        if user:
            self("AUTH", user, "secret")

    def __call__(self, *words):
        self.send(*words)
        return self.read()

    def send(self, *words):
        out = [b"*%d\r\n" % len(words)]
        for word in words:
            if not isinstance(word, bytes):
                word = str(word).encode()
            out.append(b"$%d\r\n%s\r\n" % (len(word), word))
        self.socket.sendall(b"".join(out))

    def read(self):
        reply = self.read_any()
        if isinstance(reply, RedisError):
            raise reply
        return reply

    def read_any(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("the server closed the connection")
        kind, line = line[:1], line[1:-2]
        if kind == b"+":
            return line.decode()
        if kind == b"-":
            return RedisError(line.decode())
        if kind == b":":
            return int(line)
        if int(line) < 0:
            return None
        if kind == b"$":
            return self.file.read(int(line) + 2)[:-2].decode()
        return [self.read_any() for _ in range(int(line))]

    def script(self, name, keys, args):
        if name not in self.scripts:
            self.scripts[name] = self("SCRIPT", "LOAD", source(name))
        return self("EVALSHA", self.scripts[name], len(keys), *keys, *args)

    def error(self, *words):
        """the error a command ends with, or None"""
        try:
            self(*words)
        except RedisError as error:
            return str(error)
        return None

    def script_error(self, name, keys, args):
        try:
            self.script(name, keys, args)
        except RedisError as error:
            return str(error)
        return None

    def replid(self):
        return self.info("replication")["master_replid"]

    def info(self, section):
        lines = self("INFO", section).split("\r\n")
        return dict(line.split(":", 1) for line in lines if ":" in line)

    def dump(self, pattern="*"):
        """every key with its type and content"""
        keys, cursor = set(), "0"
        while True:
            cursor, page = self("SCAN", cursor, "MATCH", pattern, "COUNT", 500)
            keys.update(page)
            if cursor == "0":
                break
        read = {"hash": lambda k: pairs(self("HGETALL", k)),
                "string": lambda k: self("GET", k),
                "stream": lambda k: self("XRANGE", k, "-", "+"),
                "zset": lambda k: pairs(self("ZRANGE", k, 0, -1,
                                             "WITHSCORES")),
                "set": lambda k: sorted(self("SMEMBERS", k)),
                "list": lambda k: self("LRANGE", k, 0, -1)}
        out = {}
        for key in sorted(keys):
            kind = self("TYPE", key)
            out[key] = (kind, read[kind](key))
        return out


def pairs(flat):
    return dict(zip(flat[::2], flat[1::2]))


SOURCES = {}


def source(name):
    if name not in SOURCES:
        SOURCES[name] = subprocess.run([EMBED, "script", name], check=True,
                                       stdout=subprocess.PIPE).stdout
    return SOURCES[name]


def free_port():
    """One that no outgoing connection takes before the server has it."""
    while True:
        port = random.randrange(20000, 32000)
        try:
            with socket.create_server(("127.0.0.1", port)):
                return port
        except OSError:
            pass


class Server:
    """A redis-server on a free port, its data in a folder of its own."""

    def __init__(self, *options):
        self.port = free_port()
        self.dir = tempfile.mkdtemp(prefix="ticket-lua-")
        self.process = None
        atexit.register(self.stop)
        self.log = os.path.join(self.dir, "log")
        self.start(*options)

    def start(self, *options):
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1",
             "--dir", self.dir, "--save", "", "--logfile", self.log,
             "--repl-diskless-sync-delay", "0", *options],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        for _ in range(500):
            if self.process.poll() is not None:
                break
            try:
                if Client(self.port)("PING") == "PONG":
                    return
            except (OSError, RedisError):
                time.sleep(0.02)
        with open(self.log) as log:
            sys.exit("redis-server did not start:\n" + log.read())

    def client(self, user=None):
        return Client(self.port, user)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)


def name_codes(reply):
    """{code, now, ...} as ["NAME", ...], results inside too"""
    out = [CODES[reply[0]]]
    for item in reply[2:]:
        if isinstance(item, list):
            item = [CODES[item[0]]] + item[1:]
        out.append(item)
    return out


class Ticket:
    """One ticket and its scripts.  Methods return replies without the time,
    codes as names; `now` keeps the time."""

    def __init__(self, redis, name, lanes=1):
        self.redis, self.name, self.lanes = redis, name, lanes
        tag = name.split("@")[1] + "}:" + name if "@" in name else name + "}"
        self.key = "ticket:{" + tag
        self.buyers = self.key + ":buyers"
        self.rejected = self.key + ":rejected"
        self.late = self.key + ":late"
        self.now = None

    def outbox(self, lane=0):
        return "%s:outbox:%d" % (self.key, lane)

    def idem(self, user, action, key):
        return "%s:idem:%d:%s:%s:%s" % (self.key, len(user.encode()), user,
                                        action, key)

    def lane(self, user):
        return zlib.crc32(user.encode()) % self.lanes

    def call(self, script, keys, args):
        reply = self.redis.script(script, keys, [self.name, *args])
        self.now = reply[1]
        return name_codes(reply)

    # book and cancel take (user, quantity or booking_id, {key=, lane=,
    # not_after=}); of a guarded batch `room` is the waiting room
    def batch(self, script, head, commands, lanes=None, room=None):
        lanes = lanes or self.lanes
        keys = [self.key, self.buyers, self.rejected]
        keys += [self.outbox(lane) for lane in range(lanes)]
        args = [lanes, *head, len(commands)]
        for user, what, *more in commands:
            more = more[0] if more else {}
            key = 0
            if "key" in more:
                keys.append(self.idem(user, script, more["key"]))
                key = len(keys)
            args += [user, more.get("lane", self.lane(user)), what,
                     more.get("not_after", FOREVER), key]
        if room:
            keys += [room.passes, room.room]
        return self.call(script, keys, args)

    def guarded(self, room, *commands, lanes=None):
        """book with (user, quantity, when the pass expires or 0, {...})"""
        passes = " ".join(str(c[2]) for c in commands)
        return self.booked(commands, self.batch(
            "book", [0, passes], [(*c[:2], *c[3:]) for c in commands], lanes,
            room))

    def book(self, *commands, max_backlog=0, lanes=None):
        return self.booked(commands, self.batch("book", [max_backlog],
                                                commands, lanes))

    def booked(self, commands, reply):
        """a booking's number as ["BOOKED", seq, what is left after it]"""
        got = self.results(reply)
        if isinstance(got[0], str):
            return got
        left, *results = got
        for i, result in enumerate(results):
            if isinstance(result, int):
                left -= int(commands[i][1])
                results[i] = ["BOOKED", result, left]
        return results

    def cancel(self, *commands, lanes=None):
        got = self.results(self.batch("cancel", [], commands, lanes))
        return got if isinstance(got[0], str) else got[1:]

    def results(self, reply):
        if reply[0] != "OK":
            return reply
        self.epoch = reply[1]
        return reply[2:]

    def sell(self, user, quantity=1, **more):
        """one booking; its result"""
        return self.book((user, quantity, more))[0]

    def undo(self, user, booking_id="", **more):
        return self.cancel((user, booking_id, more))[0]

    def booking(self, *users):
        return self.results(self.call(
            "booking", [self.key, self.buyers, self.rejected, self.late],
            [len(users), *users]))

    def ticket(self):
        return self.call("ticket", [self.key], [])

    def define(self, capacity="", per_user="", lanes="", state="",
               opens_at="", closes_at="", create=1, not_after=FOREVER,
               catalogue=None):
        if catalogue is None:
            catalogue = self.redis.replid()
        return self.call("define", [self.key, self.outbox()],
                         [create, not_after, catalogue, capacity, per_user,
                          lanes, state, opens_at, closes_at])

    def delete(self, not_after=FOREVER):
        return self.call("delete", [self.key, self.buyers, self.outbox()],
                         [not_after])

    def bookings(self, cursor="0", count=1000):
        return self.call("bookings", [self.key, self.buyers], [cursor, count])

    def ack(self, applied, *dead, lane=0, epoch=None):
        if epoch is None:
            epoch = self.hash("epoch")
        return self.call("ack", [self.key, self.buyers, self.rejected,
                                 self.outbox(lane)],
                         [lane, epoch, applied, *(w for d in dead for w in d)])

    def claim(self, token="token"):
        return self.call("claim", [self.key], [token])

    def open_keys(self, epoch):
        return [self.key, self.buyers, "%s:new:%s" % (self.buyers, epoch),
                self.rejected, "%s:new:%s" % (self.rejected, epoch),
                self.late] + [self.outbox(i) for i in range(self.lanes)]

    def open_script(self, epoch, capacity=10, per_user=1, state="open",
                    opens_at="", closes_at="", token="token", replid=None,
                    count=0, held=0):
        return self.call("open", self.open_keys(epoch),
                         [token, replid or self.redis.replid(), epoch, count,
                          held, capacity, per_user, self.lanes, state,
                          opens_at, closes_at])

    def open(self, capacity=10, epoch=None, buyers=None, **more):
        """claim, stage and open, as a persister does"""
        epoch = epoch or int(self.hash("epoch") or 0) + 1
        self.claim()
        held = 0
        for user, value in (buyers or {}).items():
            self.redis("HSET", self.buyers + ":new:%d" % epoch, user, value)
            held += int(value.split()[0])
        reply = self.open_script(epoch, capacity, held=held,
                                 count=len(buyers or {}), **more)
        assert reply == ["OK", capacity - held], reply
        return self

    def hash(self, field):
        return self.redis("HGET", self.key, field)

    def held(self):
        return pairs(self.redis("HGETALL", self.buyers))

    def events(self, lane=0):
        """outbox entries as (id, value), all with the one field "1\""""
        out = []
        for entry, fields in self.redis("XRANGE", self.outbox(lane), "-", "+"):
            assert len(fields) == 2 and fields[0] == "1", fields
            out.append((entry, fields[1]))
        return out

    def id(self, seq, lane=0, epoch=1):
        return "%s:%d:%d-%d" % (self.name, lane, epoch, seq)

    def dump(self):
        return self.redis.dump(self.key.replace("[", "\\[") + "*")

    def balance(self):
        """remaining + held, which is the capacity at every instant"""
        held = sum(int(v.split()[0]) for v in self.held().values())
        return int(self.hash("remaining")) + held


class Room:
    """One waiting room and its scripts.  Methods return replies without the
    time, codes as names; `now` keeps the time."""

    def __init__(self, redis, name, *tickets):
        self.redis, self.name, self.tickets = redis, name, list(tickets)
        self.room = "queue:room:{%s}" % name
        self.line = "queue:{%s}" % name
        self.passes = "queue:pass:z:{%s}" % name
        self.keys = [self.room, self.line, self.passes]
        self.now = None

    def call(self, script, args, guards=False):
        """guards: with the tickets that the room guards"""
        keys = self.keys + [t.key for t in self.tickets if guards]
        if guards:
            args = [" ".join(t.name for t in self.tickets), *args]
        reply = self.redis.script(script, keys, [self.name, *args])
        self.now = reply[1]
        return [CODES[reply[0]], *reply[2:]]

    def enter(self, user, join=1, place=0, since=FOREVER, not_after=""):
        return self.call("queue_enter", [user, join, place, since, not_after],
                         True)

    def status(self, user, place=0, since=FOREVER):
        return self.enter(user, 0, place, since)

    def advance(self, samples=0):
        """the picture as a dict, or the reply that is none"""
        reply = self.call("queue_advance", [samples], True)
        if reply[0] != "OK":
            return reply
        return dict(zip(PICTURE, reply[1:], strict=True))

    def leave(self, user, not_after=""):
        return self.call("queue_leave", [user, not_after])

    def define(self, who="admin", create=1, catalogue=None, seed="",
               draw_hash=None, origin="", drawn=0, changed_at="",
               not_after="", **values):
        """the pairs as a dict after the code, or the reply that has none"""
        if catalogue is None:
            catalogue = self.redis.replid()
        if draw_hash is None:
            draw_hash = seed and hashlib.sha256(seed.encode()).hexdigest()
        given = [values.pop(n, "") for n in DEFINITION]
        assert not values, values
        args = [who, create, catalogue, *given, seed, draw_hash, origin]
        return self.named(self.call("queue_define",
                                    args + [drawn, changed_at] * (origin != "")
                                    + [not_after]))

    def make(self, capacity=1, **values):
        """defined, with its tickets; itself"""
        names = " ".join(t.name for t in self.tickets)
        got = self.define(capacity=capacity, tickets=names, **values)
        assert got[0] == "CREATED", got
        return self

    def look(self):
        return self.named(self.call("queue_room", []))

    def named(self, reply):
        if reply[0] not in ("OK", "CREATED"):
            return reply
        return [reply[0], pairs(reply[1:])]

    def hash(self, field):
        return self.redis("HGET", self.room, field)

    def waiting(self):
        return self.redis("ZRANGE", self.line, 0, -1)

    def live(self):
        """who has a pass, expired ones that nobody dropped yet among them"""
        return self.redis("ZRANGE", self.passes, 0, -1)

    def expire(self, *users):
        """their passes are over"""
        for user in users:
            self.redis("ZADD", self.passes, "XX", self.now - 1, user)

    def totals(self):
        """0 when issued = live + used + expired + returned"""
        issued, *ended = [int(self.hash(n)) for n in (
            "issued", "used", "expired", "returned")]
        return issued - sum(ended) - self.redis("ZCARD", self.passes)


PICTURE = ("state waiting live left capacity pace rate lag more admitted issued "
           "used expired returned tickets draw opens_at drawn draw_hash seed "
           "pass_ttl head samples base unsure").split()
DEFINITION = ("capacity rate share pass_ttl state tickets max_lag opens_at "
              "draw").split()


class Tap:
    def __init__(self):
        self.count = self.failed = 0
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))

    def ok(self, good, title):
        self.count += 1
        self.failed += not good
        print("%sok %d - %s" % ("" if good else "not ", self.count,
                                title.replace("#", "\\#")), flush=True)
        if not good:
            at = traceback.extract_stack()
            at = [f for f in at if not f.filename.endswith("redis_test.py")]
            print("# line %d" % at[-1].lineno)

    def eq(self, got, want, title):
        self.ok(got == want, title)
        if got != want:
            print("#      got: %r\n# expected: %r" % (got, want))

    def has(self, text, part, title):
        self.ok(isinstance(text, str) and part in text, title)
        if not (isinstance(text, str) and part in text):
            print("#      got: %r\n# expected: ... %s ..." % (text, part))

    def done(self):
        print("1..%d" % self.count)
        sys.exit(1 if self.failed else 0)
