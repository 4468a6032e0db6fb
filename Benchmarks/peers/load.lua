-- Posts one body for wrk, checks every answer and writes what was measured as JSON.
-- Arguments: the body's file, its Content-Type, a text that every answer has.

local threads = {}

function setup(thread)
    table.insert(threads, thread)
end

function init(arguments)
    local file = assert(io.open(arguments[1], "rb"))
    wrk.method, wrk.body = "POST", file:read("*a")
    file:close()
    wrk.headers["Content-Type"] = arguments[2]
    expected, wrong, example = arguments[3], 0, ""
end

function response(status, headers, body)
    if status ~= 200 or not body:find(expected, 1, true) then
        wrong = wrong + 1
        if example == "" then example = status .. " " .. body:sub(1, 300) end
    end
end

function done(summary, latency, requests)
    local bad, first = 0, ""
    for _, thread in ipairs(threads) do
        bad = bad + thread:get("wrong")
        if first == "" then first = thread:get("example") end
    end
    local failures = summary.errors
    local broken = failures.connect + failures.read + failures.write + failures.timeout
    io.stderr:write(first)
    io.write(string.format(
        '\n{"answers":%d,"seconds":%.6f,"p50_ms":%.3f,"p99_ms":%.3f,"wrong":%d,"broken":%d}\n',
        summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
        bad, broken))
end
