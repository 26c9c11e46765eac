#!/usr/bin/env python3
"""Buyers who hang up before they are answered: what was decided is kept, stored, and told when they come back.

A closed connection ends the request in nginx while its command is on its way to Redis or in a batch
with others. The decision must not depend on who still listens: its event has to leave, its neighbours
have to be answered, and the memory of the request must not be touched any more.
"""

import asyncio
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from client import Ledger
from stack import books_agree, diag, is_, main, ok, quote

USERS, CAPACITY = 3000, 1000


async def test(stack):
    ticket = await stack.create(stack.name("hangup"), CAPACITY)
    path, ledger = f"/tickets/{quote(ticket)}/booking", Ledger()
    pids = stack.nginx_workers()

    async with stack.client(connections=100) as client:
        async def story(number):
            user = f"user-{number}"
            if number % 3:
                await hang_up(client, path, user, number)
            # afterwards, or while the first one is still on its way
            ledger.booked(ticket, user, await client.ask("POST", path, user, f"{user}-key"))
            if number % 7 == 0:
                ledger.cancelled(ticket, user, await client.ask("DELETE", path, user))
        await client.run(story(n) for n in range(USERS))
        diag(client.summary())
        replayed = client.total(200, "replayed")

    ok(replayed > 10, f"felt: {replayed} who had hung up were told of the booking they had not heard of")
    is_(ledger.strange[:3], [], "no answer but those of booking and cancelling")
    is_(stack.nginx_workers(), pids, "no worker died")
    await stack.stored(ticket)
    books_agree(stack, ticket, ledger, "hung up")


async def hang_up(client, path, user, number):
    """The request is sent, and the connection is closed or reset at once, or a moment later."""
    reader, writer = await asyncio.open_connection(client.host, client.port)
    writer.write(f"POST {path} HTTP/1.1\r\nHost: x\r\nX-User: {user}\r\n"
                 f"Idempotency-Key: {user}-key\r\n\r\n".encode())
    await asyncio.sleep((0, 0.0005, 0.002)[number // 3 % 3])
    if number % 2:
        writer.transport.abort()
    else:
        writer.close()


main(test)
