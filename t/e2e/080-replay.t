#!/usr/bin/env python3
"""The whole topic read again from offset 0 by a new consumer group changes not one row.

Offsets get lost, groups get renamed, topics get rewound by hand: then the persister is told everything
again, bookings of users who have cancelled since among it. It must know each event for a duplicate.
A second persister does it here, beside the first, on the same MySQL and Redis.
"""

import configparser
import os
import signal
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from client import Cut
from stack import free_port, is_, main, ok, quote


def in_the_topic(stack):
    """Messages between the first and the last offset of every partition."""
    def offsets(which):
        topic, broker = stack.env["KAFKA_TOPIC"], stack.env["KAFKA_BOOTSTRAP"]
        listed = subprocess.run(["kcat", "-b", broker, "-L", "-t", topic], check=True, text=True, timeout=60,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE).stdout
        partitions = listed.count("    partition ")
        asked = [word for p in range(partitions) for word in ("-t", f"{topic}:{p}:{which}")]
        out = subprocess.run(["kcat", "-b", broker, "-Q", *asked], check=True, text=True, timeout=60,
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE).stdout
        return sum(int(line.rsplit(" ", 1)[1]) for line in out.splitlines())
    return offsets(-1) - offsets(-2)


def checksums(stack):
    return [stack.sql(f"CHECKSUM TABLE {table}")[0][1] for table in
            ("purchases", "tickets", "lane_progress", "late_events", "dead_letters")]


async def test(stack):
    # events of both kinds in the topic, also when this file is run alone
    ticket = await stack.create(stack.name("replay"), 1000, lanes=2)
    async with stack.client(connections=32) as client:
        async def story(number):
            path, user = f"/tickets/{quote(ticket)}/booking", f"user-{number}"
            await client.ask("POST", path, user)
            if number % 2:
                await client.ask("DELETE", path, user)
        await client.run(story(n) for n in range(500))
    await stack.stored(ticket)
    # the workers have sent all they had when the topic does not grow any more
    sizes = [in_the_topic(stack)]

    def grown():
        sizes.append(in_the_topic(stack))
        return sizes[-2] == sizes[-1]
    await stack.until(grown, "nothing more comes into the topic", 60, every=2)

    async def idle():
        return (await stack.persister_metrics()).get("ticket_persister_lag_events") == 0

    await stack.until(idle, "the persister has nothing left to do", 60)

    messages, before = in_the_topic(stack), checksums(stack)
    ok(messages >= 750, f"there are {messages} messages in the topic")

    conf = configparser.ConfigParser(interpolation=None)
    conf.read(stack.env["PERSISTER_CONF"])
    port = free_port()
    conf["kafka"]["group"] = f"replay-{stack.tag}"
    conf["http"]["listen"] = f"127.0.0.1:{port}"
    path = os.path.join(stack.run_dir, "replay.conf")
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        conf.write(file)

    with open(os.path.join(stack.run_dir, "log", "replay.log"), "w") as log:
        second = subprocess.Popen([stack.env["PERSISTER_BIN"], "-c", path], stdin=subprocess.DEVNULL,
                                  stdout=log, stderr=log)
    try:
        async def read():
            if second.poll() is not None:
                raise RuntimeError(f"the second persister ended with {second.returncode}: see {log.name}")
            try:
                metrics = await stack.scrape(f"http://127.0.0.1:{port}")
            except Cut:
                return None         # not there yet
            return metrics if metrics.get("ticket_persister_messages_total") >= messages else None
        metrics = await stack.until(read, "the second persister has read the topic", 120, every=0.5)
        read_all = metrics.get("ticket_persister_messages_total")

        # counted when a batch is done, a moment after it was read
        async def counted():
            got = await stack.scrape(f"http://127.0.0.1:{port}")
            return got if got.get("ticket_persister_duplicates_total") >= messages else None
        metrics = await stack.until(counted, f"{messages} duplicates are counted", 60, every=0.5)
        is_(read_all, messages, "all of them were read")
        is_(metrics.get("ticket_persister_duplicates_total"), messages, "each was counted as a duplicate")
        is_(metrics.get("ticket_persister_applied_total"), 0, "none was applied")
        is_(metrics.get("ticket_persister_late_total"), 0, "none was taken for a late one")
        is_(metrics.get("ticket_persister_malformed_total"), 0, "none was unreadable")
        is_(metrics.get("ticket_persister_rows_total"), 0, "no row was touched")
        is_(checksums(stack), before, "no row of any table changed, ids included")
    finally:
        second.send_signal(signal.SIGTERM)
        try:
            status = second.wait(60)
        except subprocess.TimeoutExpired:
            status = "still there"
            second.kill()
    is_(status, 0, "it stops gracefully")


main(test, kafka=True)
