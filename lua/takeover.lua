-- Settles a late event: makes one ordinary event of this epoch from what was
-- confirmed in a past one and stored by nobody, whatever comes of it.
-- KEYS  K, K:buyers, K:rejected, K:late, K:outbox:<lane>
-- ARGV  T, lane, epoch (the one MySQL has), id of the late event, its type
--       (booked cancelled), user, quantity, booking_id, 1 when that booking
--       is void in MySQL, else 0
-- Returns {OK, now, how, seq}: how is BOOKED (the user holds this booking),
--       CANCELLED, REJECTED (no room, or another booking: K:rejected says so)
--       or VOID (it was cancelled, or is to be when it comes); seq 0: asked
--       before in this epoch, the same answer, nothing done.  Or {STALE, now,
--       epoch}: another epoch, read MySQL again; {RECOVERING, now, exists}
--       {UNKNOWN_TICKET, now, replid} {REFUSED, now, message}, nothing done;
--       {TORN, now, message}
-- Errors wrong arguments; a key of the wrong type
-- K:late (emptied by every opening) holds late event id -> how, 'seq
-- <booking_id>' -> number of the event that booked it here, for booking.lua,
-- and the void bookings of this epoch: 'void <booking_id>' -> 1, as MySQL may
-- have been read before the cancel was there.
local lane, epoch, origin, kind, user = unpack(ARGV, 2, 6)
local quantity, booking, void = tonumber(ARGV[7]), ARGV[8], ARGV[9] == '1'
if #KEYS ~= 5 or #ARGV ~= 9 or not quantity
   or kind ~= 'booked' and kind ~= 'cancelled'
then
    return redis.error_reply('ERR wrong arguments')
end
local hash = call('HMGET', KEYS[1], 'history', 'epoch', 'remaining', 'state',
    'seq:' .. lane)
local no = doubt(hash[1])
if no then return no end
if hash[2] ~= epoch then return {STALE, now, tonumber(hash[2])} end
local late = call('HMGET', KEYS[4], origin, 'void ' .. booking)
if late[1] then return {OK, now, tonumber(late[1]), 0} end
local remaining, seq = tonumber(hash[3]), tonumber(hash[5])
if not seq then return redis.error_reply('ERR wrong lane') end
local held = call('HGET', KEYS[2], user)
call('HLEN', KEYS[3])                           -- raises on a wrong type
local holding, id = 0, '-'
if held then holding, id = match(held, '^(%d+) %d+ (%S+)$') end
local mine = id == booking

-- what comes of it: an event, and what the user holds after it
local how, event, writes = VOID, 'cancelled', {}
if kind == 'booked' and mine then
    how, event = BOOKED, 'booked'
elseif kind == 'booked' and (void or late[2]) then
    how = VOID
elseif kind == 'booked' and not held and remaining >= quantity
       and hash[4] ~= 'deleted' then
    how, event, holding, id = BOOKED, 'booked', quantity, booking
    remaining = remaining - quantity
    writes = {{'HSET', KEYS[2], user, format('%d %d ', quantity, now)
               .. booking}, {'HDEL', KEYS[3], user},
              {'HSET', KEYS[4], 'seq ' .. booking, seq + 1}}
elseif kind == 'booked' then
    how, event = REJECTED, 'rejected'
    writes = {{'HSET', KEYS[3], user, booking .. ' late'}}
elseif mine then
    how, remaining = CANCELLED, remaining + holding
    holding, id = 0, '-'
    writes = {{'HDEL', KEYS[2], user}}
else
    writes = {{'HSET', KEYS[4], 'void ' .. booking, 1}}
end
seq = seq + 1
local added = try('XADD', KEYS[5], format('%s-%d', epoch, seq), '1',
    format('%s %d %s %d %d %s %s %s', event, now, user, quantity, holding,
           booking, id, origin))
if type(added) == 'table' then return {REFUSED, now, added.err} end
writes[#writes + 1] = {'HSET', KEYS[4], origin, how}
writes[#writes + 1] = {'HSET', KEYS[1], 'remaining', remaining, 'seq:' .. lane,
                       seq}
local torn = settle(nil, writes)
if torn then return {TORN, now, torn} end
return {OK, now, how, seq}
