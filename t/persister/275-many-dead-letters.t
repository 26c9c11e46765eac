#!/usr/bin/env python3
"""More dead letters of a lane than one call takes back, while Redis refuses to be written to.

They pile up, and `persisted` waits below the first of them. Then they are taken back page by page, and whoever dies, or
is refused, between two pages has not told Redis that bookings of the next page are stored.
"""

import os
import signal

from base import Database, done, equal, ok, wait_for
from core import Persister, agree, key, progress, users
from dead import letters, refuse, states, told
from recovery import Pauses, Sale, own_redis, pause_build

EVERY, MANY = 110, 230          # one in so many is refused, which is not too many of them for the breaker

pause_build()
server = own_redis()
database, office = Database(), Sale(server)
pauses = Pauses("compensated")


def start():
    return Persister(database, persister={"threads": 1}, environment=pauses.environment)


def owed(ticket):
    """Numbers of bookings that MySQL refused and their users still hold."""
    held = {(user, booking) for user, _, booking in office.buyers(ticket)}
    return [int(booking.split("-")[-1]) for user, booking, _ in letters(database, ticket) if (user, booking) in held]


def stored_up_to(ticket):
    epoch, _, number = (office.persisted(ticket) or "0-0").partition("-")
    return int(number) if epoch == "1" else 0


def below(ticket, left, name):
    """`persisted` is below each booking that is still to be taken back, of which there are so many."""
    owing = owed(ticket)
    equal(len(owing), left, f"{name}: {left} are still to be taken back")
    up_to = stored_up_to(ticket)
    ok(not owing or up_to < min(owing), f"{name}: `persisted` ({up_to}) is below the first of them")
    entries = [office.redis("XRANGE", key(ticket, "outbox:0"), f"1-{seq}", f"1-{seq}") for seq in owing]
    ok(all(entries), f"{name}: their events are in the outbox")


def writable(yes):
    office.redis("CONFIG", "SET", "min-replicas-to-write", "0" if yes else "1")


persister = start()
office.create("sale", capacity=100000)
refuse(database)
names = users(EVERY * MANY)
for n in range(MANY):
    names[EVERY * (n + 1) - 1] = f"poison-{n:04d}"

# ---------------------------------------------------------------- Redis takes no write: they pile up

os.kill(persister.process.pid, signal.SIGSTOP)
try:
    events = office.book("sale", names)
finally:
    writable(False)
    os.kill(persister.process.pid, signal.SIGCONT)
last = events[-1]["data"]["seq"]
ok(wait_for(lambda: progress(database, "sale") == last, 300), "everything is stored, or a dead letter")
equal(states(database), ["pending"] * MANY, f"{MANY} dead letters are pending")
ok("was refused" in persister.log(), "felt: Redis refuses")
below("sale", MANY, "none taken back")

# ---------------------------------------------------------------- killed behind the first page

pauses.arm("compensated")
writable(True)
ok(pauses.there("compensated"), "the first page is taken back in Redis")
below("sale", MANY - 100, "the first page")
persister.kill()
below("sale", MANY - 100, "killed")
equal(states(database), ["pending"] * MANY, "and MySQL does not know")

# ---------------------------------------------------------------- the second page is refused

pauses.arm("compensated")
persister = start()
ok(pauses.there("compensated"), "started again: the first page once more")
below("sale", MANY - 100, "again")
writable(False)
pauses.go("compensated")
ok(wait_for(lambda: "was refused" in persister.log()), "felt: the second page is refused")
equal(states(database).count("rejected"), 100, "the first page is settled")
below("sale", MANY - 100, "the second page refused")

# ---------------------------------------------------------------- and then all of them

writable(True)
agree(office, database, "sale", "Redis takes writes again: owners are rows", 60)
ok(wait_for(lambda: states(database) == ["rejected"] * MANY), "every one is taken back")
equal(len(told(office, "sale")), MANY, "their users are told")
office.full("sale", "remaining + held = capacity")
equal(persister.stop(), 0, "SIGTERM ends it well")
done()
