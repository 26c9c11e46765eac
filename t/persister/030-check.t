#!/usr/bin/env python3
"""--check tells what a start would miss, a line each, and changes nothing."""

import os

from base import Database, Redis, conf, done, env, equal, free_port, has, lacks, persister

database = Database()
redis = Redis()


def check(path, code, name, *lines, **environment):
    result = persister("-c", path, "--check", **environment)
    equal(result.code, code, f"{name}: exit status {code}")
    for line in lines:
        has(result.out, line, f"{name}: {line}")
    equal(len(result.out.splitlines()), 4, f"{name}: four lines")
    return result


good = conf(database)
check(good, 2, "an empty database", "FAIL  mysql", "3 migrations are still to be run: ticket-persister migrate",
      "ok    redis", "ok    kafka         not used (enabled = no)", f"ok    configuration {good}")
equal(database("SHOW TABLES"), [], "and it is still empty")

equal(persister("-c", good, "migrate").code, 0, "migrate")
check(good, 0, "everything there", "ok    mysql", "the tables are up to date", "noeviction, scripts loaded")

away = free_port()
check(conf(database, "away.conf", mysql={"port": away}), 3, "no MySQL", "FAIL  mysql", "ok    redis")
check(conf(database, "away.conf", mysql={"password": "no"}), 3, "MySQL refuses", "FAIL  mysql", "Access denied")
check(conf(database, "away.conf", mysql={"database": database.name + "_not"}), 3, "no such database", "FAIL  mysql")
check(conf(database, "away.conf", redis={"uri": f"redis://127.0.0.1:{away}/0"}), 3, "no Redis", "FAIL  redis",
      "ok    mysql")
check(conf(database, "away.conf", redis={"uri": "unix:/nowhere/redis.sock"}), 3, "no Redis socket", "FAIL  redis")
check(conf(database, "away.conf", redis={"uri": f"redis://{env('REDIS_HOST')}:{env('REDIS_PORT')}/99999"}), 3,
      "no such database of Redis", "FAIL  redis", "SELECT")

redis("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
try:
    check(good, 2, "a Redis that forgets", "FAIL  redis", "maxmemory-policy is allkeys-lru")
finally:
    redis("CONFIG", "SET", "maxmemory-policy", "noeviction")

# a user of his own, with a password that has to be written as %XX
redis("ACL", "SETUSER", "checker", "on", ">p@ss:w/rd", "~*", "+@all")
try:
    server = f"{env('REDIS_HOST')}:{env('REDIS_PORT')}"
    check(conf(database, "user.conf", redis={"uri": f"redis://checker:p%40ss%3Aw%2frd@{server}/9"}), 0, "a user of Redis")
    result = check(conf(database, "user.conf", redis={"uri": f"redis://checker:p%40ss@{server}/9"}), 3,
                   "a wrong password", "AUTH")
    lacks(result.out, "p@ss", "which is not shown")
    redis("ACL", "SETUSER", "checker", "-script")
    check(conf(database, "user.conf", redis={"uri": f"redis://checker:p%40ss%3Aw%2frd@{server}/9"}), 3,
          "a user who may not load scripts", "SCRIPT", "NOPERM")
    for keys in (["~ticket*"], ["~ticket*", "~queues"], ["~ticket*", "~queue:*"]):
        redis("ACL", "SETUSER", "checker", "+script", "resetkeys", *keys)
        check(conf(database, "user.conf", redis={"uri": f"redis://checker:p%40ss%3Aw%2frd@{server}/9"}), 2,
              f"a user who may not keep waiting rooms ({' '.join(keys)})", "FAIL  redis", "keys of waiting rooms", "NOPERM")
finally:
    redis("ACL", "DELUSER", "checker")

if os.environ.get("KAFKA") != "no":
    kafka = env("KAFKA_BOOTSTRAP")
    topic = env("KAFKA_TOPIC")
    check(conf(database, "kafka.conf", kafka={"enabled": "yes", "brokers": kafka, "topic": topic}), 0,
          "the topic is there", f"ok    kafka         topic {topic}, ")
    check(conf(database, "kafka.conf", kafka={"enabled": "yes", "brokers": kafka, "topic": topic, "dlq_topic": "no.dlq"}), 0,
          "no topic for dead letters", f"ok    kafka         topic {topic}, ", "; but there is no topic no.dlq")
    for _ in range(2):      # the second look would find a topic that the first one made
        check(conf(database, "kafka.conf", kafka={"enabled": "yes", "brokers": kafka, "topic": "no.such.topic"}), 2,
              "no such topic", "FAIL  kafka         there is no topic no.such.topic")
check(conf(database, "kafka.conf", kafka={"enabled": "yes", "brokers": f"127.0.0.1:{away}"}), 3, "no Kafka",
      "FAIL  kafka", "ok    mysql", "ok    redis")

done()
