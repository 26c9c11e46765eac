#!/usr/bin/env bash
# stack/ctl is what every fault test trusts: when it says a server is stopped or dead, it is, and
# when it says it is ready, it answers. And it never touches a process that is not the stack's.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1

count=0 failed=0
# check NAME COMMAND...: ok when the command succeeds
check() {
    local name=$1 out
    shift
    count=$((count + 1))
    if out=$("$@" 2>&1); then
        echo "ok $count - $name"
    else
        failed=$((failed + 1))
        printf 'not ok %s - %s\n%s\n' "$count" "$name" "# ${out//$'\n'/$'\n'# }"
    fi
}
is() { [[ $1 == "$2" ]] || { echo "got '$1', expected '$2'"; return 1; }; }
says() {
    local expected=$1 out
    shift
    if out=$("$@" 2>&1); then echo "it succeeded: $out"; return 1; fi
    [[ $out == *"$expected"* ]] || { echo "$out"; return 1; }
}
status() { stack/ctl status | awk -v name="$1" '$1 == name {print $2}'; }
answers() { timeout 20 bash -c "until stack/ctl ready $1; do sleep 0.1; done 2>/dev/null"; }
gone() { [[ ! -e /proc/$1/cmdline || -z $(tr -d '\0' <"/proc/$1/cmdline") ]]; }

servers=$(stack/ctl status | awk '{print $1}')
for server in $servers; do
    # what had just to do without another server may need a moment
    check "$server runs" answers "$server"
    check "and this is its state" is "$(status "$server")" running
    pid=$(stack/ctl pid "$server")

    stack/ctl pause "$server"
    check "$server is paused" is "$(status "$server")" paused
    check "$server is as it was before" is "$(stack/ctl pid "$server")" "$pid"
    stack/ctl resume "$server"
    check "$server answers again" answers "$server"
    check "starting what runs does nothing" stack/ctl start "$server"
    check "the same process" is "$(stack/ctl pid "$server")" "$pid"

    stack/ctl pause "$server"
    check "$server stops even when it is paused" stack/ctl stop "$server"
    check "its process is gone" gone "$pid"
    check "and this is its state" is "$(status "$server")" stopped
    check "killing what does not run is refused" says "is not running" stack/ctl kill "$server"
    check "$server starts" stack/ctl start "$server"
    pid=$(stack/ctl pid "$server")

    check "$server is killed" stack/ctl kill "$server"
    check "its process is gone, too" gone "$pid"
    check "$server starts after it was killed" stack/ctl start "$server"
done

# what stands in a pid file may be somebody else's pid by now
sleep 300 &
other=$!
stack/ctl stop persister >/dev/null
. "$RUN_DIR/env"
echo "$other" >"$PERSISTER_PID"
check "a pid file with another's pid means stopped" is "$(status persister)" stopped
stack/ctl stop persister >/dev/null
check "which is left alone" kill -0 "$other"
kill "$other"

python3 -m http.server --bind 127.0.0.1 "${PERSISTER_URL##*:}" >/dev/null 2>&1 &
other=$!
timeout 10 bash -c "until curl -s $PERSISTER_URL >/dev/null; do sleep 0.1; done"
check "a port that is taken is said" says "port ${PERSISTER_URL##*:}, for persister, is taken" stack/ctl start persister
kill "$other"
wait "$other" 2>/dev/null
check "and then it starts" stack/ctl start persister

check "an unknown server is refused" says "usage: " stack/ctl stop postgres
check "an unknown command is refused" says "usage: " stack/ctl explode redis
check "no stack, no control" says "there is no stack in" env RUN_DIR="$RUN_DIR/none" stack/ctl status
check "two servers on one port are refused" says "another server of this stack has it" \
    env RUN_DIR="$RUN_DIR/none" REDIS_PORT=17001 MYSQL_PORT=17001 stack/up
check "other settings for a running stack are refused" says "a stack with other settings runs" \
    env TOPIC_PARTITIONS=5 stack/up
check "a path that configurations could misread is refused" says "may be in this path" \
    env RUN_DIR="$RUN_DIR/a b" stack/up

echo "1..$count"
exit $((failed > 0))
