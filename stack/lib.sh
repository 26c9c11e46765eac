# Sourced by every script here: where things are, and how to say or refuse something.
# shellcheck shell=bash

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)

say() { printf '%s\n' "$*"; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# nginx, redis-server and mariadbd live there, and a plain user's PATH lacks it
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

# awaited COMMAND...: its status. When we are ended, so is it, and when we are killed: bash by itself would leave it.
awaited() {
    local status=0
    setpriv --pdeathsig TERM "$@" &
    AWAITED=$!
    trap 'stop_awaited 130' INT
    trap 'stop_awaited 143' TERM
    wait "$AWAITED" || status=$?
    trap - INT TERM
    return "$status"
}

# shellcheck disable=SC2317
stop_awaited() {
    trap '' INT TERM
    kill "$AWAITED" 2>/dev/null || true
    wait "$AWAITED" || true
    exit "$1"
}
