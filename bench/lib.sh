# What the figures share: a stack of their own, more nginxes beside its own, CPU time, load, results.
# Sourced by each bench/NAME; its head says what it measures and how.
# shellcheck shell=bash disable=SC2034

. "$(dirname "${BASH_SOURCE[0]}")/../stack/lib.sh"
BENCH=$ROOT/bench
RESULTS=${RESULTS:-$ROOT/bench/results}

export RUN_DIR=${BENCH_DIR:-$ROOT/run/bench}
export NGINX_PORT=${NGINX_PORT:-18480} PERSISTER_PORT=${PERSISTER_PORT:-18490}
export REDIS_PORT=${REDIS_PORT:-16780} MYSQL_PORT=${MYSQL_PORT:-13707}
export KAFKA_PORT=${KAFKA_PORT:-19592} KAFKA_CONTROLLER_PORT=${KAFKA_CONTROLLER_PORT:-19593}
export KAFKA=${KAFKA:-yes} SAMPLES=no
# the nginx under load: not the stack's, whose configuration is the example's
EDGE_PORT=${EDGE_PORT:-18481}
WORKERS=${WORKERS:-2} CONNECTIONS=${CONNECTIONS:-256}
. "$ROOT/stack/settings.sh"
. "$ROOT/stack/proc.sh"

started_here=()

# begin NAME: nobody else may measure here at the same time, and what an earlier run left is gone
begin() {
    FIGURE=$1
    make --no-print-directory -s -C "$ROOT" all
    mkdir -p "$RESULTS" "$RUN_DIR"
    exec 8>"$RUN_DIR/bench.lock"
    flock -n 8 || die "another bench runs in $RUN_DIR: wait for it, or set BENCH_DIR and the *_PORTs"
    trap finish EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    IDLE=$(idle)
    ((IDLE >= 90)) || say "WARNING: this machine is only $IDLE % idle: the figures will not be right" >&2
    ROUNDS_FILE=$RUN_DIR/$FIGURE.rounds
    : >"$ROUNDS_FILE"
    "$ROOT/stack/down" --wipe
}

finish() {
    local status=$? name
    trap '' INT TERM
    for name in "${started_here[@]}"; do end_process "$name"; done
    [[ ${KEEP:-no} == yes ]] || "$ROOT/stack/down" --wipe >/dev/null || status=1
    exit "$status"
}

# what part of the machine nobody uses now, in percent
idle() {
    local a b c d e f g h rest
    read -r _ a b c d rest </proc/stat
    sleep 2
    read -r _ e f g h rest </proc/stat
    echo $(((h - d) * 100 / (e + f + g + h - a - b - c - d)))
}

# stack_up [SERVER...]: of the stack; AOF rewrites would fall into one run and not into another
stack_up() {
    "$ROOT/stack/up" "$@"
    . "$RUN_DIR/env"
    rcli CONFIG SET auto-aof-rewrite-percentage 0 >/dev/null
}

rcli() { redis-cli -h 127.0.0.1 -p "$REDIS_PORT" "$@"; }
sql() {
    MYSQL_PWD=$MYSQL_PASSWORD mariadb --no-defaults -h 127.0.0.1 -P "$MYSQL_PORT" -u "$MYSQL_USER" -sN "$MYSQL_DATABASE" -e "$1"
}

# open_ticket NAME [CAPACITY]: through the stack's nginx, opened by its persister
open_ticket() {
    until_true 30 put_ticket "$1" "${2:-100000000}" || die "ticket $1 is not defined; see $RUN_DIR/log"
    until_true 30 ticket_open "$1" || die "ticket $1 is not opened; see $RUN_DIR/log"
}
put_ticket() {
    curl -fsS -m 5 -X PUT -H 'Content-Type: application/json' -d "{\"capacity\":$2}" \
        "http://127.0.0.1:$NGINX_PORT/admin/tickets/$1"
}
ticket_open() { curl -fsS -m 2 "http://127.0.0.1:$NGINX_PORT/tickets/$1" | jq -e '.state == "open"'; }

# forget_ticket NAME: frees Redis' memory, when nobody stores it any more
forget_ticket() { rcli UNLINK "ticket:{$1}:buyers" "ticket:{$1}:outbox:0" >/dev/null; }

# edge NAME PORT KAFKA [REDIS_PORT]: one more nginx; KAFKA is what follows ticket_kafka. EDGE_UNDER: a program to run it
# under; EDGE_MAIN: more directives of its main block.
EDGE_UNDER=() EDGE_MAIN=
edge() {
    local dir=$RUN_DIR/$1 user=
    mkdir -p "$dir" "$RUN_DIR/log" "$RUN_DIR/pids"
    ((EUID != 0)) || user="user root;"
    sed -e "s|@USER@|$user|; s|@DIR@|$dir|; s|@MODULE@|$NGINX_MODULE|; s|@WORKERS@|$WORKERS|" \
        -e "s|@PORT@|$2|; s|@KAFKA@|$3|; s|@REDIS_PORT@|${4:-$REDIS_PORT}|" "$BENCH/nginx.conf.in" >"$dir/nginx.conf"
    printf 'bench %s\n' "$(openssl rand -hex 32)" >"$dir/pass.keys"
    ! port_open "$2" || die "port $2 is taken"
    launch "$1" "${EDGE_UNDER[@]}" nginx -p "$dir/" -e "$dir/error.log" -c "$dir/nginx.conf" \
        -g "daemon off; $EDGE_MAIN"
    started_here+=("$1")
    until_true 20 curl -fsS -m 2 "http://127.0.0.1:$2/ready" || die "the edge does not get ready: $dir/error.log"
}

# end_process NAME: what `launch` started
end_process() {
    local pid
    pid=$(pid_of "$1") || return 0
    kill "$pid"
    until_true 20 all_gone "$pid" || kill -KILL "$pid"
    forget "$1"
}

# the worker processes of an edge
workers() {
    local main
    main=$(pid_of "$1")
    tree "$main" | grep -vx "$main"
}

# cpu_us PID...: CPU time these processes, with their threads, have used
cpu_us() {
    local pid stat ticks=0
    for pid; do
        stat=$(cat "/proc/$pid/stat")
        # shellcheck disable=SC2086
        set -- ${stat##*) }
        ticks=$((ticks + ${12} + ${13}))
    done
    echo $((ticks * 1000000 / $(getconf CLK_TCK)))
}

# rss_kb PID...: memory these processes have to themselves, and what they share only once
rss_kb() {
    local pid
    for pid; do awk '/^Pss:/ {print $2}' "/proc/$pid/smaps_rollup"; done | awk '{n += $1} END {print n}'
}

# resident_kb PID...: as ps shows it; it does not depend on who else has the same libraries loaded
resident_kb() {
    local pid
    for pid; do awk '/^VmRSS:/ {print $2}' "/proc/$pid/status"; done | awk '{n += $1} END {print n}'
}

# load SECONDS URL SCRIPT [TICKET]: wrk's report as JSON
load() {
    TICKET=${4-} timeout $(($1 + 60)) wrk -t2 -c"$CONNECTIONS" -d"$1s" -s "$BENCH/$3.lua" "$2" | tail -n 1
}

# metric PAGE NAME: the sum of a family (with labels, when they are given)
metric() { curl -fsS -m 5 "$1" | awk -v name="$2" 'index($1, name) == 1 {n += $2} END {printf "%d\n", n}'; }

# round JSON...: note one round
round() { jq -c . <<<"$1" >>"$ROUNDS_FILE"; }

# conclude JQ-FILTER: rounds → figures [{name, value, unit, limit, sense}], shown and kept
conclude() {
    jq -s --arg figure "$FIGURE" --arg at "$(date -u +%FT%TZ)" --argjson idle "$IDLE" \
        --arg machine "$(machine)" --arg commit "$(git -C "$ROOT" describe --always --dirty 2>/dev/null || true)" '
        def median: sort | if length == 0 then null elif length % 2 == 1 then .[length / 2 | floor]
            else (.[length / 2] + .[length / 2 - 1]) / 2 end;
        def round_to(n): if . == null then null else . * n | round / n end;
        . as $rounds | {figure: $figure, at: $at, machine: $machine, commit: $commit, idle_percent: $idle,
            figures: ('"$1"'), rounds: $rounds}' "$ROUNDS_FILE" >"$RESULTS/$FIGURE.json"
    "$BENCH/report" "$RESULTS/$FIGURE.json"
}

machine() {
    printf '%s × %s, %s GB, Linux %s; nginx %s, redis %s, %s' "$(nproc)" \
        "$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)" \
        "$(awk '/^MemTotal/ {printf "%d", $2 / 1048576 + 0.5}' /proc/meminfo)" "$(uname -r | cut -d- -f1)" \
        "$(nginx -v 2>&1 | sed 's|.*/||; s/ .*//')" "$(redis-server --version | sed 's/.*v=\([0-9.]*\).*/\1/')" \
        "$(mariadbd --version 2>/dev/null | sed 's/.*Ver \([0-9.]*-MariaDB\).*/\1/')"
}
