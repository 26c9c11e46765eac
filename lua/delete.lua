-- Deletes a ticket that nobody holds and of which everything is stored; what
-- is left is a tombstone, the hash with state deleted.
-- KEYS  K, K:buyers, K:outbox:0
-- ARGV  T, not_after (ms)
-- Returns {OK, now, epoch, seq, capacity, remaining, per_user, lanes,
--       'deleted', opens_at, closes_at ('' none), 0}; or
--       {IN_USE, now, 'held' or 'unsaved'} {RECOVERING, now, exists}
--       {UNKNOWN_TICKET, now, replid} (replid '': it is deleted) {LATE, now}
--       {REFUSED, now, message} {TORN, now, message}
-- Errors wrong arguments; a key of the wrong type
-- Uses  prelude_definition.lua
if #ARGV ~= 2 or #KEYS ~= 3 then
    return redis.error_reply('ERR wrong arguments')
end
local hash = call('HMGET', KEYS[1], 'capacity', 'per_user', 'lanes', 'state',
    'opens_at', 'closes_at', 'remaining', 'epoch', 'seq:0', 'history')
local epoch, remaining = hash[8], tonumber(hash[7])
local no = doubt(hash[10], hash[4])
if no then return no end
if now > tonumber(ARGV[2]) then return {LATE, now} end
if remaining ~= tonumber(hash[1]) or call('HLEN', KEYS[2]) > 0 then
    return {IN_USE, now, 'held'}
end
if saved(epoch, hash[3]) == 0 then return {IN_USE, now, 'unsaved'} end
hash[4] = 'deleted'
return announce(OK, epoch, hash[9] + 1, remaining, hash)
