#!/usr/bin/env python3
"""Waiting rooms are kept in MySQL, and come back from there with their places when Redis has lost them.

Redis is the truth while it has a room: neither a second persister nor one that was paused puts an older
definition over a newer one, in either direction. Rooms are back before `catalogue` says that what is not
there does not exist. A room that is broken keeps no other waiting.
"""

import hashlib
import threading

from base import Database, Proxy, Redis, done, env, equal, has, lacks, ok, stop, wait_for
from core import Persister
from recovery import Pauses, pause_build
from rooms import Rooms

COLUMNS = ("capacity", "rate", "share", "pass_ttl", "state", "tickets", "max_lag", "draw", "seed", "draw_hash",
           "origin", "drawn", "changed_by")
OPENS_AT = 4102444800000
seed = "winter-tour"
tour = {"capacity": 500, "rate": 20, "share": 75, "pass_ttl": 90000, "tickets": "tour vip@tour", "max_lag": 800,
        "opens_at": OPENS_AT, "draw": 1, "seed": seed, "draw_hash": hashlib.sha256(seed.encode()).hexdigest()}

pause_build()
office, database = Rooms(), Database()
pauses = Pauses("room", "room_back")
mysql = Proxy(env("MYSQL_HOST"), env("MYSQL_PORT"))
mysql.open()


def row(name):
    got = database(f"SELECT {', '.join(f'COALESCE({c}, _ascii 0x2D)' for c in COLUMNS)} FROM queues WHERE HEX(name) = "
                   f"'{name.encode().hex().upper()}'")
    return dict(zip(COLUMNS, got[0])) if got else None


def same(name):
    """The row says what the hash says."""
    got, want = row(name), office.room_hash(name)
    return got and all(got[c] == (want[c] or ("-" if c in ("rate", "share") else "")) for c in COLUMNS)


def revision(name):
    return int(database(f"SELECT revision FROM queues WHERE name = '{name}'")[0][0])


rounds = 0


def a_round():
    """A keeper has looked at the rooms since this was called: it has seen a change of one."""
    global rounds
    rounds += 1
    office.room("clock", capacity=rounds)
    if not wait_for(lambda: row("clock") and row("clock")["capacity"] == str(rounds)):
        stop("the rooms are not kept:\n" + persister.log())


persister = Persister(database)

# ---------------------------------------------------------------- from Redis to MySQL

equal(office.room("tour", "ann", **tour)[0], "CREATED", "a room is made")
office.room("gate", "bob", capacity=7)
office.room("gone", capacity=3)
office.room("Grüße-🎫", capacity=4)
for name in ("tour", "gate", "gone", "Grüße-🎫"):
    ok(wait_for(lambda: same(name)), f"{name}: its row is its definition")
equal(row("tour")["changed_by"], "ann", "who changed it is there")
equal(database("SELECT TIMESTAMPDIFF(MICROSECOND, '1970-01-01', opens_at) DIV 1000, TIMESTAMPDIFF(MICROSECOND, "
               "'1970-01-01', changed_at) DIV 1000 FROM queues WHERE name = 'tour'"),
      [[str(OPENS_AT), office.room_hash("tour")["changed_at"]]], "the times are Redis'")
equal(row("gate"), {"capacity": "7", "rate": "-", "share": "-", "pass_ttl": "60000", "state": "open", "tickets": "",
                    "max_lag": "1000", "draw": "0", "seed": "", "draw_hash": "", "drawn": "0", "changed_by": "bob",
                    "origin": office.room_hash("gate")["origin"]}, "what is not set is NULL or empty")
office.room("gate", "cy", 0, capacity=9, state="paused", rate=5)
ok(wait_for(lambda: same("gate")), "a change is followed")
equal([row("gate")[c] for c in ("capacity", "state", "rate", "changed_by")], ["9", "paused", "5", "cy"], "all of it")
places = {user: office.enter("tour", user, tickets=tour["tickets"]) for user in ("u1", "u2", "u3")}
equal([place[0] for place in places.values()], ["WAITING"] * 3, "three enter before the draw")
ok(wait_for(lambda: row("tour")["drawn"] == "3"), "how many numbers were drawn is followed")
office.room("gone", state="deleted")
ok(wait_for(lambda: row("gone")["state"] == "deleted"), "a deleted room is a tombstone")
a_round()
before = revision("tour")
for _ in range(3):
    a_round()
equal(revision("tour"), before, "what is the same is not written again")

# ---------------------------------------------------------------- what the database can do

database("INSERT INTO benchmarks (rows_per_s, one_lane, all_workers, workers) VALUES (1000, 1000, 2000, 2)")
ok(wait_for(lambda: office.room_hash("tour").get("rows_per_s") == "1000"), "rooms get the rows a second of a benchmark")
database("INSERT INTO benchmarks (rows_per_s, one_lane, all_workers, workers) VALUES (44, 44, 44, 1)")
ok(wait_for(lambda: all(office.room_hash(name).get("rows_per_s") == "44" for name in ("tour", "gate", "Grüße-🎫"))),
   "the newest one counts")
office.room("load", capacity=100, share=50)
ok(wait_for(lambda: office.room_hash("load").get("rows_per_s") == "44"), "also for a room that is made later")
equal(office.advance("load")["rate"], 22, "which admits by it")
ok(not office.room_hash("gone").get("rows_per_s"), "but not for a deleted one")
equal(persister.metric("benchmark_rows_per_second"), 44, "/metrics has it")

# ---------------------------------------------------------------- broken ones

office.redis("SET", "queue:room:{text}", "no room")
office.redis("HSET", "queue:room:{bent}", "state", "open", "capacity", "0x10")
office.redis("HSET", "queue:room:{part}", "capacity", "10")
office.room("long", "w" * 300, capacity=1)
names = ["text", "bent", "part", "empty", "a@b", "no room", "", "x" * 256, b"\xff\xfe"]
office.redis("SADD", "queues", *names)
office.room("after", capacity=6)
ok(wait_for(lambda: same("after")), "rooms that are broken keep no other waiting")
office.create("opened")
ok(True, "nor a ticket that is to be opened")
ok(wait_for(lambda: persister.metric("rooms_broken") == 3), "/metrics counts them")
ok(wait_for(lambda: persister.metric("rooms") == 7), "and those that are live, of which MySQL takes one not")
has(persister.log(), "cannot be kept", "the log names one")
equal([row(name) for name in ("text", "bent", "part", "long", "empty")], [None] * 5, "none of them has a row")
left = set(office.redis("SMEMBERS", "queues"))
equal(left & {"a@b", "no room", "", "x" * 256}, set(), "names that are none are removed")
for name in ("text", "bent", "part", "long"):
    office.redis("UNLINK", f"queue:room:{{{name}}}")
ok(wait_for(lambda: persister.metric("rooms_broken") == 0), "and the broken ones are forgotten when they are gone")

# ---------------------------------------------------------------- Redis has forgotten

BACK = {name: row(name) for name in ("tour", "gate", "after", "load", "Grüße-🎫", "clock")}
CHANGED = {name: office.room_hash(name)["changed_at"] for name in BACK}


class Monitor(threading.Thread):
    """What Redis was told, in its order."""

    def __init__(self):
        super().__init__(daemon=True)
        self.redis, self.lines = Redis(), []
        self.redis("MONITOR")
        self.start()

    def run(self):
        for line in self.redis.file:
            self.lines.append(line.decode(errors="replace"))

    def first(self, *words):
        found = [n for n, line in enumerate(self.lines) if all(word in line for word in words)]
        return found[0] if found else None


def is_back(name):
    return row(name) == BACK[name] == {c: office.room_hash(name).get(c) or ("-" if c in ("rate", "share") else "")
                                       for c in COLUMNS}


monitor = Monitor()
office.redis("FLUSHDB")
ok(wait_for(lambda: office.redis("GET", "catalogue") == office.redis.replid()), "Redis forgets: the catalogue is back")
for name in BACK:
    ok(wait_for(lambda: is_back(name)), f"{name}: the room is as it was, with its origin")
    equal(office.room_hash(name)["changed_at"], CHANGED[name], "... and when it was changed")
written = wait_for(lambda: monitor.first('"SET" "catalogue"'))
for name in ("tour", "after"):
    made = monitor.first(" lua] ", '"HSET"', f"queue:room:{{{name}}}")
    named = monitor.first('"SADD" "queues"', f'"{name}"')
    ok(None not in (named, made, written) and named < made < written,
       f"{name}: its name was there before the room, and the room before the catalogue")
equal(office.room_hash("gone"), {}, "a deleted one stays deleted")
ok("gone" not in office.redis("SMEMBERS", "queues"), "and unnamed")
ok(wait_for(lambda: office.room_hash("tour").get("rows_per_s") == "44"), "rows a second are there again")
equal(persister.metric("rooms_restored_total"), len(BACK), "/metrics has counted them")
got = office.enter("tour", "u2", place=places["u2"][1], tickets=tour["tickets"])
equal(got[:3], places["u2"][:3], "a place of before is worth what it was: number and score")
got = office.enter("after", "ann", place=int(BACK["after"]["origin"]) + 1)
ok(got[0] in ("WAITING", "ADMITTED"), "also a number of the line")
office.redis("UNLINK", "queue:room:{gate}")
ok(wait_for(lambda: is_back("gate")), "a room that alone is lost comes back as well")
a_round()

# ---------------------------------------------------------------- MySQL away

persister.stop()
second = Persister(database, mysql={"host": "127.0.0.1", "port": mysql.port})
wait_for(lambda: office.redis("GET", "catalogue"))
mysql.close()
office.redis("FLUSHDB")
has(wait_for(lambda: "cannot be used" in second.log() and second.log()), "mysql 127.0.0.1", "MySQL is away")
equal((office.redis("GET", "catalogue"), office.room_hash("tour")), (None, {}), "there is neither catalogue nor room")
mysql.open()
BACK["clock"] = row("clock")
ok(wait_for(lambda: office.redis("GET", "catalogue"), 60), "MySQL is back: so is the catalogue")
ok(all(is_back(name) for name in BACK), "and the rooms")
second.stop()

# ---------------------------------------------------------------- a row that is no room

database("INSERT INTO queues SELECT 'aaa', 0, rate, share, pass_ttl, state, tickets, max_lag, opens_at, draw, seed, "
         "draw_hash, origin, drawn, changed_by, changed_at, 1, NOW(3) FROM queues WHERE name = 'gate'")
office.redis("FLUSHDB")
persister = Persister(database)
ok(wait_for(lambda: office.redis("GET", "catalogue")), "a row no room can be made of: the catalogue is written")
ok(all(is_back(name) for name in BACK), "the others are back")
has(persister.log(), "waiting room aaa cannot be put back", "and the log names it")
ok(wait_for(lambda: persister.metric("rooms_broken") == 1), "it is counted as broken")
a_round()
a_round()
equal(persister.log().count("aaa"), 2, "and not named each second")
BACK["clock"] = row("clock")
database("DELETE FROM queues WHERE name = 'aaa'")
office.redis("FLUSHDB")
office.redis("SET", "queues", "no set")
office.create("still")
ok(True, "`queues` itself is broken: tickets are opened")
persister.stop()

# ---------------------------------------------------------------- two at once

office.redis("FLUSHDB")
two = [Persister(database), Persister(database, environment=pauses.environment)]
ok(wait_for(lambda: office.redis("GET", "catalogue") and all(is_back(name) for name in BACK)),
   "two persisters: all is back")
ok(wait_for(lambda: sum(one.metric("rooms_restored_total") for one in two) == len(BACK)),
   "each room was made once")
for n in range(20):
    office.room("gate", capacity=100 + n)
    office.room("both", capacity=1 + n)
ok(wait_for(lambda: same("gate") and same("both")), "changes of both are followed")
for one in two:
    lacks(one.log(), "cannot", "nothing was wrong")

# one is paused between its look at Redis and its write, while another one writes what is newer
equal(two[0].stop(), 0, "one ends")
pauses.arm("room")
office.room("gate", "old", capacity=201)
ok(pauses.there("room"), "the other has seen a change, and is paused")
other = Persister(database)
ok(wait_for(lambda: same("gate")), "a third writes it")
office.room("gate", "new", capacity=202)
ok(wait_for(lambda: row("gate")["capacity"] == "202"), "and the next one")
before = revision("gate")
other.stop()
pauses.go("room")
a_round()
equal((row("gate")["capacity"], row("gate")["changed_by"]), ("202", "new"),
      "the older picture is not put over the newer")
equal(revision("gate"), before, "nor was it for a moment")

# one is about to put back what was changed meanwhile
pauses.arm("room_back")
office.redis("FLUSHDB")
ok(pauses.there("room_back"), "one puts rooms back, and is paused")
other = Persister(database)
ok(wait_for(lambda: office.redis("GET", "catalogue") and office.room_hash("gate").get("state")),
   "the other one has done it")
office.room("gate", "newest", capacity=303)
office.room("after", state="deleted")
pauses.go("room_back")
ok(wait_for(lambda: same("gate") and same("after")), "what was changed since then is kept")
other.stop()
a_round()
equal([office.room_hash("gate")["capacity"], office.room_hash("after")["state"]], ["303", "deleted"],
      "and the one that was paused has changed nothing")
equal(two[1].stop(), 0, "it ends")

# ---------------------------------------------------------------- more than one page of them

many = [f"many-{n:03d}" for n in range(350)]
persister = Persister(database)
for n, name in enumerate(many):
    office.room(name, capacity=n + 1)


def rows_of_many():
    return {name: (capacity, origin) for name, capacity, origin in
            database("SELECT name, capacity, origin FROM queues WHERE name LIKE 'many-%'")}


ok(wait_for(lambda: len(rows_of_many()) == len(many)), "350 rooms are kept")
before = rows_of_many()
equal({name: capacity for name, (capacity, _) in before.items()}, {name: str(n + 1) for n, name in enumerate(many)},
      "each as it is")
office.redis("FLUSHDB")
ok(wait_for(lambda: office.redis("GET", "catalogue")), "Redis forgets")
equal({name: tuple(office.redis("HMGET", f"queue:room:{{{name}}}", "capacity", "origin")) for name in many}, before,
      "all of them are back with the catalogue")
equal(persister.stop(), 0, "it ends")
done()
