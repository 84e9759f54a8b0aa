import type { Script } from './shared-server.ts'

/*
 * The scripts about contacts. Times are those of the server, in milliseconds; replicas send and get durations.
 *
 * The entry of a contact is a hash: `t` when Hilos answered, `f`, `w` and `e` its lifetimes, `k` 1 for a contact and 0 for an
 * absence, `n` its namespace, `g` the flow of the run, `b` the sealed bytes.
 *
 * What is known of its loads is another hash. Readers who may see the same flows share a place. The field `<place>` is the lease
 * of the replica that is loading, `token deadline begun`; `!<place>` is a failure, `until code isTransient`; `-<place>` is an
 * absence for these readers only, `since fresh`. `gone` is when the contact was last known not to exist: nothing that was answered
 * before is stored. What other readers met stays: they would learn from its loss that the contact is not just hidden from them.
 */

/** Longer than any load takes, so that none of them brings back what does not exist. */
const fencedMs = 60_000

/** Longer than any entry may be used: the whole day of an ended run, and its hour of freshness. */
const longestMs = 25 * 60 * 60 * 1000

export const common = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function text(number) return string.format('%.0f', number) end
local function words(value)
  local list = {}
  for word in string.gmatch(value or '', '%S+') do list[#list + 1] = word end
  return list
end
`

/** Keeps the key for so long at least. */
const keep = `
local function keep(key, ms)
  if redis.call('PTTL', key) < ms then redis.call('PEXPIRE', key, text(ms)) end
end
`

export const announce = `
local function announce(key, ...)
  local id = redis.call('XADD', key, 'MAXLEN', '~', '10000', '*', ...)
  redis.call('PEXPIRE', key, '${longestMs}')
  return id
end
`

/** Control scripts also work when the memory of the server is full. */
export const whenFull = '#!lua flags=allow-oom\n'
const notWhenFull = '#!lua\n'

export const controlMs = 100
export const storingMs = 250

/**
 * Says what to do about a contact. Keys: entry, loads, when all was cleared. Arguments: place, token, length of a lease, largest
 * age (negative for any), age of the known entry (negative for none), namespace, `1` to pay no attention to the entry, and the
 * flows of limited readers, if the place is not `*`.
 *
 * Replies a verdict, its details, and the entry if it is the answer or may stand in for one. The verdicts: `hit` and `stale`;
 * `absent` with its age and freshness; `failed` with the code and whether it is transient; `follow` with the time until the lease
 * ends; `lead` with whether the lease of another replica had run out.
 */
export const open: Script = {
  name: 'open',
  waitMs: controlMs,
  lua: `${whenFull}${common}${keep}
local place, token, lease = ARGV[1], ARGV[2], tonumber(ARGV[3])
local maxAge, knownAge = tonumber(ARGV[4]), tonumber(ARGV[5])
local cleared = tonumber(redis.call('GET', KEYS[3]) or 0)
local any = maxAge < 0

local function entry()
  local t, f, w, e, k, n, g = unpack(redis.call('HMGET', KEYS[1], 't', 'f', 'w', 'e', 'k', 'n', 'g'))
  if not t or n ~= ARGV[6] or ARGV[7] == '1' or tonumber(t) <= cleared then return nil end
  local isVisible = place == '*'
  for index = 8, #ARGV do isVisible = isVisible or (k == '1' and g == ARGV[index]) end
  local age = now - tonumber(t)
  if not isVisible or age < 0 then return nil end
  return { age = age, fresh = tonumber(f), first = f + w, last = f + math.max(w, e), parts = { f, w, e, k, g } }
end

local found = entry()
local function reply(verdict, ...)
  local stored = found and { text(found.age), found.parts, redis.call('HGET', KEYS[1], 'b') }
  return { verdict, { ... }, stored or {} }
end

if found and found.age < found.fresh and (any or found.age <= maxAge) then return reply('hit') end
local isNewer = found and (knownAge < 0 or found.age + 250 < knownAge)
if found and not (isNewer and any and found.age < found.last) then found = nil end
if found and found.age < found.first then return reply('stale') end

local absence = words(redis.call('HGET', KEYS[2], '-' .. place))
local absentFor = absence[1] and now - absence[1]
if absentFor and absentFor >= 0 and absentFor < tonumber(absence[2]) and (any or absentFor <= maxAge)
  and tonumber(absence[1]) > cleared then
  return { 'absent', { text(absentFor), absence[2] }, {} }
end

local failure = words(redis.call('HGET', KEYS[2], '!' .. place))
if failure[1] and now < tonumber(failure[1]) then return reply('failed', failure[2], failure[3]) end

local holder = words(redis.call('HGET', KEYS[2], place))
local left = holder[2] and holder[2] - now
if left and left > 0 and holder[1] ~= token then return reply('follow', text(left)) end
redis.call('HSET', KEYS[2], place, token .. ' ' .. text(now + lease) .. ' ' .. text(now))
keep(KEYS[2], 4 * lease)
return reply('lead', left and left <= 0 and '1' or '0')
`,
}

/**
 * Reads an entry. Keys: entry, when all was cleared. Arguments: age of the known entry, namespace. Replies the entry, or nothing if
 * that is older.
 */
export const look: Script = {
  name: 'look',
  waitMs: controlMs,
  lua: `${whenFull}${common}
local t, f, w, e, k, n, g = unpack(redis.call('HMGET', KEYS[1], 't', 'f', 'w', 'e', 'k', 'n', 'g'))
if not t or n ~= ARGV[2] or tonumber(t) <= tonumber(redis.call('GET', KEYS[2]) or 0) then return {} end
local age = now - t
if age < 0 or age >= f + math.max(w, e) or age > ARGV[1] + 250 then return {} end
return { text(age), { f, w, e, k, g }, redis.call('HGET', KEYS[1], 'b') }
`,
}

/** Lengthens a lease. Key: loads. Arguments: place, token, length. Replies 1, or 0 if the lease is lost. */
export const renew: Script = {
  name: 'renew',
  waitMs: controlMs,
  lua: `${whenFull}${common}${keep}
local lease = words(redis.call('HGET', KEYS[1], ARGV[1]))
if lease[1] ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], lease[1] .. ' ' .. text(now + ARGV[3]) .. ' ' .. lease[3])
keep(KEYS[1], 4 * ARGV[3])
return 1
`,
}

/** Forgets a contact that does not exist, and only what those know of it who may see it: see above. */
const drop = `
local function drop(since)
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[2], 'gone', text(since))
  keep(KEYS[2], ${fencedMs})
end
`

/** Whether the lease is still held, and was taken after all was cleared. */
const holds = `
local lease = words(redis.call('HGET', KEYS[2], ARGV[1]))
local cleared = tonumber(redis.call('GET', KEYS[4]) or 0)
local isHeld = lease[1] == ARGV[2] and tonumber(lease[3]) > cleared
`

/**
 * Stores what a load brought. Keys: entry, loads, events, when all was cleared. Arguments: place, token, namespace, how long ago
 * Hilos answered, the three lifetimes, kind, flow, sealed bytes, and the event. Replies `stored`, `lost` or `older`.
 */
export const put: Script = {
  name: 'put',
  waitMs: storingMs,
  lua: `${notWhenFull}${common}${announce}${holds}
if not isHeld then return 'lost' end
redis.call('HDEL', KEYS[2], ARGV[1], '!' .. ARGV[1])
local t, f, w, e = now - ARGV[4], ARGV[5], ARGV[6], ARGV[7]
if tonumber(redis.call('HGET', KEYS[2], 'gone') or 0) > t then return 'older' end
local stored = redis.call('HMGET', KEYS[1], 't', 'n')
if stored[1] and stored[2] == ARGV[3] and tonumber(stored[1]) > t then return 'older' end
redis.call('HSET', KEYS[1], 't', text(t), 'f', f, 'w', w, 'e', e, 'k', ARGV[8], 'n', ARGV[3], 'g', ARGV[9], 'b', ARGV[10])
redis.call('PEXPIRE', KEYS[1], text(math.min(f + math.max(w, e), ${longestMs})))
announce(KEYS[3], unpack(ARGV, 11))
return 'stored'
`,
}

/**
 * Remembers that a contact is absent for some readers. Keys as in `put`. Arguments: place, token, for how long that has been known,
 * freshness, `1` if the contact does not exist at all, and the event. Replies `stored` or `lost`.
 */
export const putAbsence: Script = {
  name: 'put_absence',
  waitMs: storingMs,
  lua: `${whenFull}${common}${keep}${announce}${drop}${holds}
if not isHeld then return 'lost' end
if ARGV[5] == '1' then drop(now - ARGV[3]) end
redis.call('HDEL', KEYS[2], ARGV[1], '!' .. ARGV[1])
redis.call('HSET', KEYS[2], '-' .. ARGV[1], text(now - ARGV[3]) .. ' ' .. ARGV[4])
keep(KEYS[2], tonumber(ARGV[4]))
announce(KEYS[3], unpack(ARGV, 6))
return 'stored'
`,
}

/**
 * Ends a load that brought nothing to store. Keys: entry (not used), loads, events, when all was cleared. Arguments: place, token,
 * code of the failure (empty for none that concerns others), whether it is transient, how long to remember it, and the event.
 */
export const fail: Script = {
  name: 'fail',
  waitMs: storingMs,
  lua: `${whenFull}${common}${keep}${announce}${holds}
if not isHeld then return 'lost' end
redis.call('HDEL', KEYS[2], ARGV[1])
if ARGV[3] ~= '' then
  redis.call('HSET', KEYS[2], '!' .. ARGV[1], text(now + ARGV[5]) .. ' ' .. ARGV[3] .. ' ' .. ARGV[4])
  keep(KEYS[2], tonumber(ARGV[5]))
end
announce(KEYS[3], unpack(ARGV, 6))
return 'stored'
`,
}

/** Forgets a contact. Keys: entry, loads, events. Arguments: the event. Replies its id. */
export const forget: Script = {
  name: 'forget',
  waitMs: storingMs,
  lua: `${whenFull}${announce}
redis.call('DEL', KEYS[1], KEYS[2])
return announce(KEYS[3], unpack(ARGV))
`,
}

/** Forgets a contact because it does not exist. Keys, arguments and reply are those of `forget`. */
export const forgetGone: Script = {
  name: 'forget_gone',
  waitMs: storingMs,
  lua: `${whenFull}${common}${keep}${announce}${drop}
drop(now)
return announce(KEYS[3], unpack(ARGV))
`,
}

/** Forgets all contacts, whose keys are unlinked by `sweep`. Keys: when all was cleared, events. Arguments: the event. Replies its id. */
export const clear: Script = {
  name: 'clear',
  waitMs: storingMs,
  lua: `${whenFull}${common}${announce}
redis.call('SET', KEYS[1], text(now), 'PX', '${longestMs}')
return announce(KEYS[2], unpack(ARGV))
`,
}

/** Unlinks some of the keys that match. Keys: one of the tier, which names its slot. Arguments: cursor, pattern. Replies the next cursor. */
export const sweep: Script = {
  name: 'sweep',
  waitMs: storingMs,
  lua: `${whenFull}
local page = redis.call('SCAN', ARGV[1], 'MATCH', ARGV[2], 'COUNT', '500')
if #page[2] > 0 then redis.call('UNLINK', unpack(page[2])) end
return page[1]
`,
}
