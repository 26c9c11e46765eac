-- Before book and cancel, whose n commands of five arguments, user and lane
-- first, follow ARGV[base]: what all of them are decided by.  One argument more
-- before n, for book: the passes, and Z and R are the last two of KEYS.

local base, passes = #ARGV % 5
if base == 0 then base, passes = 4, table.remove(ARGV, 4) end
local n, lanes = (#ARGV - base) / 5, tonumber(ARGV[2])
if base < 3 or n < 1 or n > 200 or n ~= tonumber(ARGV[base])
   or not lanes or #KEYS < 3 + lanes + (passes and 2 or 0)
then
    return redis.error_reply('ERR wrong arguments')
end
local users, lane = {'HMGET', KEYS[2], ARGV[base + 1]}, ARGV[base + 2]
local get = {'HMGET', KEYS[1], 'history', 'state', 'lanes', 'epoch',
             'remaining', 'per_user', 'opens_at', 'closes_at', 'seq:' .. lane}
local seqs = {[lane] = 9}               -- lane -> place, then the number
for i = 2, n do
    users[2 + i], lane = ARGV[base + 5 * i - 4], ARGV[base + 5 * i - 3]
    if not seqs[lane] then
        seqs[lane] = #get - 1
        get[#get + 1] = 'seq:' .. lane
    end
end
local hash = call(unpack(get))
local no = doubt(hash[1], hash[2])
if no then return no end
if hash[3] ~= ARGV[2] then return {WRONG_LANES, now, tonumber(hash[3])} end
for name, place in pairs(seqs) do
    if not hash[place] then return redis.error_reply('ERR wrong lane') end
    seqs[name] = tonumber(hash[place])
end
local T, epoch, ms = ARGV[1], hash[4], format('%d', now)
local remaining, writes = tonumber(hash[5]), {}
local reply = {OK, now, tonumber(epoch), remaining}
local at, added = 0, 0                  -- the reply worked on, and the last
                                        -- whose XADD is done

-- Decides the commands in order, until one raises, then writes what belongs
-- to those with an XADD; their result is a number or begins with `code`.
local function run(decide, code)
    local done, message = pcall(function()
        for i = 1, n do
            at = 4 + i
            reply[at] = decide(i)
        end
    end)
    local torn
    if not done then
        message = tostring(type(message) == 'table' and message.err or message)
        torn = added == at and message
        reply[at] = {torn and code or REFUSED, message}
        for i = at + 1, 4 + n do reply[i] = {NOT_DONE} end
    end
    if added == 0 then return reply end
    local set = {'HSET', KEYS[1], 'remaining', remaining}
    for name, seq in pairs(seqs) do
        set[#set + 1] = 'seq:' .. name
        set[#set + 1] = seq
    end
    writes[#writes + 1] = set
    torn = settle(torn, writes)
    for i = 5, torn and added or 0 do
        local result = reply[i]
        if type(result) == 'number' or result[1] == code then
            reply[i] = {TORN, torn}
        end
    end
    return reply
end
