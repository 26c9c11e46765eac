#!/usr/bin/python3
"""Each panel and each alert asks for something that /metrics shows.

The pages are real ones, of an edge and a persister that have no servers: every family is announced from the start.
A label that is asked for must be one the family can have.
"""

import json
import os
import re
import subprocess

import yaml

from tap import DOCKER, ROOT, check, done, forget, free_port, nginx_conf, page, run, scratch

# labels of families that show none until something was counted
LABELS = {"ticket_edge_requests_total": {"action", "result"}, "ticket_edge_request_duration_seconds": {"result", "le"}}
SUFFIX = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("",), "gauge": ("",)}


def shown(text):
    """name -> labels"""
    names = {}
    for family, kind in re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M):
        for suffix in SUFFIX[kind]:
            names[family + suffix] = set(LABELS.get(family, ()))
    for name, labels in re.findall(r"^([a-z_]+)\{(.*)\} ", text, re.M):
        names[name] |= set(re.findall(r"(\w+)=", labels))
    return names


folder = scratch()
office, persister_port = free_port(), None
nginx = nginx_conf(folder, 1, office + 1, office)
status, said = run(*nginx, close_fds=True)
check(status == 0, "nginx starts without its servers", said)
try:
    edge = page(f"http://127.0.0.1:{office}/metrics")
    persister_port = free_port()
    persister = subprocess.Popen(
        [str(ROOT / "persister/ticket-persister"), "-c", str(DOCKER / "persister.conf")],
        env=dict(os.environ, TICKET_MYSQL_HOST="127.0.0.1", TICKET_MYSQL_PORT="1", TICKET_KAFKA_BROKERS="127.0.0.1:1",
                 TICKET_REDIS_URI="redis://127.0.0.1:1/0", TICKET_HTTP_LISTEN=f"127.0.0.1:{persister_port}"),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        stored = page(f"http://127.0.0.1:{persister_port}/metrics")
    finally:
        persister.kill()
        persister.wait()
finally:
    run(*nginx, "-s", "stop")

metrics = shown(edge) | shown(stored) | {"up": {"job", "instance"}}
check(len(metrics) > 50, "both pages are there", len(metrics))


def asks(what, expression):
    names = re.findall(r"\b(ticket_(?:edge|persister)_\w+|up)\b(?:\{([^}]*)\})?", expression)
    check(names, f"{what}: asks for one of our metrics", expression)
    # what is grouped by has to be a label of one of them; `le` only makes sense for a bucket
    have = set()
    for name, matchers in names:
        have |= metrics.get(name, set())
        wrong = set(re.findall(r"(\w+) *(?:=~|!~|!=|=)", matchers)) - metrics.get(name, set())
        if name not in metrics or (wrong and not {"job", "instance"} >= wrong):
            check(False, f"{what}: {name}", f"not shown, or not with {wrong}")
    for labels in re.findall(r"\bby \(([^)]*)\)", expression):
        missing = {label.strip() for label in labels.split(",")} - have - {"le"}
        check(not missing, f"{what}: grouped by {labels}", missing)


alerts = [rule for group in yaml.safe_load((DOCKER / "alerts.yml").read_text())["groups"] for rule in group["rules"]]
check(len(alerts) >= 10, "there are alerts", len(alerts))
for alert in alerts:
    asks(f"alert {alert['alert']}", alert["expr"])
    check(alert["labels"]["severity"] in ("page", "ticket") and {"summary", "action"} <= alert["annotations"].keys(),
          f"alert {alert['alert']}: says how urgent it is, what is wrong and what to do")

tested = (DOCKER / "alerts.test.yml").read_text()
check(all(f'alertname="{a["alert"]}"' in tested for a in alerts), "each of them is tried in alerts.test.yml",
      *(a["alert"] for a in alerts if f'alertname="{a["alert"]}"' not in tested))

sources = yaml.safe_load((DOCKER / "grafana/datasources/prometheus.yml").read_text())["datasources"]
for path in sorted((DOCKER / "grafana/dashboards").glob("*.json")):
    board = json.loads(path.read_text())
    check(len({p["id"] for p in board["panels"]}) == len(board["panels"]) > 10, f"{path.name}: has panels")
    for panel in board["panels"]:
        check(panel["datasource"]["uid"] in [s["uid"] for s in sources], f"panel '{panel['title']}': its source is there")
        for target in panel["targets"]:
            asks(f"panel '{panel['title']}' {target['refId']}", target["expr"])
forget(folder)
done()
