# What can be done with one server, whichever it is. server/NAME.sh knows the rest:
#   NAME_ports      the ports it is about to take
#   NAME_configure  writes its configuration and prepares its data; safe to repeat
#   NAME_launch     starts it
#   NAME_ready      succeeds when it really answers
#   NAME_setup      (optional) what is to be done once it answers
# shellcheck shell=bash

for file in "$ROOT"/stack/server/*.sh; do
    # shellcheck disable=SC1090
    . "$file"
done

declare -A START_SECONDS=([redis]=30 [kafka]=90 [mysql]=90 [persister]=30 [nginx]=20)
declare -A STOP_SECONDS=([redis]=30 [kafka]=30 [mysql]=60 [persister]=30 [nginx]=15)

log_of() { printf %s "$RUN_DIR/log/$1.log"; }

not_ready() {
    printf -- '--- the end of %s\n' "$(log_of "$1")" >&2
    tail -n 20 "$(log_of "$1")" >&2 || true
    die "$1 $2; its log is $(log_of "$1")"
}

start_server() {
    local name=$1 pid port end
    if pid=$(pid_of "$name"); then
        say "$name is already running, pid $pid"
        return
    fi
    forget "$name"
    for port in $("${name}_ports"); do
        # the threads of a process that was killed may outlive it by a moment, and hold its sockets
        until_true 3 port_closed "$port" || die "port $port, for $name, is taken by a process this stack did not start"
    done
    mkdir -p "$RUN_DIR/$name" "$RUN_DIR/log" "$RUN_DIR/pids"
    "${name}_configure"
    "${name}_launch"
    end=$((SECONDS + START_SECONDS[$name]))
    until "${name}_ready" >/dev/null 2>&1; do
        pid_of "$name" >/dev/null || { sleep 0.2; pid_of "$name" >/dev/null || not_ready "$name" "ended while it was starting"; }
        ((SECONDS < end)) || not_ready "$name" "did not answer within ${START_SECONDS[$name]} s"
        sleep 0.1
    done
    if declare -F "${name}_setup" >/dev/null; then "${name}_setup"; fi
    say "$name is ready, pid $(pid_of "$name"), port $("${name}_ports" | cut -d' ' -f1)"
}

stop_server() {
    local name=$1 pids
    if ! pids=$(all_pids "$name"); then
        forget "$name"
        return
    fi
    # shellcheck disable=SC2086
    {
        signal_all TERM ${pids%%$'\n'*}
        [[ $name != nginx ]] || signal_all TERM $pids
        # a stopped process sees TERM only once it goes on
        signal_all CONT $pids
        if until_true "${STOP_SECONDS[$name]}" all_gone $pids; then
            say "$name stopped"
        else
            signal_all KILL $pids
            until_true 10 all_gone $pids || die "$name (pid ${pids//$'\n'/ }) does not die"
            say "$name did not stop within ${STOP_SECONDS[$name]} s and was killed"
        fi
    }
    forget "$name"
}

kill_server() {
    local name=$1 pids main
    main=$(pid_of "$name") || die "$name is not running"
    # a master that is stopped first cannot start another worker while its workers are being killed
    signal_all STOP "$main"
    pids=$(all_pids "$name")
    # shellcheck disable=SC2086
    signal_all KILL $pids
    # shellcheck disable=SC2086
    until_true 10 all_gone $pids || die "$name (pid ${pids//$'\n'/ }) does not die"
    forget "$name"
}

pause_server() {
    local pids
    pids=$(all_pids "$1") || die "$1 is not running"
    # shellcheck disable=SC2086
    signal_all STOP $pids
}

resume_server() {
    local pids
    pids=$(all_pids "$1") || die "$1 is not running"
    # shellcheck disable=SC2086
    signal_all CONT $pids
}

status_server() {
    local pid
    if ! pid=$(pid_of "$1"); then
        echo stopped
    elif [[ $(state_of "$pid") == T ]]; then
        echo paused
    elif timeout 5 "$ROOT/stack/ctl" ready "$1" >/dev/null 2>&1; then
        echo running
    else
        echo "not answering"
    fi
}
