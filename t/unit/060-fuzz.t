#!/usr/bin/env bash
# No input makes a parser read too far or break its own rules.
#
# The same 20,000 inputs each time, which reach new code by themselves: a failure can be repeated. FUZZ_SECONDS=60
# fuzzes each parser so long instead, from another seed each time, which is printed.

set -uo pipefail
cd "$(dirname "$0")" || exit 1

how=(-n 20000)
if [[ -n ${FUZZ_SECONDS-} ]]; then
    how=(-s "${FUZZ_SEED:=$(date +%s)}" -t "$FUZZ_SECONDS")
    echo "# seed $FUZZ_SEED"
fi
targets=(decode unpack id name time json form value pass keys accept)
n=0
for target in "${targets[@]}"; do
    n=$((n + 1))
    if output=$(./run fuzz "${how[@]}" "$target" 2>&1); then result=ok; else result="not ok"; fi
    echo "$result $n - $target"
    sed 's/^/# /' <<<"$output"
done
echo "1..$n"
