#!/usr/bin/env python3
"""A buyer whose booking MySQL refuses for good: told so, given the place back, and free to book again.

The 201 was honest when it was given; what came of it must be seen by whoever asks, and nobody else may
feel it. A trigger plays the database that will not have one user, or not have him with one ticket.
"""

import asyncio
import contextlib
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from faults import moved
from stack import is_, main, ok, quote, same_set

CAPACITY = 100


@contextlib.contextmanager
def refusing(stack, event, table, condition, state="23000"):
    stack.sql(f"DELIMITER //\nCREATE TRIGGER e2e_refuses BEFORE {event} ON {table} FOR EACH ROW "
              f"IF {condition} THEN SIGNAL SQLSTATE '{state}' SET MESSAGE_TEXT = 'not this one'; END IF//\nDELIMITER ;\n")
    try:
        yield
    finally:
        stack.sql("DROP TRIGGER e2e_refuses")


async def test(stack):
    ticket = await stack.create(stack.name("rejected"), CAPACITY, per_user=2)
    path = f"/tickets/{quote(ticket)}/booking"
    before = await stack.persister_metrics()

    def letters():
        return [tuple(row) for row in stack.sql(f"SELECT booking_id, state FROM dead_letters WHERE ticket_name = '{ticket}' "
                                                "ORDER BY id")]

    async with stack.client(connections=10) as client:
        async def book(user, quantity=1, **more):
            return await client.ask("POST", f"{path}?quantity={quantity}", user, **more)

        async def look(user):
            return await client.ask("GET", path, user)

        async def persisted(user):
            async def told():
                return (await look(user)).json["persisted"]
            await stack.until(told, f"GET tells {user} that his booking is stored")

        async def rejected(user, answer, what):
            async def told():
                return (await look(user)).status == 410
            await stack.until(told, f"{what}: GET answers 410")
            await stack.until(lambda: all(state != "pending" for _, state in letters()), "nothing is pending")
            said = await look(user)
            is_((said.code, said.json["booking_id"], said.json["reason"]),
                ("rejected", answer.json["booking_id"], "refused"), f"{what}: 410 rejected, with booking and reason")

        async def balance(held, what):
            await stack.stored(ticket)
            is_(stack.stock(ticket), (CAPACITY, CAPACITY - held, held), f"{what}: {held} are held, the rest is there")
            is_(sum(quantity for quantity, _ in stack.rows(ticket).values()), held, f"{what}: and MySQL has them")

        with refusing(stack, "INSERT", "purchases", f"NEW.ticket_name = '{ticket}' AND NEW.user_id = 'refused'"):
            users = [f"user-{n}" for n in range(20)]
            answers = await asyncio.gather(*(book(user) for user in users), book("refused", 2, key="once"))
            is_({answer.status for answer in answers}, {201}, "everybody is told 201")
            await rejected("refused", answers[-1], "one MySQL refuses")
            await balance(20, "taken back")
            same_set(stack.row_users(ticket), users, "the others have their rows")
            for user in users:
                await persisted(user)
            ok(True, "and know it")
            is_((await client.ask("DELETE", path, "refused")).code, "not_booked", "there is nothing to cancel")
            replayed = await book("refused", 2, key="once")
            is_((replayed.status, replayed.json.get("current")), (200, False), "the same request is answered as before, not current")
            await rejected("refused", await book("refused"), "booked again, refused again")
            await balance(20, "taken back again")
        is_([state for _, state in letters()], ["rejected", "rejected"], "two dead letters, both settled")

        answer = await book("refused", 2)
        is_(answer.status, 201, "MySQL takes him now: he books")
        await balance(22, "booked")
        await persisted("refused")
        found = await look("refused")
        is_((found.status, found.json["booking_id"]), (200, answer.json["booking_id"]), "and has it, stored")
        is_(stack.rows(ticket)[b"refused"], (2, answer.json["booking_id"]), "the row is there")

        # the dead letter cannot be settled, so that it is pending while he books again
        with refusing(stack, "INSERT", "purchases", f"NEW.ticket_name = '{ticket}' AND NEW.quantity = 1"):
            stack.sql("DELIMITER //\nCREATE TRIGGER e2e_unsettled BEFORE UPDATE ON dead_letters FOR EACH ROW "
                      "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'later'//\nDELIMITER ;\n")
            try:
                first = await book("again")

                async def told():
                    return (await look("again")).status == 410
                await stack.until(told, "the first booking is taken back")
                is_(letters()[-1], (first.json["booking_id"], "pending"), "its dead letter is pending")
                second = await book("again", 2)
                is_(second.status, 201, "he books again meanwhile: 201")
                await balance(24, "while it is pending")
            finally:
                stack.sql("DROP TRIGGER e2e_unsettled")
            await stack.until(lambda: letters()[-1][1] != "pending", "it is settled")
        is_((await look("again")).json["booking_id"], second.json["booking_id"], "he has the second booking")
        is_(stack.rows(ticket)[b"again"], (2, second.json["booking_id"]), "the row is there")
        await balance(24, "afterwards")
        is_(client.total(504) + client.cuts, 0, "no request was lost")

    after = await stack.persister_metrics()
    is_(moved(before, after, "ticket_persister_dead_letters_total"), 3, "felt: three dead letters")
    ok(after.get("ticket_persister_lanes_stopped") == 0, "no lane is stopped")


main(test)
