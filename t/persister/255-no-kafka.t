#!/usr/bin/env python3
"""Recovery without Kafka: a Redis that comes back with its data loses nothing, an empty one what was not stored."""

import time

from base import Database, done, equal, note, ok, wait_for
from core import Persister, agree, rows, users
from recovery import Sale, own_redis

server = own_redis("--appendonly", "yes", "--appendfsync", "everysec")
database, office = Database(), Sale(server)
persister = Persister(database)
office.create("simple", capacity=1000, lanes=2)
office.book("simple", users(100))
agree(office, database, "simple", "sold and stored")
persister.stop()
office.book("simple", users(50, "behind"))
office.restart()
persister = Persister(database)
began = time.monotonic()
ok(wait_for(lambda: office.is_open("simple"), 20), f"restarted: it reopens ({time.monotonic() - began:.1f} s)")
agree(office, database, "simple", "with what only the outbox had")
office.full("simple", "remaining + held = capacity")
persister.stop()
office.book("simple", users(30, "lost"))
office.redis("FLUSHALL")
persister = Persister(database)
ok(wait_for(lambda: office.is_open("simple"), 20), "FLUSHALL: it reopens")
agree(office, database, "simple", "with what was stored")
note(f"lost with Redis: {180 - len(rows(database, 'simple'))} of 180 sales")
equal(len(rows(database, "simple")), 150, "what was not yet stored is lost with Redis, as the limits say")
office.full("simple", "remaining + held = capacity, after it")
equal(persister.stop(), 0, "SIGTERM ends it well")
done()
