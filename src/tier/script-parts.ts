/*
 * What scripts have in common. Times are those of the server, in milliseconds.
 */

/** Begins a script that also works when the memory of the server is full. */
export const whenFull = '#!lua flags=allow-oom\n'

/** How long a script may take that a request waits for, and one that stores or tells something. */
export const askingMs = 100
export const storingMs = 250

/** Longer than any entry may be used: the whole day of an ended run, and its hour of freshness. */
export const longestMs = 25 * 60 * 60 * 1000

/**
 * The time; `past` says when something happened, 0 for never or a time that has not come, because the clock of the server was set
 * back: what that excludes is in the future too; and `keep` keeps a key for so long at least.
 */
export const common = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function text(number) return string.format('%.0f', number) end
local function words(value)
  local list = {}
  for word in string.gmatch(value or '', '%S+') do list[#list + 1] = word end
  return list
end
local function past(time) return time and tonumber(time) and tonumber(time) <= now and tonumber(time) or 0 end
local function keep(key, ms)
  if redis.call('PTTL', key) < ms then redis.call('PEXPIRE', key, text(ms)) end
end
`

/** So many events are kept at least. */
export const keptEvents = 10_000

/** Adds an event, and returns its id. */
export const announce = `
local function announce(key, ...)
  local id = redis.call('XADD', key, 'MAXLEN', '~', '${keptEvents}', '*', ...)
  redis.call('PEXPIRE', key, '${longestMs}')
  return id
end
`
