#!/usr/bin/env python3
"""Who waits hears of it: server-sent events, as browsers and proxies need them.

A stream lives for as long as a line is long, through reloads, crashes and outages of whatever is behind
it. What it tells has to be true, it must not fall silent, and no client may cost the worker more than its
share, whether it reads or not. Each user of a room is told of his own place alone, so every stream here is
compared with what GET says of the same user.
"""

import asyncio
import datetime
import hashlib
import os
import signal
import socket
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from events import Events, Room, waiting_rooms
from stack import diag, free_port, is_, main, ok


async def lines(stack):
    """What is told from entering to the pass."""
    room = await Room(stack, "events").define(capacity=1)
    is_((await room.enter("ann")).status, 200, "ann has the pass")
    await room.enter("bob", "carol", "dave")

    carol = await room.listen("carol")
    is_((carol.status, carol.header("Content-Type"), carol.header("Cache-Control"), carol.header("X-Accel-Buffering")),
        (200, "text/event-stream", "no-store", "no"), "a stream that no proxy keeps or holds back")
    first = await carol.next()
    ok(first.kind == "position" and carol.retry and 500 <= carol.retry <= 60000,
       f"position comes first, with a time to wait before connecting again ({carol.retry} ms)")
    answer = (await room.ask("GET", "carol")).json
    is_(sorted(first.data), sorted(set(answer) - {"place"}), "it has what GET has, but for the place")
    same = ("queue", "user", "state", "position", "ahead", "waiting", "number", "unlikely")
    is_({name: first.data.get(name) for name in same}, {name: answer.get(name) for name in same},
        "... and says the same")
    is_((first.data["position"], first.data["ahead"], first.data["waiting"]), (2, 1, 3), "she is the second of three")
    ok(first.id and first.id == carol.last_id, "its id is her place")
    again = await room.listen("carol")
    is_((await again.next("position")).data["number"], first.data["number"], "a second stream of hers: the same place")
    again.close()

    await room.enter("erin")
    event = await carol.next("position", where=lambda data: data["waiting"] == 4)
    is_((event.data["position"], event.data["waiting"]), (2, 4), "somebody came after her, and she sees it")

    bob = await room.listen("bob")
    is_((await bob.next()).data["position"], 1, "bob is the first")
    is_((await room.leave("bob")).status, 200, "he leaves, in another tab")
    event = await bob.next("closed")
    is_((event.data["code"], event.data["queue"]), ("not_waiting", room.name), "his stream hears of it")
    await bob.ended()
    ok(bob.whole, "... and ends in order")
    event = await carol.next("position", where=lambda data: data["position"] == 1)
    is_((event.data["ahead"], event.data["waiting"]), (0, 3), "carol moved up")

    dave = await room.listen("dave")
    await dave.next("position")
    is_((await room.leave("ann")).status, 200, "ann gives her pass back")
    event = await carol.next("pass")
    answer = (await room.ask("GET", "carol")).json
    is_((event.data["state"], event.data["user"], event.data["expires_at"]),
        ("admitted", "carol", answer["expires_at"]), "carol is told of her pass")
    ok(event.data["pass"].count(".") == 5 and event.data["expires_in_ms"] > 0, "... and is given it")
    await carol.ended()
    ok(carol.whole, "... and her stream ends in order")
    event = await dave.next("position", where=lambda data: data["position"] == 1)
    is_(event.data["ahead"], 0, "dave moved up")
    has = await room.listen("carol")
    is_((await has.next()).kind, "pass", "a stream of somebody who has a pass says so at once")
    await has.ended()

    await room.define("PATCH", state="paused")
    await room.leave("carol")
    await dave.next("position", where=lambda data: data["eta_seconds"] is None)
    is_(set(dave.log), {"position"}, "a paused room: nobody is let in, the stream goes on")
    await room.define("PATCH", state="closed")
    is_((await dave.next("closed")).data["code"], "queue_closed", "a room that is closed says so")
    await dave.ended()
    late = await room.listen("dave")
    is_((late.status, (await late.body())["code"]), (403, "queue_closed"), "... and answers no stream")
    await room.define("PATCH", state="open")
    is_((await (await room.listen("dave")).next("pass")).kind, "pass", "opened again: it is dave's turn")
    erin = await room.listen("erin")
    await erin.next("position")
    await room.define("DELETE")
    is_((await erin.next("closed")).data["code"], "unknown_queue", "a room that is deleted says so, too")
    await erin.ended()


async def answers(stack):
    """No stream, or not one of HTTP/1.1."""
    room = await Room(stack, "kinds").define(capacity=1)
    await room.enter("ann", "bob")
    stranger = await room.listen("eve")
    is_((stranger.status, (await stranger.body())["code"]), (404, "not_waiting"), "who does not wait is told so")
    for what, place in (("nonsense", "nonsense"), ("a foreign place", (await room.listen("bob"))),
                        ("much of it", "x" * 3000)):
        if isinstance(place, Events):
            await place.next()
            place = place.last_id
        stranger = await room.listen("eve", last=place)
        is_((stranger.status, (await stranger.body())["code"]), (404, "not_waiting"), f"Last-Event-ID with {what}")
    other = Room(stack, "nowhere")
    stranger = await other.listen("eve")
    is_((stranger.status, (await stranger.body())["code"]), (404, "unknown_queue"), "an unknown room")
    post = await Events.open(stack.url, room.path + "/events", "bob", method="POST")
    is_(post.status, 405, "POST is no way to listen")

    async with stack.client(connections=1) as client:
        # 500 is what auth_request makes of 400
        is_((await client.request("GET", "/subrequest", "bob")).status, 500, "no stream is a part of another answer")
        answer = await client.request("HEAD", room.path + "/events", "bob")
        is_((answer.status, answer.header("Content-Type"), answer.body), (200, "text/event-stream", b""),
            "HEAD has the head alone")
        is_((await client.request("GET", room.path, "bob")).status, 202, "... and the connection goes on")

    old = await room.listen("bob", version="1.0")
    is_((old.status, old.chunked, (await old.next()).data["position"]), (200, False, 1), "HTTP/1.0: without chunks")
    packed = await room.listen("bob", headers=[("Accept-Encoding", "gzip")])
    is_((packed.header("Content-Encoding"), (await packed.next()).data["position"]), (None, 1), "never compressed")
    await room.leave("ann")
    await old.next("pass")
    await old.ended()
    ok(True, "HTTP/1.0: it ends with the connection")


async def heartbeat(stack):
    """15 ticks without news."""
    room = await Room(stack, "beat").define(capacity=1)
    await room.enter("ann", "bob")
    bob = await room.listen("bob")
    first = await bob.next("position")
    await bob.until(lambda: bob.comments >= 2, "there were two heartbeats")
    ok(True, f"comments while nothing happens; events meanwhile: {len(bob.log)}")
    event = await bob.next("position")
    is_(event.data["position"], first.data["position"], "with a heartbeat the place is told again")
    pids = stack.nginx_workers()
    async with stack.paused("redis"):
        event = await bob.next("position", where=lambda data: data.get("stale"))
        is_(event.data["position"], first.data["position"], "Redis is away: the place is told as a stale one")
        late = await room.listen("bob")
        is_((late.status, (await late.body())["code"]), (503, "unavailable"), "... nobody is sent into the dark")
        seen = bob.comments
        await bob.until(lambda: bob.comments > seen, "there is a heartbeat")
        ok(True, "... and the heartbeat goes on")
    event = await bob.next("position", where=lambda data: "stale" not in data)
    is_(event.data["position"], first.data["position"], "Redis is back: the place is a true one")
    is_(stack.nginx_workers(), pids, "no worker died")
    bob.close()


async def draw(stack):
    """Nobody has a place before the draw, and then everybody the one that he can compute himself."""
    room = Room(stack, "draw")
    opens = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=6)
    await room.define(capacity=1, opening_draw=True, opens_at=opens.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), pass_ttl=3600)
    users = [f"user-{n}" for n in range(8)]
    await room.enter(*users)
    streams = {user: await room.listen(user) for user in users}
    first = {user: (await stream.next("position")).data for user, stream in streams.items()}
    is_({(data["position"], data["ahead"], data["drawing"], data["draw"]["seed"]) for data in first.values()},
        {(None, None, True, None)}, "before the draw nobody is told a position or the seed")
    ok(not any("score" in text for data in first.values() for text in data), "... or a score")

    numbers, order, lucky = {data["number"]: user for user, data in first.items()}, None, None
    for user, stream in streams.items():
        event = await stream.next(where=lambda data: data["state"] == "admitted" or data.get("waiting") == 7)
        if event.kind == "pass":
            lucky = user
        else:
            order = order or event.data["draw"]
            first[user] = event.data
    is_(hashlib.sha256(order["seed"].encode()).hexdigest(), order["hash"], "the seed is that of the published hash")
    drawn = [numbers[n] for n in sorted(numbers, key=lambda n: (
        hashlib.sha1(f"{order['seed']}:{n}".encode()).hexdigest()[:7], n))]
    is_([lucky] + sorted(set(users) - {lucky}, key=lambda user: first[user]["position"]), drawn,
        "opened: the pass and the positions are those of the draw")
    for stream in streams.values():
        stream.close()


async def many_rooms(stack):
    """Each is told of his own room."""
    rooms = [await Room(stack, f"many{n}").define(capacity=1) for n in range(5)]
    streams = []
    for room in rooms:
        await room.enter("ann", *(f"user-{n}" for n in range(4)))
        streams += [(room, n, await room.listen(f"user-{n}")) for n in range(4)]
    for room, n, stream in streams:
        event = await stream.next("position")
        if (event.data["queue"], event.data["user"], event.data["position"]) != (room.name, f"user-{n}", n + 1):
            ok(False, f"{room.name}: user-{n} was told {event.data}")
    await rooms[2].leave("ann")
    told = {(room.name, n): (await stream.next()).kind for room, n, stream in streams if room is rooms[2]}
    is_(told, {(rooms[2].name, n): "position" if n else "pass" for n in range(4)}, "one room moves on")
    is_([len(stream.log) for room, _, stream in streams if room is not rooms[2] and "pass" in stream.log], [],
        "the others do not")
    for _, _, stream in streams:
        stream.close()


async def slow_reader(stack):
    """It asks and reads nothing: it is dropped, and meanwhile costs no more than others."""
    room = await Room(stack, "slow").define(capacity=1)
    await room.enter("ann", "bob")
    deaf = []
    for _ in range(20):
        raw = socket.socket()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        raw.connect(("127.0.0.1", int(stack.url.rsplit(":", 1)[1])))
        raw.sendall(f"GET {room.path}/events HTTP/1.1\r\nHost: x\r\nX-User: bob\r\n\r\n".encode())
        deaf.append(raw)
    reader = await room.listen("bob")
    await reader.next()

    def rss():
        total = 0
        for pid in stack.nginx_workers():
            with open(f"/proc/{pid}/status") as file:
                total += next(int(line.split()[1]) for line in file if line.startswith("VmRSS:"))
        return total

    async def ended():
        async with stack.client(connections=1) as client:
            page = (await client.request("GET", "/metrics")).body.decode()
        return sum(int(line.split()[-1]) for line in page.split("\n")
                   if line.startswith("ticket_edge_requests_total{") and 'action="queue_events"' in line
                   and 'result="client_closed"' in line)

    was, before, number = await ended(), rss(), 0

    async def talk():
        nonlocal number
        async with stack.client(connections=4) as client:
            while True:
                for _ in range(4):
                    number += 1
                    await client.ask("POST", room.path, f"newcomer-{number}")
                await asyncio.sleep(0.05)
    talking = asyncio.create_task(talk())
    try:
        async def dropped():
            return await ended() - was >= 20
        await stack.until(dropped, "those who do not read were dropped", 300)
    finally:
        talking.cancel()
    grown = rss() - before
    diag(f"{number} came; {reader.bytes} bytes for who reads; the workers grew by {grown} KB")
    ok(True, "20 clients that do not read are dropped")
    ok(not reader.over and "position" in reader.log, "who reads is not")
    # a sanitizer keeps what is freed
    ok(grown < 2048 or "ASAN_OPTIONS" in os.environ, "the workers did not keep what nobody read")
    for raw in deaf:
        raw.close()
    reader.close()


async def leaves(stack):
    """Clients that go, one way or another."""
    room = await Room(stack, "gone").define(capacity=1)
    await room.enter("ann", *(f"user-{n}" for n in range(40)))
    pids = stack.nginx_workers()

    async def open_streams():
        return (await stack.edge_metrics()).get("ticket_edge_queue_streams")
    await stack.until(lambda: asyncio.run(open_streams()) == 0, "there is no stream left of before")
    streams = [await room.listen(f"user-{n}") for n in range(40)]
    for stream in streams:
        await stream.next()
    await stack.until(lambda: asyncio.run(open_streams()) == 40, "40 streams are counted")
    for number, stream in enumerate(streams[:39]):
        if number % 2:
            stream.close()
        else:
            stream.transport.close()
    await stack.until(lambda: asyncio.run(open_streams()) == 1, "39 have gone")
    ok(True, "whose connection is closed or reset is forgotten")
    await room.enter("user-40")
    is_((await streams[39].next("position", where=lambda data: data["waiting"] == 41)).data["position"], 40,
        "who stays is told")
    is_(stack.nginx_workers(), pids, "no worker died")
    streams[39].close()


async def curl(room, user, url, *args):
    return await asyncio.create_subprocess_exec(
        "curl", "-sSN", "-m", "120", "-H", f"X-User: {user}", *args, f"{url}{room.path}/events",
        stdout=asyncio.subprocess.PIPE)


async def line(process, *parts):
    """The next line with all of these; what came last when it ends."""
    last = b""
    while True:
        text = await asyncio.wait_for(process.stdout.readline(), 60)
        if not text or all(part.encode() in text for part in parts):
            return (text or last).decode().strip()
        last = text


async def other_protocols(stack, port, tls):
    """HTTP/2, where streams share a connection, and TLS, which has buffers of its own."""
    room = await Room(stack, "curl").define(capacity=1)
    await room.enter("ann", "bob", "carol", "dave")

    plain, secure = f"http://127.0.0.1:{port}", f"https://127.0.0.1:{tls}"
    bob = await curl(room, "bob", plain, "-i", "--http2-prior-knowledge")
    carol = await curl(room, "carol", plain, "--http2-prior-knowledge")
    dave = await curl(room, "dave", secure, "-k", "-i", "--http1.1")
    is_(await line(bob, "HTTP/"), "HTTP/2 200", "HTTP/2: a stream")
    is_(await line(dave, "HTTP/"), "HTTP/1.1 200 OK", "TLS: a stream")
    for process, position in ((bob, 1), (carol, 2), (dave, 3)):
        ok('"user"' in await line(process, "data: ", f'"position":{position},'), f"... with position {position}")
    carol.terminate()
    await carol.wait()
    await room.leave("carol")
    ok('"user"' in await line(bob, "data: ", '"waiting":2,'), "HTTP/2: carol is gone, bob sees it")
    ok('"user"' in await line(dave, "data: ", '"position":2,'), "TLS: so does dave")
    await room.leave("ann")
    ok('"user":"bob"' in await line(bob, '"state":"admitted"'), "HTTP/2: the pass")
    is_(await asyncio.wait_for(bob.wait(), 60), 0, "HTTP/2: the stream ends in order")
    await room.leave("bob")
    ok('"user":"dave"' in await line(dave, '"state":"admitted"'), "TLS: the pass")
    is_(await asyncio.wait_for(dave.wait(), 60), 0, "TLS: the stream ends in order")


async def reloads(stack, port):
    """HUP: told, ended, and back in the same place."""
    room = await Room(stack, "reload").define(capacity=1)
    users = [f"user-{n}" for n in range(60)]
    await room.enter("ann", *users)
    streams = {user: await room.listen(user) for user in users}
    first = {user: await stream.next("position") for user, stream in streams.items()}
    deaf = socket.create_connection(("127.0.0.1", int(stack.url.rsplit(":", 1)[1])))
    deaf.sendall(f"GET {room.path}/events HTTP/1.1\r\nHost: x\r\nX-User: {users[0]}\r\n\r\n".encode())
    shared = await curl(room, users[0], f"http://127.0.0.1:{port}", "--http2-prior-knowledge")
    await line(shared, "data: ")
    old = stack.nginx_workers()
    stack.signal_nginx(signal.SIGHUP)
    retries = set()
    for stream in streams.values():
        await stream.next("reload")
        await stream.ended()
        retries.add(stream.retry)
    is_([user for user, stream in streams.items() if not stream.whole], [], "a reload ends streams in order")
    ok(len(retries) > 10 and min(retries) >= 500, "they are not to come back all in one moment")
    await stack.until(lambda: not set(old) & set(stack.nginx_workers()), "the old workers are gone")
    ok(True, "the old workers left, and streams did not hold them")
    is_(await line(shared, "event: reload"), "event: reload", "HTTP/2: a reload is told")
    is_(await asyncio.wait_for(shared.wait(), 60), 0, "... and the stream ends in order")
    deaf.close()
    changed = []
    for user, stream in streams.items():
        back = await room.listen(user, last=stream.last_id)
        event = await back.next("position")
        if any(event.data[name] != first[user].data[name] for name in ("number", "position", "waiting")):
            changed.append((user, first[user].data, event.data))
        streams[user] = back
    is_(changed[:1], [], "all are back in the same place")

    victim = stack.nginx_workers()[0]
    os.kill(victim, signal.SIGKILL)
    await stack.until(lambda: victim not in stack.nginx_workers() and len(stack.nginx_workers()) == len(old),
                      "there is a new worker")
    await asyncio.sleep(0.5)
    cut = {user: stream for user, stream in streams.items() if stream.over}
    diag(f"{len(cut)} of {len(users)} streams were cut")
    changed = []
    for user, stream in cut.items():
        streams[user] = back = await room.listen(user, last=stream.last_id)
        event = await back.next("position")
        if event.data["number"] != first[user].data["number"]:
            changed.append(user)
    is_(changed, [], "a worker killed: who is back is in the same place")
    await room.leave("ann")
    is_((await streams[users[0]].next("pass")).kind, "pass", "... and the line moves on")
    for stream in streams.values():
        stream.close()


async def redis_lost(stack):
    """Redis comes back with nothing: who listens has his place again. So many that a worker's picture, made when the
    other one's are back already, shows a line that does not look lost to those behind its first 200."""
    room = await Room(stack, "lost").define(capacity=1, pass_ttl=3600)
    users = [f"user-{n}" for n in range(1000)]
    await room.enter("ann")
    await room.fill(users)
    streams, first = {}, {}
    for start in range(0, len(users), 100):
        some = users[start:start + 100]
        streams.update(zip(some, await asyncio.gather(*(room.listen(user) for user in some))))
    for user, stream in streams.items():
        first[user] = await stream.next("position")
    is_(sorted(event.data["position"] for event in first.values()), list(range(1, 1001)), "1,000 wait and listen")

    await stack.until(lambda: stack.sql(f"SELECT 1 FROM queues WHERE name = '{room.name}'"), "MySQL has the room")
    redis = stack.redis()
    key, passes = f"queue:{{{room.name}}}", f"queue:pass:z:{{{room.name}}}"
    line = [user.decode() for user in redis("ZRANGE", key, 0, -1)]
    away = line[500:505]
    for user in away:
        streams[user].close()
    counts = []

    def settled():
        counts.append(redis("ZCARD", key))
        return len(counts) > 1 and counts[-1] == counts[-2] > 0

    frozen = stack.nginx_workers()[0]
    os.kill(frozen, signal.SIGSTOP)
    try:
        redis("FLUSHALL")
        await stack.until(settled, "the other worker's are there again", every=1)
        diag(f"{counts[-1]} were put back by one worker")
    finally:
        os.kill(frozen, signal.SIGCONT)

    def line_and_pass():
        return [[user.decode() for user in redis("ZRANGE", key, 0, -1)] for key in (key, passes)]

    # ann's pass is lost, so one of them has it
    await stack.until(lambda: [len(part) for part in line_and_pass()] == [994, 1], "all who listened are there again")
    _, (lucky,) = line_and_pass()
    stranger = await room.listen(away[0])
    is_((stranger.status, (await stranger.body())["code"]), (404, "not_waiting"), "who did not listen is forgotten")
    for user in away:
        streams[user] = await room.listen(user, last=streams[user].last_id)
    now, _ = line_and_pass()
    is_(now, [user for user in line if user != lucky], "... until he shows his place: the line is as it was")
    redis.close()

    event = await streams[lucky].next("pass")
    is_(event.data["user"], lucky, "who has the lost pass hears of it")
    changed = []
    for user in now:
        event = await streams[user].next(where=lambda data: data.get("waiting") == 999)
        if event.data["number"] != first[user].data["number"]:
            changed.append((user, first[user].data, event.data))
    is_(changed[:1], [], "all others hear of their place, and have the same number")
    is_([user for user in now if streams[user].over], [], "no stream ended")
    for stream in streams.values():
        stream.close()


async def test(stack):
    port, tls = free_port(), free_port()
    pem = os.path.join(stack.run_dir, "events.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-days", "2", "-subj", "/CN=localhost", "-keyout", pem + ".key", "-out", pem],
                   check=True, capture_output=True)
    os.chmod(pem + ".key", 0o644)
    listen = r"^( *)(listen +127\.0\.0\.1:" + stack.url.rsplit(":", 1)[1] + r")[^;]*;"
    async with waiting_rooms(stack, (listen, rf"\g<0>\n\1listen 127.0.0.1:{port} http2;\n"
                                             rf"\1listen 127.0.0.1:{tls} ssl;\n\1ssl_certificate {pem};\n"
                                             rf"\1ssl_certificate_key {pem}.key;\n\1send_timeout 2s;\n"
                                             r"\1gzip on;\n\1gzip_types *;\n\1gzip_min_length 0;\n"
                                             r"\1location = /subrequest { auth_request /queues/any/events; "
                                             r"try_files /nothing =404; }")):
        await lines(stack)
        await answers(stack)
        await heartbeat(stack)
        await draw(stack)
        await many_rooms(stack)
        await leaves(stack)
        await other_protocols(stack, port, tls)
        await slow_reader(stack)
        await reloads(stack, port)
        await redis_lost(stack)


main(test)
