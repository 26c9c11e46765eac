-- Enters a room's line, or (join 0) only asks; repeats keep the place.
-- KEYS  R, Q, Z, then K of each ticket in `tickets`
-- ARGV  S, tickets (as R has them: names separated by one space), user,
--       join 0/1, number of a signed place, or 0, since when (ms) it is his,
--       not_after (ms; '' or 0: none)
-- Returns {ADMITTED, now, expires (ms)}: a live pass, or one at once, as nobody
--       waits and there is room
--       {WAITING, now, number, score, rank (from 0), waiting, live}
--       {NOT_WAITING, now, state}: join 0, and no place to restore
--       {QUEUE_CLOSED, now, state}: closed, or draining and a newcomer
--       {WRONG_TICKETS, now, tickets} {RECOVERING, now, 0}: no master
--       {UNKNOWN_QUEUE, now, replid} ('': deleted)
--       {LATE, now} {REFUSED, now, message}: nothing was done
-- Errors wrong arguments; a key of the wrong type
-- Uses  prelude_admit.lua
local user, join = ARGV[3], ARGV[4]
local place, since = tonumber(ARGV[5]), tonumber(ARGV[6])
local not_after = ARGV[7] == '' and 0 or tonumber(ARGV[7])
if #ARGV ~= 7 or user == '' or not place or not since or not not_after
   or join ~= '0' and join ~= '1'
then
    return redis.error_reply('ERR wrong arguments')
end
if not_after > 0 and now > not_after then return {LATE, now} end
local pass = tonumber(call('ZSCORE', Z, user))
if pass and pass > now then return {ADMITTED, now, pass} end
if room.state == 'closed' then return {QUEUE_CLOSED, now, room.state} end

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
