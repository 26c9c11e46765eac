-- What every script begins with: lua/embed puts it before each of them.

local call, try = redis.call, redis.pcall
local find, match, format = string.find, string.match, string.format

-- Redis' clock in ms; it stands still while a script runs
local clock = call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

-- The master_replid of this server, nil when it is no master.
local function replid()
    local info = call('INFO', 'replication')
    if not find(info, 'role:master', 1, true) then return nil end
    local _, last = find(info, 'master_replid:', 1, true)
    return string.sub(info, last + 1, last + 40)
end

-- What the call as a whole answers, nil when the hash may be believed: its
-- history is this server's.  `state` is looked at when it is given.
local function doubt(history, state)
    local id = replid()
    if not id then return {RECOVERING, now, 0} end
    if history ~= id then
        if call('EXISTS', KEYS[1]) == 0 then
            return {UNKNOWN_TICKET, now, id}
        end
        return {RECOVERING, now, 1}
    end
    if state == 'deleted' then return {UNKNOWN_TICKET, now, ''} end
end

-- The writes that belong to an XADD.  When one is refused (or `torn` says that
-- something else went wrong) the others are still made, and the ticket closes
-- itself by losing its history: emptied and removed, either will do.
local function settle(torn, writes)
    for i = 1, #writes do
        local reply = try(unpack(writes[i]))
        if type(reply) == 'table' then torn = reply.err or torn end
    end
    if torn then
        try('HSET', KEYS[1], 'history', '')
        try('HDEL', KEYS[1], 'history')
    end
    return torn
end
