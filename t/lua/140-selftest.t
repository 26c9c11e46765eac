#!/usr/bin/env python3
"""selftest.lua says what the server is, and finds out which rights are missing
before a buyer does."""

import os
import re

from redis_test import ROOT, RedisError, Room, Server, Tap, Ticket

tap = Tap()
server = Server("--maxmemory-policy", "noeviction")
redis = server.client()
keys = ["ticket:{:selftest}:" + k for k in ("hash", "stream", "string", "zset")]


def selftest(client):
    try:
        reply = client.script("selftest", keys, ["nonce"])
        return [reply[0]] + reply[2:]
    except RedisError as error:
        return str(error)


replid = redis.replid()
tap.eq(selftest(redis), [0, "noeviction", 0, "master", 0, "", 0, replid, 0],
       "a plain server")
tap.eq(redis.dump(), {}, "nothing is left behind")
for key in keys:
    redis("SET", key, "x")
tap.eq(selftest(redis)[0], 0, "left-overs of any type do no harm")
tap.eq(redis.dump(), {}, "... and are gone")
redis("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
redis("CONFIG", "SET", "maxmemory", "100000000")
tap.eq(selftest(redis), [0, "allkeys-lru", 100000000, "master", 0, "", 0,
                         replid, 0], "policy and limit")
redis("CONFIG", "SET", "maxmemory-policy", "noeviction")
redis("CONFIG", "SET", "maxmemory", "1000000")
tap.eq(selftest(redis)[0], 0, "full memory is no missing right")
redis("CONFIG", "SET", "maxmemory", "0")
redis("CONFIG", "SET", "min-replicas-to-write", "1")
tap.eq(selftest(redis)[5:7], [0, 1], "too few replicas: said, and no error")
redis("ACL", "SETUSER", "edge", "reset", "on", ">secret", "~*", "+@all", "-xadd")
tap.has(selftest(server.client("edge")), "XADD",
        "a right that is missing as well is found")
redis("CONFIG", "SET", "min-replicas-to-write", "0")

# every command that any script gives to Redis
text, used = "", set()
for name in sorted(os.listdir(os.path.join(ROOT, "lua"))):
    if name.endswith(".lua") and name != "selftest.lua":
        with open(os.path.join(ROOT, "lua", name)) as file:
            text += file.read()
used = set(re.findall(r"(?:call|try)\(\s*'([A-Z]+)'", text))
used |= set(re.findall(r"\{'([A-Z]+)',\s*KEYS", text))
used |= set(re.findall(r"\{'([A-Z]+)', key", text))
tap.ok({"XADD", "HSET", "HDEL", "SET", "XTRIM", "HMGET", "UNLINK"} <= used,
       "the commands are found in the sources")
for command in sorted(used):
    redis("ACL", "SETUSER", "edge", "reset", "on", ">secret", "~*", "+@all",
          "-" + command.lower())
    got = selftest(server.client("edge"))
    tap.ok(isinstance(got, str) and re.search("can't run|NOPERM|permission",
                                              got),
           "without %s the self-test fails: %s" % (command, got))
redis("ACL", "SETUSER", "edge", "reset", "on", ">secret", "~ticket:*",
      "~queue:*", "+evalsha", "+script|load", *["+" + c.lower() for c in sorted(used)])
edge = server.client("edge")
tap.eq(selftest(edge)[0], 0, "a user with exactly these rights passes")
redis("ACL", "SETUSER", "edge", "resetkeys", "~ticket:{gig}*")
tap.ok(isinstance(selftest(edge), str), "without the right to the keys: fails")
redis("ACL", "SETUSER", "edge", "resetkeys", "~ticket:*", "~queue:*")

t = Ticket(redis, "gig").open()
e = Ticket(edge, "gig")
replid = redis.replid()
tap.eq(e.sell("ann", key="k")[0], "BOOKED", "... and sells")
tap.eq(e.undo("ann", key="k")[0], "CANCELLED", "... cancels")
tap.eq((e.ticket()[0], e.booking("x")[0][0], e.bookings()[0]),
       ("OK", "NOT_BOOKED", "OK"), "... reads")
tap.eq(e.define(capacity=5, catalogue=replid)[0], "OK", "... defines")
tap.eq(e.ack(3, epoch=1), ["OK", 3], "... acknowledges")
q = Room(edge, "gig", e).make(capacity=1, catalogue=replid)
tap.ok(True, "... makes a waiting room")
tap.eq([q.enter(u)[0] for u in "ab"], ["ADMITTED", "WAITING"], "... lets enter")
tap.eq(e.guarded(q, ("a", 1, q.enter("a")[1]))[0][0], "BOOKED",
       "... takes a pass")
tap.eq((q.advance(1)["admitted"], q.leave("b")[0], q.look()[0]),
       (1, "LEFT", "OK"), "... lets in, out, and see")
tap.eq(q.define(state="deleted", catalogue=replid)[0], "OK", "... deletes it")
e.undo("a")
e.ack(5, epoch=1)
tap.eq(e.delete()[0], "OK", "... deletes")
redis("HDEL", t.key, "history")
e.claim()
redis("HSET", t.buyers + ":new:2", "ann", "1 5 gig:0:1-1")
tap.eq(e.open_script(2, replid=replid, count=1, held=1), ["OK", 9],
       "... and opens")

redis("REPLICAOF", "127.0.0.1", "1")
got = selftest(redis)
tap.eq((got[0], got[3], got[7]), (0, "slave", ""),
       "a replica is described, not tried")
tap.done()
