#!/usr/bin/env python3
"""Ids that collide, break or inject are stored apart and byte for byte, or refused; bad input changes nothing.

An id passes a header, a URL, JSON, a Redis key, a line of blank-separated fields, an event and a SQL
statement, and each of these has its own way of taking two names for one or a name for a command. And
what is refused has to be refused before anything was done: the whole of Redis is compared by digest.
"""

import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from stack import diag, is_, key_of, main, ok, quote, same_set

ACCEPTED = [
    # case, and what looks the same
    "Ann", "ann", "ANN", "Ａnn", "Аnn", "ß", "ss", "ẞ", "ﬁ", "fi", "İ", "i̇", "ı",
    # é composed and with a combining mark
    "Ren\u00e9", "Rene\u0301", "Rene", "\u0301",
    # the longest, in bytes and in characters of two and four bytes
    "x" * 255, "x" * 254, "é" * 127 + "x", "🎫" * 63 + "xyz",
    # outside the basic plane, joined, flags
    "🎫", "👩\u200d👩\u200d👧", "👩", "🇩🇪", "𝔸nn", "\U0010fffd",
    # quotes, backslashes, percent
    "O'Brien", 'say"hi"', "back`tick`", "\\", "\\\\", "a\\b", "\\'", "\\u0041nn", "\\0",
    "%", "%41nn", "%00", "%0d%0a",
    "%2e%2e", "%s%n%d%x", "a+b", "a%20b", "a%2520b", "100%", "_", "x_x", "%%",
    # SQL, shell, markup
    "';DROP/**/TABLE/**/purchases;--", "'OR'1'='1", "1'),('mallory','x',1,'y')--", "\\';--",
    "$(id)", "`id`", "|id", "<script>",
    "../../etc/passwd", "..", ".", "~", "#", "?", "&ticket=other", "a=b&c=d", ";", ",", "a/b", "//",
    # Redis, Lua and the packed line
    "$5", "*1", "{}", "{x}", "a:b", "a", "1:a", "1:a:book", "=", "-", "0", "-1", "1", "NaN", "nil", "null", "true",
    "]]", "]=]", "\"..error()..\"", "KEYS[1]", "ticket:{x}",
    # JSON
    '"},"user":"mallory', '{"a":1}', "[]", '"', "\\\"", "\\ud800", "\ufffd", "\ue000",
]
# leave to the edge whether it takes them; if it does, byte for byte
EITHER = ["a\u200bb", "a\u00adb", "\u202eann", "\ufeffann", "a\u180eb", "\uffff"]
REFUSED = [
    b"x" * 256, "é".encode() * 128, b"a b", b"a\tb", b"a\x01b", b"a\x7fb", b"a\xc2\xa0b", b"a\xe2\x80\x83b",
    b"a\xe3\x80\x80b", b"a\xe2\x80\xa8b", b"a\xc2\x85b", b"\xff", b"\xc3", b"\xc3\x28", b"\xc0\xaf", b"\xc1\x81nn",
    b"\xe0\x80\xaf", b"\xed\xa0\x80",
    b"\xed\xa0\xbd\xed\xb2\xa9", b"\xf4\x90\x80\x80", b"\xf8\x88\x80\x80\x80", b"\x80",
]
TICKETS = [
    "Ann{}", "ann{}", "Ren\u00e9{}", "Rene\u0301{}", "🎫{}", "O'Brien{}", 'q"{}', "back\\slash{}",
    "back\\\\slash{}", "per%cent{}", "%41nn{}", "a+b{}", "';DROP--{}", "vip{}@concert{}", "std{}@concert{}",
    "concert{}", "$(id){}", "a&b=c{}", "-{}", "={}", "a?b#c;{}",
]


def bad_requests(t, other):
    """(what, status, codes, method, target, options): t is a ticket somebody else has booked."""
    path, admin = f"/tickets/{quote(t)}/booking", f"/admin/tickets/{quote(t)}"
    typed = [("Content-Type", "application/json")]
    form = [("Content-Type", "application/x-www-form-urlencoded")]
    malformed = "bad_request invalid_quantity invalid_ticket unknown_field"

    def post(what, status, codes, target=path, **options):
        options.setdefault("user", "mallory")
        return what, status, codes.split(), "POST", target, options

    yield post("no user", 401, "user_required", user=None)
    yield post("an empty user", 401, "user_required", user="")
    for user in REFUSED:
        yield post(f"user {user[:12]!r}", 400, "invalid_user", user=user)

    for name in ("", ".", "..", "a b", "a/b", "a{b", "a}b", "a:b", "@a", "a@", "@", "a@b@c", "a\u00a0b", "a\u2003b",
                 "x" * 256, "é" * 128):
        yield post(f"ticket {name[:12]!r}", 400, "invalid_ticket", "/book?ticket=" + quote(name))
    for name in ("%01", "%00", "%7f", "a%0ab", "%ff", "%c0%af", "%ed%a0%80", "%f4%90%80%80", "a+b"):
        yield post(f"ticket {name} in the query", 400, "invalid_ticket", "/book?ticket=" + name)
    for name in ("%", "%4", "%zz", "a%g0"):
        yield post(f"ticket {name} in the query", 400, "bad_request invalid_ticket", "/book?ticket=" + name)
    yield post("no ticket", 400, "invalid_ticket", "/book")
    yield post("an unknown ticket", 404, "unknown_ticket", "/book?ticket=no-such-ticket")
    yield post("two tickets", 400, "ambiguous bad_request", f"/book?ticket={quote(t)}&ticket={quote(other)}")

    for quantity in ("0", "-1", "1.5", "1e1", "abc", "", "%2b1", "01", "0x1", "1000001",
                     "99999999999999999999", "1%00", "%201", "1,0"):
        yield post(f"quantity={quantity}", 400, "invalid_quantity", f"{path}?quantity={quantity}")
    yield post("more than one user may have", 409, "limit_exceeded", f"{path}?quantity=5")

    for key in (b"k" * 256, b"a b", "ké".encode(), b"a\x01", b"a\x7f", b"\xff"):
        yield post(f"key {key[:8]!r}", 400, "invalid_key", key=key)

    for body in (b"{", b"}", b"[]", b"[1]", b'"x"', b"1", b"null", b"{}{}", b"{} x", b'{"quantity":1,}',
                 b"{'quantity':1}",
                 b'{"quantity":}', b'{"quantity"}', b'{quantity:1}', b'{"quantity":1.0}', b'{"quantity":1e0}',
                 b'{"quantity":"1"}',
                 b'{"quantity":true}', b'{"quantity":null}', b'{"quantity":[1]}', b'{"quantity":{"a":1}}',
                 b'{"quantity":0}',
                 b'{"quantity":-1}', b'{"quantity":01}', b'{"quantity":1000001}',
                 b'{"quantity":99999999999999999999}',
                 b'{"quantity":1,"quantity":1}', b'{"quantity":1,"\\u0071uantity":2}', b'{"ticket":1}',
                 b'{"ticket":"\\ud800"}',
                 b'{"ticket":"\\udc00x"}', b'{"ticket":"a\xff"}', b'{"ticket":"\\x"}', b'{"ticket":"a\x01b"}',
                 b'{"ticket":"' + b"[" * 5000,
                 b"[" * 5000, b'{"a":' * 2000, b"\xef\xbb\xbf{}", b'{"quantity":1}\x00', b"\x00"):
        yield post(f"JSON {body[:30]!r}", 400, malformed, headers=typed, body=body)
    yield post("an unknown field", 400, "unknown_field", headers=typed, body=b'{"quantity":1,"price":0}')
    yield post("another ticket in the body", 400, "ambiguous", f"/book?ticket={quote(t)}", headers=typed,
               body=json.dumps({"ticket": other}).encode())
    for body in (b"quantity=0", b"quantity=1&quantity=1", b"quantity=%zz", b"quantity=x", b"%zz=1", b"price=1",
                 b"ticket=%ff"):
        yield post(f"form {body!r}", 400, malformed, "/book", headers=form, body=body)
    for media in ("text/plain", "application/xml", "application/json; charset=latin1",
                  "multipart/form-data; boundary=x", "x"):
        yield post(f"a body of {media}", 415, "unsupported_media_type", headers=[("Content-Type", media)],
                   body=b'{"quantity":1}')
    yield post("a body of no type", 415, "unsupported_media_type", body=b'{"quantity":1}')
    yield post("a body too large", 413, "too_large -", headers=typed,
               body=b'{"quantity":1' + b" " * 2_000_000 + b"}")

    for method, target in (("GET", "/book"), ("PUT", "/book"), ("DELETE", "/book"), ("GET", "/cancel"),
                           ("PUT", path), ("PATCH", path), ("POST", f"/tickets/{quote(t)}"),
                           ("POST", admin), ("POST", "/admin/tickets")):
        yield f"{method} {target}", 405, ["method_not_allowed"], method, target, {"user": "mallory"}

    for booking in ("x", "'", "%00", f"{t}:0:1", f"{t}:0:1-", "a" * 400, f"{t}:0:1-1 "):
        yield (f"cancel of booking {booking[:12]!r}", 400, ["bad_request"], "POST",
               f"/cancel?ticket={quote(t)}&booking_id={quote(booking)}", {"user": "mallory"})
    yield "cancel of what one has not", 404, ["not_booked"], "DELETE", path, {"user": "mallory"}
    yield ("cancel of another's booking", 404, ["not_booked"], "POST",
           f"/cancel?ticket={quote(t)}&booking_id={quote(t + ':0:1-1')}", {"user": "mallory"})

    good = {"capacity": 5}
    for field, values in {"capacity": (-1, 1.5, "5", None, True, [], 10 ** 13, 10 ** 30),
                          "per_user": (0, -1, "x", 10 ** 7),
                          "lanes": (0, 65, -1, "1", None), "state": ("weird", "deleted", "recovering", "", 1, None),
                          "opens_at": ("yesterday", "2026-13-01T00:00:00Z", "2026-11-21", 5, ""),
                          "closes_at": ("later", "2026-02-30T00:00:00Z"),
                          "remaining": (5,), "epoch": (1,), "name": ("x",)}.items():
        for value in values:
            for method in ("PUT", "PATCH"):
                yield (f"{method} {field}={value!r}", 400, ["bad_request", "unknown_field"], method, admin,
                       {"body": {**good, field: value} if method == "PUT" else {field: value}})
    yield "PUT without capacity", 400, ["bad_request"], "PUT", admin, {"body": {"per_user": 1}}
    yield "PUT without a body", 400, ["bad_request"], "PUT", admin, {}
    unknown = "/admin/tickets/no-such-ticket"
    yield "PATCH of an unknown ticket", 404, ["unknown_ticket"], "PATCH", unknown, {"body": good}
    yield "DELETE of an unknown ticket", 404, ["unknown_ticket"], "DELETE", unknown, {}
    yield "capacity below what is held", 409, ["below_held"], "PATCH", admin, {"body": {"capacity": 0}}
    yield "other lanes", 409, ["lanes_fixed"], "PATCH", admin, {"body": {"lanes": 2}}
    yield "DELETE of what is held", 409, ["in_use"], "DELETE", admin, {}
    for name in ("a b", "a:b", "a{b", "@a", "a@", "x" * 256, "\u00a0"):
        yield f"PUT {name[:12]!r}", 400, ["invalid_ticket"], "PUT", "/admin/tickets/" + quote(name), {"body": good}
    for query in ("limit=0", "limit=1001", "limit=x", "cursor=x", "cursor=-1"):
        yield f"list ?{query}", 400, ["bad_request"], "GET", "/admin/tickets?" + query, {}


async def stored_apart(stack):
    ticket = await stack.create(stack.name("ids"), 10_000, per_user=4)
    path = f"/tickets/{quote(ticket)}/booking"
    booked, refused, wrong = {}, [], []
    async with stack.client(connections=8) as client:
        for user in ACCEPTED + EITHER:
            answer = await client.request("POST", path, user)
            if answer.status == 201 and answer.json["user"] == user and answer.json["ticket"] == ticket:
                booked[user] = answer.json["booking_id"]
            elif user in EITHER and answer.status == 400 and answer.code == "invalid_user":
                refused.append(user)
            else:
                wrong.append((user, answer))
        if not is_(len(wrong), 0,
                   f"each of {len(ACCEPTED)} users got a ticket of his own, answered with his own id"):
            diag(*wrong[:5])
        diag(f"refused: {refused}")

        # "a:b" with the key "c" is not "a" with the key "b:c"
        second = await stack.create(stack.name("keys"), 100)
        answers = [await client.request("POST", f"/tickets/{quote(second)}/booking", user, key)
                   for user, key in (("a:b", "c"), ("a", "b:c"), ("a:b:c", "c"), ("A", "c"))]
        is_([a.status for a in answers], [201] * 4,
            "a user and a key are not taken for another user and another key")

        await stack.stored(ticket, second)
        rows = stack.rows(ticket)
        same_set(rows, {user.encode() for user in booked}, "MySQL has each of them byte for byte")
        is_({user.decode(): booking for user, (_, booking) in rows.items()}, booked, "each with his own booking")
        listed, cursor = {}, None
        while cursor != "0":
            answer = await client.request("GET", f"/admin/tickets/{quote(ticket)}/bookings"
                                          + (f"?cursor={cursor}" if cursor else ""))
            if answer.status != 200:
                raise RuntimeError(f"the list of bookings: {answer!r}")
            listed.update((b["user"], b["booking_id"]) for b in answer.json["bookings"])
            cursor = answer.json.get("cursor") or "0"
        is_(listed, booked, "the list of buyers has them byte for byte")

        found = [user for user in booked if (await client.request("GET", path, user)).json.get("user") != user]
        is_(found, [], "each finds his booking")
        gone = [user for user in booked if (await client.request("DELETE", path, user)).status != 200]
        is_(gone, [], "each can cancel it")
        await stack.stored(ticket)
        is_(len(stack.rows(ticket)), 0, "and then no row is left")


async def tickets_apart(stack):
    names = [name.replace("{}", stack.tag) for name in TICKETS]
    names.append("é" * 120 + stack.tag.ljust(15, "x")[:15])
    wrong = []
    async with stack.client(connections=1) as client:
        for number, name in enumerate(names):
            await stack.create(name, 10 + number)
            # by path, by query, by JSON and by form
            body = {"ticket": name}
            for user, request in enumerate((
                    ("POST", f"/tickets/{quote(name)}/booking", {}),
                    ("POST", f"/book?ticket={quote(name)}", {}),
                    ("POST", "/book", {"body": body}),
                    ("POST", "/book", {"body": b"ticket=" + quote(name).encode(),
                                       "headers": [("Content-Type", "application/x-www-form-urlencoded")]}))):
                method, target, options = request
                answer = await client.request(method, target, f"user-{user}", **options)
                if (answer.status != 201 or answer.json["ticket"] != name
                        or answer.json["remaining"] != 10 + number - user - 1):
                    wrong.append((name, target, answer))
    if not is_(len(wrong), 0, f"{len(names)} odd tickets, each sold four times, by path, query, JSON and form"):
        diag(*wrong[:5])
    await stack.stored(*names)
    is_([sorted(stack.rows(name)) for name in names], [[b"user-%d" % n for n in range(4)]] * len(names),
        "each has its own four rows in MySQL")
    listed = ",".join(f"'{name.encode().hex()}'" for name in names)
    capacities = stack.sql(f"SELECT capacity FROM tickets WHERE HEX(name) IN ({listed})")
    is_(sorted(int(capacity) for capacity, in capacities), [10 + n for n in range(len(names))],
        "and its own definition")


async def nothing_changed(stack):
    ticket = await stack.create(stack.name("bad"), 10, per_user=4)
    other = await stack.create(stack.name("other"), 10)
    async with stack.client(connections=1) as client:
        for name in (ticket, other):
            answer = await client.request("POST", f"/tickets/{quote(name)}/booking", "holder")
            is_(answer.status, 201, "somebody holds one")
        await stack.stored(ticket, other)
        redis = stack.redis()

        def whole():
            """All of Redis and of MySQL; too slow for after each request."""
            sums = stack.sql("CHECKSUM TABLE purchases, tickets, lane_progress")
            return redis("DEBUG", "DIGEST"), redis("DBSIZE"), sums

        def near():
            """What a request could change."""
            keys = [key_of(name, suffix) for name in (ticket, other)
                    for suffix in ("", "buyers", "outbox:0", "rejected", "late")]
            return redis.pipeline([("DEBUG", "DIGEST-VALUE", *keys), ("DBSIZE",),
                                   ("SCARD", "tickets"), ("SCARD", "tickets:recover")])

        # what is stored is acknowledged a moment later, and other tests' tickets likewise
        seen = [whole()]

        def quiet():
            seen.append(whole())
            return seen[-2] == seen[-1]
        await stack.until(quiet, "nothing changes by itself", 60, every=1)
        before = near()

        wrong, count = [], 0
        for what, status, codes, method, target, options in bad_requests(ticket, other):
            answer = await client.request(method, target, **options)
            count += 1
            problem = []
            if answer.status != status or answer.code not in codes:
                problem.append(f"expected {status} {' or '.join(codes)}")
            if answer.status == 405 and not answer.header("Allow"):
                problem.append("no Allow")
            if answer.code != "-" and answer.header("Content-Type") != "application/problem+json":
                problem.append(f"Content-Type {answer.header('Content-Type')}")
            if near() != before:
                problem.append("it CHANGED Redis")
                before = near()
            if problem:
                wrong.append(f"{what}: {answer!r}: {', '.join(problem)}")
        if not is_(len(wrong), 0,
                   f"{count} bad requests: each a 4xx with its code, and Redis is the same after each"):
            diag(*wrong[:40])
        is_(whole(), seen[-1], "in the end nothing at all has changed in Redis or MySQL")
        redis.close()


async def test(stack):
    await stored_apart(stack)
    await tickets_apart(stack)
    await nothing_changed(stack)


main(test)
