#!/usr/bin/env bash
# How much of a lane MySQL may refuse before that is called a broken schema.
#
# Too little, and one odd buyer stops a sale; too much, and a trigger somebody made in haste takes back what
# thousands were told they have. The minute is a window that slides, so it is tried with a clock of its own.

exec "$(dirname "$0")/run" breaker
