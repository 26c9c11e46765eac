-- What the server is, and whether this user may run every command the scripts
-- need: each is tried on scratch keys (no ticket has a ':' in its name), which
-- are gone when it returns.
-- KEYS  ticket:{:selftest}:hash, ...:stream, ...:string, ...:zset
-- ARGV  nonce
-- Returns {OK, now, maxmemory_policy, maxmemory, role, connected_slaves,
--       min_slaves_good_slaves ('' when no minimum is set), 1 when writes are
--       refused because they are too few, else 0, master_replid ('' of a
--       replica), repl_backlog_active}; a replica is only described
-- Errors what Redis says of the first command that may not be run, and its
--       name
if #ARGV ~= 1 or #KEYS ~= 4 then
    return redis.error_reply('ERR wrong arguments')
end
local hash, stream, text, line = unpack(KEYS)
local nonce = ARGV[1]
local memory, roles = call('INFO', 'memory'), call('INFO', 'replication')
local function value(info, name) return match(info, name .. ':([^\r\n]*)') end

-- Redis does not say which command it was
local failed
local lonely, id = 0, replid()
local function must(command, ...)
    local reply = try(command, ...)
    if type(reply) ~= 'table' or not reply.err then return end
    -- rights are looked at before that
    if find(reply.err, 'NOREPLICAS', 1, true) then
        lonely = 1
    else
        failed = failed or reply.err .. ' (' .. command .. ')'
    end
end

if id then
    -- UNLINK first: full memory is no matter of rights
    must('UNLINK', unpack(KEYS))
    must('HSET', hash, nonce, 1, 'other', 2)
    must('HMGET', hash, nonce, 'other')
    must('HGET', hash, nonce)
    must('HLEN', hash)
    must('HSCAN', hash, 0, 'COUNT', 10)
    must('HINCRBY', hash, 'other', 1)
    must('HDEL', hash, 'other')
    must('EXISTS', hash)
    must('XADD', stream, '1-1', '1', nonce)
    must('XLEN', stream)
    must('XTRIM', stream, 'MINID', '1-2')
    must('ZADD', line, 1, nonce)
    must('ZSCORE', line, nonce)
    must('ZMSCORE', line, nonce)
    must('ZRANK', line, nonce)
    must('ZCARD', line)
    must('ZCOUNT', line, 0, 1)
    must('ZRANGE', line, 0, 0)
    must('ZREM', line, nonce)
    must('ZREMRANGEBYRANK', line, 0, 0)
    must('SET', text, nonce, 'EX', 60)
    must('GET', text)
    must('PERSIST', text)
    must('RENAME', hash, text)
    must('UNLINK', unpack(KEYS))
end
if failed then return redis.error_reply(failed) end
return {OK, now, value(memory, 'maxmemory_policy'),
        tonumber(value(memory, 'maxmemory')), value(roles, 'role'),
        tonumber(value(roles, 'connected_slaves')),
        tonumber(value(roles, 'min_slaves_good_slaves')) or '', lonely,
        id or '', tonumber(value(roles, 'repl_backlog_active')) or 0}
