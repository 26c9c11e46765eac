"""What the persister's base tests share: TAP, a database and a Redis of their own, the program.

The servers are those of the environment (`make check` sets it, or source run/env). Each test makes a
database named after itself and uses one numbered database of Redis, which it empties.
"""

import atexit
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PERSISTER = os.environ.get("PERSISTER_BIN") or os.path.join(ROOT, "persister", "ticket-persister")
REDIS_DB = 9
MYSQL_CLIENT = os.environ.get("MYSQL_KIND") or "mariadb"
NAME = re.sub(r"[^0-9a-z]", "_", os.path.basename(sys.argv[0]).split(".")[0])

# ---------------------------------------------------------------- TAP

_count = 0
_failed = 0


def note(text):
    for line in str(text).splitlines():
        print("# " + line, flush=True)


def ok(good, name):
    global _count, _failed
    _count += 1
    if not good:
        _failed += 1
    print(f"{'ok' if good else 'not ok'} {_count} - {name}", flush=True)
    return bool(good)


def equal(got, want, name):
    if not ok(got == want, name):
        note(f"     got: {got!r}\nexpected: {want!r}")


def has(text, part, name):
    if not ok(part in text, name):
        note(f"expected to find: {part!r}\n              in: {text!r}")


def lacks(text, part, name):
    if not ok(part not in text, name):
        note(f"expected not to find: {part!r}\n                  in: {text!r}")


def done():
    print(f"1..{_count}", flush=True)
    sys.exit(1 if _failed else 0)


def needs_kafka():
    """Where there is none (KAFKA=no) the test ends here."""
    if os.environ.get("KAFKA") != "no":
        return
    if _count:
        print(f"ok {_count + 1} # SKIP the rest needs Kafka\n1..{_count + 1}", flush=True)
        sys.exit(1 if _failed else 0)
    print("1..0 # SKIP it needs Kafka", flush=True)
    sys.exit(0)


def stop(sentence):
    print("".join(f"# {line}\n" for line in sentence.splitlines()) + f"Bail out! {sentence}", flush=True)
    sys.exit(1)


# ---------------------------------------------------------------- servers

def env(name):
    value = os.environ.get(name, "")
    if not value:
        stop(f"{name} is not in the environment: run `make check-persister`, or source run/env first")
    return value


class Redis:
    """Enough of RESP to set things up."""

    class Error(Exception):
        pass

    def __init__(self, db=REDIS_DB):
        self.socket = socket.create_connection((env("REDIS_HOST"), int(env("REDIS_PORT"))), 10)
        self.file = self.socket.makefile("rb")
        self("SELECT", db)

    def __call__(self, *words):
        out = b"*%d\r\n" % len(words)
        for word in words:
            data = word if isinstance(word, bytes) else str(word).encode()
            out += b"$%d\r\n%s\r\n" % (len(data), data)
        self.socket.sendall(out)
        return self._read()

    def _read(self):
        line = self.file.readline()[:-2]
        kind, rest = line[:1], line[1:]
        if kind == b"-":
            raise Redis.Error(rest.decode())
        if kind == b"+":
            return rest.decode()
        if kind == b":":
            return int(rest)
        if kind == b"$":
            if int(rest) < 0:
                return None
            data = self.file.read(int(rest) + 2)[:-2]
            return data.decode()
        return None if int(rest) < 0 else [self._read() for _ in range(int(rest))]

    def replid(self):
        return re.search(r"master_replid:(\w+)", self("INFO", "replication")).group(1)


class Database:
    """A database of MySQL for this test alone; gone at the end."""

    def __init__(self, suffix=""):
        self.name = f"{env('MYSQL_DATABASE')}_{NAME}{suffix}"
        self("DROP DATABASE IF EXISTS `%s`" % self.name, database=None)
        self("CREATE DATABASE `%s` CHARACTER SET utf8mb4 COLLATE utf8mb4_bin" % self.name, database=None)
        atexit.register(self.drop)

    def drop(self):
        self("DROP DATABASE IF EXISTS `%s`" % self.name, database=None)

    def __call__(self, sql, database=""):
        """The rows of the result, as lists of text."""
        command = [MYSQL_CLIENT, "--no-defaults", "--default-character-set=utf8mb4", "-h", env("MYSQL_HOST"),
                   "-P", env("MYSQL_PORT"), "-u", env("MYSQL_USER"), "-BN"]
        if database is not None:
            command.append(database or self.name)
        result = subprocess.run(command, input=sql.encode(), capture_output=True, timeout=60,
                                env={**os.environ, "MYSQL_PWD": env("MYSQL_PASSWORD")})
        if result.returncode != 0:
            raise RuntimeError(result.stderr.decode())
        return [line.split("\t") for line in result.stdout.decode().splitlines()]


class Proxy:
    """A port that leads to a server, or nowhere, as the test wishes."""

    def __init__(self, host, port):
        self.target = (host, int(port))
        self.port = free_port()
        self.listener = None
        self.sockets = []
        self.flowing = threading.Event()
        self.flowing.set()

    def freeze(self):
        """As a server that was stopped with SIGSTOP: connected, and silent."""
        self.flowing.clear()

    def thaw(self):
        self.flowing.set()

    def open(self):
        self.listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    def close(self):
        # shutdown wakes the thread in accept(); close alone would leave it, and the port, there
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for one in self.sockets:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.sockets = []

    def _accept(self, listener):
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            far = socket.create_connection(self.target)
            self.sockets += [near, far]
            for a, b in (near, far), (far, near):
                threading.Thread(target=self._copy, args=(a, b), daemon=True).start()

    def _copy(self, source, sink):
        try:
            while data := source.recv(65536):
                self.flowing.wait()
                sink.sendall(data)
        except OSError:
            pass
        for one in source, sink:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def free_port():
    """One that no outgoing connection takes before the server has it: those begin at 32768."""
    while True:
        port = random.randrange(20000, 32000)
        try:
            with socket.create_server(("127.0.0.1", port)):
                return port
        except OSError:
            pass


# ---------------------------------------------------------------- the program

DIR = tempfile.mkdtemp(prefix="ticket-persister-")
atexit.register(shutil.rmtree, DIR, True)

# nothing of ours from outside, least of all a TICKET_MYSQL_… of whoever runs the tests
SECTIONS = ("MYSQL", "REDIS", "KAFKA", "PERSISTER", "HTTP", "LOG")
CLEAN = {name: value for name, value in os.environ.items()
         if not name.startswith(tuple(f"TICKET_{section}_" for section in SECTIONS))}


def write(name, text):
    path = os.path.join(DIR, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def conf(database, name="persister.conf", **sections):
    """A configuration for the test's servers; sections override: mysql={"port": 1}."""
    have = {
        "mysql": {"host": env("MYSQL_HOST"), "port": env("MYSQL_PORT"), "user": env("MYSQL_USER"),
                  "password": env("MYSQL_PASSWORD"), "database": database.name},
        "redis": {"uri": f"redis://{env('REDIS_HOST')}:{env('REDIS_PORT')}/{REDIS_DB}"},
        "kafka": {"enabled": "no"},
        "http": {"listen": ""},
        "log": {"level": "info"},
    }
    for section, options in sections.items():
        have.setdefault(section, {}).update(options)
    text = ""
    for section, options in have.items():
        text += f"[{section}]\n" + "".join(f"{key} = {value}\n" for key, value in options.items())
    return write(name, text)


class Result:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err


def persister(*args, timeout=60, **environment):
    """Runs a command to its end."""
    result = subprocess.run([PERSISTER, *args], capture_output=True, timeout=timeout, cwd=DIR,
                            stdin=subprocess.DEVNULL, env={**CLEAN, **environment})
    return Result(result.returncode, result.stdout.decode(), result.stderr.decode())


class Daemon:
    def __init__(self, path, name="daemon", **environment):
        self.log_path = os.path.join(DIR, name + ".log")
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen([PERSISTER, "-c", path], stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, cwd=DIR, env={**CLEAN, **environment})
        atexit.register(self.kill)

    def log(self):
        with open(self.log_path, encoding="utf-8") as log:
            return log.read()

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def wait(self, timeout=60):
        """Its exit status; None: it still runs."""
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None

    def stop(self):
        self.signal(signal.SIGTERM)
        return self.wait()


def wait_for(what, seconds=20):
    """The first true answer of what(), or its last one."""
    end = time.monotonic() + seconds
    while True:
        answer = what()
        if answer or time.monotonic() > end:
            return answer
        time.sleep(0.05)


def http(port, path, method="GET", data=None):
    """Status, headers, body; status 0: nobody answers."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method, data=data)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.headers, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read().decode()
    except OSError:
        return 0, {}, ""


def health(port):
    status, _, body = http(port, "/health")
    return status, json.loads(body) if body else {}
