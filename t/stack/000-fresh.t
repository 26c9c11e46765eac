#!/usr/bin/env bash
# Whatever ran before is gone, and the whole stack comes up from nothing: what t/e2e runs against.
set -euo pipefail
cd "$(dirname "$0")/../.."

echo 1..2
stack/down --wipe | sed 's/^/# /'
echo "ok 1 - nothing is left"
if ! SAMPLES=no stack/up | sed 's/^/# /'; then
    echo "Bail out!  the stack does not start"
    exit 1
fi
echo "ok 2 - everything is up"
