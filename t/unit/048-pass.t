#!/usr/bin/env bash
# A pass or a place is what its key signed, for this room and this user, to the last byte.
#
# Who could change one byte of a pass, turn a place into a pass, or hand his pass to a friend, would not have to wait.
# And a key file with a mistake must not leave an edge that signs with half a secret.

exec "$(dirname "$0")/run" pass
