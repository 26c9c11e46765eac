"""What the tests of the persister's core share: tickets, real events by the real scripts, Kafka, the daemon.

A test plays the edge: it calls book and cancel in Redis as nginx would, and hands the events to Kafka (or
not, or twice, or shuffled) by kcat. What it wants to see is in MySQL afterwards.
"""

import atexit
import json
import os
import re
import subprocess
import zlib
from datetime import datetime, timezone

from base import NAME, ROOT, Daemon, Redis, conf, env, free_port, health, http, needs_kafka, note, ok, stop, wait_for

CODES = {}
for _line in open(os.path.join(ROOT, "lua", "codes"), encoding="utf-8"):
    if not _line.startswith("#") and _line.strip():
        CODES[_line.split()[0]] = int(_line.split()[1])

LATER = 4102444800000       # 2100, in ms: no deadline
_scripts = {}


def script(name):
    if name not in _scripts:
        _scripts[name] = subprocess.run([os.path.join(ROOT, "lua", "embed"), "script", name], check=True,
                                        capture_output=True).stdout
    return _scripts[name]


def key(ticket, suffix=""):
    group = ticket.split("@")[1] + "}:" + ticket if "@" in ticket else ticket + "}"
    return "ticket:{" + group + (":" + suffix if suffix else "")


def lane_of(user, lanes):
    return zlib.crc32(user.encode()) % lanes


def rfc3339(ms):
    if ms in ("", None):
        return None
    return datetime.fromtimestamp(ms / 1000, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.") + f"{ms % 1000:03d}Z"


def event_id(ticket, lane, epoch, seq):
    return f"{ticket}:{lane}:{epoch}-{seq}"


def event(kind, ms, ticket, lane, epoch, seq, **data):
    return {"specversion": "1.0", "id": event_id(ticket, lane, epoch, seq), "source": "/ticket-office",
            "type": "ticket." + kind, "subject": ticket, "time": rfc3339(ms), "datacontenttype": "application/json",
            "data": {"ticket": ticket, "lane": lane, "epoch": epoch, "seq": seq, **data}}


def encode(an_event):
    return json.dumps(an_event, ensure_ascii=False, separators=(",", ":")).encode()


class Office:
    """The tickets of this test in Redis, and what the edge does with them."""

    def __init__(self):
        self.redis = Redis()
        self.redis("FLUSHDB")
        self.tickets = {}

    def call(self, name, keys, *args):
        return self.redis("EVAL", script(name), len(keys), *keys, *args)

    def define(self, ticket, capacity=100000, per_user=1, lanes=1, state="open", create=1):
        """As admin's PUT: the definition and, for a new one, the wish to open it."""
        self.redis("SADD", "tickets", ticket)
        reply = self.call("define", [key(ticket), key(ticket, "outbox:0")], ticket, create, LATER,
                          self.redis("GET", "catalogue") or self.redis.replid(), capacity, per_user, lanes, state, "",
                          "")
        self.tickets[ticket] = lanes
        if reply[0] == CODES["CREATED"] and reply[2] == 0:
            self.redis("SADD", "tickets:recover", ticket)
        return reply

    def defined(self, reply, ticket):
        """The event of a change."""
        _, now, epoch, seq, capacity, _, per_user, lanes, state, opens, closes, _ = reply
        return event("defined", now, ticket, 0, epoch, seq, capacity=capacity, per_user=per_user, lanes=lanes,
                     state=state, opens_at=rfc3339(opens), closes_at=rfc3339(closes))

    def is_open(self, ticket):
        return self.redis("HGET", key(ticket), "history") == self.redis.replid()

    def create(self, ticket, seconds=30, **definition):
        self.define(ticket, **definition)
        if not wait_for(lambda: self.is_open(ticket), seconds):
            stop(f"{ticket} was not opened")

    def _keys(self, ticket):
        return [key(ticket), key(ticket, "buyers"), key(ticket, "rejected")] + \
            [key(ticket, f"outbox:{lane}") for lane in range(self.tickets[ticket])]

    def book(self, ticket, users, quantity=1):
        """The events, one for each user who got it."""
        lanes, events = self.tickets[ticket], []
        for first in range(0, len(users), 200):
            some = users[first:first + 200]
            args = [word for user in some for word in (user, lane_of(user, lanes), quantity, LATER, 0)]
            reply = self.call("book", self._keys(ticket), ticket, lanes, 0, len(some), *args)
            if reply[0] != CODES["OK"]:
                raise RuntimeError(f"book {ticket}: {reply}")
            for user, result in zip(some, reply[4:]):
                if not isinstance(result, int):
                    raise RuntimeError(f"book {ticket}: {result}")
                lane, epoch, seq = lane_of(user, lanes), int(reply[2]), result
                own = event_id(ticket, lane, epoch, seq)
                events.append(event("booked", reply[1], ticket, lane, epoch, seq, user=user, quantity=quantity,
                                    booking_id=own, holding=quantity, holding_id=own))
        return events

    def cancel(self, ticket, users):
        lanes, events = self.tickets[ticket], []
        for first in range(0, len(users), 200):
            some = users[first:first + 200]
            args = [word for user in some for word in (user, lane_of(user, lanes), "", LATER, 0)]
            reply = self.call("cancel", self._keys(ticket), ticket, lanes, len(some), *args)
            for user, result in zip(some, reply[4:]):
                if result[0] != CODES["CANCELLED"]:
                    raise RuntimeError(f"cancel {ticket}: {result}")
                events.append(event("cancelled", reply[1], ticket, lane_of(user, lanes), int(reply[2]), result[1],
                                    user=user, quantity=result[3], booking_id=result[2], holding=0, holding_id=None))
        return events

    def buyers(self, ticket):
        """What Redis says who holds what: user, quantity, booking."""
        pairs = self.redis("HGETALL", key(ticket, "buyers"))
        return sorted((user, *value.split(" ")[::2]) for user, value in zip(pairs[::2], pairs[1::2]))

    def seq(self, ticket, lane=0):
        return int(self.redis("HGET", key(ticket), f"seq:{lane}"))

    def persisted(self, ticket, lane=0):
        return self.redis("HGET", key(ticket), f"persisted:{lane}")


class Topic:
    """A topic of this test alone. Where there is no Kafka (KAFKA=no) a test that needs it is skipped; for another
    one nothing is produced, and everything comes by the outbox."""

    name = None

    def __init__(self, suffix="", partitions=2, needed=True):
        if needed:
            needs_kafka()
        if os.environ.get("KAFKA") == "no":
            return
        self.name = f"test.{NAME}{suffix}.{os.getpid()}"
        self._tool("--create", "--partitions", str(partitions), "--replication-factor", "1")
        atexit.register(self._tool, "--delete", "--if-exists", check=False)

    def _tool(self, *args, check=True):
        subprocess.run([os.path.join(ROOT, "stack", "kafka", "tool"), "TopicCommand", "--topic", self.name, *args],
                       check=check, capture_output=True, timeout=60)

    def partitions(self, count):
        self._tool("--alter", "--partitions", str(count))

    def produce(self, events):
        """In this order; an event may also be a pair of key and bytes."""
        if self.name is None:
            return
        lines = b"".join(
            one[0].encode() + b"\t" + one[1] + b"\n" if isinstance(one, tuple) else
            f"{one['data']['ticket']}/{one['data']['lane']}".encode() + b"\t" + encode(one) + b"\n" for one in events)
        subprocess.run(["kcat", "-P", "-b", env("KAFKA_BOOTSTRAP"), "-t", self.name, "-K", "\t", "-X",
                        "partitioner=consistent", "-X", "message.max.bytes=4000000", "-X", "log_level=3"], input=lines,
                       check=True, timeout=60, capture_output=True)


class Persister(Daemon):
    """The daemon with everything in a hurry, and its metrics."""

    count = 0

    def __init__(self, database, topic=None, wait=True, redis_uri=None, environment=None, **options):
        Persister.count += 1
        self.port = free_port()
        sections = {"http": {"listen": f"127.0.0.1:{self.port}"},
                    "persister": {"sweep_ms": 1000, "tail_ms": 300, "gap_ms": 1000, "open_ms": 50}}
        self.kafka = topic is not None and topic.name is not None
        if self.kafka:
            sections["kafka"] = {"enabled": "yes", "brokers": env("KAFKA_BOOTSTRAP"), "topic": topic.name,
                                 "group": f"{topic.name}.group", "property": "session.timeout.ms=3000;"
                                 "heartbeat.interval.ms=500"}
        if redis_uri:
            sections["redis"] = {"uri": redis_uri}
        for section, values in options.items():
            sections.setdefault(section, {}).update(values)
        super().__init__(conf(database, f"core{Persister.count}.conf", **sections), f"core{Persister.count}",
                         **(environment or {}))
        if wait and not wait_for(lambda: health(self.port)[0] == 200, 30):
            stop("the persister did not get up:\n" + self.log())

    def metrics(self):
        values = {}
        for line in http(self.port, "/metrics")[2].splitlines():
            if not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                values[name.replace("ticket_persister_", "")] = float(value)
        return values

    def metric(self, name):
        return int(self.metrics()[name])

    def assigned(self, partitions):
        """Waits until this many partitions are assigned in all, if there is Kafka."""
        if not self.kafka:
            return
        pattern = re.compile(r"(\d+) partitions are ours now")

        def there():
            last = {}
            for line in self.log().splitlines():
                if found := pattern.search(line):
                    last[re.search(r"worker (\d+)", line).group(1)] = int(found.group(1))
            return sum(last.values()) == partitions
        if not wait_for(there, 30):
            stop(f"the partitions were not assigned:\n{self.log()}")


def kafka_and_outbox(persister):
    values = persister.metrics()
    return int(values['applied_total{source="kafka"}']), int(values['applied_total{source="outbox"}'])


def rows(database, ticket):
    """user, quantity, booking_id of a ticket, whatever bytes they are."""
    text = database("SELECT HEX(user_id), quantity, HEX(booking_id) FROM purchases WHERE HEX(ticket_name) = "
                    f"'{ticket.encode().hex()}'")
    return sorted((bytes.fromhex(user).decode(), quantity, bytes.fromhex(booking).decode())
                  for user, quantity, booking in text)


def progress(database, ticket, lane=0):
    """applied_seq of the lane's newest epoch"""
    text = database(f"SELECT applied_seq FROM lane_progress WHERE HEX(ticket_name) = '{ticket.encode().hex()}' "
                    f"AND lane = {lane} ORDER BY epoch DESC LIMIT 1")
    return int(text[0][0]) if text else None


def stored(office, database, ticket, seconds=30):
    """Waits until every lane of a ticket is stored and acknowledged."""
    lanes = range(office.tickets[ticket])

    def all_there():
        return all(progress(database, ticket, lane) == office.seq(ticket, lane)
                   and office.persisted(ticket, lane).split("-")[1] == str(office.seq(ticket, lane)) for lane in lanes)
    return wait_for(all_there, seconds)


def agree(office, database, ticket, name, seconds=30):
    """What MySQL has is what Redis says, and Redis knows that it is stored."""
    good = stored(office, database, ticket, seconds)
    have, want = rows(database, ticket), office.buyers(ticket)
    if not ok(good and have == want, name):
        lanes = [(progress(database, ticket, lane), office.seq(ticket, lane), office.persisted(ticket, lane))
                 for lane in range(office.tickets[ticket])]
        note(f"stored: {good}; lanes {lanes}; {len(have)} rows, {len(want)} buyers")
        note(f"only in MySQL: {sorted(set(have) - set(want))[:5]}\nonly in Redis: {sorted(set(want) - set(have))[:5]}")


def users(count, prefix="user"):
    return [f"{prefix}-{n:06d}" for n in range(count)]
