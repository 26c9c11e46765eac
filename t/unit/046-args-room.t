#!/usr/bin/env bash
# What a body says of a waiting room is its definition, or refused with one code and one sentence.

exec "$(dirname "$0")/run" args_room
