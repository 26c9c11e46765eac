-- Looks bookings up: n users of one ticket.
-- KEYS  K, K:buyers, K:rejected, K:late
-- ARGV  T, n, n users
-- Returns {OK, now, epoch, n results}, each of them one of
--       {FOUND, booking_id, quantity, booked_at, persisted 0/1}
--       {REJECTED, booking_id, reason} {NOT_BOOKED};
--       or {RECOVERING, now, exists} {UNKNOWN_TICKET, now, replid}
-- Errors wrong arguments; a key of the wrong type
local n = #ARGV - 2
if n < 1 or n > 200 or tonumber(ARGV[2]) ~= n or #KEYS ~= 4 then
    return redis.error_reply('ERR wrong arguments')
end
local hash = call('HMGET', KEYS[1], 'history', 'state', 'epoch')
local no = doubt(hash[1], hash[2])
if no then return no end
local held = call('HMGET', KEYS[2], unpack(ARGV, 3))
local marks = {}

-- Is the event of this id stored?  An older epoch is, as it was drained, but
-- for what takeover.lua has booked since: that has another event here.
local function persisted(id)
    local lane, epoch, seq = match(id, ':(%d+):(%d+)%-(%d+)$')
    local mark = marks[lane] or call('HGET', KEYS[1], 'persisted:' .. lane)
    marks[lane] = mark
    local stored_epoch, stored = match(mark or '0-0', '(%d+)%-(%d+)')
    epoch, stored_epoch = tonumber(epoch), tonumber(stored_epoch)
    if epoch < stored_epoch then
        local at = call('HGET', KEYS[4], 'seq ' .. id)
        if at then epoch, seq = stored_epoch, at end
    end
    return (epoch < stored_epoch
            or epoch == stored_epoch and tonumber(seq) <= tonumber(stored))
           and 1 or 0
end

local reply = {OK, now, tonumber(hash[3])}
for i = 1, n do
    local result = {NOT_BOOKED}
    if held[i] then
        local quantity, at, id = match(held[i], '(%S+) (%S+) (%S+)')
        result = {FOUND, id, tonumber(quantity), tonumber(at), persisted(id)}
    else
        local rejected = call('HGET', KEYS[3], ARGV[2 + i])
        if rejected then
            result = {REJECTED, match(rejected, '(%S+) (%S+)')}
        end
    end
    reply[3 + i] = result
end
return reply
