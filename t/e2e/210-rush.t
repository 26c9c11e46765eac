#!/usr/bin/env python3
"""The sale of bench/rush, small: 3,000 users in a second over 500 open connections, and its picture.

So that the figure everybody asks for first cannot rot unseen, and because an open loop is what other
tests' clients are not: here nobody waits for anybody else's answer before he asks. No time is asserted.
"""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as xml

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from stack import ROOT, diag, is_, main, ok

USERS, SECONDS, CONNECTIONS, CAPACITY, LANES = 3000, 1, 500, 1200, 2
SVG = "{http://www.w3.org/2000/svg}"


def run(stack, ticket, *args):
    done = subprocess.run([os.path.join(ROOT, "bench", "rush-sale"), ticket, *map(str, args)], text=True, timeout=300,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env={**os.environ, "RUN_DIR": stack.run_dir})
    if done.returncode:
        raise RuntimeError(f"rush-sale: {done.stderr.strip()}")
    return json.loads(done.stdout)


async def test(stack):
    ticket = stack.name("rush")
    sale = await asyncio.to_thread(run, stack, ticket, CAPACITY, USERS, SECONDS, CONNECTIONS, LANES)
    diag(f"sent within {sale['sent_in']} s, answered {sale['answered_in']} s, stored {sale['stored_in']} s",
         *(f"{r['status']} {r['code']}: {r['users']}, {r['ms']} ms" for r in sale["results"]),
         f"CPU: {sale['cpu']['until_stored']}")
    is_(sale["wrong"], [], "the answers, Redis and MySQL agree, user by user")
    is_(sale["answered"], USERS, "every user was answered")
    is_({r["code"]: r["users"] for r in sale["results"]}, {"booked": CAPACITY, "sold_out": USERS - CAPACITY},
        "with a ticket, or that it is sold out")
    is_(len(stack.rows(ticket)), CAPACITY, "sold = rows")
    is_(stack.stock(ticket), (CAPACITY, 0, CAPACITY), "nothing remains, everything is held")
    ok(sale["sent_in"] >= SECONDS * 0.99, "the load was spread over the second, not sent at once")
    line = sale["timeline"]
    is_([line["offered"][-1], line["sent"][-1], line["answered"][-1]], [USERS] * 3, "the timeline counts all of them")
    is_([line["samples"][-1][name] for name in ("sold", "rows", "lag")], [CAPACITY, CAPACITY, 0],
        "and ends when MySQL has caught up")

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "rush.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"figure": "rush", "machine": "", "commit": "", "at": "", "idle_percent": 0,
                       "figures": [], "rounds": [sale]}, file)
        subprocess.run([os.path.join(ROOT, "bench", "report"), path], check=True, stdout=subprocess.DEVNULL)
        picture = xml.parse(os.path.join(folder, "rush.svg"))
    lines = picture.findall(f"{SVG}polyline")
    is_([text.text for text in picture.findall(f"{SVG}text") if text.get("fill")],
        ["offered", "answered", "sold in Redis", "rows in MySQL"], "the picture names its four lines")
    ends = [tuple(map(float, line.get("points").split()[-1].split(","))) for line in lines]
    ok(len(ends) == 4 and ends[0][1] == ends[1][1] < ends[2][1] == ends[3][1],
       f"requests end above the tickets, rows where Redis ends: {ends}")

    # Who is turned away or loses his connection asks again, over the connections that are left.
    ticket = stack.name("rush-again")
    async with stack.nginx_conf((r"ticket_max_pending +\d+", "ticket_max_pending 16")):
        worker = stack.nginx_workers()[0]
        task = asyncio.create_task(asyncio.to_thread(run, stack, ticket, CAPACITY, USERS, 3 * SECONDS, CONNECTIONS))

        def selling():
            with contextlib.suppress(KeyError):
                return stack.lanes(ticket)[0][1] > 100
        await stack.until(selling, "the sale is on", every=0.02)
        os.kill(worker, signal.SIGKILL)
        async with stack.paused("redis"):
            await asyncio.sleep(0.5)
        sale = await task
    diag(f"lost {sale['lost']}, again {sale['again']}: {sale['answers']}")
    ok(0 < sale["lost"] < CONNECTIONS and sale["answers"].get("503 overloaded", 0) > 0,
       "felt: connections were lost, and requests turned away")
    ok(sale["again"] >= sale["answers"]["503 overloaded"], "they were sent again")
    is_(sale["wrong"], [f"{sale['lost']} connections were lost"], "the lost connections are all that is wrong")
    is_(sale["answered"], USERS, "every user was answered in the end")


main(test)
