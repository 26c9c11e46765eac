"""The load client of the tests: many users over a few keep-alive connections.

Raw HTTP/1.1 on asyncio, no library, because a fault test must know exactly what happened to a
request: answered, or sent and cut, or never sent. One core makes several thousand requests a second.

    async with Client(url, connections=200) as client:
        answer = await client.request("POST", "/book?ticket=T", user="ann")    # once; raises Cut
        answer = await client.ask("POST", "/book?ticket=T", user="ann", key="k1")  # until it is settled
        await client.run(story(user) for user in users)     # as many at a time as there are connections

What `ask` repeats is the same request with the same Idempotency-Key, after a cut connection or a
502, 503 or 504, as the answers of this service ask a buyer to do.
"""

import asyncio
import collections
import json
import random
import re
import time
from urllib.parse import urlsplit

AGAIN = (502, 503, 504)
CODE = re.compile(rb'"code" *: *"([a-z_]+)"')


class Cut(Exception):
    """No answer: refused, closed or reset before all of it was there, or silent for too long."""


class Unsettled(Exception):
    """Still no final answer at the deadline."""


class Answer:
    __slots__ = ("status", "head", "body", "tries")

    def __init__(self, status, head, body):
        self.status, self.head, self.body, self.tries = status, head, body, 1

    @property
    def json(self):
        return json.loads(self.body)

    def header(self, name):
        """The value of a header, None when it is not there."""
        found = re.search(rb"\r\n" + re.escape(name.encode()) + rb":[ \t]*([^\r]*)", self.head, re.I)
        return found.group(1).decode("latin-1").strip() if found else None

    @property
    def replayed(self):
        return b"\r\nidempotency-replayed: true\r\n" in self.head.lower()

    @property
    def code(self):
        """One word for what happened: the problem's code, or what a success was."""
        if self.status < 300:
            return "replayed" if self.replayed else "created" if self.status == 201 else "ok"
        found = CODE.search(self.body)
        return found.group(1).decode() if found else "-"

    def __repr__(self):
        return f"<{self.status} {self.code} {self.body[:200]!r}>"


class Connection(asyncio.Protocol):
    """One request at a time; the answer is framed by Content-Length, by chunks, or by the end."""

    __slots__ = ("pool", "transport", "waiting", "buffer", "answer", "need", "head_only", "served", "timer")

    def __init__(self, pool):
        self.pool = pool
        self.transport = self.waiting = self.timer = self.answer = None
        self.buffer = bytearray()
        self.need = None            # bytes of body, -1 chunked, -2 to the end; None: head not there yet
        self.head_only = False
        self.served = 0

    def connection_made(self, transport):
        self.transport = transport

    def send(self, data, head_only, timeout):
        loop = asyncio.get_running_loop()
        self.waiting = loop.create_future()
        self.head_only = head_only
        self.timer = loop.call_later(timeout, self._expired)
        self.transport.write(data)
        return self.waiting

    def _expired(self):
        self.pool.timeouts += 1
        self.transport.abort()

    def data_received(self, data):
        self.buffer += data
        if self.waiting is None:
            # an answer nobody asked for, or one whose asker is gone
            self.transport.abort()
            return
        if self.answer is None and not self._head():
            return
        body, rest = self._body()
        if body is None:
            return
        self._done(body, rest)

    def _head(self):
        while True:
            end = self.buffer.find(b"\r\n\r\n")
            if end < 0:
                return False
            head = bytes(self.buffer[:end + 2])
            del self.buffer[:end + 4]
            status = int(head[9:12])
            if status >= 200:
                break
        self.answer = Answer(status, head, b"")
        low = head.lower()
        if self.head_only or status in (204, 304):
            self.need = 0
        elif b"\r\ntransfer-encoding: chunked\r\n" in low:
            self.need = -1
        else:
            at = low.find(b"\r\ncontent-length:")
            self.need = -2 if at < 0 else int(low[at + 17:low.index(b"\r\n", at + 17)])
        return True

    def _body(self):
        if self.need >= 0:
            if len(self.buffer) < self.need:
                return None, None
            return bytes(self.buffer[:self.need]), self.buffer[self.need:]
        if self.need == -2:
            return None, None
        parts, at = [], 0
        while True:
            line = self.buffer.find(b"\r\n", at)
            if line < 0:
                return None, None
            size = int(bytes(self.buffer[at:line]).split(b";")[0], 16)
            at = line + 2
            if len(self.buffer) < at + size + 2:
                return None, None
            if size == 0:
                return b"".join(parts), self.buffer[at + 2:]
            parts.append(bytes(self.buffer[at:at + size]))
            at += size + 2

    def _done(self, body, rest):
        answer, waiting = self.answer, self.waiting
        answer.body = body
        self.timer.cancel()
        self.buffer = bytearray(rest)
        self.answer = self.need = self.waiting = self.timer = None
        self.served += 1
        if self.buffer or b"\r\nconnection: close\r\n" in answer.head.lower():
            self.transport.close()
        if not waiting.done():
            waiting.set_result(answer)

    def connection_lost(self, error):
        if self.waiting is not None:
            self.timer.cancel()
            if self.answer is not None and self.need == -2 and error is None:
                self._done(bytes(self.buffer), b"")
            else:
                waiting, self.waiting = self.waiting, None
                self.pool.cuts += 1
                if not waiting.done():
                    waiting.set_exception(Cut(f"{error or 'closed'}"))
        self.pool._lost(self)


class Client:
    """A pool of at most `connections`; `rate` limits the requests a second (None: as fast as it goes)."""

    def __init__(self, url, connections=64, timeout=20.0, rate=None, keepalive=True):
        parts = urlsplit(url)
        self.host, self.port = parts.hostname, parts.port
        self.limit, self.timeout, self.rate, self.keepalive = connections, timeout, rate, keepalive
        self.counts = collections.Counter()     # (status, code) -> answers
        self.cuts = 0           # sent, and the connection ended without a whole answer
        self.timeouts = 0       # of these: the client's patience ended
        self.refused = 0        # no connection
        self.again = 0          # requests sent again
        self.slowest = 0.0
        self.idle_lost = 0      # kept-alive connections that ended while nobody used them
        self.started = self.ended = None
        self._idle = collections.deque()
        self._waiters = collections.deque()
        self._open = set()
        self._opening = 0
        self._slot = 0.0

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        for connection in list(self._open):
            connection.transport.abort()
        await asyncio.sleep(0)

    @property
    def answers(self):
        return sum(self.counts.values())

    @property
    def achieved(self):
        """Answers a second, between the first request and the last answer."""
        return self.answers / (self.ended - self.started) if self.answers and self.ended > self.started else 0.0

    def total(self, status=None, code=None):
        return sum(n for (s, c), n in self.counts.items() if status in (None, s) and code in (None, c))

    def _lost(self, connection):
        if connection in self._open:
            self._open.discard(connection)
            try:
                self._idle.remove(connection)
                self.idle_lost += 1
            except ValueError:
                pass
            self._wake(None)

    def _wake(self, connection):
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return True
        return False

    def _release(self, connection):
        if connection.transport.is_closing() or not self.keepalive:
            connection.transport.close()
        elif not self._wake(connection):
            self._idle.append(connection)

    async def _acquire(self):
        loop = asyncio.get_running_loop()
        while True:
            # the one that rested longest: all of them are used, not only the last
            while self._idle:
                connection = self._idle.popleft()
                if not connection.transport.is_closing():
                    return connection
            if len(self._open) + self._opening < self.limit:
                self._opening += 1
                try:
                    _, connection = await loop.create_connection(lambda: Connection(self), self.host, self.port)
                except OSError as error:
                    self.refused += 1
                    raise Cut(f"refused: {error}") from None
                else:
                    self._open.add(connection)
                    return connection
                finally:
                    self._opening -= 1
                    if len(self._open) + self._opening < self.limit:
                        self._wake(None)
            waiter = loop.create_future()
            self._waiters.append(waiter)
            connection = await waiter
            if connection is not None and not connection.transport.is_closing():
                return connection

    async def _pace(self):
        now = time.monotonic()
        self._slot = max(now, self._slot) + 1 / self.rate
        if self._slot - now > 0.002:
            await asyncio.sleep(self._slot - now)

    async def request(self, method, target, user=None, key=None, headers=(), body=None):
        """One request, once. `user` and `key` may be str or bytes; `body` bytes, or a dict sent as JSON."""
        head = [b"%s %s HTTP/1.1\r\nHost: %s" % (method.encode(), _bytes(target), self.host.encode())]
        if user is not None:
            head.append(b"X-User: " + _bytes(user))
        if key is not None:
            head.append(b"Idempotency-Key: " + _bytes(key))
        if isinstance(body, dict):
            body = json.dumps(body).encode()
            head.append(b"Content-Type: application/json")
        for name, value in headers:
            head.append(_bytes(name) + b": " + _bytes(value))
        if body is not None:
            head.append(b"Content-Length: %d" % len(body))
        data = b"\r\n".join(head) + b"\r\n\r\n" + (body or b"")
        return await self.raw(data, method == "HEAD")

    async def raw(self, data, head_only=False):
        """These bytes as they are; the answer to them."""
        if self.rate:
            await self._pace()
        connection = await self._acquire()
        begun = time.monotonic()
        if self.started is None:
            self.started = begun
        try:
            answer = await connection.send(data, head_only, self.timeout)
        except Cut:
            raise
        except BaseException:
            connection.transport.abort()
            raise
        self._release(connection)
        self.ended = time.monotonic()
        self.slowest = max(self.slowest, self.ended - begun)
        self.counts[answer.status, answer.code] += 1
        return answer

    async def ask(self, method, target, user=None, key=None, headers=(), body=None, deadline=None):
        """The same request again until it is settled; Unsettled at `deadline` (time.monotonic(), 60 s from now)."""
        deadline = deadline or time.monotonic() + 60
        tries, last = 0, "never sent"
        while True:
            tries += 1
            try:
                answer = await self.request(method, target, user, key, headers, body)
                if answer.status not in AGAIN:
                    answer.tries = tries
                    return answer
                last = repr(answer)
            except Cut as cut:
                last = f"cut: {cut}"
            pause = min(0.02 * 2 ** min(tries, 6), 1.0) * random.uniform(0.5, 1.0)
            if time.monotonic() + pause > deadline:
                raise Unsettled(f"{method} {target} after {tries} tries: {last}")
            self.again += 1
            await asyncio.sleep(pause)

    async def run(self, stories, width=None):
        """Runs the coroutines `stories` yields, `width` (the number of connections) at a time; the
        first one that raises ends it all and is raised."""
        stories = iter(stories)

        async def one():
            for story in stories:
                await story

        tasks = [asyncio.create_task(one()) for _ in range(width or self.limit)]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()

    def summary(self):
        counted = ", ".join(f"{s} {c} {n}" for (s, c), n in sorted(self.counts.items()))
        return (f"{self.answers} answers, {self.achieved:.0f}/s: {counted}; cut {self.cuts} "
                f"(timeouts {self.timeouts}), refused {self.refused}, sent again {self.again}, "
                f"slowest {self.slowest * 1000:.0f} ms")


def _bytes(text):
    return text if isinstance(text, bytes) else text.encode()


class Ledger:
    """What the users were told: per (ticket, user) the last settled answer, and every 201.

    An owner is who was last told 201, 200 replayed or 409 already_booked; a cancel that was answered
    takes him off. Only the user's own last word counts, so one user's requests must not overlap."""

    def __init__(self):
        self.last = {}          # (ticket, user) -> (action, Answer)
        self.created = {}       # (ticket, user) -> booking_id of his last 201, dropped when he cancels
        self.unsettled = []
        self.strange = []       # settled answers no user should ever see

    def booked(self, ticket, user, answer):
        self.last[ticket, user] = "book", answer
        if answer.status == 201:
            self.created[ticket, user] = answer.json["booking_id"]
        elif not (answer.replayed or answer.code in ("already_booked", "sold_out", "not_enough")):
            self.strange.append((user, answer))

    def cancelled(self, ticket, user, answer):
        owner = _owner(*self.last.get((ticket, user), (None, None)))
        self.last[ticket, user] = "cancel", answer
        self.created.pop((ticket, user), None)
        # who was told that he has one can give it back, and nobody else
        if not (answer.status == 200 if owner else answer.code == "not_booked"):
            self.strange.append((user, answer))

    def owners(self, ticket):
        return {user for (name, user), told in self.last.items() if name == ticket and _owner(*told)}


def _owner(action, answer):
    return action == "book" and (answer.status == 201 or answer.replayed or answer.code == "already_booked")
