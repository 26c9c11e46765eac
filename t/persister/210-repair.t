#!/usr/bin/env python3
"""`reconcile --repair`: the tickets that differ are closed, and rebuilt from MySQL like after any loss.

Only those, only after the report, and with the report's exit status.
"""

from base import REDIS_DB, Database, conf, done, equal, has, lacks, ok, persister as command, wait_for
from core import Persister, agree, key, rows, users
from recovery import Sale, own_redis

server = own_redis()
database, office = Database(), Sale(server)
daemon = Persister(database)
for ticket in "same", "differs", "vip@concert":
    office.create(ticket, capacity=500, per_user=3)
    office.book(ticket, users(50))
    agree(office, database, ticket, f"{ticket} is stored")
path = conf(database, "reconcile.conf")

equal(command("-c", path, "reconcile", "--repair", "--wait", "5").code, 0, "nothing differs: exit 0")
equal(office.hash("same")["epoch"], "1", "and nothing is closed")

# somebody has a hand in it
database("DELETE FROM purchases WHERE ticket_name = 'differs' AND user_id = 'user-000001'")
database("UPDATE purchases SET quantity = 2 WHERE ticket_name = 'vip@concert' AND user_id = 'user-000002'")
office.redis("HSET", key("differs"), "remaining", 7)
result = command("-c", path, "reconcile", "--wait", "5")
equal(result.code, 1, "reconcile alone reports")
equal([office.hash(ticket)["epoch"] for ticket in ("same", "differs", "vip@concert")], ["1"] * 3, "and changes nothing")

before = rows(database, "differs"), rows(database, "vip@concert")
result = command("-c", path, "reconcile", "--repair", "--wait", "5")
equal(result.code, 1, "--repair: the same exit status")
has(result.out, "user user-000001: only in Redis", "the report comes first")
has(result.out, "2 tickets are closed, to be rebuilt from MySQL", "then what is done")
office.reopened("differs", 2, "the ticket reopens by itself")
office.reopened("vip@concert", 2, "the grouped one, too")
equal(office.hash("same")["epoch"], "1", "the one that is equal was left alone")
equal((rows(database, "differs"), rows(database, "vip@concert")), before, "MySQL wins")
for ticket in "differs", "vip@concert":
    agree(office, database, ticket, f"{ticket}: Redis is what MySQL is")
    office.full(ticket, f"{ticket}: remaining + held is the capacity")
equal(command("-c", path, "reconcile", "--wait", "5").code, 0, "nothing differs now")
office.book("differs", users(5, "after"))
agree(office, database, "differs", "it goes on")
server.kill()
result = command("-c", path, "reconcile", "--repair")
equal(result.code, 3, "without Redis: exit 3")
daemon.stop()
done()
