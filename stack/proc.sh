# Processes: started apart from us, remembered by pid and start time, and only so ever signalled:
# a pid alone may belong to somebody else by the time it is used.
# shellcheck shell=bash

# when process $1 began, in clock ticks since boot: field 22 of stat, counted behind the
# name in brackets, which may hold blanks; prints nothing for a zombie, which is as good as gone
began() {
    local stat
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 0
    stat=${stat##*) }
    # shellcheck disable=SC2086
    set -- $stat
    [[ $1 == Z || $1 == X ]] || printf %s "${20}"
}

pid_file() { printf %s "$RUN_DIR/pids/$1.pid"; }

# remember NAME PID
remember() {
    began "$2" >"$RUN_DIR/pids/$1.began"
    echo "$2" >"$(pid_file "$1")"
}

forget() { rm -f "$(pid_file "$1")" "$(pid_file "$1").oldbin" "$RUN_DIR/pids/$1.began"; }

# pid_of NAME: prints the pid of our running NAME, or fails
pid_of() {
    local pid
    read -r pid 2>/dev/null <"$(pid_file "$1")" || return 1
    [[ $pid =~ ^[0-9]+$ ]] || return 1
    if [[ $1 == nginx ]]; then
        # nginx writes its own pid file, anew at a binary upgrade, so the start time is not known here;
        # the command line, which names this stack's configuration, is as good
        is_our_nginx "$pid" || return 1
    else
        [[ -s $RUN_DIR/pids/$1.began && $(began "$pid") == "$(cat "$RUN_DIR/pids/$1.began")" ]] || return 1
    fi
    echo "$pid"
}

is_our_nginx() {
    [[ -n $(began "$1") ]] || return 1
    tr '\0' ' ' 2>/dev/null <"/proc/$1/cmdline" | grep -qF -- " -c $RUN_DIR/nginx/nginx.conf"
}

# tree PID: the process and all its descendants, by /proc alone (a small Debian has no pgrep)
tree() {
    local stat pid rest parent
    echo "$1"
    for stat in /proc/[0-9]*/stat; do
        rest=$(cat "$stat" 2>/dev/null) || continue
        pid=${rest%% *} rest=${rest##*) }
        parent=${rest#* } parent=${parent%% *}
        [[ $parent != "$1" ]] || tree "$pid"
    done
}

# all_pids NAME: what a signal to the server as a whole is sent to. nginx is its master, the
# workers, and during a binary upgrade the other master with its own.
all_pids() {
    local pid old
    pid=$(pid_of "$1") || return 1
    [[ $1 == nginx ]] || { echo "$pid"; return; }
    {
        tree "$pid"
        if read -r old 2>/dev/null <"$(pid_file nginx).oldbin" && is_our_nginx "$old"; then tree "$old"; fi
    } | sort -nu
}

state_of() {
    local stat
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 0
    stat=${stat##*) }
    printf %s "${stat%% *}"
}

# launch NAME COMMAND...: run it in a session of its own, writing to $RUN_DIR/log/NAME.log
launch() {
    local name=$1
    shift
    (let_go; exec setsid "$@") </dev/null >>"$RUN_DIR/log/$name.log" 2>&1 &
    remember "$name" $!
}

# Called by a process about to become a server: nothing of ours stays open in it, or a pipe that make
# or a test reads would never end; and it may open more files than an interactive shell may.
let_go() {
    local fd
    for fd in "/proc/$BASHPID"/fd/*; do
        fd=${fd##*/}
        ((fd <= 2)) || eval "exec $fd>&-"
    done
    ulimit -n "$(open_files)" 2>/dev/null || true
}

# as many files as we are given, up to what any test needs
open_files() {
    local hard
    hard=$(ulimit -Hn)
    if [[ $hard == unlimited ]] || ((hard > 65536)); then hard=65536; fi
    echo "$hard"
}

# port_open PORT: does anything listen there?
port_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
port_closed() { ! port_open "$1"; }

# until_true SECONDS COMMAND...: try it every 100 ms
until_true() {
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < end)) || return 1
        sleep 0.1
    done
}

signal_all() {
    local sig=$1 pid
    shift
    for pid; do kill -s "$sig" "$pid" 2>/dev/null || true; done
}

all_gone() {
    local pid
    for pid; do [[ -z $(began "$pid") ]] || return 1; done
}
