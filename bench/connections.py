#!/usr/bin/env python3
"""connections.py PORT COUNT PATH: opens COUNT connections, sends one POST over each (%d in PATH: its number), reads
the answers, says "ready", and keeps them open and idle until its input ends."""

import resource
import selectors
import socket
import sys

port, count, path = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, count + 100) if hard > 0 else count + 100, hard))

open_ones = []
for start in range(0, count, 500):
    waiting = selectors.DefaultSelector()
    for number in range(start, min(start + 500, count)):
        s = socket.create_connection(("127.0.0.1", port), timeout=10)
        target = path.replace("%d", str(number))
        s.sendall(f"POST {target} HTTP/1.1\r\nHost: bench\r\nContent-Length: 0\r\n\r\n".encode())
        waiting.register(s, selectors.EVENT_READ)
        open_ones.append(s)
    while waiting.get_map():
        for key, _ in waiting.select(10) or sys.exit("error: no answer within 10 s"):
            answer = key.fileobj.recv(4096)
            if not answer.startswith(b"HTTP/1.1 201"):
                sys.exit(f"error: {answer[:200]!r}")
            waiting.unregister(key.fileobj)

print("ready", flush=True)
sys.stdin.read()
