-- One payment a request, from a random payer to a random payee, or (the last argument is "hot") all to the first handle. With
-- "paced" each connection waits 40 ms before the next one: a part of what the machine does.
-- What is not answered 201 is a failure; the id of every payment that is answered is written down.

dofile("common.lua")

function prepare(argument)
    hot = argument == "hot"
    if argument == "paced" then
        function delay()
            return 40
        end
    end
end

function request()
    asked = asked + 1
    local payer, payee
    if hot then
        payer, payee = math.random(1, handles - 1), 0
    else
        payer = math.random(0, handles - 1)
        payee = (payer + math.random(1, handles - 1)) % handles
    end
    local body = string.format('{"to": "@h%07d", "amount": "0.%02d", "asset": "EUR"}', payee * apart, math.random(1, 20))
    return signed("/v1/payments", payer * apart, asked, body)
end

function response(status, headers, body)
    if status == 201 then
        acknowledged = acknowledged + 1
        ids:write(body:sub(8, 37), "\n") -- of {"id":"pay_01h455vb4pex5vsknk084sn02q"
    else
        refuse(1, status .. " " .. body:sub(1, 200))
    end
end
