-- Lets in whoever may be let in, from the head of a room's line, and returns
-- the room's picture.  Any number of callers: the script limits, no leader.
-- KEYS  R, Q, Z, then K of each ticket in `tickets`
-- ARGV  S, tickets (as R has them), samples 0/1
-- Returns {OK, now, state, waiting, live, left ('' no tickets), capacity, pace
--       (admissions in 1000 s), rate (effective, '' none), lag (ms), 1 when it
--       is worth calling again at once else 0, admitted by this call, issued,
--       used, expired, returned, tickets, draw (0 none, 1 collecting, 2 drawn),
--       opens_at or '', drawn, draw_hash, seed ('' until drawn), pass_ttl,
--       {scores of the first 200 in line}, {scores at ranks 200 + floor(j *
--       (waiting - 201) / 128), j = 0 ... 128, with samples and more than 200},
--       base (another one: the hash was made anew, who waited has to show his
--       place again), 1 if more may be left (a ticket recovers or pauses)}
--       {WRONG_TICKETS, now, tickets} {RECOVERING, now, 0}: no master
--       {UNKNOWN_QUEUE, now, replid} (replid '': it is deleted)
--       {REFUSED, now, message}: nobody was let in
-- Errors wrong arguments; a key of the wrong type
-- Uses  prelude_admit.lua
if #ARGV ~= 3 then return redis.error_reply('ERR wrong arguments') end
local most, window = 1000, 10000        -- in one call; of the pace, ms

learn('drawn', 'draw_hash', 'seed', 'used', 'expired', 'returned', 'pace',
      'pace_at', 'pace_n', 'base', 'passed')
local over = call('ZCOUNT', Z, '-inf', now)
local dropped = min(over, most)
if dropped > 0 then
    local done = try('ZREMRANGEBYRANK', Z, 0, dropped - 1)
    if type(done) == 'table' then return {REFUSED, now, done.err} end
    remember('expired', number('expired') + dropped)
end

-- an exponential mean, from what was admitted since it was last measured
local ms = now - number('pace_at')
if (ms >= 1000 or ms < 0) and number('pace') + number('pace_n') > 0 then
    local weight = 1 - math.exp(-max(ms, 0) / window)
    local pace = number('pace_n') * 1000 / max(ms, 1)
    pace = number('pace') + weight * (pace - number('pace'))
    remember('pace', pace < 0.001 and 0 or format('%.3f', pace))
    remember('pace_at', now)
    remember('pace_n', 0)
end

local free = measure()
local admitted = min(free, waiting, most)
local refused
if admitted > 0 then
    local last = call('ZRANGE', Q, admitted - 1, admitted - 1, 'WITHSCORES')[2]
    refused = admit(call('ZRANGE', Q, 0, admitted - 1))
    if refused then
        admitted = 0
    else
        call('ZREMRANGEBYRANK', Q, 0, admitted - 1)
        waiting = waiting - admitted
        -- of what was restored
        if tonumber(last) < number('base') then
            remember('passed', max(number('passed'), tonumber(last)))
        end
    end
end
if #set > 2 then
    local done = try(unpack(set))
    refused = refused or type(done) == 'table' and done.err
end
if refused then return {REFUSED, now, refused} end

local head, samples = {}, {}
local line = call('ZRANGE', Q, 0, 199, 'WITHSCORES')
for i = 2, #line, 2 do head[i / 2] = tonumber(line[i]) end
for j = 0, ARGV[3] == '1' and waiting > 200 and 128 or -1 do
    local rank = 200 + floor(j * (waiting - 201) / 128)
    samples[j + 1] = tonumber(call('ZRANGE', Q, rank, rank, 'WITHSCORES')[2])
end
return {OK, now, room.state, waiting, live, left, number('capacity'),
        floor(number('pace') * 1000 + 0.5), rate, lag,
        (over > dropped or min(free, waiting + admitted) > most) and 1 or 0,
        admitted, number('issued'), number('used'), number('expired'),
        number('returned'), room.tickets, draw,
        opens_at > 0 and opens_at or '', number('drawn'), room.draw_hash,
        draw == 2 and room.seed or '', number('pass_ttl'), head, samples,
        number('base'), unsure}
