#!/usr/bin/env bash
# Ids, numbers and times are the same for the edge and the persister.
#
# What one of them lets in the other must be able to store; and an id that is not strict UTF-8, or that two
# spellings share, would one day be two users in Redis and one in MySQL. The decoder is our own, so every code point
# and every way to get UTF-8 wrong is tried.

exec "$(dirname "$0")/run" text
