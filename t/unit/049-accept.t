#!/usr/bin/env bash
# A browser is told from a program by what its Accept asks for most.
#
# A program that is sent to a page, or a person who is shown JSON, does not know what to do: browsers name text/html
# and take everything else too, programs take everything and name nothing, and some name both, with weights.

exec "$(dirname "$0")/run" accept
