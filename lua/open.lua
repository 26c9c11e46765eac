-- Step 4 of opening: what was staged from MySQL becomes the ticket, and
-- selling goes on.
-- KEYS  K, K:buyers, K:buyers:new:<epoch>, K:rejected,
--       K:rejected:new:<epoch>, K:late, K:outbox:0 ... K:outbox:<lanes - 1>
-- ARGV  T, token, replid that claim returned, epoch, count of staged buyers,
--       held (the sum of their quantities), capacity, per_user, lanes, state,
--       opens_at, closes_at ('' or '-': no time)
-- Returns {OK, now, remaining}; {STALE, now, why}, nothing done, with why the
--       first that is so: 'open' already, another 'token', another 'replid',
--       'epoch' not larger, 'count' differs; {RECOVERING, now, 0}: no master
-- Errors wrong arguments; more held than capacity; a key of the wrong type
-- Uses  prelude_definition.lua
local epoch, count, held, capacity = unpack(ARGV, 4, 7)
local lanes = tonumber(ARGV[9])
if #ARGV ~= 12 or not lanes or lanes < 1 or #KEYS ~= 6 + lanes
   or not match(epoch, '^[1-9]%d*$') or not match(count, '^%d+$')
   or not match(capacity, '^%d+$') or not match(held, '^%d+$')
then
    return redis.error_reply('ERR wrong arguments')
end
local remaining = capacity - held
if remaining < 0 then return redis.error_reply('ERR held exceeds capacity') end
local id = replid()
if not id then return {RECOVERING, now, 0} end
local hash = call('HMGET', KEYS[1], 'history', 'claim', 'epoch')
local why
if hash[1] == id then why = 'open'
elseif hash[2] ~= ARGV[2] then why = 'token'
elseif ARGV[3] ~= id then why = 'replid'
elseif (tonumber(hash[3]) or 0) >= tonumber(epoch) then why = 'epoch'
elseif call('HLEN', KEYS[3]) ~= tonumber(count) then why = 'count' end
if why then return {STALE, now, why} end

-- UNLINK first: a RENAME onto a large key would free that at once.  The
-- outboxes have been drained; an expiry of what was staged must not stay.
call('UNLINK', KEYS[2], KEYS[4], KEYS[6], unpack(KEYS, 7))
for new = 3, 5, 2 do
    if call('EXISTS', KEYS[new]) == 1 then
        call('RENAME', KEYS[new], KEYS[new - 1])
        call('PERSIST', KEYS[new - 1])
    end
end
call('HDEL', KEYS[1], 'claim')
local set = setting({capacity, ARGV[8], ARGV[9], ARGV[10],
    ARGV[11] == '-' and '' or ARGV[11], ARGV[12] == '-' and '' or ARGV[12]},
    'remaining', remaining, 'epoch', epoch)
for lane = 0, lanes - 1 do
    set[#set + 1] = 'seq:' .. lane
    set[#set + 1] = 0
    set[#set + 1] = 'persisted:' .. lane
    set[#set + 1] = epoch .. '-0'
end
call(unpack(set))
call('HSET', KEYS[1], 'history', id)
return {OK, now, remaining}
