import { announce, common, keptEvents, longestMs, storingMs, whenFull } from './script-parts.ts'
import type { Script } from './shared-server.ts'

/*
 * The scripts about replicas. `m` holds for each replica when it last reported, and `seen` the last event that it has heard. The
 * field `life` of both is a word that is new when the server has lost its memory. It is lost only with both.
 */

/** A replica that is silent for this long counts as gone for good. Until then, the others wait for it before they say that it has forgotten. */
export const goneMs = 60_000
/** Comes before all events. */
export const firstEvent = '0-0'
/** A replica that is silent for this long does not count as present. */
export const absentMs = 3000
/** How long `m` and `seen` are kept after the last report. */
const keptMs = 10 * 60_000

/**
 * Says that this replica is here. Keys: `m`, `seen`, events. Arguments: the replica, the last event that it has heard, empty
 * to hear all events from now on, or `0-0` to hear all that the server has, and the life of the server that it knows, or empty.
 *
 * Replies the number of replicas that are present, the last event, the earliest event that any replica has heard last, the event
 * after which this replica hears events, which is empty if the server no longer has the one that was given or has another life, the
 * time, its life, and 1 if no event was removed to make room for others.
 */
export const report: Script = {
  name: 'report',
  waitMs: storingMs,
  lua: `${whenFull}${common}${announce}
local me, seen = ARGV[1], ARGV[2]
if seen == '' or seen == '${firstEvent}' then
  local joined = announce(KEYS[3], 'kind', 'joined', 'by', me)
  if seen == '' then seen = joined end
end
local life = redis.call('HGET', KEYS[2], 'life') or redis.call('HGET', KEYS[1], 'life') or text(now) .. me
for _, key in ipairs({ KEYS[1], KEYS[2] }) do redis.call('HSET', key, 'life', life) end
local isThere = (ARGV[3] == '' or ARGV[3] == life) and #redis.call('XRANGE', KEYS[3], seen, seen) > 0
redis.call('HSET', KEYS[1], me, text(now))
redis.call('HSET', KEYS[2], me, seen)
for _, key in ipairs({ KEYS[1], KEYS[2] }) do redis.call('PEXPIRE', key, '${keptMs}') end
redis.call('PEXPIRE', KEYS[3], '${longestMs}')

-- If only the times are lost, all who have heard anything may be there.
for _, name in ipairs(redis.call('HKEYS', KEYS[2])) do redis.call('HSETNX', KEYS[1], name, text(now)) end

local present = 0
local earliest
local earliestTime, earliestCount = math.huge, math.huge
local members = redis.call('HGETALL', KEYS[1])
for index = 1, #members, 2 do
  local silent = now - (tonumber(members[index + 1]) or now)
  if members[index] == 'life' then
    -- It is no replica.
  elseif silent > ${goneMs} then
    redis.call('HDEL', KEYS[1], members[index])
    redis.call('HDEL', KEYS[2], members[index])
  else
    if silent <= ${absentMs} then present = present + 1 end
    local heard = redis.call('HGET', KEYS[2], members[index]) or '0-0'
    local part, count = string.match(heard, '(%d+)-(%d+)')
    part, count = tonumber(part), tonumber(count)
    if part < earliestTime or (part == earliestTime and count < earliestCount) then
      earliest, earliestTime, earliestCount = heard, part, count
    end
  end
end
local last = redis.call('XREVRANGE', KEYS[3], '+', '-', 'COUNT', '1')[1]
return { present, last and last[1] or '0-0', earliest, isThere and seen or '', now, life, redis.call('XLEN', KEYS[3]) < ${keptEvents} and 1 or 0 }
`,
}

/** Says that this replica ends. Keys: `m`, `seen`. Arguments: the replica. */
export const leave: Script = {
  name: 'leave',
  waitMs: storingMs,
  lua: `${whenFull}
redis.call('HDEL', KEYS[1], ARGV[1])
return redis.call('HDEL', KEYS[2], ARGV[1])
`,
}
