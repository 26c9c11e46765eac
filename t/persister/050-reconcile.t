#!/usr/bin/env python3
"""reconcile finds every way in which MySQL and Redis can differ, and no other."""

import re
import threading
import time

from base import REDIS_DB, Database, Redis, conf, done, env, equal, free_port, has, lacks, ok, persister

database = Database()
redis = Redis()
path = conf(database)
persister("-c", path, "migrate")


def quote(text):
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def key(ticket):
    return "ticket:{%s}" % ticket if "@" not in ticket else "ticket:{%s}:%s" % (ticket.split("@")[1], ticket)


def sell(ticket, buyers, capacity=100, lanes=1, seq=None, state="open"):
    """A ticket that is the same on both sides; buyers: user → (quantity, booking id)."""
    held = sum(quantity for quantity, _ in buyers.values())
    seq = seq or [len(buyers)] + [0] * (lanes - 1)
    redis("SADD", "tickets", ticket)
    redis("UNLINK", key(ticket), key(ticket) + ":buyers")
    redis("HSET", key(ticket), "capacity", capacity, "remaining", capacity - held, "per_user", 4, "lanes", lanes,
          "state", state, "opens_at", 1795255200123, "closes_at", "", "epoch", 1, "history", redis.replid(),
          *[word for lane in range(lanes) for word in (f"seq:{lane}", seq[lane])])
    users = list(buyers.items())
    for i in range(0, len(users), 1000):
        redis("HSET", key(ticket) + ":buyers", *[word for user, (quantity, booking) in users[i:i + 1000]
              for word in (user, f"{quantity} 1795255200123 {booking}")])
    name = quote(ticket)
    database(f"DELETE FROM tickets WHERE name = {name}; DELETE FROM lane_progress WHERE ticket_name = {name}; "
             f"DELETE FROM purchases WHERE ticket_name = {name}; "
             f"INSERT INTO tickets (name, epoch, capacity, per_user, lanes, state, opens_at) VALUES "
             f"({name}, 1, {capacity}, 4, {lanes}, '{state}', '2026-11-21 10:00:00.123'); "
             + "".join(f"INSERT INTO lane_progress (ticket_name, lane, epoch, applied_seq) VALUES "
                       f"({name}, {lane}, 1, {seq[lane]});" for lane in range(lanes))
             + "".join("INSERT INTO purchases (user_id, ticket_name, quantity, booking_id, created_at) VALUES "
                       + ",".join(f"({quote(user)}, {name}, {quantity}, {quote(booking)}, '2026-11-21 10:00:00.123')"
                                  for user, (quantity, booking) in users[i:i + 1000]) + ";"
                       for i in range(0, len(users), 1000)))


def reconcile(*args, wait=0):
    return persister("-c", path, "reconcile", "--wait", str(wait), *args)


def last(result):
    return result.out.splitlines()[-1] if result.out else ""


def difference(name, *lines, differences=1):
    """One difference, and that it is gone when the ticket is made anew."""
    result = reconcile()
    equal(result.code, 1, f"{name}: exit status 1")
    for line in lines:
        has(result.out, line + "\n", f"{name}: {line.strip()}")
    has(result.out, f"  {differences} difference{'s' * (differences > 1)}\n", f"{name}: counted")
    sell("concert", BUYERS)


BUYERS = {"ann": (1, "concert:0:1-1"), "Ann": (2, "concert:0:1-2"), "zoë": (3, "concert:0:1-3"),
          "\U0001f3ab": (1, "concert:0:1-4"), "o'brien\\%_": (1, "concert:0:1-5")}

redis("FLUSHDB")
result = reconcile()
equal((result.code, last(result)), (0, "0 tickets: 0 equal, 0 different, 0 not comparable; "
                                       "pending: 0 late events, 0 dead letters"), "nothing on both sides")

sell("concert", BUYERS)
sell("vip@concert", {"ann": (1, "vip@concert:1:1-1")}, lanes=2, seq=[3, 1])
sell("empty", {})
redis("SADD", "tickets", "a-name-without-a-ticket")
result = reconcile()
equal((result.code, last(result)), (0, "3 tickets: 3 equal, 0 different, 0 not comparable; "
                                       "pending: 0 late events, 0 dead letters"), "equal on both sides")
equal([line.split() for line in result.out.splitlines()[:4]], [
    ["ticket", "epoch", "capacity", "remaining", "held", "rows", "lag", "result"],
    ["concert", "1", "100", "92", "8", "8", "0", "equal"],
    ["empty", "1", "100", "100", "0", "0", "0", "equal"],
    ["vip@concert", "1", "100", "99", "1", "1", "0", "equal"]], "a table, sorted by name")

# ---------------------------------------------------------------- buyers

database("DELETE FROM purchases WHERE user_id = 'Ann'")
difference("a row removed by hand", "  user Ann: only in Redis, quantity 2, booking concert:0:1-2")
database("INSERT INTO purchases (user_id, ticket_name, quantity, booking_id) VALUES ('bob', 'concert', 4, 'x')")
difference("a row that nobody bought", "  user bob: only in MySQL, quantity 4, booking x")
database("UPDATE purchases SET quantity = 2 WHERE user_id = 'zoë'")
difference("another quantity", "  user zoë: quantity 3, booking concert:0:1-3 in Redis; quantity 2, "
                               "booking concert:0:1-3 in MySQL")
database("UPDATE purchases SET booking_id = 'y' WHERE user_id = 'o\\'brien\\\\%_'")
difference("another booking", "  user o'brien\\%_: quantity 1, booking concert:0:1-5 in Redis; quantity 1, "
                              "booking y in MySQL")
database("UPDATE purchases SET user_id = 'ANN' WHERE user_id = 'ann' AND ticket_name = 'concert'")
difference("ids of another case", "  user ANN: only in MySQL, quantity 1, booking concert:0:1-1",
           "  user ann: only in Redis, quantity 1, booking concert:0:1-1", differences=2)
database("INSERT INTO purchases (user_id, ticket_name, quantity, booking_id) VALUES ('a\x1b[2Jb', 'concert', 1, 'x')")
difference("an id that would clear the screen", "  user a?[2Jb: only in MySQL, quantity 1, booking x")

# ---------------------------------------------------------------- definition

redis("HSET", key("concert"), "remaining", 93)
difference("one too many left", "  remaining 93 + held 8 is not capacity 100 in Redis")
database("UPDATE tickets SET capacity = 99, state = 'closed', opens_at = NULL, closes_at = '2026-11-21 11:00:00', "
         "per_user = 5 WHERE name = 'concert'")
difference("another definition", "  capacity: 100 in Redis, 99 in MySQL", "  state: open in Redis, closed in MySQL",
           "  opens_at (ms): 1795255200123 in Redis, -1 in MySQL", "  per_user: 4 in Redis, 5 in MySQL",
           "  closes_at (ms): -1 in Redis, 1795258800000 in MySQL", differences=5)

# ---------------------------------------------------------------- what cannot be compared


def not_comparable(name, why):
    result = reconcile()
    equal(result.code, 1, f"{name}: exit status 1")
    ok(re.search(r"^concert .*  " + why + "$", result.out, re.M), f"{name}: {why}")
    has(last(result), "1 not comparable", f"{name}: counted")
    lacks(result.out, "  user", f"{name}: and no difference is claimed")
    sell("concert", BUYERS)


redis("HSET", key("concert"), "seq:0", 7)
redis("HSET", key("concert") + ":buyers", "carl", "1 1795255200123 concert:0:1-6")
not_comparable("two events not stored yet", "behind")
redis("HSET", key("concert"), "history", "0" * 40)
not_comparable("a Redis that forgot", "recovering")
redis("HSET", key("concert"), "epoch", 2)
not_comparable("another epoch", "recovering")
redis("UNLINK", key("concert"))
not_comparable("no hash", "not in Redis")
database("DELETE FROM tickets WHERE name = 'concert'")
not_comparable("no row", "not opened yet")

redis("HSET", key("concert"), "seq:0", 6, "remaining", 91)
redis("HSET", key("concert") + ":buyers", "carl", "1 1795255200123 concert:0:1-6")


def store():
    time.sleep(1)
    database("INSERT INTO purchases (user_id, ticket_name, quantity, booking_id) VALUES ('carl', 'concert', 1, "
             "'concert:0:1-6'); UPDATE lane_progress SET applied_seq = 6 WHERE ticket_name = 'concert'")


thread = threading.Thread(target=store)
thread.start()
began = time.monotonic()
result = reconcile(wait=30)
thread.join()
equal(result.code, 0, "what is behind is waited for")
ok(0.9 < time.monotonic() - began < 10, "and no longer than that")
sell("concert", BUYERS)

redis("UNLINK", key("empty"))
database("UPDATE tickets SET state = 'deleted' WHERE name = 'empty'")
equal(reconcile().code, 0, "a deleted ticket may be missing in Redis")
database("INSERT INTO purchases (user_id, ticket_name, quantity, booking_id) VALUES ('ann', 'empty', 1, 'x')")
has(reconcile().out, "user ann: only in MySQL", "but then nobody has a row")
sell("empty", {})

database("INSERT INTO late_events (event_id, ticket_name, user_id, booking_id, event, outcome) VALUES "
         "('a:0:1-1', 'a', 'u', 'a:0:1-1', '{}', NULL), ('a:0:1-2', 'a', 'u', 'a:0:1-2', '{}', 'kept'); "
         "INSERT INTO dead_letters (event_id, ticket_name, lane, event, origin, error, state) VALUES "
         "('a:0:1-1', 'a', 0, '{}', 'x', 'y', 'pending'), ('a:0:1-2', 'a', 0, '{}', 'x', 'y', 'pending'), "
         "('a:0:1-3', 'a', 0, '{}', 'x', 'y', 'acked')")
result = reconcile()
equal(result.code, 0, "pending late events and dead letters are no difference")
has(last(result), "pending: 1 late events, 2 dead letters", "but counted")

# more rows than a page, all of the same instant
sell("large", {f"user-{i}": (1, f"large:0:1-{i}") for i in range(12001)}, capacity=20000)
result = reconcile()
equal(result.code, 0, "12,001 buyers of one instant are equal")
has(" ".join(result.out.split()), "large 1 20000 7999 12001 12001 0 equal", "and counted")
database("DELETE FROM purchases WHERE user_id IN ('user-0', 'user-6000', 'user-12000')")
result = reconcile()
for user in "user-0", "user-6000", "user-12000":
    has(result.out, f"  user {user}: only in Redis", f"{user} is missed")

for options, name in ({"mysql": {"port": free_port()}}, "no MySQL"), \
        ({"redis": {"uri": f"redis://127.0.0.1:{free_port()}/{REDIS_DB}"}}, "no Redis"):
    path = conf(database, "away.conf", **options)
    result = reconcile()
    equal((result.code, result.out), (3, ""), f"{name}: exit status 3, no report")
    has(result.err, f"ticket-persister: reconcile: {name[3:].lower()}: ", f"{name}: and a sentence")

redis("FLUSHDB")
done()
