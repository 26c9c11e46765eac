-- What the server is, and whether this user may run every command the scripts
-- need: each is tried on scratch keys (no ticket has a ':' in its name), which
-- are gone when it returns.
-- KEYS  ticket:{:selftest}:hash, ...:stream, ...:string, ...:zset
-- ARGV  nonce
-- Returns {OK, now, maxmemory_policy, maxmemory, role, connected_slaves,
--       min_slaves_good_slaves ('' when no minimum is set)}; a replica is only
--       described
-- Errors what Redis says of the first command that may not be run
if #ARGV ~= 1 or #KEYS ~= 4 then
    return redis.error_reply('ERR wrong arguments')
end
local hash, stream, text, nonce = KEYS[1], KEYS[2], KEYS[3], ARGV[1]
local memory, roles = call('INFO', 'memory'), call('INFO', 'replication')
local function value(info, name) return match(info, name .. ':([^\r\n]*)') end

if replid() then
    -- UNLINK first: full memory is no matter of rights
    call('UNLINK', unpack(KEYS))
    call('HSET', hash, nonce, 1, 'other', 2)
    call('HMGET', hash, nonce, 'other')
    call('HGET', hash, nonce)
    call('HLEN', hash)
    call('HSCAN', hash, 0, 'COUNT', 10)
    call('HDEL', hash, 'other')
    call('EXISTS', hash)
    call('XADD', stream, '1-1', '1', nonce)
    call('XLEN', stream)
    call('XTRIM', stream, 'MINID', '1-2')
    call('SET', text, nonce, 'EX', 60)
    call('GET', text)
    call('PERSIST', text)
    call('RENAME', hash, text)
    call('UNLINK', unpack(KEYS))
end
return {OK, now, value(memory, 'maxmemory_policy'),
        tonumber(value(memory, 'maxmemory')), value(roles, 'role'),
        tonumber(value(roles, 'connected_slaves')),
        tonumber(value(roles, 'min_slaves_good_slaves')) or ''}
