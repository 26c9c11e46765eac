#!/usr/bin/env bash
# What a request says is one value, or refused with one code and one sentence.
#
# A body that two parsers read differently is how a limit is got around: a field given twice, 1e0 for a quantity,
# a percent sign with nothing behind it, one ticket in the body and another in the query.

exec "$(dirname "$0")/run" args
