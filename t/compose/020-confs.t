#!/usr/bin/python3
"""Each configuration docker-compose.yml mounts is read by the program it is for."""

import os
import re
import subprocess
import time

from tap import DOCKER, ROOT, check, done, forget, free_port, nginx_conf, run, runs, scratch

folder = scratch()
try:
    # nginx: the configuration, and that it answers what the example answers
    runs("nginx -t", *nginx_conf(folder, 1, 24100, 24101), "-t")


    def actions(path):
        found = set()
        for match in re.finditer(r"location ([^{]+?) *\{([^{}]*)\}", path.read_text()):
            ticket = re.search(r"^\s*(ticket [\w ]+);", match[2], re.M)
            if ticket:
                found.add((match[1].replace(" ", ""), ticket[1]))
        return found


    ours, example = actions(DOCKER / "nginx.conf"), actions(ROOT / "nginx.conf.example")
    check(ours == example and len(ours) >= 8, "the same addresses as in nginx.conf.example", ours ^ example)

    # the persister: it gets as far as its servers, which are not there
    persister = dict(os.environ, TICKET_MYSQL_HOST="127.0.0.1", TICKET_MYSQL_PORT="1",
                     TICKET_REDIS_URI="redis://127.0.0.1:1/0", TICKET_KAFKA_BROKERS="127.0.0.1:1")
    status, said = run(ROOT / "persister/ticket-persister", "-c", DOCKER / "persister.conf", "--check", env=persister)
    check(status == 3 and re.search(r"^ok +configuration", said, re.M), "ticket-persister --check", status, said)

    # Redis: started with it, it has what the ticket office needs
    port = free_port()
    server = subprocess.Popen(["redis-server", str(DOCKER / "redis.conf"), "--port", str(port), "--bind", "127.0.0.1",
                               "--dir", str(folder)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        end = time.time() + 20
        while run("redis-cli", "-p", port, "ping")[1].strip() != "PONG" and time.time() < end:
            time.sleep(0.05)
        for name, value in (("appendonly", "yes"), ("appendfsync", "everysec"), ("maxmemory-policy", "noeviction"),
                            ("repl-backlog-ttl", "0"), ("save", "")):
            said = run("redis-cli", "-p", port, "config", "get", name)[1].split("\n")
            check(said[1] == value, f"redis.conf: {name} {value}", *said)
    finally:
        server.kill()
        server.wait()
        server.stdout.close()

    # Prometheus
    rules = runs("promtool check rules", "promtool", "check", "rules", DOCKER / "alerts.yml")
    check("SUCCESS" in rules, "it found rules", rules)
    runs("promtool check config", "promtool", "check", "config", DOCKER / "prometheus.yml")
    runs("promtool test rules", "promtool", "test", "rules", DOCKER / "alerts.test.yml")
finally:
    forget(folder)
done()
