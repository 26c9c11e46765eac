#!/usr/bin/env python3
"""What is wrong in a configuration is refused with its file and line, and secrets stay secret."""

import signal

from base import DIR, Daemon, Database, Redis, conf, done, env, equal, free_port, has, health, lacks, ok, \
    persister, wait_for, write


def refused(text, sentence, name, **environment):
    path = write("wrong.conf", text)
    result = persister("-c", path, "migrate", **environment)
    equal(result.code, 2, f"{name}: exit status 2")
    equal(result.err, f"ticket-persister: {sentence.replace('FILE', path)}\n", name)


for text, sentence, name in [
    ("[mysql]\nport = 1\n[nothing]\na = b\n", "FILE:4: there is no section [nothing]", "unknown section"),
    ("[mysql]\n\n# here\nprot = 1\n", "FILE:4: there is no option prot in [mysql]", "unknown option"),
    ("host = x\n", "FILE:1: host stands before the first [section]", "no section"),
    ("[mysql]\nport = 0\n", "FILE:2: port must be a number from 1 to 65535", "below the bounds"),
    ("[mysql]\nport = 65536\n", "FILE:2: port must be a number from 1 to 65535", "above the bounds"),
    ("[mysql]\nport = 99999999999999999999\n", "FILE:2: port must be a number from 1 to 65535", "a very long number"),
    ("[mysql]\nport = 3306x\n", "FILE:2: port must be a number from 1 to 65535", "not a number"),
    ("[mysql]\nport = -1\n", "FILE:2: port must be a number from 1 to 65535", "a sign"),
    ("[mysql]\nport = 0x10\n", "FILE:2: port must be a number from 1 to 65535", "a hexadecimal number"),
    ("[mysql]\nport =\n", "FILE:2: port must be a number from 1 to 65535", "an empty number"),
    ("[mysql]\nhost =\n", "FILE:2: host must not be empty", "an empty host"),
    ("[kafka]\nenabled = true\n", "FILE:2: enabled must be yes or no", "a switch"),
    ("[kafka]\nproperty = fetch.min.bytes\n", "FILE:2: property must be name=value, separated by ;", "no pair"),
    ("[log]\nlevel = loud\n", "FILE:2: level must be error, warn, info or debug", "a level"),
    ("[http]\nlisten = 9090\n",
     "FILE:2: listen must be address:port, such as 127.0.0.1:9090 or [::1]:9090", "no address"),
    ("[http]\nlisten = localhost:9090\n",
     "FILE:2: listen must be address:port, such as 127.0.0.1:9090 or [::1]:9090", "a name for an address"),
    ("[redis]\nuri = rediss://h:1/0\n",
     "FILE:2: uri must be redis://[user:password@]host:port/db or unix:/path", "another scheme"),
    ("[redis]\nuri = redis://h:0/0\n",
     "FILE:2: uri needs a host, and its port must be a number from 1 to 65535", "port 0"),
    ("[redis]\nuri = redis://:1/0\n",
     "FILE:2: uri needs a host, and its port must be a number from 1 to 65535", "no host"),
    ("[redis]\nuri = redis://h/x\n", "FILE:2: uri the database after the last / must be a number", "db"),
    ("[redis]\nuri = redis://word@h\n",
     "FILE:2: uri before the @ must stand user:password or :password, with anything special written as %XX",
     "no colon before the @"),
    ("[redis]\nuri = redis://:a%zz@h\n",
     "FILE:2: uri before the @ must stand user:password or :password, with anything special written as %XX",
     "a wrong %XX"),
    ("[redis]\nuri = unix:relative\n", "FILE:2: uri unix: needs an absolute path of at most 107 bytes", "a path"),
    ("[mysql]\nhost = a\nhost = b\n", "FILE:3: host is given twice", "twice"),
    ("[mysql]\npassword = a\npassword_file = /b\n", "FILE:3: password is given twice", "twice, once by file"),
    ("[mysql]\nhost_file = /b\n", "FILE:2: there is no option host_file in [mysql]", "no secret, no file"),
    ("[mysql]\npassword_file = /nowhere/p\n",
     "FILE:2: password_file cannot be read: No such file or directory", "no such file"),
    ("[mysql]\nhost = a\n  port = 1\n", "FILE:3: the line must not begin with a blank", "indented"),
    ("[mysql]\nhost\n", "FILE:2: is neither [section], option = value nor a comment", "no ="),
    ("[mysql\nhost = a\n", "FILE:1: is neither [section], option = value nor a comment", "no ]"),
    ("[mysql]\nhost = " + "h" * 192 + "\n", "FILE:2: the line is longer than 198 bytes", "199 bytes"),
    ("[mysql]\n# " + "c" * 300 + "\n", "FILE:2: the line is longer than 198 bytes", "a long comment"),
    ("[mysql]\nhost = a\0b\n", "FILE:2: the line holds a NUL", "a NUL"),
]:
    refused(text, sentence, name)

result = persister("-c", write("wrong.conf", "[kafka]\nproperty = no.such.thing=1\n"), "migrate")
has(result.err, "wrong.conf:2: property holds no.such.thing, which librdkafka", "a property nobody knows")
result = persister("-c", write("wrong.conf", "[kafka]\nproperty = acks=hush\n"), "migrate")
has(result.err, "wrong.conf:2: property holds acks with a value that librdkafka", "a value it does not take")
lacks(result.err, "hush", "which is not shown: it could be a secret")
result = persister("-c", "/nowhere/x.conf")
equal((result.code, result.err),
      (2, "ticket-persister: /nowhere/x.conf: cannot be read: No such file or directory\n"), "no such file")
result = persister("-c", DIR)
equal((result.code, result.err),
      (2, f"ticket-persister: {DIR}: cannot be read: Is a directory\n"), "a folder")

# what is good is as long as can be, has Windows' line ends, comments, and no line end at its end
good = write("good.conf", "\ufeff# a comment\r\n[mysql]\r\nhost = " + "h" * 191 + "\r\n; another\r\n"
                          "  # indented\r\nport = 1 ; at the end\r\n[kafka]\r\nproperty = a=b")
result = persister("-c", good, "migrate")
has(result.err, f"{good}:8: property holds a,", "a line of 198 bytes and the rest were read")

# ---------------------------------------------------------------- the environment

for variable, value, sentence in [
    ("TICKET_MYSQL_PORT", "x", "environment:TICKET_MYSQL_PORT: port must be a number from 1 to 65535"),
    ("TICKET_MYSQL_PROT", "1", "environment:TICKET_MYSQL_PROT: there is no such option"),
    ("TICKET_LOG_LEVEL", "x", "environment:TICKET_LOG_LEVEL: level must be error, warn, info or debug"),
    ("TICKET_MYSQL_PASSWORD_FILE", "/nowhere",
     "environment:TICKET_MYSQL_PASSWORD_FILE: password_file cannot be read: No such file or directory"),
]:
    result = persister("migrate", **{variable: value})
    equal((result.code, result.err), (2, f"ticket-persister: {sentence}\n"), f"{variable}={value}")

database = Database()
path = conf(database, mysql={"port": 1, "password": "wrong"})
result = persister("-c", path, "migrate", TICKET_MYSQL_PORT=env("MYSQL_PORT"), TICKET_URL="http://x",
                   TICKET_MYSQL_PASSWORD=env("MYSQL_PASSWORD"), TICKET_OFFICE="x", TICKET_="x", TICKET_X_Y="z")
equal(result.code, 0, "the environment wins over the file; other TICKET_ variables are not ours")
result = persister("-c", path, "migrate", TICKET_MYSQL_PORT=env("MYSQL_PORT"),
                   TICKET_MYSQL_PASSWORD_FILE=write("secret", env("MYSQL_PASSWORD") + "\n"))
equal(result.code, 0, "a secret's file in the environment wins too")
result = persister("migrate", TICKET_MYSQL_HOST=env("MYSQL_HOST"), TICKET_MYSQL_PORT=env("MYSQL_PORT"),
                   TICKET_MYSQL_USER=env("MYSQL_USER"), TICKET_MYSQL_PASSWORD=env("MYSQL_PASSWORD"),
                   TICKET_MYSQL_DATABASE=database.name)
equal(result.code, 0, "the environment alone will do")

# ---------------------------------------------------------------- secrets

plain = open(conf(database)).read().replace(f"password = {env('MYSQL_PASSWORD')}\n",
                                            f"password_file = {write('secret', env('MYSQL_PASSWORD'))}\n")
equal(persister("-c", write("secret.conf", plain), "migrate").code, 0, "password_file")

secrets = ["hunter-mysql", "hunter-redis", "hunter%2Dredis", "hunter-kafka"]
port = free_port()
path = conf(database, log={"level": "debug"}, mysql={"password": secrets[0]},
            redis={"uri": f"redis://user:{secrets[2]}@{env('REDIS_HOST')}:{env('REDIS_PORT')}/9"},
            kafka={"property": f"sasl.password={secrets[3]};sasl.username=u"}, http={"listen": f"127.0.0.1:{port}"})
daemon = Daemon(path)
ok(wait_for(lambda: "cannot be used" in daemon.log()), "with a wrong password it waits, and says so")
daemon.signal(signal.SIGHUP)
ok(wait_for(lambda: "configuration read again" in daemon.log()), "and reads its configuration again when told to")
equal(health(port)[0], 503, "/health says DOWN meanwhile")
equal(daemon.stop(), 0, "and stops when told to")

path = conf(database, log={"level": "debug"},
            redis={"uri": f"redis://user:{secrets[2]}@{env('REDIS_HOST')}:{env('REDIS_PORT')}/9"},
            kafka={"property": f"sasl.password={secrets[3]};sasl.username=u"}, http={"listen": f"127.0.0.1:{port}"})
running = Daemon(path, "running")
ok(wait_for(lambda: health(port)[1].get("checks", {}).get("redis") == "down"), "Redis refuses: /health says so")
running.stop()
check = persister("-c", path, "--check")
reconcile = persister("-c", path, "reconcile")
equal((check.code, reconcile.code), (3, 3), "Redis refuses: --check and reconcile end with 3")
has(check.out, "FAIL  redis", "--check says which")

everything = daemon.log() + running.log() + check.out + check.err + reconcile.out + reconcile.err
for secret in secrets + ["redis://user", "hunter"]:
    lacks(everything, secret, f"{secret!r} is nowhere in what the program says")

refused("[kafka]\ntopic = a\ndlq_topic = a\n", "kafka.dlq_topic must not be kafka.topic", "dead letters of dead letters")

# ---------------------------------------------------------------- usage

for args, sentence in [
    (["nonsense"], "there is no such command: nonsense"),
    (["bench"], "there is no such command: bench"),
    (["explode", "now"], "there is no such command: explode"),
    (["migrate", "reconcile"], "one command at a time: reconcile"),
    (["--check", "migrate"], "--check stands alone"),
    (["--wait", "3"], "--wait belongs to reconcile"),
    (["reconcile", "--wait", "x"], "--wait needs a number of seconds: x"),
    (["--repair"], "--repair belongs to reconcile"),
    (["--nonsense"], "unrecognized option '--nonsense'"),
    (["-c"], "option requires an argument -- 'c'"),
]:
    result = persister(*args)
    equal(result.code, 2, f"{' '.join(args)}: exit status 2")
    has(result.err, sentence, sentence)
for args in ["-h"], ["--help"], ["-V"], ["--version"]:
    equal(persister(*args).code, 0, f"{args[0]} is fine")

done()
