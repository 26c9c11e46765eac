#!/usr/bin/env python3
"""The promise in one test: 1,000 tickets, 5,000 users who each ask three times in parallel.

Selling one too many, selling to one user twice, and telling somebody of a ticket he does not have are
what every flash sale gets wrong first, and each of them needs only two requests that overlap. So the
answers, Redis and MySQL are compared user by user, and then everything is given back by users who
cancel twice in parallel: a return that counts double sells a seat that does not exist.
"""

import asyncio
import collections
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from stack import diag, is_, main, ok, quote, same_set

CAPACITY, USERS, TIMES, CONNECTIONS = 1000, 5000, 3, 200


async def test(stack):
    ticket = await stack.create(stack.name("sale"), CAPACITY)
    path = f"/tickets/{quote(ticket)}/booking"
    answers = collections.defaultdict(list)

    async with stack.client(connections=CONNECTIONS, timeout=60) as client:
        async def thrice(number):
            user = f"user-{number}"
            # half of them without a key, which must be as safe
            key = f"key-{number}" if number % 2 else None
            answers[user] = await asyncio.gather(*(client.request("POST", path, user, key) for _ in range(TIMES)))

        await client.run((thrice(n) for n in range(USERS)), width=CONNECTIONS)
        diag(client.summary())
        is_(client.answers, USERS * TIMES, "every request was answered")

    created = {user: [a for a in of if a.status == 201] for user, of in answers.items()}
    owners = {user for user, of in created.items() if of}
    is_(len(owners), CAPACITY, "exactly 1,000 users got a 201")
    is_(sum(map(len, created.values())), CAPACITY, "and none of them two")
    is_(collections.Counter(a.code for user in owners for a in answers[user] if a.status != 201).keys()
        - {"replayed", "already_booked"}, set(), "their other two were replayed, or told that they have it already")
    replays = [(user, a) for user in owners for a in answers[user] if a.code == "replayed"]
    ok(replays and all(a.json["booking_id"] == created[user][0].json["booking_id"] for user, a in replays),
       "a replay names the same booking")
    is_({a.code for user in answers if user not in owners for a in answers[user]}, {"sold_out"},
        "everybody else was told that it is sold out")
    ids = [of[0].json["booking_id"] for of in created.values() if of]
    is_(len(set(ids)), CAPACITY, "1,000 booking ids")
    is_(sorted(of[0].json["remaining"] for of in created.values() if of), list(range(CAPACITY)),
        "the answers counted the stock down, one by one")

    await stack.stored(ticket)
    rows = stack.rows(ticket)
    same_set({user.decode() for user in rows}, owners, "they and nobody else have a row")
    is_({user.decode(): booking for user, (_, booking) in rows.items()},
        {user: of[0].json["booking_id"] for user, of in created.items() if of},
        "each row has the booking_id of the 201")
    is_(stack.stock(ticket), (CAPACITY, 0, CAPACITY), "nothing remains, everything is held")

    cancels = collections.defaultdict(list)
    async with stack.client(connections=CONNECTIONS, timeout=60) as client:
        async def twice(user):
            cancels[user] = await asyncio.gather(*(client.request("DELETE", path, user) for _ in range(2)))

        await client.run((twice(user) for user in owners), width=CONNECTIONS)
        diag(client.summary())

    is_(collections.Counter(tuple(sorted(a.status for a in of)) for of in cancels.values()), {(200, 404): CAPACITY},
        "of two parallel cancels one succeeds, for every owner")
    is_({a.code for of in cancels.values() for a in of if a.status == 404}, {"not_booked"}, "the other: not_booked")
    is_(stack.stock(ticket), (CAPACITY, CAPACITY, 0), "remaining is 1,000 again")
    await stack.stored(ticket)
    is_(len(stack.rows(ticket)), 0, "no row is left")


main(test)
