-- POST /book by another user each time.
local common = dofile(debug.getinfo(1, 'S').source:match('^@(.*/)') .. 'common.lua')
local n, head = 0, nil

function init() head = 'POST /book?event=' .. common.ticket .. '&user=' .. common.salt .. '-' .. thread .. '-' end

function request()
    n = n + 1
    return head .. n .. common.tail
end
