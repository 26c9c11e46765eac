#!/usr/bin/env python3
"""The program is built with warnings as errors, says which package is missing, and installs."""

import os
import subprocess

from base import ROOT, DIR, equal, has, lacks, ok, done


def make(*args, **environment):
    result = subprocess.run(["make", "-C", os.path.join(ROOT, "persister"), "--no-print-directory", *args],
                            capture_output=True, text=True, timeout=600, env={**os.environ, **environment})
    return result.returncode, result.stdout + result.stderr


code, out = make("-n", "-B", "objects")
equal(code, 0, "make says what it would do")
lines = [line for line in out.splitlines() if " -c -o " in line]
ok(len(lines) > 10, "it compiles the persister's and the codec's files")
for flag in "-std=c11", "-Wall", "-Wextra", "-Wshadow", "-Wstrict-prototypes", "-Werror":
    ok(lines and all(flag in line.split() for line in lines), f"each with {flag}")

code, out = make()
equal(code, 0, "it builds")
lacks(out, "warning", "without a warning")

code, out = make("-n", PKG_CONFIG="false")
ok(code != 0, "without a library it does not build")
has(out, "apt-get install libhiredis-dev", "and names the package")

code, out = make("-n", "clean", PKG_CONFIG="false")
equal(code, 0, "clean needs no library")

code, out = make("install", f"DESTDIR={DIR}/destdir", "PREFIX=/opt/tickets")
equal(code, 0, "it installs")
for path in "opt/tickets/bin/ticket-persister", "etc/ticket-persister/persister.conf.example", \
        "opt/tickets/lib/systemd/system/ticket-persister.service", \
        "opt/tickets/share/doc/ticket-persister/README.md":
    ok(os.path.isfile(os.path.join(DIR, "destdir", path)), f"/{path}")
with open(f"{DIR}/destdir/opt/tickets/lib/systemd/system/ticket-persister.service") as unit:
    has(unit.read(), "ExecStart=/opt/tickets/bin/ticket-persister -c /etc/ticket-persister/persister.conf",
        "the unit starts what was installed")

done()
