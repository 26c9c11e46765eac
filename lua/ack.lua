-- After a commit: what is stored leaves the outbox of a lane, bookings that
-- MySQL refused are taken back, `persisted` rises.
-- KEYS  K, K:buyers, K:rejected, K:outbox:<lane>
-- ARGV  T, lane, epoch, applied, then for each dead booking of this lane:
--       user, booking_id, reason (one token)
-- Returns {OK, now, trimmed, then for each dead one 1 taken back / 2 it was
--       before, K:rejected says so / 0 the user does not hold exactly that
--       booking}.  trimmed 1000: call again.
--       Or {STALE, now, epoch} {RECOVERING, now, exists}
--       {UNKNOWN_TICKET, now, replid}, nothing done; {REFUSED, now, message}
--       {TORN, now, message}: persisted has not risen
-- Errors wrong arguments; a key of the wrong type
local lane, epoch, applied = ARGV[2], ARGV[3], tonumber(ARGV[4])
local n = (#ARGV - 4) / 3
if n < 0 or n > 200 or n % 1 ~= 0 or #KEYS ~= 4 or not applied then
    return redis.error_reply('ERR wrong arguments')
end
local hash = call('HMGET', KEYS[1], 'history', 'epoch', 'remaining',
    'seq:' .. lane, 'persisted:' .. lane)
local no = doubt(hash[1])
if no then return no end
if hash[2] ~= epoch then return {STALE, now, tonumber(hash[2])} end
local remaining, seq = tonumber(hash[3]), tonumber(hash[4])
if applied > seq then return redis.error_reply('ERR applied is ahead') end
local held, told = {}, {}
for i = 1, n do
    held[i] = call('HGET', KEYS[2], ARGV[2 + 3 * i])
    told[i] = call('HGET', KEYS[3], ARGV[2 + 3 * i])
end

-- Exactly what is stored, but no more than 1000 entries in one call.
local trim = {'XTRIM', KEYS[4], 'MINID', format('%s-%d', epoch, applied + 1)}
if call('XLEN', KEYS[4]) - (seq - applied) > 1000 then
    trim = {'XTRIM', KEYS[4], 'MINID', '~', trim[4], 'LIMIT', 1000}
end
local reply, gone, open = {OK, now, call(unpack(trim))}, {}, false
local leavers, rejected = {'HDEL', KEYS[2]}, {'HSET', KEYS[3]}
local done, message = pcall(function()
    for i = 1, n do
        local user, booking, reason = unpack(ARGV, 2 + 3 * i, 4 + 3 * i)
        reply[3 + i] = told[i] and match(told[i], '%S+') == booking and 2 or 0
        if not gone[user] and held[i] and match(held[i], '%S+$') == booking then
            local quantity = match(held[i], '^%d+')
            call('XADD', KEYS[4], format('%s-%d', epoch, seq + 1), '1', format(
                 'rejected %d ', now) .. user .. ' ' .. quantity .. ' 0 '
                 .. booking)
            open, seq, remaining = true, seq + 1, remaining + quantity
            gone[user], reply[3 + i] = true, 1
            leavers[#leavers + 1] = user
            rejected[#rejected + 1] = user
            rejected[#rejected + 1] = booking .. ' ' .. reason
            open = false
        end
    end
end)
if type(message) == 'table' then message = message.err end
if next(gone) then
    local torn = settle(open and message, {leavers, rejected, {'HSET', KEYS[1],
                        'remaining', remaining, 'seq:' .. lane, seq}})
    if torn then return {TORN, now, torn} end
end
if not done then return {REFUSED, now, message} end
local old_epoch, old = match(hash[5] or '', '^(%d+)%-(%d+)$')
if old_epoch ~= epoch or tonumber(old) < applied then
    call('HSET', KEYS[1], 'persisted:' .. lane, format('%s-%d', epoch, applied))
end
return reply
