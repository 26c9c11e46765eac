-- Before the scripts that look at a room only as its administration does.

-- the definition, in the order in which queue_define takes it, and the rest
local kept = {'capacity', 'rate', 'share', 'pass_ttl', 'state', 'tickets',
    'max_lag', 'opens_at', 'draw', 'seed', 'draw_hash', 'origin', 'drawn',
    'rows_per_s', 'base', 'number', 'issued', 'used', 'expired', 'returned',
    'pace', 'changed_by', 'changed_at'}
-- those that are '' may be cleared
local defaults = {nil, '', '', '60000', 'open', '', '1000', '', '0'}

-- What is answered when there is no room, given its state.
local function absent(state)
    local id = replid()
    if not id then return {RECOVERING, now, 0} end
    if not state then return {UNKNOWN_QUEUE, now, id} end
    if state == 'deleted' then return {UNKNOWN_QUEUE, now, ''} end
end

-- {code, now, name, value, ...}: all values are strings, '' is none
local function described(code)
    local values = call('HMGET', KEYS[1], unpack(kept))
    local reply = {code, now}
    for i = 1, #kept do
        reply[#reply + 1] = kept[i]
        reply[#reply + 1] = values[i] or ''
    end
    return reply
end

-- Whether a list names tickets that the room may guard: S or something@S, each
-- once, with one space between them.
local function guardable(list)
    local names, seen = {}, {}
    for name in string.gmatch(list, '%S+') do
        local tag = match(name, '^[^@]+@([^@]+)$') or name
        if seen[name] or tag ~= ARGV[1] then return false end
        seen[name], names[#names + 1] = true, name
    end
    return #names <= 16 and table.concat(names, ' ') == list
end

-- Whether a value of the definition, number i of `kept`, is in form.
local function valid(i, value)
    if i == 5 then
        return match(value, '^%l+$')
               and find(' open paused draining closed deleted ',
                        ' ' .. value .. ' ', 1, true)
    elseif i == 6 then
        return guardable(value)
    elseif i == 9 then
        return value == '0' or value == '1'
    end
    return match(value, '^[1-9]%d*$') and #value <= 15
           and (i ~= 3 or tonumber(value) <= 100)
end

-- Appends to the HSET of a room that is made what it begins with.  Numbers rise
-- from a base that no earlier life of the room has reached.
local function begin(set, origin, drawn, old)
    local base = math.max(now * 1000, tonumber(old[16]) or 0,
                          origin and origin + 1 or 0)
    local first = {'origin', format('%d', origin or base), 'drawn', drawn,
        'base', format('%d', base), 'number', format('%d', base), 'mark', '',
        'mark_at', 0, 'passed', 0, 'pace_at', 0, 'pace_n', 0, 'tokens', 0, 'tokens_at', 0,
        'pace', 0, 'issued', 0, 'used', 0, 'expired', 0, 'returned', 0}
    for i = 1, #first do set[#set + 1] = first[i] end
end
