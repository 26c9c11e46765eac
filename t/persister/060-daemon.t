#!/usr/bin/env python3
"""The running program: it waits for its servers, shows how it goes, and obeys signals."""

import os
import re
import signal
import socket
import subprocess
import time

from base import DIR, REDIS_DB, ROOT, Daemon, Database, Proxy, Redis, conf, done, env, equal, free_port, has, health, \
    http, lacks, ok, persister, wait_for, write

database = Database()
redis = Redis()
redis("FLUSHDB")
port = free_port()
mysql = Proxy(env("MYSQL_HOST"), env("MYSQL_PORT"))
cache = Proxy(env("REDIS_HOST"), env("REDIS_PORT"))
cache.open()

# what systemd would hear
notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notified.bind(os.path.join(DIR, "notify"))
notified.settimeout(10)


def heard(part):
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            if part in notified.recv(4096).decode():
                return True
        except socket.timeout:
            return False
    return False


OPTIONS = {"mysql": {"port": mysql.port}, "redis": {"uri": f"redis://127.0.0.1:{cache.port}/{REDIS_DB}"},
           "http": {"listen": f"127.0.0.1:{port}"}, "persister": {"threads": 3, "sweep_ms": 500}}


def up():
    return health(port) == (200, {"status": "UP"})


# ---------------------------------------------------------------- before its servers

path = conf(database, **OPTIONS)
daemon = Daemon(path, NOTIFY_SOCKET=os.path.join(DIR, "notify"))
ok(wait_for(lambda: "cannot be used" in daemon.log()), "without MySQL it waits, and says so")
status, answer = health(port)
equal((status, answer["status"]), (503, "DOWN"), "/health is DOWN")
equal(answer["checks"], {"start": "waiting for the database", "mysql": "down"}, "and says what is missing")
ok(heard("READY=1"), "systemd hears that it is there")
ok(heard("STATUS=waiting for MySQL"), "and that it waits")
mysql.open()
ok(wait_for(up, 30), "MySQL comes: UP")
ok(heard("STATUS=running"), "systemd hears it")
equal(database("SELECT version FROM schema_migrations WHERE version = 1"), [["1"]], "it ran the migrations")
has(daemon.log(), "process up: ticket-persister", "the log has its start")
has(daemon.log(), "3 threads, kafka off", "and how it runs")

# ---------------------------------------------------------------- pages

status, headers, page = http(port, "/metrics")
equal((status, headers["Content-Type"]), (200, "text/plain; version=0.0.4; charset=utf-8"), "/metrics")
lint = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, text=True, timeout=60)
equal((lint.returncode, lint.stdout + lint.stderr), (0, ""), "promtool has nothing to say about it")
samples = re.findall(r"^([a-z_]+)(?:\{(\w+)=\"[^\"]+\"\})? \S+$", page, re.M)
equal(len(samples), len([line for line in page.splitlines() if line[:1] != "#"]), "every line is a sample")
ok(all(name.startswith("ticket_persister_") for name, _ in samples), "all are named ticket_persister_…")
equal({label for _, label in samples} - {""}, {"source", "outcome", "result", "le"}, "with no other labels")
has(page, "ticket_persister_running 1\n", "running")

status, headers, body = http(port, "/health")
equal((status, headers["Content-Type"], headers["Cache-Control"], body),
      (200, "application/json", "no-store", '{"status":"UP"}\n'), "/health")
status, headers, body = http(port, "/health", "HEAD")
equal((status, body), (200, ""), "HEAD /health")
for method, data in ("POST", b"x" * 100000), ("PUT", b"x"), ("DELETE", None):
    status, headers, _ = http(port, "/metrics", method, data)
    equal((status, headers["Allow"] if status else ""), (405, "GET, HEAD"), f"{method} /metrics")
equal(http(port, "/")[0], 404, "another path")
equal(http(port, "/metricsx")[0], 404, "a longer path")
equal(http(port, "/metrics?a=b")[0], 200, "a query is ignored")

# ---------------------------------------------------------------- servers that go away

cache.close()
ok(wait_for(lambda: health(port)[1].get("checks", {}).get("redis") == "down"), "Redis goes away: DOWN")
has(daemon.log(), "cannot be used", "which the log has")
cache.open()
ok(wait_for(up, 60), "Redis comes back: UP")
mysql.close()
ok(wait_for(lambda: health(port)[0] == 503, 40), "MySQL goes away: DOWN")
mysql.open()
ok(wait_for(up, 60), "MySQL comes back: UP")
equal(daemon.process.poll(), None, "it is still the same process")

# ---------------------------------------------------------------- SIGHUP

lacks(daemon.log(), " debug: ", "at first nothing of level debug is logged")
conf(database, **OPTIONS, log={"level": "debug"})
daemon.signal(signal.SIGHUP)
ok(wait_for(lambda: "configuration read again, log level debug" in daemon.log()), "SIGHUP takes over the log level")
ok(heard("RELOADING=1") and heard("READY=1"), "systemd hears both ends of it")
lacks(daemon.log(), "a restart is needed", "nothing else had changed")
conf(database, **{**OPTIONS, "persister": {"threads": 4}, "mysql": {"port": mysql.port, "password": "new"}})
daemon.signal(signal.SIGHUP)
ok(wait_for(lambda: "a restart is needed for the new value of: mysql.password persister.threads persister.sweep_ms\n"
            in daemon.log()), "what needs a restart is named, without its value")
write("persister.conf", "[mysql]\nnonsense = 1\n")
daemon.signal(signal.SIGHUP)
ok(wait_for(lambda: f"configuration is not taken over: {path}:2: there is no option nonsense in [mysql]"
            in daemon.log()), "a faulty one is left aside, with file and line")
ok(up(), "and it goes on")

# ---------------------------------------------------------------- the end

began = time.monotonic()
equal(daemon.stop(), 0, "SIGTERM: exit status 0")
ok(time.monotonic() - began < 10, "soon")
ok(heard("STOPPING=1"), "systemd hears it")
has(daemon.log(), "signal TERM: stopping", "the log has why")
has(daemon.log().splitlines()[-1], "process down", "and that it ended")
equal(http(port, "/health")[0], 0, "nobody answers any more")

path = conf(database, **OPTIONS)
daemon = Daemon(path)
ok(wait_for(up, 30), "it starts again")
second = persister("-c", path)
equal(second.code, 2, "a second one on the same port ends with 2")
has(second.err, f"http: 127.0.0.1:{port}: Address already in use", "and says why")
daemon.signal(signal.SIGINT)
equal(daemon.wait(), 0, "SIGINT: exit status 0")

mysql.close()
daemon = Daemon(path)
ok(wait_for(lambda: health(port)[0] == 503), "one that waits for MySQL")
daemon.signal(signal.SIGHUP)
ok(wait_for(lambda: "configuration read again" in daemon.log()), "reads its configuration again too")
began = time.monotonic()
equal(daemon.stop(), 0, "and obeys SIGTERM")
ok(time.monotonic() - began < 10, "soon")

mysql.open()
daemon = Daemon(conf(database, **{**OPTIONS, "http": {"listen": ""}}))
ok(wait_for(lambda: "process up" in daemon.log()), "without a page")
equal(http(port, "/health")[0], 0, "nobody listens")
equal(daemon.stop(), 0, "and it ends well")

# ---------------------------------------------------------------- a server that says nothing

daemon = Daemon(conf(database, **OPTIONS))
ok(wait_for(up, 30), "it runs")
mysql.freeze()
time.sleep(7)       # by now every session has been asked for something, if only whether it is there
began = time.monotonic()
daemon.signal(signal.SIGTERM)
equal(daemon.wait(60), 0, "SIGTERM while MySQL is silent: exit status 0")
ok(time.monotonic() - began < 45, "within the time the unit gives it")
mysql.thaw()

daemon = Daemon(path)
ok(wait_for(up, 30), "once more")
mysql.freeze()
time.sleep(7)
daemon.signal(signal.SIGTERM)
if daemon.wait(1) is None:
    daemon.signal(signal.SIGTERM)
    equal(daemon.wait(2), -signal.SIGTERM, "a second SIGTERM ends it at once")
else:
    ok(False, "it should have waited for an answer of MySQL")
mysql.thaw()

daemon = Daemon(path)
ok(wait_for(up, 30), "and once more")
mysql.freeze()
time.sleep(7)
daemon.signal(signal.SIGTERM)
if daemon.wait(1) is None:
    daemon.signal(signal.SIGALRM)       # as the alarm does after 35 s
    equal(daemon.wait(2), 0, "a stop that no server answers ends in good time")
    has(daemon.log(), "a server does not let go", "and says so")
else:
    ok(False, "it should have waited for an answer of MySQL")
mysql.thaw()

if os.environ.get("KAFKA") != "no":
    daemon = Daemon(conf(database, **OPTIONS, kafka={"enabled": "yes", "brokers": env("KAFKA_BOOTSTRAP"),
                                                     "topic": env("KAFKA_TOPIC"), "group": "060-daemon"}))
    ok(wait_for(up, 30), "with Kafka it runs")
    has(daemon.log(), "kafka on", "and says so")
    began = time.monotonic()
    equal(daemon.stop(), 0, "and it ends well")
    ok(time.monotonic() - began < 20, "soon")
    daemon = Daemon(conf(database, **OPTIONS, kafka={"enabled": "yes", "brokers": f"127.0.0.1:{free_port()}"}))
    ok(wait_for(up, 30), "with a Kafka that is away it runs: the outboxes are read")
    equal(daemon.stop(), 0, "and it ends well")

database("UPDATE schema_migrations SET checksum = 1")
daemon = Daemon(conf(database, **OPTIONS))
equal(daemon.wait(20), 2, "with a migration that was changed it does not start")

unit = os.path.join(ROOT, "persister", "etc", "ticket-persister.service")
with open(unit, encoding="utf-8") as file:
    text = file.read()
ok(int(re.search(r"TimeoutStopSec=(\d+)", text).group(1)) > 20 * 2, "the unit gives it the time it may need to stop")

redis("FLUSHDB")
done()
