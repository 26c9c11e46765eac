#!/usr/bin/env python3
"""The same answers over HTTP/2, where many requests share one connection.

nginx gives an HTTP/2 stream a connection that is not one, bodies come in frames without a length, and
what ends a stream must not end its neighbours. So every action is asked by curl, and then a sale is held
over one connection, where some give up in the middle.
"""

import asyncio
import json
import os
import socket
import struct
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from stack import free_port, is_, main, same_set


def curl(url, *args):
    """(status, HTTP version, body) of one request."""
    done = subprocess.run(
        ["curl", "-sS", "-m", "30", "--http2-prior-knowledge", "-w", "\n%{http_code} %{http_version}", *args, url],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise RuntimeError(f"curl: {done.stderr}")
    body, _, last = done.stdout.rpartition("\n")
    status, version = last.split()
    return int(status), version, body


class Frames:
    """One HTTP/2 connection, as much of it as this needs: literal headers out, bodies in."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), 30)
        self.file = self.socket.makefile("rb")
        self.socket.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + self.frame(4, 0, 0, b""))

    @staticmethod
    def frame(kind, flags, stream, payload):
        return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload

    def request(self, stream, method, path, user, body=()):
        def text(value):
            assert len(value) < 127
            return bytes([len(value)]) + value.encode()
        headers = [(":method", method), (":scheme", "http"), (":authority", "localhost"), (":path", path),
                   ("x-user", user)]
        if body:
            headers.append(("content-type", "application/json"))
        block = b"".join(b"\0" + text(name) + text(value) for name, value in headers)
        out = self.frame(1, 0x4 | (0 if body else 0x1), stream, block)
        for number, part in enumerate(body):
            out += self.frame(0, 0x1 if number == len(body) - 1 else 0, stream, part)
        self.socket.sendall(out)

    def close(self):
        self.file.close()
        self.socket.close()

    def reset(self, stream):
        self.socket.sendall(self.frame(3, 0, stream, struct.pack(">I", 8)))

    def answers(self, streams):
        """stream -> its JSON body, of all these streams."""
        bodies, done = {stream: b"" for stream in streams}, {}
        while len(done) < len(streams):
            head = self.file.read(9)
            if len(head) < 9:
                raise ConnectionError("the connection was closed")
            length, kind, flags = int.from_bytes(head[:3], "big"), head[3], head[4]
            stream, payload = int.from_bytes(head[5:], "big"), self.file.read(length)
            if kind == 7 or (kind == 3 and stream in bodies):
                raise ConnectionError(f"frame {kind} for stream {stream}: {payload!r}")
            if kind == 4 and not flags & 1:
                self.socket.sendall(self.frame(4, 1, 0, b""))
            if kind == 0 and stream in bodies:
                bodies[stream] += payload
            if kind in (0, 1) and flags & 1 and stream in bodies:
                done[stream] = json.loads(bodies[stream])
        return done


async def test(stack):
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    listen = r"^( *)(listen +127\.0\.0\.1:" + stack.url.rsplit(":", 1)[1] + r")[^;]*;"
    async with stack.nginx_conf((listen, rf"\g<0>\n\1listen 127.0.0.1:{port} http2;")):
        ticket = stack.name("http2")
        as_json = ("-H", "Content-Type: application/json")

        status, version, _ = curl(f"{url}/admin/tickets/{ticket}", "-X", "PUT", *as_json, "-d", '{"capacity":40}')
        is_((status, version), (201, "2"), "a ticket is created over HTTP/2")
        await stack.opened(ticket)
        booking = f"{url}/tickets/{ticket}/booking"
        status, _, body = curl(booking, "-X", "POST", "-H", "X-User: ann", "-H", "Idempotency-Key: k")
        is_((status, json.loads(body)["remaining"]), (201, 39), "booked")
        status, _, body = curl(booking, "-X", "POST", "-H", "X-User: ann", "-H", "Idempotency-Key: k")
        is_((status, json.loads(body)["remaining"]), (200, 39), "the same again: replayed")
        status, _, body = curl(booking, "-H", "X-User: ann")
        is_((status, json.loads(body)["user"]), (200, "ann"), "found")
        status, _, body = curl(booking, "-I", "-H", "X-User: ann")
        is_((status, "content-length" in body), (200, True), "HEAD")
        status, _, body = curl(f"{url}/book", "-X", "POST", *as_json, "-H", "X-User: bob",
                               "-d", json.dumps({"ticket": ticket}))
        is_((status, json.loads(body)["ticket"]), (201, ticket), "booked by a JSON body")
        status, _, body = curl(f"{url}/book", "-X", "POST", *as_json, "-H", "X-User: bob", "-d", "{")
        is_((status, json.loads(body)["code"]), (400, "bad_request"), "a broken body")
        status, _, body = curl(f"{url}/tickets/{ticket}/booking?quantity=0", "-X", "POST", "-H", "X-User: eve")
        is_((status, json.loads(body)["code"]), (400, "invalid_quantity"), "a bad quantity")
        for user in ("ann", "bob"):
            status, _, _ = curl(booking, "-X", "DELETE", "-H", f"X-User: {user}")
            is_(status, 200, "cancelled")
        status, _, body = curl(booking, "-X", "DELETE", "-H", "X-User: bob")
        is_((status, json.loads(body)["code"]), (404, "not_booked"), "not twice")

        # 100 users over one connection, 40 tickets; 20 of them give up at once, which nobody else must feel
        frames = Frames(port)
        users = {1 + 2 * n: f"many-{n}" for n in range(100)}
        for stream, user in users.items():
            if stream % 4 == 1:
                frames.request(stream, "POST", f"/tickets/{ticket}/booking", user)
            else:
                frames.request(stream, "POST", "/book", user, [b'{"ticket":', b'"%s"}' % ticket.encode()])
        given_up = {stream for stream in users if stream % 10 == 7}
        for stream in given_up:
            frames.reset(stream)
        answers = await asyncio.to_thread(frames.answers, set(users) - given_up)
        owners = {users[stream] for stream, answer in answers.items() if "booking_id" in answer}
        is_({answer["code"] for answer in answers.values() if "code" in answer} - {"sold_out"}, set(),
            f"80 streams were answered: {len(owners)} have one, the others were told that it is sold out")
        await stack.stored(ticket)
        rows = stack.row_users(ticket)
        is_((len(rows), owners - rows), (40, set()), "40 rows, theirs among them")
        same_set(rows - owners, rows & {users[stream] for stream in given_up}, "the rest is of those who gave up")
        is_(stack.stock(ticket), (40, 0, 40), "nothing remains")
        frames.close()


main(test)
