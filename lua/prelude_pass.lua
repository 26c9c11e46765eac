-- Before book.  Of a guarded batch: check(i) is the answer to a pass that is
-- no good, and spend(i) uses a good one up.
-- Uses  prelude_batch.lua

local check, spend
if passes then
    local times, live, spent, used = {}
    for expires in string.gmatch(passes, '%d+') do
        times[#times + 1] = tonumber(expires)
    end
    if #times ~= n then return redis.error_reply('ERR wrong arguments') end
    check = function(i)
        if times[i] == 0 then return end
        if now >= times[i] then return {PASS_EXPIRED} end
        live = live or call('ZMSCORE', KEYS[#KEYS - 1], unpack(users, 3))
        if tonumber(live[i]) ~= times[i] then return {PASS_USED} end
    end
    spend = function(i)
        if times[i] == 0 then return end
        if not spent then
            spent = {'ZREM', KEYS[#KEYS - 1]}
            used = {'HINCRBY', KEYS[#KEYS], 'used', 0}
            writes[#writes + 1], writes[#writes + 2] = spent, used
        end
        spent[#spent + 1], used[4] = ARGV[5 * i], used[4] + 1
    end
end
