"""What the tests of dead letters share: rows put there by hand, and what lies in the DLQ topic."""

import re
import subprocess

from base import env


def quote(value):
    if value is None:
        return "NULL"
    if isinstance(value, int):          # X'30' is 48 to MySQL, 0 to MariaDB
        return str(value)
    data = value if isinstance(value, bytes) else str(value).encode()
    return f"X'{data.hex()}'"


def put(database, event_id, event=b"{}", ticket="sale", user=None, booking=None, state="unusable",
        error="unreadable: the event is not JSON", origin=None, lane=0):
    """A dead letter; its number."""
    values = [quote(one) for one in (event_id, ticket, lane, user, booking, event, origin or event_id, error, state)]
    return int(database("INSERT INTO dead_letters (event_id, ticket_name, lane, user_id, booking_id, event, origin, error, "
                        f"state) VALUES ({', '.join(values)}); SELECT LAST_INSERT_ID()")[0][0])


def letter(database, number, columns="state"):
    rows = database(f"SELECT {columns} FROM dead_letters WHERE id = {number}")
    return rows[0] if len(rows[0]) > 1 else rows[0][0]


def published(topic):
    """key, headers, value of each message"""
    out = subprocess.run(["kcat", "-C", "-b", env("KAFKA_BOOTSTRAP"), "-t", topic.name, "-o", "beginning", "-e", "-q",
                          "-f", "%K %S|%k|%h|%s\n"], capture_output=True, timeout=60, check=True).stdout
    messages = []
    while out:
        head, rest = out.split(b"|", 1)
        key_len, len_ = (max(0, int(n)) for n in head.split())
        key, rest = rest[:key_len], rest[key_len + 1:]
        headers = re.match(rb"error=(.*?),origin=(.*?),time=([^|]*)\|", rest, re.S)
        rest = rest[headers.end():]
        messages.append((key.decode(), [one.decode() for one in headers.groups()], rest[:len_]))
        out = rest[len_ + 1:]
    return messages
