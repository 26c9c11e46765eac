#!/usr/bin/env python3
"""A ticket with four lanes: 2,000 users book and cancel, and every row is right.

Each lane has an order of its own and they are stored independently, on different partitions and threads.
A user must never get into two of them, and one stock is shared by all.
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from client import Ledger
from stack import books_agree, diag, is_, lane_of, main, ok, quote

LANES, USERS, CAPACITY = 4, 2000, 1200


async def test(stack):
    ticket = await stack.create(stack.name("lanes"), CAPACITY, lanes=LANES)
    path, ledger = f"/tickets/{quote(ticket)}/booking", Ledger()
    is_((await stack.ticket(ticket))["lanes"], LANES, "it has four lanes")

    async with stack.client(connections=100) as client:
        async def story(number):
            user = f"user-{number}"
            ledger.booked(ticket, user, await client.request("POST", path, user))
            if number % 3 == 0:
                ledger.cancelled(ticket, user, await client.request("DELETE", path, user))
                if number % 2:
                    ledger.booked(ticket, user, await client.request("POST", path, user))
        await client.run(story(n) for n in range(USERS))
        diag(client.summary())

    is_(ledger.strange[:3], [], "no answer but those of booking and cancelling")
    wrong = [(user, booking) for (_, user), booking in ledger.created.items()
             if int(booking.split(":")[-2]) != lane_of(user, LANES)]
    is_(wrong[:3], [], "each user is in the lane his id says")
    used = {lane: seq for lane, (_, seq) in stack.lanes(ticket).items()}
    ok(len(used) == LANES and min(used.values()) > 100, f"all four were used: {used}")
    await stack.stored(ticket)
    books_agree(stack, ticket, ledger, "four lanes")
    ids = sorted(int(lane) for lane, in stack.sql(f"SELECT lane FROM lane_progress WHERE ticket_name = '{ticket}'"))
    is_(ids, list(range(LANES)), "each lane has its progress in MySQL")


main(test)
