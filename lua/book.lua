-- Sells: a batch of bookings of one ticket, each with its own result.
-- KEYS  K, K:buyers, K:rejected, K:outbox:0 ... K:outbox:<lanes - 1>,
--       idempotency keys; when a waiting room guards it, that one's Z and R
-- ARGV  T, lanes, max_backlog (0: none), with Z and R when the passes expire
--       (ms, 0: none needed; one string), n, then n times: user, lane,
--       quantity, not_after (ms), index into KEYS of the idempotency key or 0
-- Returns {OK, now, epoch, remaining before, n results}, each of them one of
--       seq: BOOKED by this event, a number, as an array for each booking is
--       much of what a call costs; what is left after it follows from what was
--       left before and the quantities
--       {SOLD_OUT} {NOT_ENOUGH, remaining}
--       {REPLAYED, booking_id, quantity, remaining, booked_at, current 0/1}
--       {ALREADY_BOOKED, booking_id, quantity, booked_at} {CLOSED} {PAUSED}
--       {NOT_OPEN, opens_at} {LIMIT_EXCEEDED, per_user} {BACKLOG} {LATE}
--       {PASS_EXPIRED} {PASS_USED} {IDEMPOTENCY_MISMATCH} {REFUSED, message}
--       {TORN, message} {NOT_DONE}; or {RECOVERING, now, exists}
--       {UNKNOWN_TICKET, now, replid} {WRONG_LANES, now, lanes} for all of it
-- Errors wrong arguments; K is no hash
-- Uses  prelude_pass.lua
local max_backlog, per_user = tonumber(ARGV[3]), tonumber(hash[6])
local opens_at, closes_at = tonumber(hash[7]), tonumber(hash[8])
local shut
if hash[2] ~= 'open' then shut = {hash[2] == 'paused' and PAUSED or CLOSED}
elseif opens_at and now < opens_at then shut = {NOT_OPEN, opens_at}
elseif closes_at and now >= closes_at then shut = {CLOSED} end
local held, rejected                    -- as they were before this batch
local sold, answers = {}, {}            -- by this batch
local buyers, forgiven = {'HSET', KEYS[2]}, {'HDEL', KEYS[3]}
writes[1] = buyers

return run(function(i)
    if i == 1 then
        held, rejected = call(unpack(users)), call('HLEN', KEYS[3])
    end
    local user, lane, asked, not_after, key = unpack(ARGV, 5 * i, 5 * i + 4)
    if now > tonumber(not_after) then return {LATE} end
    local holding, answer = sold[user] or held[i]
    key = key ~= '0' and tonumber(key) > 3 + lanes and KEYS[tonumber(key)]
    if key then answer = answers[key] or call('GET', key) end
    if answer then
        local print, id, left, time =
            match(answer, '(%S+) (%S+) %S+ (%S+) (%S+)')
        if print ~= asked then return {IDEMPOTENCY_MISMATCH} end
        return {REPLAYED, id, tonumber(asked), tonumber(left), tonumber(time),
                holding and match(holding, '%S+$') == id and 1 or 0}
    end
    if holding then
        local quantity, time, id = match(holding, '(%S+) (%S+) (%S+)')
        return {ALREADY_BOOKED, id, tonumber(quantity), tonumber(time)}
    end
    if shut then return shut end
    local refused = check and check(i)
    if refused then return refused end
    local quantity = asked == '1' and 1 or tonumber(match(asked, '^[1-9]%d*$'))
    if quantity > per_user then return {LIMIT_EXCEEDED, per_user} end
    if remaining < 1 then return {SOLD_OUT} end
    if quantity > remaining then return {NOT_ENOUGH, remaining} end
    local seq = seqs[lane] + 1
    if max_backlog > 0 and seq > max_backlog then
        local mark = call('HGET', KEYS[1], 'persisted:' .. lane)
        mark = match(mark, '^' .. epoch .. '%-(%d+)$') or 0
        if seq - mark > max_backlog then return {BACKLOG} end
    end
    local id = format('%s-%d', epoch, seq)
    call('XADD', KEYS[4 + lane], id, '1',
         'booked ' .. ms .. ' ' .. user .. ' ' .. asked .. ' ' .. asked)
    added, seqs[lane], remaining = at, seq, remaining - quantity
    id = T .. ':' .. lane .. ':' .. id
    holding = asked .. ' ' .. ms .. ' ' .. id
    sold[user] = holding
    buyers[#buyers + 1] = user
    buyers[#buyers + 1] = holding
    if rejected > 0 then forgiven[#forgiven + 1], writes[2] = user, forgiven end
    if check then spend(i) end
    if key then
        answers[key] = format('%s %s %s %d %s', asked, id, asked, remaining, ms)
        writes[#writes + 1] = {'SET', key, answers[key], 'EX', 86400}
    end
    return seq
end, BOOKED)
