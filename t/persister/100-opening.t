#!/usr/bin/env python3
"""A ticket is born without history, and nothing is sold without it: a persister gives it.

Whoever opens must do so once, in an epoch MySQL has handed out, whatever else happens: two persisters at
the same time, a crash between MySQL's part and Redis' part, names that are none.
"""

import contextlib
import os
import signal
import threading
import time
import zlib

from base import Database, done, equal, has, ok, wait_for
from core import CODES, Office, Persister, agree, key, users

database, office = Database(), Office()
redis = office.redis
names = [f"ticket-{n}" for n in range(40)] + ["vip@concert", "dépôt@groß"]


def lanes_of(ticket):
    return database("SELECT lane, epoch, applied_seq, sealed FROM lane_progress WHERE ticket_name = "
                    f"'{ticket}' ORDER BY epoch, lane")


# ---------------------------------------------------------------- two at once

for n, name in enumerate(names):
    office.define(name, capacity=100 + n, per_user=2, lanes=1 + n % 3, state=("open", "paused", "closed")[n % 3])
two = [Persister(database), Persister(database)]
ok(wait_for(lambda: all(office.is_open(name) for name in names)), "two persisters open 42 new tickets")
ok(wait_for(lambda: redis("SCARD", "tickets:recover") == 0), "tickets:recover is empty then")

wrong = []
for n, name in enumerate(names):
    hash_ = redis("HGETALL", key(name))
    hash_ = dict(zip(hash_[::2], hash_[1::2]))
    row = database(f"SELECT epoch, capacity, per_user, lanes, state FROM tickets WHERE name = '{name}'")
    epoch, lanes = hash_.get("epoch"), 1 + n % 3
    want = [[epoch, str(100 + n), "2", str(lanes), ("open", "paused", "closed")[n % 3]]]
    if row != want or hash_["remaining"] != str(100 + n) or hash_["seq:0"] != "0" or "claim" in hash_:
        wrong.append((name, row, hash_))
    newest = [lane for lane in lanes_of(name) if lane[1] == epoch]
    if newest != [[str(lane), epoch, "0", "0"] for lane in range(lanes)]:
        wrong.append((name, lanes_of(name)))
    if any(lane[1] != epoch and lane[3] != "1" for lane in lanes_of(name)):
        wrong.append((name, "an old lane is not sealed"))
equal(wrong, [], "definition, epoch and lanes are the same in MySQL and Redis, older epochs are sealed")
equal(redis("GET", "catalogue"), redis.replid(), "catalogue says that Redis knows all tickets")
equal(sum(one.metric("opened_total") for one in two) >= len(names), True, "the openings are counted")
for one in two:
    equal(one.stop(), 0, "SIGTERM ends it well")

# ---------------------------------------------------------------- killed and paused in the middle of it

names = [f"hurry-{n}" for n in range(300)]
for name in names:
    office.define(name, capacity=10, lanes=2)
crowd, kills = [Persister(database, wait=False) for _ in range(2)], 0
for turn in range(40):
    if all(office.is_open(name) for name in names):
        break
    crowd[0].kill()
    os.kill(crowd[1].process.pid, signal.SIGSTOP)
    crowd.append(Persister(database, wait=False))
    os.kill(crowd[1].process.pid, signal.SIGCONT)
    crowd.pop(0)
    kills += 1
    time.sleep(0.2)
ok(wait_for(lambda: all(office.is_open(name) for name in names), 60),
   f"300 tickets are open in the end, though openers were killed {kills} times and paused as often")
ok(kills > 1, "felt: it took more than one")
epochs = dict(database("SELECT name, epoch FROM tickets WHERE name LIKE 'hurry-%'"))
equal([name for name in names if redis("HGET", key(name), "epoch") != epochs.get(name)], [],
      "Redis is in the epoch that MySQL gave last")
equal(database("SELECT ticket_name, COUNT(*) FROM lane_progress WHERE sealed = 0 AND ticket_name LIKE 'hurry-%' "
               "GROUP BY ticket_name HAVING COUNT(*) <> 2"), [], "and only its lanes are not sealed")
for one in crowd:
    one.kill()

# ---------------------------------------------------------------- what MySQL knows already

redis("FLUSHDB")
for table in ("tickets", "lane_progress"):
    database(f"DELETE FROM {table}")
database("INSERT INTO tickets (name, epoch, capacity, per_user, lanes, state, opens_at) VALUES "
         "('sample', 0, 500, 4, 2, 'open', '2040-01-02 03:04:05.678'), ('gone', 3, 7, 1, 1, 'deleted', NULL), "
         "('crashed', 1, 9, 1, 1, 'open', NULL), ('sold', 1, 9, 1, 1, 'open', NULL)")
database("INSERT INTO lane_progress (ticket_name, lane, epoch, applied_seq) VALUES ('gone', 0, 3, 8), "
         "('crashed', 0, 1, 0), ('sold', 0, 1, 4)")
office.define("gone", capacity=77)                     # deleted, forgotten by Redis, created again
office.define("crashed", capacity=9)
redis("HSET", key("crashed"), "claim", f"new:{redis.replid()}:0123456789abcdef")
office.define("sample", capacity=1)                    # MySQL wins
redis("HSET", key("strange"), "epoch", 4, "capacity", 5)   # open before, and MySQL has no row
redis("SADD", "tickets:recover", "no such ticket", "nowhere", b"\xff\xfe", "a/b", "strange")
persister = Persister(database)
ok(wait_for(lambda: office.is_open("sample") and office.is_open("gone") and office.is_open("crashed")),
   "a row without epoch, a tombstone and an opening that was cut off are opened")
equal(redis("HMGET", key("sample"), "capacity", "per_user", "lanes", "opens_at", "epoch"),
      ["500", "4", "2", "2209086245678", "1"], "MySQL's definition wins")
equal(redis("HMGET", key("gone"), "capacity", "epoch", "state"), ["77", "4", "open"],
      "a tombstone is taken for what was created anew, in the next epoch")
equal(lanes_of("gone"), [["0", "3", "8", "1"], ["0", "4", "0", "0"]], "its old lane is sealed where it was")
equal(redis("HGET", key("crashed"), "epoch"), "2", "what was cut off gets a new epoch")
ok(wait_for(lambda: office.is_open("sold")), "what was open before is recovered")
equal(lanes_of("sold"), [["0", "1", "4", "1"], ["0", "2", "0", "0"]], "in the next epoch, the old lane sealed")
ok(wait_for(lambda: redis("SMEMBERS", "tickets:recover") == ["strange"]), "names that are no tickets are removed")
ok(wait_for(lambda: "stay closed" in persister.log()), "one MySQL does not know stays closed, with an alarm")
has(persister.log(), "strange", "which names it")
equal(redis("HGET", key("strange"), "history"), None, "it is not opened")
equal(persister.log().count("stay closed"), 1, "one line, not one a round")

# ---------------------------------------------------------------- catalogue

equal(redis("SISMEMBER", "tickets", "sample"), 1, "every ticket of MySQL is in `tickets`")
redis("DEL", "catalogue", "tickets")
ok(wait_for(lambda: redis("GET", "catalogue") == redis.replid()), "a catalogue that is gone is written again")
equal(sorted(redis("SMEMBERS", "tickets")), ["crashed", "gone", "sample", "sold"], "after every ticket was queued")
ok(wait_for(lambda: redis("SMEMBERS", "tickets:recover") == ["strange"]), "and those that are open left the queue")


def hold(lock):
    """Somebody else is at that ticket, for a while."""
    with contextlib.suppress(RuntimeError):
        database(f"SELECT GET_LOCK('{lock}', 10); DO SLEEP(20)")


name, seed = b"sold", zlib.crc32(database.name.encode())
lock = f"ticket-open-{seed:08x}-{zlib.crc32(name, seed):08x}-{zlib.adler32(name):08x}"
threading.Thread(target=hold, args=(lock,)).start()
holder = wait_for(lambda: [row for row in database(f"SELECT IS_USED_LOCK('{lock}')") if row != ["NULL"]])
redis("DEL", "catalogue", key("sold"))
ok(wait_for(lambda: redis("GET", "catalogue") == redis.replid()), "Redis has forgotten one, which nobody can recover yet")
equal((redis("EXISTS", key("sold")), office.is_open("sold")), (1, False),
      "it has a hash when there is a catalogue, so that no edge takes it for unknown, and is closed")
database(f"KILL {holder[0][0]}")
ok(wait_for(lambda: office.is_open("sold")), "and that one is recovered")

# ---------------------------------------------------------------- it works

office.book("gone", users(70))
agree(office, database, "gone", "what is sold then is stored")
equal(office.define("gone", capacity=60)[0], CODES["BELOW_HELD"], "capacity cannot fall below what is held")
office.define("gone", capacity=75, state="paused")
agree(office, database, "gone", "a change is an event like any other")
equal(database("SELECT capacity, state FROM tickets WHERE name = 'gone'"), [["75", "paused"]], "MySQL has it")
equal(persister.stop(), 0, "SIGTERM ends it well")
done()
