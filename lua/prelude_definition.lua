-- Before the scripts that read and set a ticket's definition: capacity,
-- per_user, lanes, state, opens_at, closes_at ('' is no time), in this order.

-- 1 when every event of every lane is stored, else 0.
local function saved(epoch, lanes)
    local get = {'HMGET', KEYS[1]}
    for lane = 0, lanes - 1 do
        get[#get + 1] = 'seq:' .. lane
        get[#get + 1] = 'persisted:' .. lane
    end
    local marks = call(unpack(get))
    for i = 1, #marks, 2 do
        if marks[i + 1] ~= epoch .. '-' .. (marks[i] or 0) then return 0 end
    end
    return 1
end

-- The HSET of a definition, with more pairs.
local function setting(new, ...)
    return {'HSET', KEYS[1], 'capacity', new[1], 'per_user', new[2], 'lanes',
            new[3], 'state', new[4], 'opens_at', new[5], 'closes_at', new[6],
            ...}
end

-- The reply of define and delete.
local function defined(code, epoch, seq, remaining, new, persisted)
    return {code, now, tonumber(epoch), seq, tonumber(new[1]), remaining,
            tonumber(new[2]), tonumber(new[3]), new[4],
            tonumber(new[5]) or '', tonumber(new[6]) or '', persisted}
end

-- Appends the event `defined` to lane 0's outbox, which is the last of KEYS,
-- and sets what it says.
local function announce(code, epoch, seq, remaining, new)
    local event = format('defined %d', now)
    for i = 1, 6 do event = event .. ' ' .. (new[i] == '' and '-' or new[i]) end
    local id = try('XADD', KEYS[#KEYS], format('%s-%d', epoch, seq), '1', event)
    if type(id) == 'table' then return {REFUSED, now, id.err} end
    local torn = settle(nil,
        {setting(new, 'remaining', remaining, 'seq:0', seq)})
    if torn then return {TORN, now, torn} end
    return defined(code, epoch, seq, remaining, new, 0)
end
