"""Server-sent events as the tests and bench/streams see them: raw HTTP/1 on asyncio, one connection a stream.

    stream = await Events.open(url, "/queues/S/events", user="ann")
    stream.status, stream.header("Content-Type")
    event = await stream.next("position")       # Event(kind, data, id, at); others before it are skipped
    await stream.ended()                        # the server ended it, politely or not: stream.whole says

What a browser keeps is kept: the last id and the time to wait before it connects again.
"""

import asyncio
import collections
import json
import re
import socket
import time
from urllib.parse import urlsplit

Event = collections.namedtuple("Event", "kind data id at")


class Events(asyncio.Protocol):
    __slots__ = ("transport", "buffer", "text", "head", "status", "chunked", "whole", "over", "events", "log",
                 "comments", "retry", "last_id", "opened", "bytes", "_changed", "_head", "on_event")

    def __init__(self, on_event=None):
        self.transport = None
        self.buffer, self.text = bytearray(), bytearray()
        self.head, self.status, self.chunked = b"", None, False
        self.whole = False              # the last chunk has come
        self.over = False               # the connection is closed, or the last chunk has come
        self.events = collections.deque()   # not yet asked for
        self.log = []                   # the kinds of all
        self.comments = self.bytes = 0
        self.retry = self.last_id = None
        self.opened = time.monotonic()
        self._changed = asyncio.Event()
        self._head = asyncio.get_running_loop().create_future()
        self.on_event = on_event        # called with each event instead of keeping it

    @classmethod
    async def open(cls, url, path, user=None, headers=(), version="1.1", rcvbuf=None, method="GET", timeout=60,
                   on_event=None):
        """Back when the head of the answer is there. ConnectionError: there is none."""
        parts = urlsplit(url)
        raw = socket.socket()
        if rcvbuf:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        raw.setblocking(False)
        loop = asyncio.get_running_loop()
        try:
            await loop.sock_connect(raw, (parts.hostname, parts.port))
        except BaseException:
            raw.close()
            raise
        transport, stream = await loop.create_connection(lambda: cls(on_event), sock=raw)
        lines = [f"{method} {path} HTTP/{version}", f"Host: {parts.hostname}", "Accept: text/event-stream"]
        if user is not None:
            lines.append(f"X-User: {user}")
        lines += [f"{name}: {value}" for name, value in headers]
        transport.write("\r\n".join(lines).encode() + b"\r\n\r\n")
        await asyncio.wait_for(stream._head, timeout)
        return stream

    # the protocol

    def connection_made(self, transport):
        self.transport = transport

    def connection_lost(self, error):
        self.over = True
        if not self._head.done():
            self._head.set_exception(ConnectionError(f"no answer: {error or 'closed'}"))
        self._changed.set()

    def data_received(self, data):
        self.bytes += len(data)
        self.buffer += data
        if self.status is None and not self._read_head():
            return
        if self.chunked:
            self._read_chunks()
        else:
            self.text += self.buffer
            self.buffer.clear()
        self._read_events()

    def _read_head(self):
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        self.head = bytes(self.buffer[:end + 2])
        del self.buffer[:end + 4]
        self.status = int(self.head[9:12])
        self.chunked = b"\r\ntransfer-encoding: chunked\r\n" in self.head.lower()
        if not self._head.done():
            self._head.set_result(None)
        return True

    def _read_chunks(self):
        at = 0
        while True:
            line = self.buffer.find(b"\r\n", at)
            if line < 0:
                break
            size = int(self.buffer[at:line], 16)
            if len(self.buffer) < line + size + 4:
                break
            if size == 0:
                self.whole = self.over = True
                self._changed.set()
            self.text += self.buffer[line + 2:line + 2 + size]
            at = line + size + 4
        del self.buffer[:at]

    def _read_events(self):
        if self.status != 200:
            return
        at = 0
        while True:
            end = self.text.find(b"\n\n", at)
            if end < 0:
                break
            self._event(bytes(self.text[at:end]).decode())
            at = end + 2
        del self.text[:at]

    def _event(self, text):
        kind, data, name = "message", None, None
        for line in text.split("\n"):
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if field == "":
                self.comments += 1
            elif field == "event":
                kind = value
            elif field == "data":
                data = value if data is None else data + "\n" + value
            elif field == "id":
                name = self.last_id = value
            elif field == "retry":
                self.retry = int(value)
            else:
                raise ValueError(f"no line of an event stream: {line!r}")
        if data is not None:
            event = Event(kind, json.loads(data), name, time.monotonic())
            self.log.append(kind)
            if self.on_event:
                self.on_event(self, event)
            else:
                self.events.append(event)
        self._changed.set()

    # what a test asks

    def header(self, name):
        found = re.search(rb"\r\n" + re.escape(name.encode()) + rb":[ \t]*([^\r]*)", self.head, re.I)
        return found.group(1).decode("latin-1").strip() if found else None

    async def until(self, true, what, timeout=60):
        """Waits until `true()` of this stream says so, looking whenever something has come."""
        end = time.monotonic() + timeout
        while not true():
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), max(end - time.monotonic(), 0.001))
            except asyncio.TimeoutError:
                raise TimeoutError(f"after {timeout} s it is still not so that {what}; came: {self.log}") from None

    async def next(self, *kinds, timeout=60, where=lambda data: True):
        """The next event of one of these kinds (any) whose data `where` accepts."""
        while True:
            while self.events:
                event = self.events.popleft()
                if (not kinds or event.kind in kinds) and where(event.data):
                    return event
            if self.over:
                raise ConnectionError(f"the stream ended without {kinds}; came: {self.log}")
            await self.until(lambda: self.events or self.over, f"there is {kinds}", timeout)

    async def ended(self, timeout=60):
        await self.until(lambda: self.over, "the stream has ended", timeout)

    async def body(self, timeout=60):
        """Of an answer that is no stream."""
        length = int(self.header("Content-Length"))
        await self.until(lambda: len(self.text) >= length, "the body is there", timeout)
        return json.loads(self.text[:length])

    def pause(self):
        """Reads nothing any more."""
        self.transport.pause_reading()

    def close(self):
        self.transport.abort()


# ---------------------------------------------------------------- rooms

def waiting_rooms(stack, *more, tick="100ms"):
    """nginx with a quick tick for a while; `more` edits of its configuration."""
    return stack.nginx_conf((r"^( *)ticket_zone +[^;]*;", rf"\g<0>\n\1ticket_queue_tick {tick};"), *more)


class Room:
    """One waiting room, by the edge's addresses alone."""

    def __init__(self, stack, what):
        self.stack, self.url, self.name = stack, stack.url, stack.name(what)
        self.path = f"/queues/{self.name}"

    async def define(self, method="PUT", **definition):
        async with self.stack.client(connections=1) as client:
            answer = await client.ask(method, f"/admin/queues/{self.name}", body=definition or None)
        if answer.status not in (200, 201, 204):
            raise RuntimeError(f"{method} /admin/queues/{self.name}: {answer!r}")
        return self

    async def ask(self, method, user, **options):
        async with self.stack.client(connections=1) as client:
            return await client.ask(method, self.path, user, **options)

    async def enter(self, *users):
        """The last one's answer."""
        async with self.stack.client(connections=1) as client:
            for user in users:
                answer = await client.ask("POST", self.path, user)
                if answer.status not in (200, 202):
                    raise RuntimeError(f"{user} enters: {answer!r}")
        return answer

    async def fill(self, users, width=32):
        """All of them, in any order."""
        async with self.stack.client(connections=width) as client:
            async def one(user):
                answer = await client.ask("POST", self.path, user)
                if answer.status not in (200, 202):
                    raise RuntimeError(f"{user} enters: {answer!r}")
            await client.run(one(user) for user in users)

    async def leave(self, user):
        return await self.ask("DELETE", user)

    async def listen(self, user, last=None, **options):
        headers = list(options.pop("headers", ()))
        if last is not None:
            headers.append(("Last-Event-ID", last))
        return await Events.open(self.url, self.path + "/events", user, headers=headers, **options)
