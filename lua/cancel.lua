-- Takes bookings back: a batch for one ticket, each with its own result.
-- KEYS  K, K:buyers, K:rejected, K:outbox:0 ... K:outbox:<lanes - 1>,
--       idempotency keys
-- ARGV  T, lanes, n, then n times: user, lane, booking_id ('': whichever the
--       user has), not_after (ms), index into KEYS of the idempotency key or 0
-- Returns {OK, now, epoch, remaining before, n results}, each of them one of
--       {CANCELLED, seq, booking_id, quantity, remaining}
--       {REPLAYED, booking_id, quantity, remaining, cancelled_at, 1}
--       {NOT_BOOKED} {IDEMPOTENCY_MISMATCH} {LATE} {REFUSED, message}
--       {TORN, message} {NOT_DONE}; or {RECOVERING, now, exists}
--       {UNKNOWN_TICKET, now, replid} {WRONG_LANES, now, lanes} for the whole
--       call
-- Errors wrong arguments; K is no hash
-- Uses  prelude_batch.lua
local held                              -- as it was before this batch
local gone, answers = {}, {}            -- by this batch
local leavers = {'HDEL', KEYS[2]}
writes[1] = leavers

return run(function(i)
    if i == 1 then held = call(unpack(users)) end
    local user, lane, asked, not_after, key = unpack(ARGV, 5 * i - 1, 5 * i + 3)
    if now > tonumber(not_after) then return {LATE} end
    local answer
    key = key ~= '0' and tonumber(key) > 3 + lanes and KEYS[tonumber(key)]
    if key then answer = answers[key] or call('GET', key) end
    if asked == '' then asked = '-' end
    if answer then
        local print, id, quantity, left, time =
            match(answer, '(%S+) (%S+) (%S+) (%S+) (%S+)')
        if print ~= asked then return {IDEMPOTENCY_MISMATCH} end
        return {REPLAYED, id, tonumber(quantity), tonumber(left),
                tonumber(time), 1}
    end
    if gone[user] or not held[i] then return {NOT_BOOKED} end
    local quantity, id = match(held[i], '(%S+) %S+ (%S+)')
    if asked ~= '-' and asked ~= id then return {NOT_BOOKED} end
    local seq, left = seqs[lane] + 1, remaining + quantity
    call('XADD', KEYS[4 + lane], format('%s-%d', epoch, seq), '1',
         'cancelled ' .. ms .. ' ' .. user .. ' ' .. quantity .. ' 0 ' .. id)
    added, seqs[lane], remaining = at, seq, left
    gone[user] = true
    leavers[#leavers + 1] = user
    if key then
        answers[key] = format('%s %s %s %d %s', asked, id, quantity, left, ms)
        writes[#writes + 1] = {'SET', key, answers[key], 'EX', 86400}
    end
    return {CANCELLED, seq, id, tonumber(quantity), left}
end, CANCELLED)
