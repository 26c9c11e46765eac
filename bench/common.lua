-- What the load scripts share: who asks, and the report, whose last line is JSON.
local M = {ticket = os.getenv('TICKET') or 'bench'}
M.tail = ' HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n'

local random = io.open('/dev/urandom', 'rb')
M.salt = 'u' .. random:read(4):gsub('.', function(c) return string.format('%02x', c:byte()) end)
random:close()

local threads = 0
function setup(thread)
    threads = threads + 1
    thread:set('thread', threads)
end

function done(summary, latency)
    local e = summary.errors
    io.write(string.format('{"requests":%d,"seconds":%.3f,"rps":%.0f,"p50_ms":%.3f,"p99_ms":%.3f,"refused":%d,"failed":%d}\n',
        summary.requests, summary.duration / 1e6, summary.requests / summary.duration * 1e6,
        latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, e.status, e.connect + e.read + e.write + e.timeout))
end

return M
