#!/usr/bin/env python3
"""The table of options, the sample configuration and the README say the same, and so do the metrics.

An option that only the code knows is of no use to anybody, and one that only the documentation knows
is worse."""

import re

from base import ROOT, equal, has, ok, done, persister, write


def read(path):
    with open(f"{ROOT}/persister/{path}", encoding="utf-8") as file:
        return file.read()


table = {}
source = read("src/options.c")
source = source[source.index("option_table[] = {"):]
source = source[:source.index("\n};")]
rows = re.findall(r'^    \{ "(\w+)", "(\w+)", (\w+), (\w+), AT\((\w+)\.(\w+)\),\s+"([^"]*)",\s+(.*?) \},$',
                  source, re.M | re.S)
for section, name, kind, reload, member_of, member, default, rest in rows:
    table[section, name] = default
    equal((member_of, member), (section, name), f"{section}.{name} is stored where its name says")
equal(len(rows), len(re.findall(r"^    \{ ", source, re.M)), "every row of the table was understood")
ok(len(rows) > 20, "there are rows")

sample = {}
section = None
text = read("etc/persister.conf.example")
for line in text.splitlines():
    if match := re.fullmatch(r"\[(\w+)\]", line):
        section = match.group(1)
    elif match := re.fullmatch(r"#(\w+) =(?: (.*))?", line):
        sample[section, match.group(1)] = match.group(2) or ""
equal(sample, table, "the sample has each option with its default, and no other")

before = [line for number, line in enumerate(text.splitlines()) if re.match(r"#\w+ =", line)]
ok(len(before) == len(table), "each once")

uncommented = write("sample.conf", re.sub(r"(?m)^#(\w+ =)", r"\1", text))
result = persister("-c", uncommented, "migrate", TICKET_MYSQL_PORT="1")
equal(result.code, 3, "the sample, uncommented, is a good configuration (it gets as far as MySQL)")

readme = read("README.md")
documented = {(section, name): default.strip("`") for section, name, default in
              re.findall(r"^\| (\w+) \| (\w+) \| (\S*?) ?\|.*\|.+\|$", readme, re.M) if section != "section"}
equal(documented, table, "README has each option with its default, and no other")

bounds = {(section, name): (low, high) for section, name, low, high in
          re.findall(r"^\| (\w+) \| (\w+) \| \S*? ?\| (\d+)–(\d+) \|", readme, re.M)}
for section, name, kind, *_, rest in rows:
    if kind == "NUMBER":
        low, high = re.match(r"(\d+), (\d+)", rest).groups()
        equal(bounds.get((section, name)), (low, high), f"README has the bounds of {section}.{name}")

metrics = re.findall(r'^    \[[MH]_\w+\] = \{ "(\w+)"(?:, "((?:[^"\\]|\\.)*)",\s+(?:COUNTER|GAUGE))?',
                     read("src/metrics.c"), re.M)
names = {name + ("{%s}" % labels.split("=")[0] if labels else "") for name, labels in metrics}
equal(set(re.findall(r"^\| `(\w+(?:\{\w+\})?)` \|", readme, re.M)), names, "README has each metric, and no other")
for labels in {labels.split("=")[0] for _, labels in metrics if labels}:
    ok(labels in ("action", "result", "source", "direction", "outcome"), f"{labels} is a label that may be")

has(persister("--help").out, "usage: ticket-persister [-c FILE]", "--help")

done()
