#!/usr/bin/env python3
"""The schema describes what is sent, and refuses what the decoder refuses.

Others read the topic with event/ticket_event.schema.json in hand. So every event the codec writes must be valid by
it; and for an event with one thing changed, schema and decoder must say the same, apart from what a schema cannot
say: that two fields agree.
"""

import copy
import json
import os
import subprocess
import sys

import jsonschema

HERE = os.path.dirname(os.path.abspath(__file__))
SCHEMA = os.path.join(HERE, "..", "..", "event", "ticket_event.schema.json")

# an event id, but of another ticket than any event here
FOREIGN = "concerto:0:1-1"

number = 0


def ok(passed, name, *why):
    global number
    number += 1
    print(f"{'ok' if passed else 'not ok'} {number} - {name}")
    for line in why if not passed else ():
        print(f"# {line}")


def run(*args, **more):
    return subprocess.run([os.path.join(HERE, "run"), "sample", *args], check=True, stdout=subprocess.PIPE,
                          encoding="utf-8", **more).stdout.splitlines()


def variants(event):
    """The event with each field away, of another type, or out of bounds."""
    values = [None, True, 0, -1, 1, 64, 2 ** 63, 1.5, "", "x", "a b", "a/b", "a\u00a0b", "x" * 400, "a@b@c", ".",
              [], {}, FOREIGN, "concert:64:1-1", "concert:0:0-1", "2026-11-21T10:00:00.000Z", "open", "ticket.booked"]
    for inner in (lambda e: e, lambda e: e["data"]):
        for field in inner(event):
            changed = copy.deepcopy(event)
            del inner(changed)[field]
            yield changed
            for value in values:
                changed = copy.deepcopy(event)
                inner(changed)[field] = value
                yield changed
    yield {**event, "traceparent": "x", "data": {**event["data"], "note": [1, {"x": None}]}}
    yield from (None, [], "x", 1, [event], {})


def agreement(answer, event):
    """Whether the decoder's answer is about two fields that do not agree, which a schema cannot know."""
    field = answer.split(" ")[0]
    return answer in ("subject is malformed", "id does not match the data") or (
        answer.endswith("_id is malformed") or answer == "origin is malformed") and event["data"][field] == FOREIGN


with open(SCHEMA, encoding="utf-8") as f:
    schema = json.load(f)
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(schema)

events = run()
wrong = [f"{e}: {error.message}" for e in events for error in validator.iter_errors(json.loads(e))]
ok(not wrong, "every event that is written is valid", *wrong)

kinds = {json.loads(e)["type"] for e in events}
ok(kinds == set(schema["properties"]["type"]["enum"]), "every type was written", sorted(kinds))

for e in events:
    if json.loads(e).keys() != set(schema["required"]):
        ok(False, "an event has exactly the fields that are required", e)

said = run("-d", input="".join(f"{e}\n" for e in events))
ok(said == ["ok"] * len(events), "and every event is read", *set(said))

firsts = {}
for e in events:
    event = json.loads(e)
    firsts.setdefault((event["type"], "origin" in event["data"]), event)

for (kind, origin), event in sorted(firsts.items()):
    changed = list(variants(event))
    said = run("-d", input="".join(json.dumps(c, ensure_ascii=False) + "\n" for c in changed))
    wrong = []
    for c, answer in zip(changed, said):
        valid = validator.is_valid(c)
        if valid != (answer == "ok") and not (valid and agreement(answer, c)):
            wrong.append(f"schema: {valid}, decoder: {answer}, of {json.dumps(c)[:1000]}")
    ok(not wrong and len(said) == len(changed) > 100,
       f"schema and decoder agree on {len(changed)} changes of {kind}{' with origin' if origin else ''}", *wrong[:10])

print(f"1..{number}")
sys.exit(0)
