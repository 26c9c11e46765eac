-- Step 1 of opening: from here no recoverer with another token can finish.
-- KEYS  K (made if missing)
-- ARGV  T, token of this attempt
-- Returns {OK, now, master_replid, epoch (0: never opened), capacity,
--       per_user, lanes, state, opens_at, closes_at} with '' for what is
--       unknown or no time; {ALREADY_OPEN, now, epoch};
--       {RECOVERING, now, 0}: this server is no master
-- Errors wrong arguments; K is no hash; OOM and the like, nothing done
if #ARGV ~= 2 or #KEYS ~= 1 or ARGV[2] == '' then
    return redis.error_reply('ERR wrong arguments')
end
local id = replid()
if not id then return {RECOVERING, now, 0} end
local hash = call('HMGET', KEYS[1], 'epoch', 'capacity', 'per_user', 'lanes',
    'state', 'opens_at', 'closes_at', 'history')
if hash[8] == id then return {ALREADY_OPEN, now, tonumber(hash[1])} end
call('HSET', KEYS[1], 'claim', ARGV[2])
local reply = {OK, now, id, tonumber(hash[1]) or 0}
for i = 2, 7 do reply[3 + i] = tonumber(hash[i]) or hash[i] or '' end
return reply
