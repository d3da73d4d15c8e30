-- One token payment a request, from a random payer to a random payee. What is not answered 202 is a failure; the id of
-- every payment that is answered is written down.

dofile("common.lua")

function request()
    asked = asked + 1
    local payer = math.random(0, handles - 1)
    local payee = (payer + math.random(1, handles - 1)) % handles
    local body = string.format('{"to": "@h%07d", "amount": "0.%02d", "asset": "USDX"}', payee, math.random(1, 20))
    return signed("/v1/payments", payer, asked, body)
end

function response(status, headers, body)
    if status == 202 then
        acknowledged = acknowledged + 1
        ids:write(body:sub(8, 37), "\n") -- of {"id":"pay_01h455vb4pex5vsknk084sn02q"
    else
        refuse(1, status .. " " .. body:sub(1, 200))
    end
end
