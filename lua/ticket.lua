-- What a ticket is and how much of it is left.
-- KEYS  K
-- ARGV  T
-- Returns {OK, now, capacity, remaining, per_user, lanes, state, opens_at,
--       closes_at, epoch, persisted 0/1 (every event of every lane)}; times
--       are integers (ms) or '' for none; while it recovers {RECOVERING, now,
--       exists} and, if it exists, capacity, '', per_user, lanes, state,
--       opens_at, closes_at ('' where unknown); {UNKNOWN_TICKET, now, replid}
-- Errors wrong arguments; K is no hash
-- Uses  prelude_definition.lua
if #ARGV ~= 1 or #KEYS ~= 1 then
    return redis.error_reply('ERR wrong arguments')
end
local hash = call('HMGET', KEYS[1], 'capacity', 'remaining', 'per_user',
    'lanes', 'state', 'opens_at', 'closes_at', 'epoch', 'history')
local no = doubt(hash[9], hash[5])
if no and no[3] ~= 1 then return no end
if no then hash[2] = '' end
local reply = no or {OK, now}
for i = 1, no and 7 or 8 do
    reply[#reply + 1] = tonumber(hash[i]) or hash[i] or ''
end
if not no then reply[#reply + 1] = saved(hash[8], hash[4]) end
return reply
