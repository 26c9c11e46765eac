-- Leaves a room's line, or gives back a pass, which goes to the next in line.
-- KEYS  R, Q, Z
-- ARGV  S, user, not_after (ms; '' or 0: none)
-- Returns {LEFT, now, 1: left the line / 2: gave back a pass}
--       {NOT_WAITING, now}: had neither; {LATE, now}
--       {RECOVERING, now, 0}: no master; {UNKNOWN_QUEUE, now, replid} (replid
--       '': it is deleted); {REFUSED, now, message}: nothing was done
-- Errors wrong arguments; a key of the wrong type
-- Uses  prelude_room.lua
local not_after = ARGV[3] == '' and 0 or tonumber(ARGV[3])
if #ARGV ~= 3 or #KEYS ~= 3 or not not_after then
    return redis.error_reply('ERR wrong arguments')
end
local no = absent(call('HGET', KEYS[1], 'state'))
if no then return no end
if not_after > 0 and now > not_after then return {LATE, now} end
local user = ARGV[2]
local pass = tonumber(call('ZSCORE', KEYS[3], user))
local gone = try('ZREM', KEYS[2], user)
if type(gone) == 'table' then return {REFUSED, now, gone.err} end
if gone == 1 then return {LEFT, now, 1} end
if not pass then return {NOT_WAITING, now} end
gone = try('ZREM', KEYS[3], user)
if type(gone) == 'table' then return {REFUSED, now, gone.err} end
call('HINCRBY', KEYS[1], pass > now and 'returned' or 'expired', 1)
if pass <= now then return {NOT_WAITING, now} end
return {LEFT, now, 2}
