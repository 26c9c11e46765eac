-- Creates a ticket, changes it, or brings a deleted one back.
-- KEYS  K, K:outbox:0
-- ARGV  T, create 0/1, not_after (ms), the master_replid for which the caller
--       knows `catalogue` to be current, then capacity, per_user, lanes, state
--       (open paused closed), opens_at, closes_at (ms): '' leaves a value as
--       it is (or at its default), '-' is no time
-- Returns {OK or CREATED, now, epoch, seq, capacity, remaining, per_user,
--       lanes, state, opens_at, closes_at ('' none), persisted 0/1}; seq 0: no
--       event.  CREATED with epoch 0: the definition only, to be opened;
--       CREATED with an epoch: back from deleted.  Or {BELOW_HELD, now, held}
--       {LANES_FIXED, now, lanes} {BAD_HOURS, now}: it would close before it
--       opens; {RECOVERING, now, exists} {LATE, now}
--       {UNKNOWN_TICKET, now, replid} {REFUSED, now, message}
--       {TORN, now, message}
-- Errors wrong arguments; a value out of form; K is no hash
-- Uses  prelude_definition.lua
if #ARGV ~= 10 or #KEYS ~= 2 then
    return redis.error_reply('ERR wrong arguments')
end
local names = {'capacity', 'per_user', 'lanes', 'state', 'opens_at',
               'closes_at'}
local hash = call('HMGET', KEYS[1], 'capacity', 'per_user', 'lanes', 'state',
    'opens_at', 'closes_at', 'remaining', 'epoch', 'seq:0', 'history', 'claim')
local create, epoch = ARGV[2] == '1', hash[8]
local dead = hash[4] == 'deleted'
local no = doubt(hash[10], not create and hash[4])
local fresh                             -- there is nothing but a definition
if no and create then
    local missing = no[1] == UNKNOWN_TICKET
    if missing and no[3] ~= ARGV[4] then return {RECOVERING, now, 0} end
    fresh = missing or no[3] == 1 and not epoch
end
if no and not fresh then return no end
if now > tonumber(ARGV[3]) then return {LATE, now} end

local new, same = {}, true
local defaults = {false, '1', dead and hash[3] or '1', 'open', '', ''}
local states = {open = true, paused = true, closed = true}
for i = 1, 6 do
    local value = ARGV[4 + i]
    local ok = match(value, '^%d+$') and format('%d', value) == value
               and (value ~= '0' or i ~= 2 and i ~= 3)
    if i == 4 then ok = states[value] end
    if value == '' then
        value = (fresh or dead) and defaults[i] or hash[i]
    elseif value == '-' and i > 4 then
        value = ''
    elseif not ok then
        value = nil
    end
    if not value then return redis.error_reply('ERR wrong ' .. names[i]) end
    new[i], same = value, same and value == hash[i]
end
-- asked only of who changes them: older tickets keep what they have
if ARGV[9] .. ARGV[10] ~= '' and new[5] ~= '' and new[6] ~= ''
   and tonumber(new[5]) >= tonumber(new[6])
then
    return {BAD_HOURS, now}
end

if fresh then
    if hash[11] and not same then return {RECOVERING, now, 1} end
    local set = try(unpack(setting(new)))
    if type(set) == 'table' then return {REFUSED, now, set.err} end
    return defined(CREATED, 0, 0, tonumber(new[1]), new, 0)
end
local held = hash[1] - hash[7]
if new[3] ~= hash[3] then return {LANES_FIXED, now, tonumber(hash[3])} end
if new[1] - held < 0 then return {BELOW_HELD, now, held} end
if same then
    return defined(OK, epoch, 0, new[1] - held, new, saved(epoch, hash[3]))
end
return announce(dead and CREATED or OK, epoch, hash[9] + 1, new[1] - held, new)
