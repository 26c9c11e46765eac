# Sourced by every script here: where things are, and how to say or refuse something.
# shellcheck shell=bash

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)

say() { printf '%s\n' "$*"; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# nginx, redis-server and mariadbd live there, and a plain user's PATH lacks it
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
