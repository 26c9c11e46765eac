-- Enters a room's line, or (join 0) only asks; repeats keep the place.
-- KEYS  R, Q, Z, then K of each ticket in `tickets`
-- ARGV  S, tickets (as R has them: names separated by one space), user,
--       join 0/1, number of a signed place, or 0, and since when (ms) it is his
-- Returns {ADMITTED, now, expires (ms)}: a live pass, or one as nobody waits
--       {WAITING, now, number, score, rank (from 0), waiting, live}
--       {NOT_WAITING, now, state}: join 0, and no place to restore
--       {QUEUE_CLOSED, now, state}: closed, or draining and a newcomer
--       {WRONG_TICKETS, now, tickets} {RECOVERING, now, 0}: no master
--       {UNKNOWN_QUEUE, now, replid} ('': deleted) {REFUSED, now, message}
-- Errors wrong arguments; a key of the wrong type
-- Uses  prelude_queue.lua
local user, join = ARGV[3], ARGV[4]
local place, since = tonumber(ARGV[5]), tonumber(ARGV[6])
local fine = #ARGV == 6 and user ~= '' and place and since
if not fine or join ~= '0' and join ~= '1' then
    return redis.error_reply('ERR wrong arguments')
end
local many = 2^22                       -- draw numbers are below, 1, 2, 3 ...
local pass = tonumber(call('ZSCORE', Z, user))
if pass and pass > now then return {ADMITTED, now, pass} end
if room.state == 'closed' then return {QUEUE_CLOSED, now, room.state} end

-- The score of a draw number: known from the beginning, so nothing is shuffled
-- at the opening, and before every FIFO number.
local function drawn(n)
    local hash = redis.sha1hex(room.seed .. ':' .. format('%d', n))
    return tonumber(string.sub(hash, 1, 7), 16) * many + n
end

-- The score of a place that this Redis has lost, else nil: one that it knows
-- was used up or left gains nothing, nor one of a deleted room of this name.
local function restored(n)
    if since * 1000 < number('origin') then return nil end
    if n >= 1 and n < many and room.draw == '1' then
        local ahead = n > number('drawn')
        if ahead then remember('drawn', n) end
        if ahead or number('base') > number('origin') then return drawn(n) end
    elseif n >= number('origin') and n < number('base') then
        return n
    elseif n >= many and n > number('number') then
        remember('number', format('%d', n))
        return n
    end
end

local score = tonumber(call('ZSCORE', Q, user))
if not score then
    learn('number', 'origin', 'base', 'passed', 'drawn', 'seed', 'expired',
          'pace', 'pace_at', 'pace_n')
    score = restored(place)
    -- ten minutes to come back; then a place that the line has passed is over
    local back = now <= number('base') / 1000 + 600000
    if score and not back and score <= number('passed') then score = nil end
    local no = join == '0' and NOT_WAITING
               or room.state == 'draining' and QUEUE_CLOSED
    if not score and no then return {no, now, room.state} end
    local refused, expires
    if not score and waiting == 0 and measure() > 0 then
        refused, expires = admit({user})
    else
        if not score and draw == 1 and number('drawn') < many - 1 then
            remember('drawn', number('drawn') + 1)
            score = drawn(number('drawn'))
        elseif not score then
            score = number('number') + 1
            remember('number', format('%d', score))
        end
        local added = try('ZADD', Q, score, user)
        refused = type(added) == 'table' and added.err
        waiting = waiting + 1
    end
    if refused then return {REFUSED, now, refused} end
    if pass then remember('expired', number('expired') + 1) end
    if pass and not expires then call('ZREM', Z, user) end
    if #set > 2 then call(unpack(set)) end
    if expires then return {ADMITTED, now, expires} end
end
local n = score < 2^50 and score % many or score
return {WAITING, now, n, score, call('ZRANK', Q, user), waiting, live}
