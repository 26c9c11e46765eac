-- Creates a room, changes or deletes it, or restores it after a loss of Redis.
-- KEYS  R, Q, Z
-- ARGV  S, who, create 0/1, the master_replid for which the caller knows
--       `catalogue` to be current, then capacity, rate, share, pass_ttl, state
--       (open paused draining closed deleted), tickets, max_lag, opens_at,
--       draw: '' leaves a value as it is (or at its default), '-' clears rate,
--       share, tickets or opens_at; seed and draw_hash, taken when the room has
--       none; origin, '' but from the keeper, who restores a room that is not
--       there (else it is left alone) and gives `drawn` and `changed_at` ('':
--       now), too; not_after (ms; '' or 0: none)
-- Returns {OK or CREATED, now, name, value, ...}: the pairs of queue_room;
--       {DRAW_FIXED, now}: drawn already, or somebody is in line; {BAD_HOURS,
--       now}: a draw without an opening; {RECOVERING, now, 0} {UNKNOWN_QUEUE,
--       now, replid} ('': it is deleted) {LATE, now} {REFUSED, now, message}
-- Errors wrong arguments; a value out of form; a key of the wrong type
-- Uses  prelude_room.lua
local origin, create = tonumber(ARGV[16]), ARGV[3] == '1'
local when, last = ARGV[18] ~= '' and ARGV[18] or now, ARGV[#ARGV]
local not_after = last == '' and 0 or tonumber(last)
if #KEYS ~= 3 or #ARGV ~= (origin and 19 or 17) or not not_after
   or origin and not (tonumber(ARGV[17]) and tonumber(when))
   or not origin and ARGV[16] ~= ''
then
    return redis.error_reply('ERR wrong arguments')
end
local old = call('HMGET', KEYS[1], unpack(kept))
local no = absent(old[5])
if no and (no[1] ~= UNKNOWN_QUEUE or not create and not origin) then
    return no
elseif no and not origin and no[3] ~= '' and no[3] ~= ARGV[4] then
    return {RECOVERING, now, 0}
elseif origin and old[5] then
    return described(OK)
end
if not_after > 0 and now > not_after then return {LATE, now} end
local new, set, same = {}, {'HSET', KEYS[1]}, true
for i = 1, 9 do
    local value, was = ARGV[4 + i], defaults[i]
    if not no then was = old[i] or '' end
    if value == '' then
        value = was
    elseif value == '-' and defaults[i] == '' then
        value = ''
    elseif not valid(i, value) or no and value == 'deleted' then
        value = nil
    end
    if not value then return redis.error_reply('ERR wrong ' .. kept[i]) end
    new[i], same = value, same and not no and value == was
end
local redrawn = not no and new[9] ~= old[9]
local fixed = not no and old[9] == '1' and now >= tonumber(old[8])
if fixed and (redrawn or new[8] ~= old[8])
   or redrawn and call('ZCARD', KEYS[2]) > 0
then
    return {DRAW_FIXED, now}
end
if new[9] == '1' and new[8] == '' then return {BAD_HOURS, now} end
new[10], new[11] = old[10], old[11]
if no or (old[10] or '') == '' then
    new[10], new[11] = ARGV[14], ARGV[15]
    if not match(new[10], '^[%w_-]*$') or not match(new[11], '^%x*$')
       or #new[11] ~= (new[10] ~= '' and 64 or 0)
       or new[9] == '1' and new[10] == ''
    then
        return redis.error_reply('ERR wrong seed')
    end
    same = same and new[10] == ''
end
if same then return described(OK) end
for i = 1, 11 do set[2 * i + 1], set[2 * i + 2] = kept[i], new[i] end
if no then begin(set, origin, origin and ARGV[17] or 0, old) end
-- the mark is of other tickets
if new[6] ~= old[6] then set[#set + 1], set[#set + 2] = 'mark', '' end
set[#set + 1], set[#set + 2] = 'changed_by', ARGV[2]
set[#set + 1], set[#set + 2] = 'changed_at', when
-- UNLINK first: it needs no memory, and then HSET is not refused
local done = new[5] == 'deleted' and try('UNLINK', KEYS[2], KEYS[3])
if type(done) ~= 'table' then done = try(unpack(set)) end
if type(done) == 'table' then return {REFUSED, now, done.err} end
return described(no and CREATED or OK)
