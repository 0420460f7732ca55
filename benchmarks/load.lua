-- wrk's requests: POSTs whose %d is a number that goes up and begins anew at a limit.
-- Arguments: path, body, limit.
local path, body, limit
local number = 0

function init(args)
  path, body, limit = args[1], args[2], tonumber(args[3])
  wrk.headers["Content-Type"] = "application/json"
end

function request()
  number = number % limit + 1
  return wrk.format("POST", path, nil, (body:gsub("%%d", tostring(number))))
end

function done(summary)
  local errors = summary.errors
  io.write(string.format('{"completed": %d, "seconds": %f, "failed": %d}\n',
    summary.requests, summary.duration / 1e6,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
