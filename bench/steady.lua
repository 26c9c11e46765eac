-- Books and cancels by turns, a few thousand a second: each connection waits a little between its requests.
local common = dofile(debug.getinfo(1, 'S').source:match('^@(.*/)') .. 'common.lua')
local lag, n, book, cancel = 1000, 0, nil, nil

function init()
    local query = '?event=' .. common.ticket .. '&user=' .. common.salt .. '-' .. thread .. '-'
    book, cancel = 'POST /book' .. query, 'POST /cancel' .. query
end

function delay() return 30 + math.random(20) end

-- a cancel follows its booking from afar: they travel on different connections
function request()
    n = n + 1
    local turn = math.floor(n / 2)
    if n % 2 == 0 and turn > lag then return cancel .. (turn - lag) .. common.tail end
    return book .. (n % 2 == 1 and turn + 1 or 'x' .. turn) .. common.tail
end
