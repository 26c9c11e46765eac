#!/usr/bin/env python3
"""A ticket's life by HTTP: created, changed, paused, closed, deleted and born again, and MySQL follows.

A definition lives in Redis, where sales are decided, and in MySQL, which wins when a ticket is opened
again. If a change stayed in one of them it would come back, or get lost, weeks later. And what
would break a promise to a buyer has to be refused.
"""

import csv
import io
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from stack import is_, main, ok, quote, same_set


async def test(stack):
    ticket = stack.name("admin")
    path = f"/tickets/{quote(ticket)}/booking"

    def row():
        rows = stack.sql("SELECT capacity, per_user, lanes, state, COALESCE(opens_at, '-'), "
                         f"COALESCE(closes_at, '-') FROM tickets WHERE name = '{ticket}'")
        return rows[0] if rows else None

    async def admin(method, body=None, suffix="", **options):
        return await stack.admin(method, f"/{quote(ticket)}{suffix}", body, **options)

    async def booked(user, quantity=1):
        return await client.request("POST", f"{path}?quantity={quantity}", user)

    async with stack.client(connections=1) as client:
        is_((await admin("GET")).code, "unknown_ticket", "there is none")
        is_((await admin("PATCH", {"capacity": 1})).code, "unknown_ticket", "so it cannot be changed")

        answer = await admin("PUT", {"capacity": 10, "per_user": 3, "opens_at": "2020-01-01T00:00:00.500Z"})
        is_(answer.status, 201, "created")
        await stack.opened(ticket)
        seen = (await admin("GET")).json
        is_([seen.get(f) for f in ("capacity", "remaining", "per_user", "lanes", "state", "opens_at", "closes_at")],
            [10, 10, 3, 1, "open", "2020-01-01T00:00:00.500Z", None], "GET shows it")
        is_(row(), ["10", "3", "1", "open", "2020-01-01 00:00:00.500", "-"], "MySQL has it")

        names, cursor, pages = set(), None, 0
        while cursor != "0" and pages < 10_000:
            page = (await stack.admin("GET", "?limit=100" + (f"&cursor={cursor}" if cursor else ""))).json
            names.update(t["ticket"] if isinstance(t, dict) else t for t in page["tickets"])
            cursor, pages = page.get("cursor") or "0", pages + 1
        ok(ticket in names, f"the list of {len(names)} tickets has it")

        is_((await booked("ann", 3)).status, 201, "ann books 3")
        is_((await booked("bob", 2)).status, 201, "bob books 2")
        answer = await booked("cat", 4)
        is_((answer.status, answer.code), (409, "limit_exceeded"), "cat may not have 4")

        answer = await admin("PATCH", {"capacity": 4})
        is_((answer.status, answer.code), (409, "below_held"), "the capacity does not go below the 5 held")
        answer = await admin("PATCH", {"lanes": 2})
        is_((answer.status, answer.code), (409, "lanes_fixed"), "the lanes do not change")
        answer = await admin("DELETE")
        is_((answer.status, answer.code), (409, "in_use"), "it is not deleted while somebody holds some")
        is_((await admin("GET")).json["remaining"], 5, "all this changed nothing")

        answer = await admin("PATCH", {"capacity": 5})
        is_((answer.status, answer.json["capacity"], answer.json["remaining"]), (200, 5, 0), "down to what is held")
        is_((await booked("cat")).code, "sold_out", "nothing is left")
        answer = await admin("PATCH", {"capacity": 8, "per_user": 1})
        is_((answer.status, answer.json["remaining"]), (200, 3), "up again")
        is_((await booked("cat", 2)).code, "limit_exceeded", "one each, from now on")
        is_((await booked("cat")).status, 201, "cat books one")
        await stack.stored(ticket)
        is_(row()[:4], ["8", "1", "1", "open"], "MySQL followed")

        for state, code in (("paused", "paused"), ("closed", "closed")):
            is_((await admin("PATCH", {"state": state})).status, 200, f"set to {state}")
            answer = await booked("dan")
            is_((answer.status, answer.code), (403, code), f"{state}: not sold")
            is_((await booked("ann", 3)).code, "already_booked", f"{state}: who has one is told so")
            await stack.stored(ticket)
            is_(row()[3], state, f"{state}: in MySQL, too")
        is_((await client.request("DELETE", path, "cat")).status, 200, "closed: cancelling is allowed")
        answer = await admin("PATCH", {"state": "open", "opens_at": "2100-01-01T00:00:00.000Z"})
        is_(answer.status, 200, "open, but not yet")
        is_((await booked("dan")).code, "not_open", "not sold before it opens")
        answer = await admin("PATCH", {"opens_at": None, "closes_at": "2020-01-01T00:00:00.000Z"})
        is_(answer.status, 200, "over")
        is_((await booked("dan")).code, "closed", "not sold after it has closed")
        await stack.stored(ticket)
        is_(row()[3:], ["open", "-", "2020-01-01 00:00:00.000"], "the hours are in MySQL")
        answer = await admin("PUT", {"capacity": 20})
        is_((answer.status, [answer.json.get(f) for f in ("capacity", "remaining", "per_user", "closes_at")]),
            (200, [20, 15, 1, None]), "PUT sets the whole definition, what is not named to its default")
        is_((await booked("dan")).status, 201, "sold again")

        async def persisted():
            return (await admin("GET")).json["persisted"] is True
        await stack.until(persisted, "GET says that all is persisted", 60)
        ok(True, "GET says when all of it is stored")

        listed = (await admin("GET", suffix="/bookings")).json
        same_set({(b["user"], b["quantity"]) for b in listed["bookings"]},
                 {("ann", 3), ("bob", 2), ("dan", 1)}, "the buyers, as JSON")
        answer = await admin("GET", suffix="/bookings", headers=[("Accept", "text/csv")])
        ok((answer.header("Content-Type") or "").startswith("text/csv"), "and as CSV")
        lines = list(csv.DictReader(io.StringIO(answer.body.decode())))
        same_set({(b["user"], b["quantity"]) for b in lines},
                 {("ann", "3"), ("bob", "2"), ("dan", "1")}, "the same buyers")

        answer = await admin("DELETE", suffix="/bookings/bob")
        is_(answer.status, 200, "the support desk cancels bob's")
        answer = await admin("DELETE", suffix="/bookings/bob")
        is_((answer.status, answer.code), (404, "not_booked"), "once")
        for user in ("ann", "dan"):
            is_((await client.request("DELETE", path, user)).status, 200, f"{user} cancels")

        async def deleted():
            answer = await admin("DELETE")
            return answer if answer.code != "in_use" else None
        answer = await stack.until(deleted, "it can be deleted once everything is stored", 60)
        is_(answer.status, 200, "deleted")
        answer = await booked("eve")
        is_((answer.status, answer.code), (404, "unknown_ticket"), "it is gone")
        is_((await admin("GET")).status, 404, "for the admin, too")
        await stack.stored(ticket)
        is_((row()[3], len(stack.rows(ticket))), ("deleted", 0), "MySQL keeps a tombstone and no row")

        answer = await admin("PUT", {"capacity": 2, "per_user": 2})
        is_(answer.status, 201, "created again under the same name")
        await stack.opened(ticket)
        answer = await booked("eve", 2)
        is_((answer.status, answer.json["remaining"]), (201, 0), "sold again")
        await stack.stored(ticket)
        is_((row()[:4], stack.row_users(ticket)), (["2", "2", "1", "open"], {"eve"}), "and stored again")


main(test)
