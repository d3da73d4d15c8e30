-- A thousand payments a request, as a JSON array, each on its own; a line's key is the whole's key and its place. Payers
-- are the first hundred handles, others from thread to thread and from request to request; payees are the rest. Bodies
-- are made beforehand. A line that is not paid is a failure, and so is each of a response that is not 200.

dofile("common.lua")

local LINES, BODIES = 1000, 16

function prepare()
    bodies, calls, each = {}, 0, LINES
    for b = 1, BODIES do
        local lines = {}
        for l = 1, LINES do
            lines[l] = string.format(
                '{"to": "@h%07d", "amount": "0.%02d", "asset": "EUR"}', math.random(100, handles - 1) * apart,
                math.random(1, 20)
            )
        end
        bodies[b] = "[" .. table.concat(lines, ", ") .. "]"
    end
end

function request()
    calls, asked = calls + 1, asked + LINES
    local payer = (calls % 50 * 2 + number % 2) * apart
    return signed("/v1/payments/batch", payer, calls, bodies[calls % BODIES + 1])
end

function response(status, headers, body)
    if status ~= 200 then
        refuse(LINES, status .. " " .. body:sub(1, 200))
        return
    end
    local paid = 0
    for id in body:gmatch('"status":201,"id":"([%w_]+)"') do
        paid = paid + 1
        ids:write(id, "\n")
    end
    acknowledged = acknowledged + paid
    if paid < LINES then
        refuse(LINES - paid, body:match('"problem":{[^}]*}') or "lines are missing")
    end
end
