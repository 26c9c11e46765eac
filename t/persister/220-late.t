#!/usr/bin/env python3
"""Events that sat in a paused worker's queue while their ticket was rebuilt without them.

Each booking was confirmed to a buyer. When they come after all each is booked, rejected visibly or void,
once, whatever comes in between; nobody has two; remaining + held = capacity.
"""

import random
import time

from base import Database, done, equal, note, ok, wait_for
from core import CODES, Persister, Topic, agree, encode, event_id, key, rows, users
from recovery import Sale, outcomes, own_redis, settled

server = own_redis()
database, office, topic = Database(), Sale(server), Topic(partitions=2)
persister = Persister(database, topic)
persister.assigned(2)


def forget():
    """Redis loses everything; the persister is away, so nothing of the outboxes is drained."""
    global persister
    persister.stop()
    office.redis("FLUSHALL")
    persister = Persister(database, topic)


def quiet(ticket, what, events=()):
    wait_for(lambda: {one["id"] for one in events} <= set(outcomes(database)))
    ok(settled(database), f"{what}: all are settled")
    agree(office, database, ticket, f"{what}: rows are buyers")
    office.full(ticket, f"{what}: remaining + held = capacity")


# ---------------------------------------------------------------- booked, rejected, void

office.create("sale", capacity=10, per_user=2)
topic.produce(office.book("sale", ["anna", "berta"]))
agree(office, database, "sale", "before")
persister.stop()
late = office.book("sale", ["carla", "dora", "emma", "frida"]) + office.cancel("sale", ["frida"]) + \
    office.cancel("sale", ["anna"]) + office.book("sale", ["gerda"], 2)
office.redis("FLUSHALL")
persister = Persister(database, topic)
office.reopened("sale", 2, "the ticket is rebuilt without them")
office.full("sale", "all of it is there again")
# meanwhile: emma books once more, berta cancels, somebody takes nearly all
first = office.book("sale", ["emma"]) + office.cancel("sale", ["berta"]) + office.book("sale", users(3), 2)
topic.produce(first)
agree(office, database, "sale", "meanwhile others buy")
note(office.hash("sale"))
equal(office.hash("sale")["remaining"], "2", "two are left")
topic.produce(late[:4])                     # carla dora emma frida: anna still holds one
quiet("sale", "late bookings", late[:4])
by_id = outcomes(database)
got = [by_id[one["id"]] for one in late[:4]]
equal(sorted(got), ["booked", "booked", "rejected", "rejected"], "two find room, two do not")
equal(got[2], "rejected", "who holds another booking is rejected: nobody has two")
topic.produce(late[4:])                     # frida's cancel, anna's cancel, gerda's two
quiet("sale", "late cancels", late)
by_id = outcomes(database)
equal([by_id[one["id"]] for one in late[4:6]], ["cancelled", "cancelled"], "cancels are cancels")
equal(office.look("sale", "anna"), ["NOT_BOOKED"], "a late cancel takes back exactly its booking")
equal(office.look("sale", "frida")[0], "REJECTED" if got[3] == "rejected" else "NOT_BOOKED", "also a late one")
held = {user for user, _, _ in rows(database, "sale")}
for one, how in zip(late[:4], got):
    user = one["data"]["user"]
    if how == "rejected" and user != "emma":
        equal(office.look("sale", user), ["REJECTED", one["id"], "late"], "a rejection is visible: GET answers 410")
equal(office.look("sale", "emma")[:2], ["FOUND", first[0]["id"]], "emma has the booking she made since")

# ---------------------------------------------------------------- once, whatever happens

topic.produce(late + late)
forget()
office.reopened("sale", 3, "rebuilt once more")
quiet("sale", "sent twice, forgotten again")
equal(outcomes(database), by_id, "every outcome stands")
for one, how in zip(late[:4], got):
    if how == "rejected" and one["data"]["user"] not in ("emma", "frida"):
        equal(office.look("sale", one["data"]["user"])[0], "REJECTED", "a rejection is visible after a rebuild, too")
taken = persister.metric("taken_over_total")
equal(taken, 0, "nothing was made of them again")

# ---------------------------------------------------------------- a cancel before its booking

office.create("order", capacity=5)
persister.stop()
booked = office.book("order", ["hanna"])
cancelled = office.cancel("order", ["hanna"])
again = office.book("order", ["hanna"])
office.redis("FLUSHALL")
persister = Persister(database, topic)
office.reopened("order", 2, "another ticket is rebuilt")
topic.produce(cancelled)
quiet("order", "the late cancel comes first", cancelled)
topic.produce(booked)
ok(wait_for(lambda: booked[0]["id"] in outcomes(database)), "its booking comes")
quiet("order", "then its booking")
equal(outcomes(database)[booked[0]["id"]], "void", "the booking is void")
equal(rows(database, "order"), [], "nobody has a ticket")
topic.produce(again)
ok(wait_for(lambda: again[0]["id"] in outcomes(database)), "her second booking comes")
quiet("order", "then another one")
equal(rows(database, "order"), [("hanna", "1", again[0]["id"])], "which is another booking, and holds")

# ---------------------------------------------------------------- overfull

office.create("full", capacity=3)
topic.produce(office.book("full", ["ida", "jana", "karla"]))
agree(office, database, "full", "sold out")
persister.stop()
gone = office.cancel("full", ["ida"])                   # its number is passed over
more = office.book("full", ["lena"])
topic.produce(more)
office.redis("FLUSHALL")
persister = Persister(database, topic)
office.reopened("full", 2, "a cancel is lost, what it gave back is sold: it reopens")
quiet("full", "overfull", more)
equal({user for user, _, _ in rows(database, "full")}, {"ida", "jana", "karla"}, "the youngest booking gave way")
equal(outcomes(database)[more[0]["id"]], "rejected", "and is rejected")
equal(office.look("full", "lena"), ["REJECTED", more[0]["id"], "late"], "visibly")
equal(database("SELECT what FROM reconcile_log WHERE ticket_name = 'full' ORDER BY id"), [["skipped"], ["overfull"]],
      "reconcile_log tells")
topic.produce(gone)
quiet("full", "the cancel comes after all", gone)
equal({user for user, _, _ in rows(database, "full")}, {"jana", "karla"}, "it holds")
office.full("full", "and gives back one")

# ---------------------------------------------------------------- at random

random.seed(220)
office.create("random", capacity=30, per_user=2, lanes=2)
names, queue, epoch = users(60, "r"), [], 1
for turn in range(4):
    for _ in range(40):
        user = random.choice(names)
        try:
            queue += office.book("random", [user], random.choice([1, 1, 2]))
        except RuntimeError:
            if office.look("random", user)[0] == "FOUND":
                queue += office.cancel("random", [user])
    # half of it in time, the rest sits in the queue of a worker while Redis forgets
    sent = [one for one in queue if random.random() < 0.5]
    topic.produce(sent)
    queue = [one for one in queue if one not in sent]
    forget()
    epoch += 1
    office.reopened("random", epoch, f"turn {turn}: it reopens", 40)
    topic.produce(random.sample(queue, len(queue)))
    queue = []
    time.sleep(2)
    quiet("random", f"turn {turn}")
equal(office.look("full", "lena"), ["REJECTED", more[0]["id"], "late"],
      "four rebuilds later an older rejection is still visible")
tally = {}
for how in outcomes(database).values():
    tally[how] = tally.get(how, 0) + 1
note(tally)
ok({"booked", "rejected", "void", "cancelled"} <= set(tally), "felt: every outcome occurred")
equal(persister.stop(), 0, "SIGTERM ends it well")
done()
