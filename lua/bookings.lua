-- Lists the buyers of a ticket, a page a call, as HSCAN does: a user may come
-- twice, and one who comes or goes meanwhile may be missed.
-- KEYS  K, K:buyers
-- ARGV  T, cursor (0: begin), count (about so many, 1 to 1000)
-- Returns {OK, now, next cursor ('0': end), user, value, user, value ...} with
--       value '<quantity> <booked_at> <booking_id>'; or
--       {RECOVERING, now, exists} {UNKNOWN_TICKET, now, replid}
-- Errors wrong arguments; a key of the wrong type
local count = tonumber(ARGV[3])
if #ARGV ~= 3 or #KEYS ~= 2 or not count or count < 1 or count > 1000 then
    return redis.error_reply('ERR wrong arguments')
end
local hash = call('HMGET', KEYS[1], 'history', 'state')
local no = doubt(hash[1], hash[2])
if no then return no end
local page = call('HSCAN', KEYS[2], ARGV[2], 'COUNT', count)
local reply = {OK, now, page[1]}
for i = 1, #page[2] do reply[3 + i] = page[2][i] end
return reply
