#!/usr/bin/env python3
"""A booking MySQL refuses for good becomes a dead letter and is taken back, visibly; the others go on.

Too much of it is a broken schema, not bad messages: then the lane stops before more is taken back. And what
is not refused for good (a dropped column) is refused nobody.
"""

import json
import random
import time

from base import Database, done, equal, has, lacks, note, ok, wait_for
from core import Office, Persister, Topic, agree, encode, key, lane_of, progress, rows, stored, users
from dead import accept, letters, refuse, states, told

database, office, topic = Database(), Office(), Topic(partitions=1)
persister = Persister(database, topic, persister={"threads": 1})
persister.assigned(1)


def again():
    """Another process: what was stopped is tried at once, and not after a minute."""
    global persister
    equal(persister.stop(), 0, "SIGTERM ends it well")
    persister = Persister(database, topic, persister={"threads": 1})


def full(ticket):
    held = sum(int(quantity) for _, quantity, _ in office.buyers(ticket))
    hash_ = office.redis("HMGET", key(ticket), "remaining", "capacity")
    equal(int(hash_[0]) + held, int(hash_[1]), "remaining + held = capacity")


# ---------------------------------------------------------------- a dropped column is nobody's fault

office.create("column")
database("ALTER TABLE purchases DROP COLUMN booking_id")
topic.produce(office.book("column", users(300)) + office.cancel("column", users(100)))
time.sleep(10)
transient = persister.metric('mysql_errors_total{outcome="transient"}')
database("ALTER TABLE purchases ADD COLUMN booking_id VARCHAR(320) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL "
         "AFTER quantity")
agree(office, database, "column", "a column was away for 10 s: everything is stored afterwards", 90)
ok(transient > 0, f"felt: {transient} times")
equal(states(database), [], "no dead letter")
equal(len(office.buyers("column")), 200, "nothing was taken back")

# ---------------------------------------------------------------- one among many

office.create("sale", capacity=1000, per_user=3)
office.create("free")
refuse(database)
before = office.book("sale", users(200, "before"))
poison = office.book("sale", ["poison"], 3)
topic.produce(before + poison + office.book("sale", users(200, "behind")) + office.book("free", users(50)))
agree(office, database, "sale", "MySQL refuses one for good: the others are stored, and owners are rows")
agree(office, database, "free", "of another ticket as well")
full("sale")
booking = poison[0]["id"]
equal(letters(database), [("poison", booking, "rejected")], "it is a dead letter, and settled")
equal(len(rows(database, "sale")), 400, "the others have their rows")
equal(told(office, "sale"), {"poison": f"{booking} refused"}, "the buyer is told")
equal((office.seq("sale"), office.persisted("sale")), (402, "1-402"), "ticket.rejected follows, and is stored")
equal(office.redis("XLEN", key("sale", "outbox:0")), 0, "the outbox is trimmed")
row = database("SELECT event_id, ticket_name, lane, HEX(event), origin, error, settled_at >= created_at FROM dead_letters")[0]
equal(row[:3], [booking, "sale", "0"], "its row names event, ticket and lane")
equal(json.loads(bytes.fromhex(row[3])), json.loads(encode(poison[0])), "has the event as it came")
has(row[4], f"{topic.name}/0@", "where from")
equal(row[5], "23000 1644 this one not: Gästeliste", "what MySQL said")
equal(row[6], "1", "and when it was settled")
values = persister.metrics()
equal([values[name] for name in ("dead_letters_total", 'dead_letters_settled_total{outcome="rejected"}',
                                 'dead_letters_settled_total{outcome="gone"}', "lanes_stopped", "breaker_total")],
      [1, 1, 0, 0, 0], "the metrics tell")
has(persister.log(), "lane sale/0: MySQL refuses number 201 (SQLSTATE 23000, error 1644): it is a dead letter",
    "an alarm says where")
lacks(persister.log(), "poison", "and not who")
lacks(persister.log(), "steliste", "nor what MySQL quotes")

# ---------------------------------------------------------------- the same user again

topic.produce(office.book("sale", ["poison"]))
agree(office, database, "sale", "the same user books again, and is refused again")
equal(states(database, "sale"), ["rejected"] * 2, "another dead letter")
topic.produce(poison)
topic.produce(office.book("sale", users(1, "after")))
agree(office, database, "sale", "the message comes once more: a duplicate")
equal(len(letters(database)), 2, "and no other dead letter")
accept(database)
last = office.book("sale", ["poison"], 2)
topic.produce(last)
agree(office, database, "sale", "once MySQL takes it, the user gets one")
ok(("poison", "2", last[0]["id"]) in rows(database, "sale"), "the row is there")
equal(told(office, "sale"), {}, "and the rejection is forgotten")
full("sale")

# ---------------------------------------------------------------- from the outbox, cancelled in time, 22xxx

refuse(database, state="22003")
sold = office.book("sale", ["poison-2"]) + office.book("sale", users(100, "more"))
agree(office, database, "sale", "Kafka brings nothing: the same by the outbox")
row = database("SELECT origin, error, user_id FROM dead_letters ORDER BY id DESC LIMIT 1")[0]
equal(row, [f"ticket:{{sale}}:outbox:0 1-{sold[0]['data']['seq']}", "22003 1644 this one not: Gästeliste", "poison-2"],
      "its row says so")
topic.produce(office.book("sale", ["poison-3"]) + office.cancel("sale", ["poison-3"]) + office.book("sale", users(9, "rest")))
agree(office, database, "sale", "who has cancelled meanwhile")
lacks(told(office, "sale"), "poison-3", "is not told of a rejection")
full("sale")
accept(database)

# ---------------------------------------------------------------- the breaker: more than 10 in a row

office.create("row")
refuse(database, "NEW.user_id LIKE 'broken%'")
topic.produce(office.book("row", users(20)) + office.book("row", users(30, "broken")) + office.book("row", users(20, "behind"))
              + office.book("free", users(50, "healthy")))
ok(wait_for(lambda: persister.metric("lanes_stopped") == 1, 30), "thirty refused in a row: the lane is stopped")
agree(office, database, "free", "the others go on")
equal(len(letters(database, "row")), 10, "ten became dead letters")
equal(progress(database, "row"), 30, "it stands right before the next")
has(persister.log(), "lane row/0 is stopped: MySQL refuses number 31 of epoch 1 (SQLSTATE 23000, error 1644)",
    "an alarm says where")
equal(persister.metric("breaker_total"), 1, "a metric says why")
topic.produce(office.book("free", users(50, "healthier")))
agree(office, database, "free", "and on")
accept(database)
again()
agree(office, database, "row", "the schema is repaired: the lane goes on", 60)
equal(set(states(database, "row")), {"rejected"}, "what was refused before is taken back")
equal(len(rows(database, "row")), 60, "and nothing else")
equal(persister.metric("lanes_stopped"), 0, "it is stopped no more")

# ---------------------------------------------------------------- and few, but too many of few


def mixed(count, bad, tag):
    """As many, `bad` of them refused, none after the other."""
    names = users(count, f"good-{tag}")
    for n in range(bad):
        names[(n + 1) * (count // (bad + 1))] = f"broken-{tag}-{n}"
    return names


refuse(database, "NEW.user_id LIKE 'broken%'")
office.create("some")
topic.produce(office.book("some", mixed(3000, 15, "some")))
agree(office, database, "some", "15 of 3,000 refused: not even one in a hundred", 120)
equal(states(database, "some"), ["rejected"] * 15, "15 dead letters")
office.create("many")
topic.produce(office.book("many", mixed(500, 15, "many")))
ok(wait_for(lambda: persister.metric("lanes_stopped") == 1, 60), "15 of 500 refused: the lane is stopped")
equal(len(letters(database, "many")), 10, "after ten")
accept(database)
again()
agree(office, database, "many", "until the schema is repaired", 60)
equal(len(rows(database, "many")), 490, "the other five are stored")

# ---------------------------------------------------------------- a cancel that is refused

office.create("cancel", capacity=100)
topic.produce(office.book("cancel", users(20)))
agree(office, database, "cancel", "a ticket with rows")
refuse(database, "NEW.user_id = 'user-000003'", "DELETE")
topic.produce(office.cancel("cancel", users(10)) + office.book("cancel", users(5, "next")) + office.book("free", users(9, "on")))
ok(wait_for(lambda: persister.metric("lanes_stopped") == 1, 30), "MySQL will not let a row go: the lane is stopped")
agree(office, database, "free", "the others go on")
equal(progress(database, "cancel"), 23, "right before it")
equal(letters(database, "cancel"), [], "it is no dead letter: there is nothing to take back")
has(persister.log(), "leaves its user nothing that could be taken back", "an alarm says why")
accept(database, "DELETE")
again()
agree(office, database, "cancel", "the schema is repaired: the lane goes on", 60)
full("cancel")

# ---------------------------------------------------------------- dead_letters itself

database("ALTER TABLE dead_letters ADD CONSTRAINT strict CHECK (user_id <> 'poison-4')")
refuse(database)
topic.produce(office.book("cancel", ["poison-4"]))
ok(wait_for(lambda: persister.metric("lanes_stopped") == 1, 30), "the dead letter is refused, too: the lane is stopped")
database("ALTER TABLE dead_letters DROP CONSTRAINT strict")
again()
agree(office, database, "cancel", "until it is not", 60)
equal(letters(database, "cancel")[-1][::2], ("poison-4", "rejected"), "then it is one")
accept(database)

# ---------------------------------------------------------------- a column that cannot hold the text

office.create("z\u00fcrich")
database("ALTER TABLE purchases MODIFY booking_id VARCHAR(320) CHARACTER SET ascii COLLATE ascii_bin NOT NULL")
topic.produce(office.book("z\u00fcrich", users(3)) + office.book("cancel", users(3, "plain")))
agree(office, database, "z\u00fcrich", "a column is of a character set that lacks a letter")
agree(office, database, "cancel", "others are stored")
equal(states(database, "z\u00fcrich"), ["rejected"] * 3, "whose id has it is a dead letter")
has(database("SELECT error FROM dead_letters ORDER BY id DESC LIMIT 1")[0][0], "22007 1366 ", "by error 1366")
database("ALTER TABLE purchases MODIFY booking_id VARCHAR(320) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL")

# ---------------------------------------------------------------- at random

random.seed(260)
office.create("random", capacity=40, per_user=2, lanes=2)
refuse(database, "NEW.user_id LIKE '%7'")
refuse(database, "NEW.user_id LIKE '%7' AND NEW.quantity = 2", "UPDATE")
names, seen = users(60, "r"), 0
for turn in range(4):
    events = []
    for _ in range(60):
        user = random.choice(names)
        try:
            events += office.book("random", [user], random.choice([1, 1, 2]))
        except RuntimeError:
            try:
                events += office.cancel("random", [user])
            except RuntimeError:
                pass
    topic.produce([one for one in events if random.random() < 0.7])
    if turn % 2:
        persister.kill()
        persister = Persister(database, topic, persister={"threads": 1})
    agree(office, database, "random", f"turn {turn}: owners are rows", 90)
    full("random")
    again()
ok(wait_for(lambda: "pending" not in states(database)), "nothing is pending")
note({state: states(database, "random").count(state) for state in set(states(database, "random"))})
ok(states(database, "random"), "felt: there were dead letters")
equal([user for user, _, _ in rows(database, "random") if user.endswith("7")], [], "whom MySQL refuses holds nothing")
equal(persister.stop(), 0, "SIGTERM ends it well")
done()
