-- Requests COUNT documents in turn, starting with number FROM. Arguments: -- FROM COUNT. upstream/document.ts makes the same ids.
local first, count, asked = 0, 1, 0
local before, after

function init(args)
  first, count = tonumber(args[1]), tonumber(args[2])
  before, after = wrk.format("GET", "/execution-contacts/@"):match("^([^@]*)@(.*)$")
end

function request()
  local id = string.format("000000be-0000-4000-8000-%012x", first + asked % count)
  asked = asked + 1
  return before .. id .. after
end
