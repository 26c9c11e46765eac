#!/usr/bin/env python3
"""The same answers over HTTP/2, where many requests share one connection.

nginx gives an HTTP/2 stream a connection that is not one, bodies come in frames without a length, and
what ends a stream must not end its neighbours. So a sale is held over one connection, by curl.
"""

import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from stack import free_port, is_, main, same_set


def curl(url, *args):
    """(status, HTTP version, body) of one request."""
    done = subprocess.run(["curl", "-sS", "-m", "30", "--http2-prior-knowledge", "-w", "\n%{http_code} %{http_version}", *args, url],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise RuntimeError(f"curl: {done.stderr}")
    body, _, last = done.stdout.rpartition("\n")
    status, version = last.split()
    return int(status), version, body


async def test(stack):
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    async with stack.nginx_conf((r"^( *)(listen +127\.0\.0\.1:" + stack.env["TICKET_URL"].rsplit(":", 1)[1] + r")[^;]*;",
                                 rf"\g<0>\n\1listen 127.0.0.1:{port} http2;")):
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
        status, _, body = curl(f"{url}/book", "-X", "POST", *as_json, "-H", "X-User: bob", "-d", json.dumps({"ticket": ticket}))
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

        # 100 users over one connection, 40 tickets
        config = os.path.join(stack.run_dir, "http2.curl")
        with open(config, "w") as file:
            file.write("\nnext\n".join(
                f'url = "{booking}"\nhttp2-prior-knowledge\nrequest = "POST"\nheader = "X-User: many-{n}"\nmax-time = 30\noutput = "/dev/null"\n'
                f'write-out = "many-{n} %{{http_code}} %{{local_port}}\\n"' for n in range(100)))
        done = subprocess.run(["curl", "-sS", "-Z", "--parallel-max", "100", "-K", config], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
        is_((done.returncode, done.stderr), (0, ""), "100 users at once")
        answers = [line.split() for line in done.stdout.splitlines()]
        owners = {user for user, status, _ in answers if status == "201"}
        is_((len(answers), len(owners), {status for _, status, _ in answers}), (100, 40, {"201", "409"}),
            f"40 got one, 60 were told that it is sold out ({len({port for *_, port in answers})} connections)")
        await stack.stored(ticket)
        same_set(stack.row_users(ticket), owners, "and the 40 have a row")


main(test)
