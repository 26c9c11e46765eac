#!/usr/bin/env python3
"""What the sweep and the tail check put right: lost acks, missing tickets, a MySQL that has forgotten.

Redis says which numbers were given; without that answer nothing new is stored.
"""

import atexit
import os
import signal
import subprocess
import time

from base import MYSQL_CLIENT, REDIS_DB, Database, Proxy, done, env, equal, has, ok, wait_for
from core import Office, Persister, Topic, agree, event, event_id, key, progress, rows, users

database, office, topic = Database(), Office(), Topic(partitions=2, needed=False)
redis = office.redis
proxy = Proxy(env("REDIS_HOST"), env("REDIS_PORT"))
proxy.open()
user = f"persister-{topic.name}"
atexit.register(redis, "ACL", "DELUSER", user)
redis("ACL", "SETUSER", user, "on", ">secret", "~*", "&*", "+@all")
persister = Persister(database, topic, redis_uri=f"redis://{user}:secret@127.0.0.1:{proxy.port}/{REDIS_DB}")
persister.assigned(2)
for ticket, lanes in ("sale", 2), ("quiet", 1), ("forgotten", 2):
    office.create(ticket, lanes=lanes)
    topic.produce(office.book(ticket, users(500)))
    agree(office, database, ticket, f"{ticket} is stored")

# ---------------------------------------------------------------- lost acks

redis("ACL", "SETUSER", user, "-xtrim")
topic.produce(office.book("quiet", users(100, "not-acknowledged")))
ok(wait_for(lambda: progress(database, "quiet") == 600), "felt: stored, but Redis does not learn of it")
equal(office.persisted("quiet"), "1-500", "as the ack is refused")
equal(redis("XLEN", key("quiet", "outbox:0")), 100, "and the outbox not trimmed")
redis("ACL", "SETUSER", user, "+xtrim")
ok(wait_for(lambda: office.persisted("quiet") == "1-600"), "an ack that got lost is repeated")
equal(redis("XLEN", key("quiet", "outbox:0")), 0, "the outbox is trimmed")

# ---------------------------------------------------------------- Redis out of reach

proxy.close()
events = office.book("sale", users(500, "away"))
topic.produce(events)
ok(wait_for(lambda: persister.metric("redis_down") > 0), "felt: Redis is out of reach")
equal(len(rows(database, "sale")), 500, "nothing is stored that Redis has not confirmed")
proxy.open()
agree(office, database, "sale", "Redis is back: it is stored and acknowledged", 60)

# ---------------------------------------------------------------- a ticket that is closed, the others

# whoever would recover it waits for its row
lock = subprocess.Popen([MYSQL_CLIENT, "--no-defaults", "-h", env("MYSQL_HOST"), "-P", env("MYSQL_PORT"), "-u",
                         env("MYSQL_USER"), "-BN", database.name, "-e", "BEGIN; SELECT epoch FROM tickets WHERE name = "
                         "'quiet' FOR UPDATE; SELECT SLEEP(12)"], stdout=subprocess.DEVNULL,
                        env={**os.environ, "MYSQL_PWD": env("MYSQL_PASSWORD")})
time.sleep(1)
late = office.book("quiet", users(20, "closed"))
redis("HDEL", key("quiet"), "history")
topic.produce(office.book("sale", users(100, "open")))
agree(office, database, "sale", "one ticket is closed: the others go on")
ok(wait_for(lambda: redis("SISMEMBER", "tickets:recover", "quiet") == 1), "the sweep asks for its recovery")
equal(redis("HGET", key("quiet"), "history"), None, "felt: it is closed")
lock.wait()
ok(wait_for(lambda: office.is_open("quiet"), 40), "it is recovered")
agree(office, database, "quiet", "with what it had sold last")
topic.produce(late)
agree(office, database, "quiet", "whose messages are duplicates")

# ---------------------------------------------------------------- the hash is gone

before = persister.metric("malformed_total")
last = office.book("quiet", users(10, "last"))
redis("UNLINK", key("quiet"), key("quiet", "outbox:0"))
topic.produce(last)
ok(wait_for(lambda: office.is_open("quiet"), 40), "a ticket that is missing in Redis is recovered, too")
equal(persister.metric("malformed_total"), before, "a Redis that has forgotten cannot call a number never given")
if topic.name:
    ok(set(users(10, "last")) <= {user for user, _, _ in rows(database, "quiet")}, "so what came meanwhile is stored")
topic.produce(office.book("quiet", users(10, "back")))
agree(office, database, "quiet", "it is back: it goes on")

# ---------------------------------------------------------------- MySQL has forgotten

persister.stop()
office.cancel("forgotten", users(50))
office.book("forgotten", users(100, "new"))
office.define("forgotten", capacity=4321, lanes=2)
persister = Persister(database, topic)
persister.assigned(2)
agree(office, database, "forgotten", "some history")
persister.stop()
had = rows(database, "forgotten")
lanes = [progress(database, "forgotten", lane) for lane in (0, 1)]
# as if it had been restored from a backup: progress, rows and definition of some time ago
database("UPDATE lane_progress SET applied_seq = 100 WHERE ticket_name = 'forgotten' AND lane = 0")
database("UPDATE lane_progress SET applied_seq = 200 WHERE ticket_name = 'forgotten' AND lane = 1")
database("DELETE FROM purchases WHERE ticket_name = 'forgotten' AND user_id LIKE '%7'")
database("INSERT INTO purchases (user_id, ticket_name, quantity, booking_id) VALUES ('user-000001', 'forgotten', 3, "
         "'forgotten:1:1-9'), ('stranger', 'forgotten', 1, 'forgotten:0:1-8')")
database("UPDATE tickets SET capacity = 1 WHERE name = 'forgotten'")
persister = Persister(database, topic)
persister.assigned(2)
agree(office, database, "forgotten", "a MySQL that has forgotten is copied from Redis", 60)
equal(rows(database, "forgotten"), had, "every row is what it was")
equal(database("SELECT capacity FROM tickets WHERE name = 'forgotten'"), [["4321"]], "the definition, too")
equal([progress(database, "forgotten", lane) for lane in (0, 1)], lanes, "and the lanes")
equal(persister.metric("resynced_total"), 2, "two lanes were copied")
has(persister.log(), "MySQL has forgotten", "loudly")
topic.produce(office.book("forgotten", users(100, "after")))
agree(office, database, "forgotten", "and it goes on")

# ---------------------------------------------------------------- an outbox of tomorrow

redis("XADD", key("sale", "outbox:0"), f"1-{office.seq('sale', 0) + 1}", "2", "nobody knows this yet")
redis("HINCRBY", key("sale"), "seq:0", 1)
ok(wait_for(lambda: persister.metric("lanes_stopped") == 1), "an outbox entry of a newer format stops its lane")
has(persister.log(), "newer format", "and says why")
topic.produce(office.book("quiet", users(10, "tomorrow")))
agree(office, database, "quiet", "the others go on")
equal(persister.stop(), 0, "SIGTERM ends it well")

# ---------------------------------------------------------------- Redis sleeps

persister = Persister(database, topic, redis={"timeout": 1000})
persister.assigned(2)
with open(env("REDIS_PID"), encoding="ascii") as file:
    pid = int(file.read())
os.kill(pid, signal.SIGSTOP)
time.sleep(3)
os.kill(pid, signal.SIGCONT)
topic.produce(office.book("quiet", users(10, "asleep")))
agree(office, database, "quiet", "Redis slept for 3 s: it goes on", 40)
equal(persister.stop(), 0, "SIGTERM ends it well")
done()
