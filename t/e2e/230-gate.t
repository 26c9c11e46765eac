#!/usr/bin/env python3
"""A plain site behind a gate never has more different users at once than the room has passes, with 2,000 of them.

The site is a server of its own that knows nothing of us: at every moment it counts the users it has a request
of. They behave as users do: some give their pass back, and try to use it once more; some let it lapse; some
hammer until they are turned away; some hang up, or are never seen again. All others get in.

What the gate promises is about requests of up to 250 ms (README, "A gate before any site"). nginx stamps
each with the time it let it in; should this machine be so busy that one takes longer, it is not counted from then on,
and what was counted with it is said. No time is asserted.
"""

import asyncio
import collections
import json
import multiprocessing
import os
import random
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from client import Client
from edges import Edge, counters, define, remove
from stack import diag, free_port, is_, main, ok, same_set

USERS, CAPACITY, TTL, PROMISED, PATIENCE = 2000, 80, 2000, 0.25, 0.8
LOCATIONS = """
    location = /figures { return 404; }
    location / {
        ticket_queue %(room)s;
        proxy_pass http://127.0.0.1:%(port)d;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_set_header X-Let-In $msec;
    }
"""


class Site:
    """The server behind the gate, in a process of its own."""

    def __init__(self):
        self.open = {}              # request -> (user, when it was let in)
        self.most = self.raw = self.requests = self.slow = self.cut = 0
        self.users = collections.Counter()

    async def serve(self, reader, writer):
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode("latin-1").split("\r\n")
                headers = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
                length = int(headers.get("content-length", 0))
                body = await reader.readexactly(length) if length else b""
                if " /figures " in lines[0]:
                    text = json.dumps({name: getattr(self, name) for name in
                                       ("most", "raw", "requests", "slow", "cut", "users")})
                else:
                    text = await self.page(headers, body)
                writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode())
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            self.cut += 1
        finally:
            writer.close()

    async def page(self, headers, body):
        request, user, let_in = object(), headers["x-user"], float(headers["x-let-in"])
        self.open[request] = user, let_in
        self.requests += 1
        self.users[user] += 1
        now = time.time()
        self.raw = max(self.raw, len({name for name, _ in self.open.values()}))
        self.most = max(self.most, len({name for name, since in self.open.values() if now - since <= PROMISED}))
        await asyncio.sleep(random.uniform(0.03, 0.15))
        # before the answer: what the user does when he has it is another matter
        del self.open[request]
        self.slow += time.time() - let_in > PROMISED
        return f"{user} {len(body)}"


def site(port):
    async def run():
        async with await asyncio.start_server(Site().serve, "127.0.0.1", port, backlog=1024) as server:
            await server.serve_forever()
    asyncio.run(run())


class Users:
    def __init__(self, client, room):
        self.client, self.room = client, room
        self.inside, self.vanished, self.strange = set(), set(), []
        self.told = collections.Counter()

    async def page(self, user, *headers, method="GET", body=None):
        answer = await self.client.request(method, "/page", user, headers=headers, body=body)
        if answer.status == 200:
            if answer.body.decode() != f"{user} {len(body or b'')}":
                self.strange.append((user, answer))
            self.inside.add(user)
        elif answer.status != 202:
            self.strange.append((user, answer))
        return answer

    async def wait(self, user):
        """Until he is let in; his pass."""
        while True:
            answer = await self.page(user)
            if answer.status == 200:
                return answer.header("set-cookie").split(";")[0].partition("=")[2]
            if answer.status != 202:
                raise RuntimeError(f"{user}: {answer!r}")
            # passes of this test are so short that one who asks when he is told to may miss his
            await asyncio.sleep(min(answer.json["poll_after_ms"] / 1000, PATIENCE))

    async def leave(self, user):
        self.told["left", (await self.client.request("DELETE", f"/queues/{self.room}", user)).status] += 1

    async def story(self, number):
        user, kind = f"user-{number}", number % 10
        await asyncio.sleep(random.uniform(0, 2))
        if kind == 8:
            # is told to wait, and never comes back
            if (await self.page(user)).status == 202:
                self.vanished.add(user)
            return
        shown = await self.wait(user)
        if kind == 7:
            await self.hang_up(user, shown)
            return
        if kind in (5, 6, 9):
            # until he has to wait, or, where nobody waits, gets another pass
            while (answer := await self.page(user, ("Ticket-Pass", shown))).status == 200:
                if answer.header("set-cookie"):
                    break
            self.told["hammering", answer.status] += 1
            await self.leave(user)
            return
        for _ in range(2):
            await asyncio.sleep(random.uniform(0, 0.1))
            # several tabs are one user
            await asyncio.gather(self.page(user, ("Ticket-Pass", shown)),
                                 self.page(user, ("Cookie", f"ticket_pass={shown}"), method="POST", body=b"x" * 1000))
        if kind >= 4:
            return                      # lets it lapse
        await self.leave(user)
        # for as long as it would be good, if the signature were all there is to it
        while time.time() * 1000 < int(shown.split(".")[1]):
            again = await self.page(user, ("Ticket-Pass", shown))
            self.told["with a pass that was given back", again.status] += 1
            if again.status == 202:
                break
        await self.leave(user)

    async def hang_up(self, user, shown):
        reader, writer = await asyncio.open_connection(self.client.host, self.client.port)
        writer.write(f"GET /page HTTP/1.1\r\nHost: x\r\nX-User: {user}\r\nTicket-Pass: {shown}\r\n\r\n".encode())
        await asyncio.sleep(random.choice((0, 0.001, 0.01)))
        writer.transport.abort()


async def test(stack):
    room, port = stack.name("gate"), free_port()
    redis = stack.redis()
    define(redis, room, capacity=CAPACITY, pass_ttl=TTL)
    process = multiprocessing.Process(target=site, args=(port,), daemon=True)
    process.start()
    edge = Edge(stack, "gate", LOCATIONS % {"room": room, "port": port}, workers=2, http="ticket_queue_tick 100ms;")
    try:
        async with edge.running(), edge.client(connections=300, timeout=60) as client:
            users, begun = Users(client, room), time.monotonic()
            await asyncio.wait_for(asyncio.gather(*(users.story(n) for n in range(USERS))), 240)
            seconds = time.monotonic() - begun

            # those of the vanished lapse, too, and each tick counts what has lapsed
            def over():
                now = counters(redis, room)
                return now["waiting"] == 0 and now["issued"] == now["expired"] + now["returned"]
            await stack.until(over, "the line is empty and all passes have come back", 60)
            state = counters(redis, room)
            async with Client(f"http://127.0.0.1:{port}", connections=1) as direct:
                seen = (await direct.request("GET", "/figures")).json
            metrics = await stack.scrape(edge.url)
        diag(f"{USERS} users in {seconds:.1f} s, {len(users.inside)} of them inside, {state['issued']} passes",
             f"at most {seen['most']} of {CAPACITY} users at once, {seen['raw']} with {seen['slow']} slow requests, "
             f"of {seen['requests']}", f"{client.summary()}", f"{dict(users.told)}")
        is_(users.strange[:3], [], "everybody was let in or told to wait, and all he sent arrived")
        ok(seen["most"] <= CAPACITY, f"never more than {CAPACITY} users at once: {seen['most']}")
        ok(seen["raw"] <= CAPACITY or seen["slow"], f"nor with requests that took long: {seen['raw']}")
        ok(seen["most"] > CAPACITY / 3, f"felt: the room was busy: {seen['most']}")
        ok(len(users.vanished) > USERS / 20, f"felt: {len(users.vanished)} never came back")
        same_set(users.inside | users.vanished, {f"user-{n}" for n in range(USERS)}, "all others got in")
        same_set(users.inside, seen["users"], "and the site saw nobody else")
        ok(users.told["hammering", 202] > USERS / 5, "who hammers is stopped when his pass is over: "
           f"{users.told['hammering', 202]}")
        ok(users.told["with a pass that was given back", 202] > USERS / 4, "a pass that was given back opens nothing: "
           f"{users.told['with a pass that was given back', 202]}")
        ok(state["issued"] >= USERS, "everybody had a pass, seen or not, and all have come back")
        ok(metrics.get("ticket_edge_requests_total", action="gate", result="admitted") >= seen["requests"],
           "the gate counts those it let in")
        is_(edge.complaints()[:3], [], "nothing bad in the log")
    finally:
        process.kill()
        remove(redis, room)


main(test)
