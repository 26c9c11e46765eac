#!/usr/bin/env python3
"""lua/embed: what reaches Redis is Lua without globals of its own, what
reaches C compiles without a warning, and both are the same text."""

import os
import re
import shutil
import subprocess
import tempfile

from redis_test import CODES, EMBED, ROOT, Tap, source

tap = Tap()
lua = os.path.join(ROOT, "lua")
names = sorted(f[:-4] for f in os.listdir(lua)
               if f.endswith(".lua") and not f.startswith("prelude"))
allowed = {"redis", "KEYS", "ARGV", "unpack", "tonumber", "tostring", "type",
           "pairs", "next", "pcall", "math", "string", "table"}


def run(*words, text=None, cwd=None):
    return subprocess.run(words, input=text, cwd=cwd, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE)


tap.eq(names, sorted("book cancel booking ticket define delete bookings ack "
                     "claim open replay selftest takeover queue_enter "
                     "queue_advance queue_leave queue_define queue_room"
                     .split()), "the scripts")
for name in names:
    text = source(name)
    got = run("luac5.1", "-p", "-", text=text)
    tap.eq((got.returncode, got.stderr), (0, b""), name + ": syntax")
    listing = run("luac5.1", "-l", "-p", "-", text=text).stdout.decode()
    tap.eq(re.findall(r"SETGLOBAL.*", listing), [], name + ": sets no global")
    used = set(re.findall(r"GETGLOBAL.*; (\w+)", listing))
    tap.eq(used - allowed, set(), name + ": reads only Redis' own globals")
    with open(os.path.join(lua, name + ".lua")) as file:
        lines = file.read().split("\n")
    tap.ok(len(lines) - 1 <= 80, name + ": at most 80 lines")
    tap.ok(max(map(len, lines)) <= 80, name + ": of at most 80 columns")
    for part in ("KEYS", "ARGV", "Returns", "Errors"):
        tap.ok(any(re.match("-- %s " % part, line) for line in lines),
               "%s: its header says %s" % (name, part))
    tap.ok(b"--" not in text and b"\n " not in text,
           name + ": no comments, no indentation")
    tap.ok(not re.search(rb"'(DEL|HGETALL|SMEMBERS|KEYS|FLUSHALL)'", text),
           name + ": nothing that blocks on what is large")

with tempfile.TemporaryDirectory() as folder:
    header = run(EMBED, "header")
    tap.eq((header.returncode, header.stderr), (0, b""), "the header is made")
    with open(folder + "/scripts.h", "wb") as file:
        file.write(header.stdout)
    with open(folder + "/print.c", "w") as file:
        file.write('#include "scripts.h"\n#include "scripts.h"\n'
                   '#include <stdio.h>\n#include <string.h>\n'
                   '#define P(n) if (strcmp(v[1], #n) == 0) '
                   'fputs(ticket_script_##n, stdout);\n'
                   '#define N(n) puts(#n);\n'
                   'int main(int c, char **v) {\n'
                   'if (c < 2) { TICKET_SCRIPTS(N) TICKET_CODES(N) } else '
                   '{ TICKET_SCRIPTS(P) }\n')
        for number, code in CODES.items():
            file.write("if (TICKET_CODE_%s != %d) return 1;\n" % (code, number))
        file.write("return 0; }\n")
    got = run("cc", "-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic",
              "-o", "print", "print.c", cwd=folder)
    tap.eq((got.returncode, got.stderr), (0, b""), "C takes it, no warning")
    got = run(folder + "/print")
    tap.eq((got.returncode, got.stdout.decode().split()),
           (0, names + list(CODES.values())),
           "the codes, and the lists of scripts and of codes")
    for name in names:
        tap.ok(run(folder + "/print", name).stdout == source(name),
               name + ": the same text in C")
    for name in names:
        with open(os.path.join(lua, name + ".lua")) as file:
            first = file.readline()[3:].strip()
        tap.ok(first.encode() in header.stdout,
               name + ": its header comment is in the C header")

    # what may not be in a source
    copy = folder + "/lua"
    shutil.copytree(lua, copy)

    def refuses(text, part, title):
        with open(copy + "/book.lua", "w") as file:
            file.write(text)
        got = run(copy + "/embed", "script", "book")
        tap.ok(got.returncode == 1 and part in got.stderr, title)
        got = run(copy + "/embed", "header")
        tap.ok(got.returncode == 1 and part in got.stderr,
               title + ", for the header")

    refuses("return {NO_CODE}\n", b"book.lua:1: no code NO_CODE",
            "an unknown code is an error")
    refuses("local a\nlocal b = [[x]]\n", b"book.lua:2", "long brackets")
    refuses("--[[ x\n]]\n", b"book.lua:1", "long comments")
    refuses("return 'x\n", b"string does not end", "a string that does not end")
    refuses("return '\u00e9'\n", b"not ASCII", "bytes that are not ASCII")
    refuses("", b"empty", "an empty file")
    refuses("-- Uses  prelude_no.lua\nreturn 1\n", b"prelude_no.lua",
            "a prelude that is not there")
    with open(copy + "/prelude_self.lua", "w") as file:
        file.write("-- Uses  prelude_self.lua\nlocal a\n")
    refuses("-- Uses  prelude_self.lua\nreturn 1\n", b"uses itself",
            "a prelude that uses itself")
    with open(copy + "/book.lua", "w") as file:
        file.write("-- a */ b ??/ c\nreturn {OK, 'OK -- \\'SOLD_OUT\\'', "
                   "\"CLOSED ??/ \\\\\"} -- PAUSED\n")
    text = run(copy + "/embed", "script", "book").stdout.decode()
    tap.eq(text.rstrip("\n").split("\n")[-1],
           "return {0, 'OK -- \\'SOLD_OUT\\'', \"CLOSED ??/ \\\\\"}",
           "codes are replaced in code, not in strings")
    with open(folder + "/scripts.h", "wb") as file:
        file.write(run(copy + "/embed", "header").stdout)
    got = run("cc", "-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic",
              "-o", "print", "print.c", cwd=folder)
    tap.eq((got.returncode, got.stderr), (0, b""),
           "trigraphs and ends of comments do no harm in C")
    tap.eq(run(folder + "/print", "book").stdout.decode(), text,
           "... and nothing is changed")

    with open(copy + "/codes", "a") as file:
        file.write("AGAIN 20\n")
    got = run(copy + "/embed", "script", "ticket")
    tap.ok(got.returncode == 1 and b"given twice" in got.stderr,
           "a number given twice")

for words in ([], ["script"], ["script", "no"], ["script", "prelude"],
              ["script", "prelude_batch"], ["script", "../book"], ["what"],
              ["header", "x"]):
    got = run(EMBED, *words)
    tap.ok(got.returncode == 2 and got.stderr and not got.stdout,
           "lua/embed %s: usage" % " ".join(words))
for awk in ("mawk", "gawk"):
    if shutil.which(awk):
        with tempfile.TemporaryDirectory() as folder:
            os.symlink(shutil.which(awk), folder + "/awk")
            env = {**os.environ, "PATH": folder + ":" + os.environ["PATH"]}
            got = subprocess.run([EMBED, "header"], env=env,
                                 stdout=subprocess.PIPE)
            tap.ok(got.stdout == header.stdout, "the same by " + awk)
tap.done()
