#!/usr/bin/env python3
"""A message that is no event, or carries a number nobody was given, becomes a row of dead_letters.

Once, whatever comes: under the place it lies at, with its bytes and why. Its offset goes on only when the row is there;
until then it waits, bounded, and the good ones go on. No lane moves by it.
"""

import json
import os
import signal
import subprocess
import time

from base import Database, Proxy, done, env, equal, has, lacks, note, ok, wait_for
from core import Office, Persister, Topic, agree, encode, event, event_id, progress, rows, users

database, office, topic = Database(), Office(), Topic(partitions=1)
NO_DLQ = {"dlq_topic": ""}


def forged(seq, epoch=1, ticket="sale", lane=0, user="mallory"):
    own = event_id(ticket, lane, epoch, seq)
    return event("booked", 1763719200123, ticket, lane, epoch, seq, user=user, quantity=1, booking_id=own, holding=1,
                 holding_id=own)


def letters(columns="event_id, ticket_name, lane, HEX(event), origin, error, state, user_id, booking_id"):
    return database(f"SELECT {columns} FROM dead_letters ORDER BY id")


def end_of_topic():
    """Kafka's offset behind the last message."""
    said = subprocess.run(["kcat", "-Q", "-b", env("KAFKA_BOOTSTRAP"), "-t", f"{topic.name}:0:-1"], capture_output=True,
                          text=True, timeout=60, check=True).stdout
    return int(said.split("offset")[1])


persister = Persister(database, topic, kafka=NO_DLQ, persister={"gap_ms": 15000})
persister.assigned(1)
office.create("sale", capacity=20000)
good = office.book("sale", users(20))

# ---------------------------------------------------------------- what it is, and that it is kept

large = b'{"a":"' + b"x" * 2_000_000 + b'"}'
exploded = encode(forged(21)).replace(b"ticket.booked", b"ticket.exploded")
bad = [                                     # key, message, ticket, lane, why
    ("sale/0", b"not JSON", "sale", 0, "unreadable: the event is not JSON"),
    ("", b"\x1b[31m\xff\xfe\x00 '\\\"", "", 0, "unreadable: the event is not JSON"),
    ("no ticket/x", b"{}", "", 0, "unreadable: the event has no specversion"),
    ("sale/0", exploded, "sale", 0, "unknown_type: the event is of unknown type"),
    ("sale/0", large, "sale", 0, "too_large: it is too large"),
    ("sale/0", encode(forged(1, lane=1)), "sale", 1, "unknown_ticket: no such ticket or lane"),
    ("x/0", encode(forged(1, ticket="n\u00fcll")), "n\u00fcll", 0, "unknown_ticket: no such ticket or lane"),
    ("sale/0", encode(forged(21)), "sale", 0, "never_given: its number was never given"),
    ("sale/0", encode(forged(22, user="eve")), "sale", 0, "never_given: its number was never given"),
    ("sale/0", encode(forged(2 ** 62)), "sale", 0, "never_given: its number was never given"),
    ("sale/0", encode(forged(1, epoch=2)), "sale", 0, "never_given: its epoch was never given"),
]
mixed = [one for n, one in enumerate(good) for one in ([one, bad[n][:2]] if n < len(bad) else [one])]
topic.produce(mixed)
agree(office, database, "sale", "the good ones around them are stored")
ok(wait_for(lambda: len(letters()) == len(bad)), f"{len(bad)} rows")
have = {row[0]: row for row in letters()}
for n, (_, value, ticket, lane, why) in enumerate(bad):
    place = f"{topic.name}/0@{2 * n + 1}"
    want = [place, ticket, str(lane), value[:65536].hex().upper(), place, why, "unusable", "NULL", "NULL"]
    got = have.get(place)
    if not ok(got == want, f"{why}, {ticket or 'of no ticket'}: kept as it came, under its place"):
        note([field[:80] for field in got or []])
        note([field[:80] for field in want])
equal(progress(database, "sale"), 20, "no lane has moved by them")
by_why = {}
for *_, why in bad:
    by_why[why.split(":")[0]] = by_why.get(why.split(":")[0], 0) + 1
equal({why: persister.metric(f'unusable_total{{result="{why}"}}') for why in by_why}, by_why, "the metrics say why")
lacks(persister.log(), "mallory", "the log names no user")

# under a number that was given: the outbox knows whose it is, while the number waits for its turn
before, first = len(letters()), end_of_topic()
real = office.book("sale", ["r1", "r2", "r3", "r4"])


def twin(seq, user="mallory", **changes):
    one = forged(seq, user=user)
    one["data"].update(changes)
    return one


fakes = [twin(real[1]["data"]["seq"]), twin(real[2]["data"]["seq"], quantity=2, holding=2)]
topic.produce([fakes[0], real[1], real[2], fakes[1], real[1], real[3], real[0]])
agree(office, database, "sale", "a message that contradicts the outbox is found out, before or after the true one")
ok(wait_for(lambda: len(letters()) == before + 2), "two more rows")
equal([[row[0], row[1], row[3], row[5]] for row in letters()[before:]],
      [[f"{topic.name}/0@{first + n}", "sale", encode(one).hex().upper(),
        "contradicted: the outbox has another event under its number"] for n, one in ((0, fakes[0]), (3, fakes[1]))],
      "with what was forged")
has(persister.log(), "who else writes to the topic?", "an alarm asks whose they are")

# a number that was forged is given after all
topic.produce(office.book("sale", users(3, "later")))
agree(office, database, "sale", "a number that was forged is stored when it is given")

# ---------------------------------------------------------------- again

read = end_of_topic()
equal(persister.stop(), 0, "SIGTERM ends it well")
persister = Persister(database, topic, kafka={**NO_DLQ, "group": topic.name + ".again"})
persister.assigned(1)
ok(wait_for(lambda: persister.metric("messages_total") == read), "the whole topic is read once more")
topic.produce(office.book("sale", ["behind"]))
agree(office, database, "sale", "and what comes behind it is stored")
equal(len(letters()), len(bad) + 2, "a replay of the topic adds nothing")
equal(persister.stop(), 0, "SIGTERM ends it well")

# the true one never comes by Kafka
persister = Persister(database, topic, kafka=NO_DLQ, persister={"gap_ms": 1000})
persister.assigned(1)
real = office.book("sale", ["s1", "s2", "s3"])
topic.produce([twin(real[1]["data"]["seq"]), real[2]])
agree(office, database, "sale", "a gap is filled from the outbox, and what contradicts it gives way")
ok(wait_for(lambda: len(letters()) == len(bad) + 3), "to dead_letters")
equal(persister.stop(), 0, "SIGTERM ends it well")

# ---------------------------------------------------------------- on its way to MySQL already

persister = Persister(database, topic, kafka=NO_DLQ, persister={"threads": 1, "batch_events": 1})
persister.assigned(1)
office.create("pairs")
before = len(letters("id"))
pairs = []
for real in office.book("pairs", users(200, "pair")):
    pairs += [forged(real["data"]["seq"], ticket="pairs", user=f"mallory-{real['data']['seq']}"), real]
topic.produce(pairs)
ok(wait_for(lambda: progress(database, "pairs") == 200, 60), "each message has a forged one right before it")
time.sleep(1)
bought = {int(user.split("-")[1]) for user, _, _ in rows(database, "pairs") if user.startswith("mallory")}
refused = {json.loads(bytes.fromhex(row[0]))["data"]["seq"] for row in letters("HEX(event)")[before:]}
note(f"{len(bought)} forged ones were stored, {len(refused)} found out")
equal(bought & refused, set(), "none of them is both")
equal(len(bought | refused), 200, "and each is one of it")
equal(persister.stop(), 0, "SIGTERM ends it well")

# ---------------------------------------------------------------- MySQL is away

before = len(letters())
proxy = Proxy(env("MYSQL_HOST"), env("MYSQL_PORT"))
proxy.open()
persister = Persister(database, topic, kafka=NO_DLQ, mysql={"port": proxy.port})
persister.assigned(1)
proxy.close()
first = end_of_topic()
topic.produce([("sale/0", b"one"), *office.book("sale", ["while-away"]), ("sale/0", b"two")])
ok(wait_for(lambda: persister.metric("mysql_down") > 0), "felt: MySQL is away")
time.sleep(1)
equal(len(letters()), before, "nothing is kept yet")
persister.kill()
persister = Persister(database, topic, kafka=NO_DLQ)        # killed, and MySQL is there again
persister.assigned(1)
agree(office, database, "sale", "the good one is stored")
ok(wait_for(lambda: len(letters()) == before + 2), "the bad ones were not lost")
equal([row[0] for row in letters()[before:]], [f"{topic.name}/0@{first}", f"{topic.name}/0@{first + 2}"], "each once")

# a server that does not answer
with open(env("MYSQL_PID"), encoding="ascii") as file:
    mysql = int(file.read())
before = len(letters())
os.kill(mysql, signal.SIGSTOP)
try:
    topic.produce([("sale/0", b"asleep-%d" % n) for n in range(300)] + office.book("sale", users(50, "asleep")))
    time.sleep(3)
finally:
    os.kill(mysql, signal.SIGCONT)
agree(office, database, "sale", "MySQL slept: the good ones are stored", 60)
ok(wait_for(lambda: len(letters("id")) == before + 300, 60), "and the bad ones kept")

# ---------------------------------------------------------------- only dead_letters is away

before, first = len(letters("id")), end_of_topic()
database("RENAME TABLE dead_letters TO mislaid")
FLOOD = 6000
topic.produce([("sale/0", b"flood-%d" % n) for n in range(FLOOD)] + office.book("sale", users(50, "flood")))
ok(wait_for(lambda: "rests at offset" in persister.log()), "felt: too many wait, the partition rests")
agree(office, database, "sale", "meanwhile what is sold is stored, by the outbox")
has(persister.log(), "could not be put into dead_letters (42S02", "an alarm says why")
waiting = persister.metric("malformed_total")
time.sleep(2)
equal(persister.metric("malformed_total"), waiting, "no more are taken: what waits is bounded")
ok(waiting < FLOOD, f"{waiting} of {FLOOD} wait")
persister.kill()
database("RENAME TABLE mislaid TO dead_letters")
persister = Persister(database, topic, kafka=NO_DLQ)
persister.assigned(1)
ok(wait_for(lambda: len(letters("id")) == before + FLOOD, 60), "killed, and the table is back: none was lost")
equal({row[0] for row in letters("event_id")[before:]}, {f"{topic.name}/0@{first + n}" for n in range(FLOOD)}, "each once")

# the same, and it goes on by itself
before = len(letters("id"))
database("RENAME TABLE dead_letters TO mislaid")
topic.produce([("sale/0", b"again-%d" % n) for n in range(FLOOD)])
ok(wait_for(lambda: "rests at offset" in persister.log()), "it rests again")
database("RENAME TABLE mislaid TO dead_letters")
ok(wait_for(lambda: len(letters("id")) == before + FLOOD, 90), "the table is back: it goes on where it stopped")
topic.produce(office.book("sale", users(20, "after")))
agree(office, database, "sale", "and with what comes after")
equal(persister.stop(), 0, "SIGTERM ends it well")
persister = Persister(database, topic, kafka=NO_DLQ)
persister.assigned(1)
topic.produce(office.book("sale", ["last"]))
agree(office, database, "sale", "after a restart it goes on")
equal(persister.metric("messages_total"), 1, "every offset was passed")
equal(persister.stop(), 0, "SIGTERM ends it well")
done()
