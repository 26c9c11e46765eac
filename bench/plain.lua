-- A booking as it is usually written, one a call: the limit bench/redis-cpu compares with. The same work as the
-- peers' common/book.lua; it checks far less than lua/book.lua.
-- KEYS: stock (string), users (set), outbox (stream)   ARGV: user, event
local stock = redis.call('GET', KEYS[1])
if not stock then return -3 end
if tonumber(stock) <= 0 then return -1 end
if redis.call('SISMEMBER', KEYS[2], ARGV[1]) == 1 then return -2 end
local left = redis.call('DECR', KEYS[1])
redis.call('SADD', KEYS[2], ARGV[1])
redis.call('XADD', KEYS[3], '*', 'op', 'book', 'event', ARGV[2], 'user', ARGV[1])
return left
