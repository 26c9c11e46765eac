-- Before queue_enter and queue_advance, whose KEYS are R, Q, Z and then K of
-- each ticket that the room guards, named in ARGV[2]: the room, how many it
-- may admit, and their admission.  docs/architecture.md has the keys.

local floor, min, max = math.floor, math.min, math.max
local R, Q, Z = KEYS[1], KEYS[2], KEYS[3]
local guarded = 0
for _ in string.gmatch(ARGV[2] or '', '%S+') do guarded = guarded + 1 end
if #ARGV < 3 or #KEYS ~= 3 + guarded then
    return redis.error_reply('ERR wrong arguments')
end
local room = call('HMGET', R, 'state', 'tickets', 'draw', 'opens_at')
room.state, room.tickets, room.draw, room.opens_at = unpack(room, 1, 4)
local id = replid()
if not id then return {RECOVERING, now, 0} end
if not room.state then return {UNKNOWN_QUEUE, now, id} end
if room.state == 'deleted' then return {UNKNOWN_QUEUE, now, ''} end
if room.tickets ~= ARGV[2] then return {WRONG_TICKETS, now, room.tickets} end

-- More of the room is read when it is needed: half of what a call would cost.
local function learn(...)
    local names, values = {...}, call('HMGET', R, ...)
    for i = 1, #names do room[names[i]] = values[i] or '' end
end
local function number(name) return tonumber(room[name]) or 0 end
local opens_at, draw = number('opens_at'), 0    -- 1 collecting, 2 drawn
if room.draw == '1' then draw = now < opens_at and 1 or 2 end
local waiting = call('ZCARD', Q)
local live = call('ZCOUNT', Z, format('(%d', now), '+inf')
local set = {'HSET', R}                 -- what is to be remembered of the room
local function remember(name, value)
    set[#set + 1], set[#set + 2], room[name] = name, value, value
end
local many = 2^22                       -- draw numbers are below, 1, 2, 3 ...
local left, lag, rate, tokens = '', 0, '', 0    -- measure() tells
local unsure = 0                        -- 1: what is left may be more

-- The score of a draw number: known from the beginning, so nothing is shuffled
-- at the opening, and before every FIFO number.
local function drawn(n)
    local hash = redis.sha1hex(room.seed .. ':' .. format('%d', n))
    return tonumber(string.sub(hash, 1, 7), 16) * many + n
end

-- What ticket number i has left, and its part of the mark.  The second: whether
-- what the old mark says of it is stored.
local function look(i, old)
    local K, mark, stored = KEYS[3 + i], {}, true
    local hash = call('HMGET', K, 'history', 'state', 'remaining', 'epoch',
                      'lanes')
    local here = hash[1] == id
    if here and hash[2] == 'open' then
        left = left + hash[3]
    elseif not here or hash[2] == 'paused' then
        unsure = 1
    end
    local epoch, get = hash[4] or '0', {'HMGET', K, 'epoch'}
    for lane = 0, (tonumber(hash[5]) or 0) - 1 do
        get[#get + 1] = 'seq:' .. lane
        get[#get + 1] = 'persisted:' .. lane
    end
    local words = string.gmatch(old or '', '%d+')
    local same, lanes = words() == epoch, call(unpack(get))
    mark[1] = epoch
    for j = 2, #lanes, 2 do
        mark[#mark + 1] = lanes[j] or '0'
        local seq = same and tonumber(words()) or 0
        local at, done = match(lanes[j + 1] or '', '^(%d+)%-(%d+)$')
        if seq > (at == epoch and tonumber(done) or 0) then stored = false end
    end
    return table.concat(mark, ' '), stored
end

-- How many may be admitted: by capacity, what is left, rate, and by how long
-- the events of the moment of the mark have waited to be stored.
local function measure()
    learn('capacity', 'rate', 'share', 'rows_per_s', 'pass_ttl', 'max_lag',
          'tokens', 'tokens_at', 'mark', 'mark_at', 'issued')
    local marks, stored, old = {}, true, string.gmatch(room.mark, '[^,]+')
    if guarded > 0 then left = 0 end
    for i = 1, guarded do
        local mark, good = look(i, old())
        marks[i], stored = mark, stored and good
    end
    local mark = table.concat(marks, ',')
    if not stored then
        lag = max(0, now - number('mark_at'))
    elseif mark ~= room.mark then
        remember('mark', mark)
        remember('mark_at', now)
    end
    rate = tonumber(room.rate) or ''
    if room.share ~= '' and room.rows_per_s ~= '' then
        local rows = max(1, floor(room.rows_per_s * room.share / 100))
        rate = rate == '' and rows or min(rate, rows)
    end
    local free = number('capacity') - live
    if guarded > 0 then free = min(free, left - live) end
    if rate ~= '' then
        -- full at the beginning, and when the clock went back
        local ms = now - number('tokens_at')
        tokens = ms < 0 and rate or number('tokens') + ms * rate / 1000
        tokens = min(tokens, rate)
        free = min(free, floor(tokens))
    end
    if now < opens_at or room.state ~= 'open' and room.state ~= 'draining' then
        return 0
    end
    local limit = number('max_lag')
    local factor = max(0, min(1, 2 * (limit - lag) / limit))
    return max(0, floor(free * factor + 0.5))
end

-- Gives passes, after measure() and with the pace known: the only write that
-- may be refused.  Returns the error, if any, and when they expire.
local function admit(names)
    local expires = now + number('pass_ttl')
    local add = {'ZADD', Z}
    for i = 1, #names do
        add[2 * i + 1], add[2 * i + 2] = expires, names[i]
    end
    local done = try(unpack(add))
    if type(done) == 'table' then return done.err end
    live = live + #names
    remember('issued', number('issued') + #names)
    if rate ~= '' then
        remember('tokens', format('%.3f', tokens - #names))
        remember('tokens_at', now)
    end
    -- the first ones for a long time begin what the pace is measured over
    if number('pace') == 0 and number('pace_n') == 0 then
        remember('pace_at', now)
    end
    remember('pace_n', number('pace_n') + #names)
    return nil, expires
end
