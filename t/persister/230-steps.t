#!/usr/bin/env python3
"""Recovery is killed at each of its steps, or paused there while another persister does it.

A build with pause points (make PAUSE=1) stops the recoverer where the test says. A crash anywhere starts
it again; who was paused and does not know that he was overtaken must not harm what is there since.
"""

import time

from base import Database, done, equal, note, ok, wait_for
from core import Persister, Topic, agree, key, rows, users
from recovery import Pauses, Sale, own_redis, outcomes, pause_build, settled

pause_build()
server = own_redis("--appendonly", "yes", "--appendfsync", "always")
database, office, topic = Database(), Sale(server), Topic(partitions=2)
POINTS = ["claimed", "drained", "seal", "sealed", "staged", "commit"]
pauses = Pauses(*POINTS)
first = Persister(database, topic)
first.assigned(2)
office.create("sale", capacity=5000, per_user=2, lanes=2)
topic.produce(office.book("sale", users(50)))
agree(office, database, "sale", "before")
first.stop()
epoch = 1


def start(paused):
    return Persister(database, topic, environment=pauses.environment) if paused else Persister(database, topic)


def epoch_now():
    return int(database("SELECT epoch FROM tickets WHERE name = 'sale'")[0][0])


def good(what):
    agree(office, database, "sale", f"{what}: rows are buyers", 60)
    office.full("sale", f"{what}: remaining + held = capacity")


def sell(tag):
    """Some of it in Kafka, some not, with a cancel."""
    events = office.book("sale", users(20, tag)) + office.cancel("sale", [f"{tag}-000003"])
    topic.produce(events[::2])


for point in POINTS:
    sell(f"kill-{point}")
    office.restart()
    pauses.arm(point)
    one = start(True)
    ok(pauses.there(point), f"a recoverer is at '{point}'")
    one.kill()
    pauses.go(point)
    other = start(False)
    ok(wait_for(lambda: office.is_open("sale"), 40), f"killed at '{point}': the next one opens it")
    good(f"killed at '{point}'")
    ok({f"kill-{point}-{n:06d}" for n in range(20) if n != 3} <= {user for user, _, _ in rows(database, "sale")},
       f"killed at '{point}': nothing that was sold is lost")
    other.stop()


def sessions():
    return [row[0] for row in database("SELECT id FROM information_schema.processlist WHERE db = DATABASE() "
                                       "AND id <> CONNECTION_ID()")]


def end_round(point):
    """Lets the paused one go on, up to the beginning of its next round."""
    if point == "claimed":      # it does not pause there twice without going on meanwhile
        pauses.arm("drained")
        pauses.go("claimed")
        ok(pauses.there("drained"), "overtaken at 'claimed': it goes on")
        point = "drained"
    pauses.arm("claimed")
    pauses.go(point)
    ok(pauses.there("claimed"), f"overtaken at '{point}': it begins anew")
    pauses.go("claimed")


for point in ("claimed", "drained", "seal", "staged"):
    sell(f"pause-{point}")
    office.restart()
    pauses.arm(point)
    one = start(True)
    ok(pauses.there(point), f"a recoverer is paused at '{point}'")
    if point == "claimed":
        other = start(False)
        ok(wait_for(lambda: office.is_open("sale"), 60), "paused at 'claimed': another one opens it as soon as MySQL has "
           "ended the session of the first, after 15 s without a word")
    else:                       # somebody ends it at once
        for session in sessions():
            database(f"KILL {session}")
        other = start(False)
        ok(wait_for(lambda: office.is_open("sale"), 60), f"paused at '{point}': another one opens it")
    before = office.hash("sale")["epoch"]
    topic.produce(office.book("sale", users(20, f"since-{point}")))
    end_round(point)
    good(f"overtaken at '{point}'")
    equal(office.hash("sale")["epoch"], before, f"overtaken at '{point}': it has changed nothing")
    equal(one.stop(), 0, "SIGTERM ends the first")
    other.stop()
equal(outcomes(database), {}, "nothing was late in all of this")
equal(database("SELECT COUNT(*) FROM lane_skipped"), [["0"]], "nothing was passed over")
sealed = database("SELECT COUNT(*) FROM lane_progress WHERE sealed = 0")
equal(sealed, [["2"]], "two lanes are not sealed: those of the last epoch")

# ---------------------------------------------------------------- two at once, and Redis forgets again and again

two = [start(False), start(False)]
for turn in range(4):
    topic.produce(office.book("sale", users(30, f"two-{turn}")))
    office.redis("FLUSHALL")
    if turn % 2:
        time.sleep(1)
        two[turn % 4 // 2].kill()
        two[turn % 4 // 2] = start(False)
    ok(wait_for(lambda: office.is_open("sale"), 60), f"two persisters, turn {turn}: it is open")
settled(database)
good("two persisters")
equal(len([1 for user, _, _ in rows(database, "sale") if user.startswith("two-")]), 120, "all four turns are stored")
for one in two:
    one.stop()
done()
