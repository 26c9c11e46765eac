#!/usr/bin/env python3
"""Ids are bytes: whatever two people may be called, they are two people, and called that afterwards.

Case, accents put together or apart, emoji, quotes, backslashes, percent signs, names of 255 bytes, by both
roads, in one batch: stored apart and byte for byte.
"""

from base import Database, done, equal, ok
from core import Office, Persister, Topic, agree, kafka_and_outbox, rows

database, office, topic = Database(), Office(), Topic(partitions=3, needed=False)
strange = [
    "Ann", "ann", "ANN", "\u00e9mile", "e\u0301mile", "stra\u00dfe", "strasse", "STRASSE", "\u0130", "i\u0307", "\u0131",
    "\U0001f39f", "\U0001f39f\U0001f39f", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\ufeffbom", "\U0010fffd",
    "'", "''", '"', "`", "\\", "\\\\", "\\'", "\\0", "\\n", "%", "%s", "%27", "_", "a%", "a_", "--", "#", ";", "/*", "*/",
    "');DROP", "0", "00", "0x30", "1e0", "-1", "NULL", "null", "true", "{}", "{user}", "[1]", "a:b", "a/b", "a,b", "=", "-",
    "$1", "${x}", "&amp;", "<b>", "\u4e2d\u6587", "\u05d0\u05d1", "\u0627\u0628", "\u202eabc", "x" * 255,
    "x" * 254 + "y", "\u00fc" * 127, "\U0001f39f" * 63, "'" * 255, "\\" * 255, "\"" * 255, "%" * 255,
]
equal(len(set(strange)), len(strange), f"{len(strange)} strange names")
tickets = ["plain", "Plain", "PLAIN", "vip@concert", "Vip@concert", "\U0001f39f@\U0001f39f", "it's", 'a"b', "back\\slash",
           "per%cent", "a;b", "n\u00e9", "ne\u0301", "t" * 255, "\u00fc" * 127, "\\'" * 127, "-", "--", "0", "null"]
persister = Persister(database, topic, persister={"gap_ms": 15000})
persister.assigned(3)
events = []
for n, ticket in enumerate(tickets):
    office.create(ticket, lanes=1 + n % 3, per_user=2)
    events += office.book(ticket, strange, quantity=2) + office.cancel(ticket, strange[::3])
topic.produce(events)
for ticket in tickets:
    agree(office, database, ticket, f"by Kafka: {ticket if len(ticket) < 30 else str(len(ticket.encode())) + ' bytes'}")
equal(kafka_and_outbox(persister), (len(events), 0) if topic.name else (0, len(events)), "all of it by Kafka")
persister.stop()

for ticket in tickets:
    office.book(ticket, strange[::3])
    office.cancel(ticket, strange[1::3])
persister = Persister(database)
for ticket in tickets:
    agree(office, database, ticket, f"by the outbox: {ticket if len(ticket) < 30 else str(len(ticket.encode())) + ' bytes'}")
want = len(strange) - len(strange[1::3])
equal([len(rows(database, ticket)) for ticket in tickets], [want] * len(tickets), "nobody was taken for somebody else")
log = persister.log()
ok(not any(name in log for name in strange if len(name) > 5), "no name of a user is in the log")
equal(persister.stop(), 0, "SIGTERM ends it well")
done()
