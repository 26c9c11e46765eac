"""What the tests of docker-compose.yml share: TAP, and where things are."""

import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCKER = ROOT / "docker"
os.environ["PATH"] += ":/usr/local/sbin:/usr/sbin:/sbin"
count = failed = 0


def check(good, name, *why):
    """One test; `why` is shown when it fails."""
    global count, failed
    count += 1
    print("ok" if good else "not ok", count, "-", name, flush=True)
    if not good:
        failed += 1
        for line in "\n".join(str(w) for w in why).splitlines():
            print("#", line, flush=True)


def done():
    print(f"1..{count}")
    sys.exit(1 if failed else 0)


def run(*command, **options):
    """(status, everything it said)"""
    result = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            stdin=subprocess.DEVNULL, timeout=120, text=True, check=False, **options)
    return result.returncode, result.stdout


def runs(name, *command, **options):
    status, said = run(*command, **options)
    check(status == 0, name, said)
    return said


def scratch():
    return pathlib.Path(tempfile.mkdtemp(prefix="ticket-compose-"))


def forget(folder):
    shutil.rmtree(folder, ignore_errors=True)


def free_port():
    """Not one the kernel gives to clients."""
    for port in range(24000 + os.getpid() % 4000, 32000):
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise SystemExit("Bail out!  no free port")


def page(url, seconds=20):
    """Its text, as soon as there is one."""
    end = time.time() + seconds
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return answer.read().decode()
        except OSError:
            if time.time() > end:
                raise
            time.sleep(0.05)


def nginx_conf(folder, redis, public, office):
    """docker/nginx.conf with places of this machine in it; the names of other containers mean nothing here."""
    conf = (DOCKER / "nginx.conf").read_text()
    paths = "".join(f"{k}_temp_path {folder}/{k};\n" for k in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    for old, new in (
            ("modules/ngx_http_ticket_module.so", f"{ROOT}/build/ngx_http_ticket_module.so"),
            ("user www-data;", "user root;" if os.geteuid() == 0 else ""),
            ("worker_processes auto;", f"worker_processes 1;\nlock_file {folder}/lock;"),
            ("pid /run/nginx.pid;", f"pid {folder}/nginx.pid;"),
            ("error_log /dev/stderr;", f"error_log {folder}/error.log;"),
            ("redis://redis:6379/0", f"redis://127.0.0.1:{redis}/0"),
            ("/var/lib/ticket/ticket.keys", f"{folder}/ticket.keys"),
            ("brokers=kafka:9092", "brokers=127.0.0.1:1"),
            ("access_log /dev/stdout ticket;", f"access_log {folder}/access.log ticket;\n{paths}"),
            ("listen 8080 ", f"listen 127.0.0.1:{public} "),
            ("listen 8081;", f"listen 127.0.0.1:{office};")):
        if old not in conf:
            raise SystemExit(f"Bail out!  docker/nginx.conf has no '{old}'")
        conf = conf.replace(old, new)
    (folder / "ticket.keys").write_text("test " + "0" * 64 + "\n")
    path = folder / "nginx.conf"
    path.write_text(conf)
    return ["nginx", "-p", folder, "-e", folder / "error.log", "-c", path]
