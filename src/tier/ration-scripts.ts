import { longestPauseSeconds } from '../upstream/transport/response-headers.ts'
import { absentMs, goneMs } from './replica-scripts.ts'
import { announce, askingMs, common, storingMs, whenFull } from './script-parts.ts'
import type { Script } from './shared-server.ts'

/*
 * The scripts about the ration of calls to Hilos. It is a sorted set of tokens, each with the time of the server when it comes back.
 * One that is not sent yet comes back after its call has certainly ended. The member `last` is the slot that was given last, as
 * a negative number, so that it comes before all tokens and the set is never empty.
 *
 * The first four arguments of those that change tokens: how many tokens there are, how long each is away after its call was
 * sent, how far ahead slots are given, and for how long a token is held whose call is not sent, in milliseconds.
 */

/** What is left of a pause. It is no longer than Hilos can have asked for, whatever another program has written. */
const left = (key: string) => `math.min(redis.call('PTTL', ${key}), ${longestPauseSeconds * 1000})`

/** How long an unused ration is kept. */
const keptMs = 10 * 60_000

/**
 * Makes the ration if it is missing: at first, after the loss of the memory of the server, and when its clock was set back. Who
 * made calls before is not known then, so that all tokens are away, and so are slots that were given ahead.
 */
const ration = `${common}
local size, away, ahead, held = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local longest = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')[2]
if not longest or longest - now > 2 * (ahead + held) then
  redis.call('DEL', KEYS[1])
  redis.call('ZADD', KEYS[1], text(-now), 'last')
  for index = 1, size do redis.call('ZADD', KEYS[1], text(now + away + ahead), 'lost-' .. index) end
end
redis.call('PEXPIRE', KEYS[1], '${keptMs}')
`

/**
 * Takes tokens. Keys: ration, pause, `m`. More arguments: how many replicas there are at least, and the tokens.
 *
 * Replies `paused` and what is left of the pause; or `slots`, after how long to ask for those that were not given, and for each
 * of the first tokens, which were given, after how long its call may be sent.
 */
export const take: Script = {
  name: 'take',
  waitMs: askingMs,
  lua: `${whenFull}${ration}
local paused = ${left('KEYS[2]')}
if paused > 0 then return { 'paused', paused } end

local present, all = 0, 0
local members = redis.call('HGETALL', KEYS[3])
for index = 2, #members, 2 do
  -- One field is no time.
  local silent = now - (tonumber(members[index]) or 0)
  if silent <= ${absentMs} then present = present + 1 end
  if silent <= ${goneMs} then all = all + 1 end
end
present = math.max(present, 1)
size = math.max(1, math.floor(size * present / math.max(all, present, tonumber(ARGV[5]))))

redis.call('ZREMRANGEBYSCORE', KEYS[1], 0, text(now))
-- It is later only if the clock was set back.
local last = math.min(-redis.call('ZSCORE', KEYS[1], 'last'), now + ahead)
local reply = { 'slots', 0 }
for index = 6, #ARGV do
  local taken = redis.call('ZCARD', KEYS[1]) - 1
  local slot, earliest = now, now
  if taken >= size then
    local back = redis.call('ZRANGE', KEYS[1], taken - size + 1, taken - size + 1, 'WITHSCORES')[2]
    slot = math.max(back, last + away / size)
    -- A token that is held may come back sooner, once its call is sent.
    earliest = math.min(slot, now + away)
  end
  if slot > now + ahead then
    reply[2] = math.max(1, math.ceil(earliest - ahead - now))
    break
  end
  last = slot
  redis.call('ZADD', KEYS[1], text(slot + held), ARGV[index])
  reply[#reply + 1] = math.ceil(slot - now)
end
redis.call('ZADD', KEYS[1], string.format('%.3f', -last), 'last')
return reply
`,
}

/**
 * Says when tokens come back. Key: ration. More arguments: each token with the milliseconds until then. The server may know better
 * of one that it knows.
 */
export const keepTokens: Script = {
  name: 'keep_tokens',
  waitMs: storingMs,
  lua: `${whenFull}${ration}
for index = 5, #ARGV, 2 do redis.call('ZADD', KEYS[1], 'LT', text(now + ARGV[index + 1]), ARGV[index]) end
return 1
`,
}

/** Gives back tokens with which no call was sent and none will be. Key: ration. Arguments: tokens. */
export const giveBack: Script = {
  name: 'give_back',
  waitMs: askingMs,
  lua: `${whenFull}
return redis.call('ZREM', KEYS[1], unpack(ARGV))
`,
}

/** Stops the calls of all replicas, unless they are stopped for longer. Keys: pause, events. Arguments: how long, and the event. */
export const pause: Script = {
  name: 'pause',
  waitMs: storingMs,
  lua: `${whenFull}${announce}
if redis.call('PTTL', KEYS[1]) >= tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], '1', 'PX', ARGV[1])
announce(KEYS[2], unpack(ARGV, 2))
return 1
`,
}

/** Replies how many milliseconds of the pause are left. Key: pause. */
export const pauseLeft: Script = {
  name: 'pause_left',
  waitMs: askingMs,
  lua: `${whenFull}
return ${left('KEYS[1]')}
`,
}
