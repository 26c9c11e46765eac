-- Before queue_enter and queue_advance: how many a room may admit, and their
-- admission.
-- Uses  prelude_queue.lua

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
