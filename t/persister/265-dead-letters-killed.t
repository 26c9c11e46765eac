#!/usr/bin/env python3
"""Between the COMMIT of a dead letter and its end: killed, overtaken by the buyer, or by a Redis that forgets.

The booking is taken back once, with one ticket.rejected, whatever comes in between; who has booked again
meanwhile keeps that; and a recovery restores the rejection, makes dead letters itself, and stops at a broken schema.
"""

import time

from base import Database, done, equal, has, ok, wait_for
from core import CODES, Persister, Topic, agree, key, lane_of, progress, rows, users
from dead import accept, letters, refuse, states, told
from recovery import Pauses, Sale, outcomes, own_redis, pause_build, settled

pause_build()
server = own_redis("--appendonly", "yes", "--appendfsync", "always")
database, office, topic = Database(), Sale(server), Topic(partitions=2)
pauses = Pauses("dead", "compensated", "takeover", "store")
persister = None


def start(**options):
    global persister
    persister = Persister(database, topic, persister={"threads": 1, "gap_ms": 300}, environment=pauses.environment,
                          **options)


def killed():
    persister.kill()
    for name in pauses.files:
        pauses.go(name)


def good(ticket, what):
    agree(office, database, ticket, f"{what}: owners are rows", 60)
    office.full(ticket, f"{what}: remaining + held = capacity")
    ok(wait_for(lambda: "pending" not in states(database)), f"{what}: nothing is pending")


def sell(ticket, names):
    events = office.book(ticket, names)
    topic.produce(events)
    return events[-1]["id"]


start()
persister.assigned(2)
office.create("sale", capacity=300, per_user=2)
sell("sale", users(20))
good("sale", "before")
refuse(database)

# ---------------------------------------------------------------- killed

for point in "dead", "compensated":
    pauses.arm(point)
    seq = office.seq("sale")
    sell("sale", users(5, f"some-{point}") + [f"poison-{point}"])
    booking = f"sale:0:1-{seq + 6}"
    ok(pauses.there(point), f"a dead letter is committed, and at '{point}'")
    equal(letters(database)[-1], (f"poison-{point}", booking, "pending"), "it is pending")
    taken = point == "compensated"
    equal(office.look("sale", f"poison-{point}"), ["REJECTED", booking, "refused"] if taken else
          ["FOUND", booking, 1, *office.look("sale", f"poison-{point}")[3:4], 0],
          "the booking is taken back already" if taken else "the buyer has it, not stored")
    equal(office.persisted("sale"), f"1-{seq + 6 if taken else seq + 5}", "`persisted` has not risen before that")
    killed()
    start()
    good("sale", f"killed at '{point}', started again")
    equal(letters(database)[-1], (f"poison-{point}", booking, "rejected"), "the dead letter is settled: taken back")
    equal(told(office, "sale")[f"poison-{point}"], f"{booking} refused", "the buyer is told")
    equal(office.seq("sale"), seq + 7, "with one ticket.rejected")

# ---------------------------------------------------------------- the buyer acts meanwhile

pauses.arm("dead")
sell("sale", ["poison-again"])
ok(pauses.there("dead"), "a dead letter is pending")
try:
    office.book("sale", ["poison-again"])
    got = "BOOKED"
except RuntimeError as error:
    got = str(error)
has(got, f"[{CODES['ALREADY_BOOKED']},", "to book once more is answered with the booking held")
accept(database)
topic.produce(office.cancel("sale", ["poison-again"]))
again = sell("sale", ["poison-again"])
pauses.go("dead")
good("sale", "cancelled and booked again while it was pending")
ok(("poison-again", "1", again) in rows(database, "sale"), "the second booking is the row")
equal(states(database)[-1], "gone", "there was nothing to take back")

refuse(database)
for how, user in ("goes on", "poison-on"), ("is killed", "poison-killed"):
    pauses.arm("compensated")
    sell("sale", [user])
    ok(pauses.there("compensated"), "a booking is taken back, its dead letter pending")
    accept(database)
    again = sell("sale", [user])
    if how == "is killed":
        killed()
        start()
    else:
        pauses.go("compensated")
    good("sale", f"booked again before the persister {how}")
    ok((user, "1", again) in rows(database, "sale"), "the second booking is the row")
    refuse(database)

# ---------------------------------------------------------------- Redis forgets meanwhile

for epoch, point in (2, "dead"), (3, "compensated"):
    pauses.arm(point)
    booking = sell("sale", [f"poison-lost-{epoch}"])
    ok(pauses.there(point), f"a dead letter is at '{point}'")
    office.redis("FLUSHALL")
    pauses.go(point)
    office.reopened("sale", epoch, "Redis forgets everything, the ticket is rebuilt")
    good("sale", f"rebuilt at '{point}'")
    equal(office.look("sale", f"poison-lost-{epoch}"), ["REJECTED", booking, "refused"], "the buyer is told even so")
    equal(letters(database)[-1], (f"poison-lost-{epoch}", booking, "rejected"), "and the dead letter settled")
equal(office.look("sale", "poison-dead")[0], "REJECTED", "older rejections are restored")
equal(office.look("sale", "poison-again")[0], "FOUND", "who has booked since, has")

# ---------------------------------------------------------------- a drain meets one

persister.stop()
lost = office.book("sale", users(30, "drain") + ["poison-drain"] + users(30, "drained"))
office.restart()
start()
office.reopened("sale", 4, "what was not stored is drained, one of it refused", 60)
good("sale", "drained")
equal(letters(database)[-1], ("poison-drain", lost[30]["id"], "rejected"), "which is a dead letter")
equal(database("SELECT origin FROM dead_letters ORDER BY id DESC LIMIT 1"), [[f"ticket:{{sale}}:outbox:0 3-{lost[30]['data']['seq']}"]],
      "from the outbox")
equal(office.look("sale", "poison-drain"), ["REJECTED", lost[30]["id"], "refused"], "the buyer is told")
equal(len([1 for user, _, _ in rows(database, "sale") if user.startswith("drain")]), 60, "the others are stored")

# ---------------------------------------------------------------- a late one

persister.stop()
late = office.book("sale", ["poison-late", "in-time"])
office.redis("FLUSHALL")
start()
office.reopened("sale", 5, "Redis forgets two bookings that nobody has stored")
pauses.arm("takeover")
topic.produce(late)
ok(pauses.there("takeover"), "they come late")
ok(wait_for(lambda: len(outcomes(database)) == 2), "both")
pauses.go("takeover")
ok(settled(database), "and are settled")
good("sale", "late")
equal([outcomes(database)[one["id"]] for one in late], ["rejected", "booked"], "who is refused is rejected")
equal(letters(database)[-1], ("poison-late", late[0]["id"], "rejected"), "by a dead letter")
equal(office.look("sale", "poison-late"), ["REJECTED", late[0]["id"], "refused"], "and told")
equal(office.look("sale", "in-time")[1::3], [late[1]["id"], 1], "the other one is booked, and stored")

# ---------------------------------------------------------------- a late one of somebody whose row is refused

persister.stop()
accept(database)
late = office.book("sale", ["poison-holds"])
office.redis("FLUSHALL")
start()
office.reopened("sale", 6, "Redis forgets a booking")
held = sell("sale", ["poison-holds"])
good("sale", "the same user books anew")
refuse(database)
pauses.arm("compensated")
topic.produce(late)
ok(pauses.there("compensated"), "the first one comes late: rejected, he holds another; MySQL refuses the row of that")
equal(outcomes(database)[late[0]["id"]], "rejected", "felt: it is settled")
pauses.arm("store")
pauses.go("compensated")
ok(pauses.there("store"), "what he holds is taken back; ticket.rejected is about to be stored")
office.redis("FLUSHALL")
killed()
start()
office.reopened("sale", 7, "and lost with Redis", 60)
good("sale", "lost")
equal(letters(database)[-1], ("poison-holds", held, "rejected"), "what he held is the dead letter")
equal([user for user, _, _ in rows(database, "sale") if user == "poison-holds"], [], "its row went with it, and does not come back")
equal(office.look("sale", "poison-holds")[0], "REJECTED", "the buyer is told")

# ---------------------------------------------------------------- a drain meets a broken schema

persister.stop()
office.book("sale", users(5, "whole") + users(25, "poison-all") + users(5, "behind"))
before = len(letters(database))
office.restart()
start()
ok(wait_for(lambda: persister.metric("breaker_total") == 1, 60), "what is to be drained is refused: the lane is stopped")
time.sleep(6)
ok(persister.log().count("could not be drained") > 1, "felt: it is tried again and again")
equal(len(letters(database)) - before, 10, "ten became dead letters, and not ten each time")
ok(not office.is_open("sale"), "the ticket stays closed")
accept(database)
office.reopened("sale", 8, "the schema is repaired: it reopens", 60)
good("sale", "repaired")
equal(len([1 for user, _, _ in rows(database, "sale") if user.startswith("poison-all")]), 15, "only those ten are rejected")
equal(persister.stop(), 0, "SIGTERM ends it well")
done()
