-- What both scripts share: the arguments, the counters of each thread, and the one line of results at the end.
--
-- Arguments: run, handles, apart (handle n is the (n * apart)th), file (for the ids that were answered), seed, the
-- headers that say who calls (callers.py; they hold one %d, for the payer's number), and what the script itself wants.

local threads = {}

function setup(thread)
    thread:set("number", #threads)
    table.insert(threads, thread)
end

function init(arguments)
    asked, acknowledged, refused, first_refusal = 0, 0, 0, ""
    each = 1 -- payments a request
    run, handles, apart = arguments[1], tonumber(arguments[2]), tonumber(arguments[3])
    ids = io.open(arguments[4] .. "." .. number, "w")
    math.randomseed(tonumber(arguments[5]) * 64 + number)
    caller = arguments[6]
    prepare(arguments[7])
end

function prepare() end

function refuse(count, why)
    refused = refused + count
    if first_refusal == "" then
        first_refusal = why
    end
end

-- A request from the payer; `call` makes the Idempotency-Key, which no other request has.
local form = "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n" ..
    "%s\r\nIdempotency-Key: %s-%d-%d\r\nContent-Length: %d\r\n\r\n%s"

function signed(path, payer, call, body)
    return string.format(form, path, string.format(caller, payer), run, number, call, #body, body)
end

function done(summary, latency, requests)
    local sum = { asked = 0, acknowledged = 0, refused = 0 }
    local first = ""
    sum.asked = -threads[1]:get("each") -- wrk has its first thread make one request beforehand, which it never sends
    for _, thread in ipairs(threads) do
        for name, value in pairs(sum) do
            sum[name] = value + thread:get(name)
        end
        first = first ~= "" and first or thread:get("first_refusal")
    end
    local errors = summary.errors
    io.write(string.format(
        "\nRESULT\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%s\n", summary.duration, sum.asked, sum.acknowledged, sum.refused,
        errors.connect + errors.read + errors.write + errors.timeout, latency:percentile(50), latency:percentile(99),
        threads[1]:get("each"), (first:gsub("%s", " "))
    ))
end
