#!/usr/bin/env python3
"""The rights that README.md asks for are enough: a ticket is opened, sold and stored with no others."""

import re
import subprocess
import time

from base import MYSQL_CLIENT, REDIS_DB, ROOT, Daemon, Database, Redis, conf, done, env, equal, has, lacks, ok, \
    persister, stop, wait_for
from core import encode, event
from dlq import put

with open(f"{ROOT}/persister/README.md", encoding="utf-8") as file:
    readme = file.read()
rule = re.search(r"ACL SETUSER persister (.*?)\n\n", readme, re.S).group(1).replace("PASSWORD", "right").split()
grant = re.search(r"on its database: `([A-Z, ]+)`", readme).group(1)
scratch = re.search(r"also `([A-Z, ]+)` on `(\w+)` and `(\w+)`\. In Kafka", readme).groups()

database = Database()
redis = Redis()
redis("FLUSHDB")

# whoever started the server is MySQL's root
root = [MYSQL_CLIENT, "--no-defaults", "-h", "localhost", "--protocol=socket", "-S", env("MYSQL_SOCKET")]
USER = "tickets_rights"


def administer(sql):
    result = subprocess.run(root, input=sql, capture_output=True, text=True, timeout=60)
    if result.returncode != 0:
        stop(f"MySQL's root cannot be used: {result.stderr}")


administer(f"DROP USER IF EXISTS '{USER}'@'127.0.0.1'; "
           f"CREATE USER '{USER}'@'127.0.0.1' IDENTIFIED BY 'right'; "
           f"GRANT {grant} ON `{database.name}`.* TO '{USER}'@'127.0.0.1'")
redis("ACL", "SETUSER", USER, "reset", *rule)

path = conf(database, mysql={"host": "127.0.0.1", "user": USER, "password": "right"},
            redis={"uri": f"redis://{USER}:right@{env('REDIS_HOST')}:{env('REDIS_PORT')}/{REDIS_DB}"},
            persister={"sweep_ms": 200, "tail_ms": 100})
try:
    result = persister("-c", path, "migrate")
    equal(result.code, 0, "migrate")
    result = persister("-c", path, "--check")
    equal(result.code, 0, "--check")

    daemon = Daemon(path)
    key = "ticket:{night}"
    redis("HSET", key, "capacity", 5, "per_user", 2, "lanes", 1, "state", "open", "opens_at", "", "closes_at", "")
    redis("SADD", "tickets", "night")
    redis("SADD", "tickets:recover", "night")
    ok(wait_for(lambda: redis("HGET", key, "history")), "a new ticket is opened")

    book = subprocess.run([f"{ROOT}/lua/embed", "script", "book"], capture_output=True, timeout=60).stdout
    later = int(time.time() * 1000) + 60000
    answer = redis("EVAL", book, 4, key, key + ":buyers", key + ":rejected", key + ":outbox:0",
                   "night", 1, 0, 2, "ann", 0, 2, later, 0, "bob", 0, 1, later, 0)
    equal(len(answer), 6, "two book it")
    equal(wait_for(lambda: len(database("SELECT 1 FROM purchases")) == 2 and
                   database("SELECT user_id, quantity FROM purchases ORDER BY user_id")),
          [["ann", "2"], ["bob", "1"]], "they have rows")
    epoch = redis("HGET", key, "epoch")
    equal(wait_for(lambda: redis("HGET", key, "persisted:0") == f"{epoch}-2" and redis("HGET", key, "persisted:0")),
          f"{epoch}-2", "Redis was told")
    equal(redis("XLEN", key + ":outbox:0"), 0, "and the outbox is trimmed")

    room = "queue:room:{night}"
    redis("HSET", room, "state", "open", "capacity", 5, "rate", "", "share", 50, "pass_ttl", 60000, "tickets", "night",
          "max_lag", 1000, "opens_at", "", "draw", 0, "seed", "", "draw_hash", "", "origin", 1763719200123000, "drawn", 0)
    redis("SADD", "queues", "night", "no room")
    ok(wait_for(lambda: database("SELECT 1 FROM queues")), "a waiting room has a row")
    database("INSERT INTO benchmarks (rows_per_s, one_lane, all_workers, workers) VALUES (7, 7, 7, 1)")
    ok(wait_for(lambda: redis("HGET", room, "rows_per_s") == "7"), "and gets what the database can do")
    redis("UNLINK", room)
    ok(wait_for(lambda: redis("HGET", room, "origin") == "1763719200123000"), "it is put back")
    redis("UNLINK", room, "queues", "catalogue")
    ok(wait_for(lambda: redis("SMEMBERS", "queues") == ["night"] and redis("EXISTS", room)), "also with its name")

    one = event("booked", 1763719200123, "night", 0, 1, 99, user="cal", quantity=1, booking_id="night:0:1-99", holding=1,
                holding_id="night:0:1-99")
    letter = put(database, "night:0:1-99", encode(one), "night", "cal", "night:0:1-99", "rejected")
    result = persister("-c", path, "dlq", "replay", str(letter))
    equal((result.code, result.out if result.code else ""), (0, ""), "dlq replay")
    equal(persister("-c", path, "dlq", "list").code, 0, "dlq list")

    redis("SET", "catalogue", "0" * 40)
    ok(wait_for(lambda: redis("GET", "catalogue") == redis.replid()), "the catalogue is kept")
    result = persister("-c", path, "benchmark", "--seconds", "1")
    equal(result.code, 3, "benchmark without the rights it needs")
    has(result.err, "DROP command denied", "with MySQL's sentence")
    for table in scratch[1:]:
        administer(f"GRANT {scratch[0]} ON `{database.name}`.`{table}` TO '{USER}'@'127.0.0.1'")
    result = persister("-c", path, "benchmark", "--seconds", "1")
    equal((result.code, result.err), (0, ""), "benchmark with them")

    result = persister("-c", path, "reconcile")
    equal((result.code, result.out.splitlines()[-1].split(";")[0]), (0, "1 ticket: 1 equal, 0 different, 0 not comparable"),
          "reconcile")
    time.sleep(1)
    equal(daemon.stop(), 0, "it ends well")
    lacks(daemon.log(), "NOPERM", "nothing was forbidden by Redis")
    lacks(daemon.log(), "denied", "nor by MySQL")
    warnings = [line for line in daemon.log().splitlines() if " warn: " in line or " error: " in line]
    equal([line.split(" warn: ")[-1] for line in warnings],
          ["keeper: a name of 7 bytes in queues is no waiting room's, and is removed"],
          "and nothing else was worth a warning")
finally:
    redis("ACL", "DELUSER", USER)
    redis("FLUSHDB")
    administer(f"DROP USER '{USER}'@'127.0.0.1'")

done()
