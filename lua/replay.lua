-- Books anew what was confirmed once, refused by MySQL and taken back: the
-- replay of a dead letter.  Decided as a booking is, by today's state, hours,
-- limit and stock; a new booking with a new id.
-- KEYS  K, K:buyers, K:rejected, K:late, K:outbox:<lane>
-- ARGV  T, lane, epoch (the one MySQL has), id of the refused event, user,
--       quantity
-- Returns {OK, now, BOOKED, booking_id}; or nothing is done, and it is one of
--       {OK, now, REPLAYED, booking_id, 1 when the user holds it, else 0}:
--       booked by an earlier replay in this epoch
--       {OK, now, ALREADY_BOOKED, booking_id} {OK, now, SOLD_OUT}
--       {OK, now, NOT_ENOUGH, remaining} {OK, now, LIMIT_EXCEEDED, per_user}
--       {OK, now, NOT_OPEN, opens_at} {OK, now, CLOSED} {OK, now, PAUSED}
--       {STALE, now, epoch}: another epoch, read MySQL again
--       {RECOVERING, now, exists} {UNKNOWN_TICKET, now, replid}
--       {REFUSED, now, message}; or {TORN, now, message}
-- Errors wrong arguments; a key of the wrong type
-- K:late, emptied by every opening, holds 'replay <event id>' -> booking_id.
-- By then MySQL knows what was stored, and what was not is lost with Redis.
local T, lane, epoch, origin, user = unpack(ARGV, 1, 5)
local quantity = tonumber(ARGV[6])
if #KEYS ~= 5 or #ARGV ~= 6 or not quantity then
    return redis.error_reply('ERR wrong arguments')
end
local hash = call('HMGET', KEYS[1], 'history', 'epoch', 'remaining', 'state',
    'per_user', 'opens_at', 'closes_at', 'seq:' .. lane)
local no = doubt(hash[1], hash[4])
if no then return no end
if hash[2] ~= epoch then return {STALE, now, tonumber(hash[2])} end
local remaining, per_user = tonumber(hash[3]), tonumber(hash[5])
local opens_at, closes_at = tonumber(hash[6]), tonumber(hash[7])
local seq = tonumber(hash[8])
if not seq then return redis.error_reply('ERR wrong lane') end
local done = call('HGET', KEYS[4], 'replay ' .. origin)
local held = match(call('HGET', KEYS[2], user) or '', '%S+$')
call('HLEN', KEYS[3])                           -- raises on a wrong type

if done then return {OK, now, REPLAYED, done, held == done and 1 or 0} end
if held then return {OK, now, ALREADY_BOOKED, held} end
if hash[4] ~= 'open' then
    return {OK, now, hash[4] == 'paused' and PAUSED or CLOSED}
elseif opens_at and now < opens_at then return {OK, now, NOT_OPEN, opens_at}
elseif closes_at and now >= closes_at then return {OK, now, CLOSED} end
if quantity > per_user then return {OK, now, LIMIT_EXCEEDED, per_user} end
if remaining < 1 then return {OK, now, SOLD_OUT} end
if quantity > remaining then return {OK, now, NOT_ENOUGH, remaining} end

seq = seq + 1
local id = format('%s-%d', epoch, seq)
local added = try('XADD', KEYS[5], id, '1', format('booked %d %s %d %d = = %s',
    now, user, quantity, quantity, origin))
if type(added) == 'table' then return {REFUSED, now, added.err} end
id = T .. ':' .. lane .. ':' .. id
local torn = settle(nil, {
    {'HSET', KEYS[2], user, format('%d %d ', quantity, now) .. id},
    {'HDEL', KEYS[3], user}, {'HSET', KEYS[4], 'replay ' .. origin, id},
    {'HSET', KEYS[1], 'remaining', remaining - quantity, 'seq:' .. lane, seq}})
if torn then return {TORN, now, torn} end
return {OK, now, BOOKED, id}
