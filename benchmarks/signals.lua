-- wrk script: every request is a signal that becomes an incident of its own.
-- KEYS names a file with one device key a line, all of different sites; signals of one site and kind lie
-- 46 minutes apart (the window is 45), by their age, up to 29 days back.
local kinds = { "break_in", "theft", "disorder", "vandalism", "missing_person", "tip_off" }
local keys, counter, seed = {}, 0, 0
local threads = 0

function setup(thread)
  thread:set("number", threads)
  threads = threads + 1
end

function init(args)
  for line in io.lines(os.getenv("KEYS")) do keys[#keys + 1] = line end
  math.randomseed(os.time() * 8 + number)
  seed = string.format("%08x", math.random(0, 0x7fffffff))
  counter = number * 1000003 % 900
end

function request()
  counter = counter + 1
  local id = string.format("%s-%04x-4%03x-8%03x-%012x", seed, number, math.random(0, 4095), math.random(0, 4095), counter)
  local key = keys[counter % #keys + 1]
  local kind = kinds[math.floor(counter / #keys) % #kinds + 1]
  local age = math.floor(counter / (#keys * #kinds)) % 900 * 46 * 60
  local now = os.time()
  local body = string.format(
    '{"id":"%s","kind":"%s","occurred_at":"%s","sent_at":"%s","zone":"%d"}',
    id, kind, os.date("!%Y-%m-%dT%H:%M:%SZ", now - age), os.date("!%Y-%m-%dT%H:%M:%SZ", now), number)
  return wrk.format("POST", "/v1/signals", { ["Authorization"] = "Bearer " .. key, ["Content-Type"] = "application/json" }, body)
end
