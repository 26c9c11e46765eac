#!/usr/bin/env python3
"""Redis forgets, fails over, tears, changes its replid: each ticket closes, and reopens by itself.

In the middle of a sale, with events that MySQL does not have yet in the outbox, in Kafka, in both or in
neither. What anybody still has is stored; what nobody has is passed over and written down; rows = buyers.
"""

import time

from base import Database, done, equal, has, note, ok, wait_for
from core import CODES, Persister, Topic, agree, encode, event_id, key, progress, rows, stored, users
from recovery import Sale, Server, own_redis, outcomes, settled

server = own_redis("--appendonly", "yes", "--appendfsync", "always")
database, office, topic = Database(), Sale(server), Topic(partitions=2)
persister = Persister(database, topic)
persister.assigned(2)
office.create("sale", capacity=20000, per_user=2, lanes=1)
office.create("lanes", capacity=20000, per_user=2, lanes=3)
office.create("vip@concert", capacity=50)
TICKETS = ["sale", "lanes", "vip@concert"]


def all_agree(what):
    for ticket in TICKETS:
        agree(office, database, ticket, f"{what}: rows of {ticket} are its buyers")
        office.full(ticket, f"{what}: remaining + held is the capacity of {ticket}")


def skipped():
    return sorted((row[0], int(row[1]), int(row[2]), int(row[3])) for row in
                  database("SELECT ticket_name, lane, epoch, seq FROM lane_skipped"))


for ticket in TICKETS:
    topic.produce(office.book(ticket, users(40)))
all_agree("before")

# ---------------------------------------------------------------- restarted, with all it had

persister.stop()
behind = office.book("sale", users(100, "only-outbox"))
both = office.book("lanes", users(100, "both"), 2)
topic.produce(both + office.cancel("lanes", users(10)))
office.define("vip@concert", capacity=60)
office.restart()
equal(office.look("sale", "user-000001"), ["RECOVERING"], "Redis is restarted: the ticket is closed")
persister = Persister(database, topic)
for ticket in TICKETS:
    office.reopened(ticket, 2, f"{ticket} reopens by itself")
all_agree("restarted")
equal(len(rows(database, "sale")), 140, "what only the outbox had is stored")
equal(office.hash("vip@concert")["capacity"], "60", "a change of the definition, too")
equal(database("SELECT capacity FROM tickets WHERE name = 'vip@concert'"), [["60"]], "in MySQL as well")
equal(skipped(), [], "nothing was passed over")
equal(office.look("sale", "only-outbox-000007")[0], "FOUND", "a buyer finds his booking")
equal(office.look("sale", "only-outbox-000007")[4], 1, "stored")
topic.produce(behind)
topic.produce(office.book("sale", users(10, "after")))
all_agree("messages of the old epoch come after all, and new ones")
equal(outcomes(database), {}, "the old ones are duplicates")

# ---------------------------------------------------------------- emptied

persister.stop()
lost = office.book("sale", ["nobody-knows"])
some = office.book("sale", users(20, "in-kafka"))
gone = office.cancel("sale", ["in-kafka-000003"])
lost += office.book("sale", ["nobody-knows-2"])
some += office.book("sale", users(5, "in-kafka-too"))
tail = office.book("sale", ["nobody-knows-the-last"])
topic.produce(some + gone)
office.redis("FLUSHALL")
persister = Persister(database, topic)
for ticket in TICKETS:
    office.reopened(ticket, 3, f"FLUSHALL: {ticket} reopens by itself")
all_agree("emptied")
have = {user for user, _, _ in rows(database, "sale")}
equal(len(have), 140 + 10 + 20 - 1 + 5, "what Kafka had is stored")
numbers = [one["data"]["seq"] for one in lost]
equal(skipped(), [("sale", 0, 2, number) for number in numbers], "the numbers nobody has are written down")
log = database("SELECT ticket_name, what, detail FROM reconcile_log")
equal(log, [["sale", "skipped", f"lane 0, epoch 2: nobody has {numbers[0]} {numbers[1]}"]], "in reconcile_log, too")
equal(persister.metric("skipped_total"), 2, "and counted")
equal(database("SELECT booking_id FROM void_bookings"), [[gone[0]["data"]["booking_id"]]],
      "the cancel after them leaves its booking void")
equal(office.look("sale", "nobody-knows"), ["NOT_BOOKED"], "who was lost with Redis has no ticket")
ok(wait_for(lambda: office.redis("GET", "catalogue") == office.redis.replid()), "the catalogue is written again")

# ---------------------------------------------------------------- they were only late

topic.produce(lost + tail)
ok(wait_for(lambda: len(outcomes(database)) == 3), "the lost ones come from a worker's queue after all: they are late")
ok(settled(database), "and are settled")
equal(set(outcomes(database).values()), {"booked"}, "booked")
all_agree("late ones")
equal(office.look("sale", "nobody-knows")[:2], ["FOUND", lost[0]["id"]], "under the booking id they were told")
equal(persister.metric("taken_over_total"), 3, "counted")

# ---------------------------------------------------------------- torn

topic.produce(office.book("sale", users(5, "untorn")))
stored(office, database, "sale")
office.redis("XADD", key("sale", "outbox:0"), f"3-{office.seq('sale') + 1}", "1",
             f"booked 1763719200123 torn 1 1")
office.redis("HDEL", key("sale"), "history")
office.redis("SADD", "tickets:recover", "sale")
office.reopened("sale", 4, "a torn script removed the history: it reopens by itself")
equal(office.look("sale", "torn")[:2], ["FOUND", event_id("sale", 0, 3, int(office.look("sale", "torn")[1].split("-")[1]))],
      "what the script had appended is a booking")
all_agree("torn")

# ---------------------------------------------------------------- a first replica

before = office.redis.replid()
replica = Server("--replicaof", "127.0.0.1", str(server.port))
ok(wait_for(lambda: office.redis.replid() != before), "felt: a first replica changes the replid")
office.reopened("sale", 5, "and the ticket reopens by itself")
office.reopened("lanes", 4, "the others, too")
office.reopened("vip@concert", 4, "the others, too")
topic.produce(office.book("sale", users(5, "replica")))
all_agree("a replica is there")

# ---------------------------------------------------------------- failover, the last writes held back

ok(wait_for(lambda: replica.client()("HGET", key("sale"), "seq:0") == office.redis("HGET", key("sale"), "seq:0")),
   "felt: the replica has everything")
persister.stop()
replica.client()("REPLICAOF", "127.0.0.1", "1")
saved = office.book("sale", users(10, "kafka-has"))
void = office.book("sale", users(3, "neither-has"))
saved += office.cancel("sale", ["replica-000001"])
topic.produce(saved)
server.kill()
old = (server, server.port)
replica.client()("REPLICAOF", "NO", "ONE")
office.server = replica
office.reconnect()
import os
os.environ["REDIS_PORT"] = str(replica.port)
equal(office.redis("HEXISTS", key("sale", "buyers"), "kafka-has-000001"), 0, "felt: the promoted replica lacks the last")
persister = Persister(database, topic)
office.reopened("sale", 6, "failover: it reopens by itself")
all_agree("failed over")
have = {user for user, _, _ in rows(database, "sale")}
ok(set(users(10, "kafka-has")) <= have, "what Kafka had is stored")
ok(not set(users(3, "neither-has")) & have, "what neither had is gone")
ok("replica-000001" not in have, "the cancel holds")
equal([row for row in skipped() if row[2] == 5], [("sale", 0, 5, one["data"]["seq"]) for one in void],
      "and the numbers are written down")
topic.produce(office.book("sale", users(5, "promoted")))
all_agree("and goes on")
equal(persister.metric('rows_total{outcome="deleted"}') >= 1, True, "felt: a row was deleted")
note({name: value for name, value in persister.metrics().items() if name.startswith(("reco", "skip", "late", "taken"))})
equal(persister.stop(), 0, "SIGTERM ends it well")
done()
