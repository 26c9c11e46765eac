-- A room as its administration sees it; the seed, too, so it is not for users.
-- KEYS  R, Q, Z
-- ARGV  S
-- Returns {OK, now, name, value, ... 'waiting', n, 'live', n}: the definition
--       (capacity rate share pass_ttl state tickets max_lag opens_at draw seed
--       draw_hash origin drawn) and rows_per_s base number issued used expired
--       returned pace changed_by changed_at, as strings, '' where there is none
--       {RECOVERING, now, 0}: no master; {UNKNOWN_QUEUE, now, replid} (replid
--       '': it is deleted)
-- Errors wrong arguments; a key of the wrong type
-- Uses  prelude_room.lua
if #ARGV ~= 1 or #KEYS ~= 3 then
    return redis.error_reply('ERR wrong arguments')
end
local no = absent(call('HGET', KEYS[1], 'state'))
if no then return no end
local reply, n = described(OK), 2 + 2 * #kept
reply[n + 1], reply[n + 2] = 'waiting', call('ZCARD', KEYS[2])
reply[n + 3], reply[n + 4] = 'live', call('ZCOUNT', KEYS[3],
                                          format('(%d', now), '+inf')
return reply
