-- Before scripts whose KEYS are R, Q, Z and then K of each ticket that the room
-- guards, named in ARGV[2]: the room, its draw, and what its tickets have left.
-- docs/architecture.md has the keys.

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
