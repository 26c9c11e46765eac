#!/usr/bin/env python3
"""`dlq` lists, shows, replays and discards dead letters; a replay books anew, through Redis, and only once.

What the buyer could not book today is not booked: it is said why, and the exit status is 1. Killed anywhere and run
again, without a persister, or with a Redis that forgets in between: nobody has two, remaining + held = capacity.
"""

import subprocess

import base
from base import CLEAN, DIR, Database, Proxy, conf, done, env, equal, free_port, has, lacks, ok, persister, wait_for
from core import CODES, LATER, Office, Persister, Topic, agree, encode, event, event_id, key, rows, users
from dlq import letter, put
from recovery import Pauses, pause_build

database, office, topic = Database(), Office(), Topic(partitions=2, needed=False)
NO_DLQ = {"dlq_topic": ""}
path = conf(database, "dlq.conf")
number = 1000


def dlq(*words, wait=None, conf_path=None):
    more = ["--wait", str(wait)] if wait is not None else []
    return persister("-c", conf_path or path, "dlq", *map(str, words), *more)


def dead(ticket, user, state="rejected", quantity=1, kind="booked", holding=None):
    """A booking of this user that MySQL has refused, and that was taken back: the number of its row."""
    global number
    number += 1
    own = event_id(ticket, 0, 1, number)
    holding = quantity if holding is None else holding
    one = event(kind, 1763719200123, ticket, 0, 1, number, user=user, quantity=quantity, booking_id=own,
                holding=holding, holding_id=own if holding else None)
    if state == "rejected":
        office.redis("HSET", key(ticket, "rejected"), user, f"{own} refused")
    return put(database, own, encode(one), ticket, user, own, state, "23000 1062 Duplicate entry")


def told(result):
    """number -> what came of it"""
    return {int(line.split("\t")[0]): line.split("\t")[1] for line in result.out.splitlines()}


def full(ticket, what):
    values = office.redis("HMGET", key(ticket), "capacity", "remaining")
    equal(int(values[1]) + sum(int(one[1]) for one in office.buyers(ticket)), int(values[0]),
          f"{what}: remaining + held = capacity")


daemon = Persister(database, topic, kafka=NO_DLQ)
daemon.assigned(2)
office.create("sale", capacity=10, per_user=3)
topic.produce(office.book("sale", ["bob"]))
agree(office, database, "sale", "a ticket with a buyer")

# ---------------------------------------------------------------- replay

ann = dead("sale", "ann", quantity=2)
result = dlq("replay", ann)
equal((result.code, told(result)), (0, {ann: "booked"}), "a rejected booking is booked anew")
equal(letter(database, ann, "state, settled_at IS NOT NULL"), ["replayed", "1"], "the dead letter is replayed")
equal([row[:2] for row in rows(database, "sale")], [("ann", "2"), ("bob", "1")], "it has a row")
equal(office.redis("HEXISTS", key("sale", "rejected"), "ann"), 0, "the buyer is rejected no more")
agree(office, database, "sale", "rows are buyers")
full("sale", "replayed")
has(result.out, rows(database, "sale")[0][2], "the new booking is named")
result = dlq("replay", ann)
equal((result.code, told(result)), (0, {ann: "replayed"}), "replayed twice: nothing is done")
equal(office.seq("sale"), 2, "nothing at all")

holder = dead("sale", "carl", kind="rejected", quantity=3, holding=1)
equal(told(dlq("replay", holder)), {holder: "booked"}, "what was held after an event of another kind is booked anew")
equal(dict(row[:2] for row in rows(database, "sale"))["carl"], "1", "as much as was held")

# ---------------------------------------------------------------- what cannot be

bob, limit = dead("sale", "bob"), dead("sale", "lea", quantity=4)
pending, gone = dead("sale", "pia", "pending"), dead("sale", "gus", "gone")
cancel, nobody = dead("sale", "cora", kind="cancelled", holding=0), put(database, "t/0@1", b"no event")
for one, what, part in ((bob, "already_booked", "meanwhile"), (limit, "limit_exceeded", "may have less"),
                        (pending, "pending", "a running persister does it"), (gone, "gone", "no such booking any more"),
                        (cancel, "no_booking", "nobody held anything"), (nobody, "no_user", "discard it"),
                        (10 ** 15, "not_found", "no such dead letter")):
    result = dlq("replay", one)
    equal((result.code, told(result)), (1, {one: what}), f"{what}: exit status 1")
    has(result.out, part, f"{what}: with a sentence")
closed, paused, over, gone_ticket = [dead(name, "dora") for name in ("closed", "paused", "over", "deleted")]
for name in "closed", "paused", "over", "deleted":
    office.create(name, capacity=5)
for name in "closed", "paused":
    office.define(name, "", "", "", name, create=0)
office.define("over", 0, "", "", "", create=0)
reply = office.call("delete", [key("deleted"), key("deleted", "buyers"), key("deleted", "outbox:0")], "deleted", LATER)
equal(reply[0], CODES["OK"], "a ticket is deleted")
office.redis("HSET", key("sale"), "state", "open")
for one, what in ((closed, "closed"), (paused, "paused"), (over, "sold_out"), (gone_ticket, "unknown_ticket")):
    result = dlq("replay", one)
    equal((result.code, told(result)), (1, {one: what}), f"{what}: exit status 1")
agree(office, database, "sale", "nothing has changed")

# ---------------------------------------------------------------- all of them

some = [dead("sale", user) for user in users(6, "all")]
result = dlq("replay", "--all", "--ticket", "sale")
got = told(result)
equal((result.code, {one: got[one] for one in (bob, limit)}), (1, {bob: "already_booked", limit: "limit_exceeded"}),
      "--all: what cannot be is said")
equal([got[one] for one in some], ["booked"] * 6, "the others are booked")
equal(set(got), {bob, limit, cancel, *some}, "those of other tickets and states are left alone")
agree(office, database, "sale", "rows are buyers")
full("sale", "--all")
equal(office.redis("HGET", key("sale"), "remaining"), "0", "the last is sold")
late = dead("sale", "zoe")
equal(told(dlq("replay", late)), {late: "sold_out"}, "and not one more")
equal(dlq("replay", "--all", "--ticket", "none").code, 0, "none to be replayed: well done")

# ---------------------------------------------------------------- what MySQL refuses

database("ALTER TABLE purchases ADD CONSTRAINT strict CHECK (user_id <> 'poison')")
office.create("real", capacity=5)
topic.produce(office.book("real", ["poison", "healthy"]))
ok(wait_for(lambda: database("SELECT id FROM dead_letters WHERE ticket_name = 'real' AND state = 'rejected'"), 30),
   "a booking MySQL refuses is taken back")
refused = int(database("SELECT id FROM dead_letters WHERE ticket_name = 'real'")[0][0])
result = dlq("replay", refused)
equal((result.code, told(result)), (1, {refused: "refused"}), "replayed while MySQL refuses it: refused once more")
second = int(database("SELECT MAX(id) FROM dead_letters WHERE ticket_name = 'real'")[0][0])
has(result.out, f"\t{second} is the dead letter", "the new dead letter is named")
equal(letter(database, refused), "replayed", "which goes on where the first ends")
ok(wait_for(lambda: letter(database, second) == "rejected"), "it is taken back as well")
database("ALTER TABLE purchases DROP CONSTRAINT strict")
result = dlq("replay", "--all", "--ticket", "real")
equal((result.code, told(result)), (0, {second: "booked"}), "the schema is repaired: booked")
agree(office, database, "real", "rows are buyers")
equal([user for user, _, _ in rows(database, "real")], ["healthy", "poison"], "both have theirs")
full("real", "refused and replayed")

# ---------------------------------------------------------------- discard

for one, state in ((nobody, "unusable"), (bob, "rejected")):
    result = dlq("discard", one)
    equal((result.code, letter(database, one)), (0, "discarded"), f"{state}: discarded")
equal(dlq("discard", nobody).code, 0, "twice: it is")
equal((dlq("discard", pending).code, letter(database, pending)), (1, "pending"), "pending: no, its booking is still held")
equal((dlq("discard", ann).code, letter(database, ann)), (1, "replayed"), "replayed: no")
equal((dlq("discard", gone).code, letter(database, gone)), (1, "gone"), "gone: it is settled")
equal(dlq("discard", 10 ** 15).code, 1, "not there: exit status 1")
equal(told(dlq("replay", bob)), {bob: "discarded"}, "what is discarded is not replayed")

# ---------------------------------------------------------------- list, show

nasty = "\x1b[2J\x07\u009b1m\u202e\u061cevil\r\n\ttab\\ \u00fcber"
bad = put(database, "nasty/0@1", nasty.encode() + b"\xff\xfe", error=nasty)
result = dlq("list", "--state", "unusable", "--limit", "5")
equal(result.code, 0, "list")
lines = result.out.splitlines()
equal(lines[0].split("\t"), ["id", "state", "time", "published", "ticket", "user", "error"], "with a head")
equal(lines[1].split("\t")[0:2], [str(bad), "unusable"], "the newest first")
escaped = "\\x1b[2J\\x07\\u009b1m\\u202e\\u061cevil\\r\\n\\ttab\\\\ \u00fcber"
equal(lines[1].split("\t")[6], escaped, "no control character reaches the terminal")
result = dlq("show", bad)
equal(result.code, 0, "show")
shown = dict(line.split(None, 1) for line in result.out.splitlines())
equal(shown["event"], escaped + "\\xff\\xfe", "shows the event, byte for byte and harmless")
equal((shown["bytes"], shown["origin"], shown["user"]), (str(len(nasty.encode()) + 2), "nasty/0@1", "-"), "and the rest")
equal(dlq("show", 10 ** 15).code, 1, "show what is not there: exit status 1")
equal(len(dlq("list", "--limit", 3).out.splitlines()), 4, "--limit")
equal({line.split("\t")[4] for line in dlq("list", "--ticket", "over").out.splitlines()[1:]}, {"over"}, "--ticket")
equal(dlq("list", "--ticket", "' OR 1 --").out.count("\n"), 1, "a quote is a quote")

# ---------------------------------------------------------------- usage, servers

for words in ((), ("explode",), ("list", "7"), ("show",), ("show", "x"), ("show", "7", "8"), ("replay",),
              ("replay", "7", "--all"), ("replay", "7", "--ticket", "x"), ("discard",), ("discard", "--all"),
              ("list", "--all"), ("show", "7", "--state", "x"), ("list", "--limit", "0"), ("list", "--limit", "many"),
              ("show", "7", "--wait", "1"), ("replay", "0x7"), ("replay", "7 OR 1")):
    result = dlq(*words)
    ok(result.code == 2 and result.err.startswith("ticket-persister: "), f"dlq {' '.join(words)}: exit status 2")
equal(persister("-c", path, "migrate", "--all").code, 2, "--all belongs to dlq")
has(persister("--help").out, "dlq replay ID", "--help")
away = free_port()
for name, words in (("mysql", {"mysql": {"port": away}}), ("redis", {"redis": {"uri": f"redis://127.0.0.1:{away}/0"}})):
    result = dlq("replay", "--all", conf_path=conf(database, "away.conf", **words))
    equal(result.code, 3, f"{name} is away: exit status 3")
    has(result.err, f"dlq: {name}: ", "with a sentence")
equal(dlq("list", conf_path=conf(database, "away.conf", mysql={"port": away})).code, 3, "list without MySQL: the same")

# ---------------------------------------------------------------- without a persister

office.create("next", capacity=20, per_user=2)
one = dead("next", "ida")
equal(daemon.stop(), 0, "no persister runs")
result = dlq("replay", one, wait=1)
equal((result.code, told(result)), (1, {one: "not_stored"}), "booked, not stored yet: exit status 1")
equal(letter(database, one), "rejected", "so it is not replayed")
result = dlq("replay", one, wait=1)
equal((result.code, told(result), office.seq("next")), (1, {one: "not_stored"}, 1), "run again: it is not booked twice")
daemon = Persister(database, topic, kafka=NO_DLQ)
result = dlq("replay", one)
equal((result.code, letter(database, one), len(rows(database, "next"))), (0, "replayed", 1), "a persister runs: stored")

# Redis forgets what was booked and not stored
two = dead("next", "jo")
equal(daemon.stop(), 0, "no persister runs")
equal(told(dlq("replay", two, wait=0)), {two: "not_stored"}, "booked in Redis only")
office.redis("FLUSHDB")
equal(told(dlq("replay", two, wait=0))[two] in ("unknown_ticket", "recovering"), True, "Redis has forgotten: not now")
daemon = Persister(database, topic, kafka=NO_DLQ)
ok(wait_for(lambda: office.is_open("next"), 30), "the ticket is rebuilt without it")
equal([user for user, _, _ in office.buyers("next")], ["ida"], "which holds what MySQL has")
result = dlq("replay", two)
equal((result.code, told(result)), (0, {two: "booked"}), "replayed again it is booked")
agree(office, database, "next", "once")
full("next", "Redis forgot")
equal(letter(database, two), "replayed", "and replayed")

# given back before it is replayed again
three = dead("next", "kim")
equal(daemon.stop(), 0, "no persister runs")
equal(told(dlq("replay", three, wait=0)), {three: "not_stored"}, "booked")
office.cancel("next", ["kim"])
result = dlq("replay", three, wait=0)
equal((result.code, told(result)), (1, {three: "gone"}), "the buyer gives it back: a replay does not book it again")

# ---------------------------------------------------------------- killed

pause_build()
pauses = Pauses("replay", "replayed")
daemon = Persister(database, topic, kafka=NO_DLQ)
for point in "replay", "replayed":
    four = dead("next", f"lisa-{point}")
    pauses.arm(point)
    process = subprocess.Popen([base.PERSISTER, "-c", path, "dlq", "replay", str(four)], stdout=subprocess.DEVNULL,
                               cwd=DIR, env={**CLEAN, **pauses.environment})
    ok(pauses.there(point), f"a replay waits at {point}")
    process.kill()
    process.wait()
    pauses.go(point)
    result = dlq("replay", four)
    ok(result.code == 0 and told(result)[four] in ("booked", "replayed"), f"killed at {point} and run again: booked")
    agree(office, database, "next", "rows are buyers")
    equal(len([row for row in rows(database, "next") if row[0] == f"lisa-{point}"]), 1, "once")
    equal(letter(database, four), "replayed", "and replayed")
full("next", "killed")

# many at once
both = [dead("next", user) for user in users(8, "race")]
racing = [subprocess.Popen([base.PERSISTER, "-c", path, "dlq", "replay", "--all", "--ticket", "next"],
                           stdout=subprocess.PIPE, cwd=DIR, env=CLEAN) for _ in range(3)]
codes = [process.wait(120) for process in racing]
equal([letter(database, one) for one in both], ["replayed"] * 8, f"three at once: all are replayed ({codes})")
agree(office, database, "next", "each once")
full("next", "three at once")
lacks(daemon.log(), "lisa", "the log names no user")
equal(daemon.stop(), 0, "SIGTERM ends it well")
done()
