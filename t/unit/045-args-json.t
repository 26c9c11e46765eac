#!/usr/bin/env bash
# What a JSON body says is one booking or definition, or refused with one code and one sentence.

exec "$(dirname "$0")/run" args_json
