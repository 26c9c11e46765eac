#!/usr/bin/env bash
# What the persister reads from Kafka is an event, or refused with the reason.
#
# yajl alone lets pass overlong UTF-8, lone surrogates, keys given twice and a vertical tab for a blank; each of them
# has a case here, as has every field that is missing, twice there, or of the wrong type.

exec "$(dirname "$0")/run" decode
