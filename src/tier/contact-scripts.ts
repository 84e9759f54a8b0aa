import { announce, askingMs, common, longestMs, storingMs, whenFull } from './script-parts.ts'
import type { Script, SharedServer } from './shared-server.ts'

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

/** The keys of each script about one contact, by its name: its entry, its loads, the events, and when all was cleared. */
export const contactKeys = (key: SharedServer['key'], name: string): readonly string[] =>
  [`c:${name}`, `l:${name}`, 'ev', 'cleared'].map(key)

/** Longer than any load takes, so that none of them brings back what does not exist. */
const fencedMs = 60_000

/** Longer than any failure is remembered. */
const longestFailureMs = 10_000

/** The entry, as far as it may be used: with what the script sends of it. */
const entryOf = `
local function entry(namespace)
  local t, f, w, e, k, n, g = unpack(redis.call('HMGET', KEYS[1], 't', 'f', 'w', 'e', 'k', 'n', 'g'))
  if not t or n ~= namespace then return nil end
  local excluded = math.max(past(redis.call('GET', KEYS[4])), past(redis.call('HGET', KEYS[2], 'gone')))
  local age = now - t
  if age < 0 or tonumber(t) <= excluded then return nil end
  local last = f + math.max(w, e)
  return { age = age, fresh = tonumber(f), first = f + w, last = last, kind = k, flow = g, parts = { f, w, e, k, g } }
end
local function sealed(found)
  return found and { text(found.age), found.parts, redis.call('HGET', KEYS[1], 'b') } or {}
end
`

/**
 * Says what to do about a contact. Arguments: place, token, length of a lease, largest age (negative for any), age of the known entry
 * (negative for none), namespace, `1` to pay no attention to the entry, and the flows of limited readers, if the place is not `*`.
 *
 * Replies a verdict, its details, and the entry if it is the answer or may stand in for one. The verdicts: `hit` and `stale`;
 * `absent` with its age and freshness; `failed` with the code and whether it is transient; `follow` with the time until the lease
 * ends; `lead` with whether the lease of another replica had run out.
 */
export const open: Script = {
  name: 'open',
  waitMs: askingMs,
  lua: `${whenFull}${common}${entryOf}
local place, token, lease = ARGV[1], ARGV[2], tonumber(ARGV[3])
local maxAge, knownAge = tonumber(ARGV[4]), tonumber(ARGV[5])
local any = maxAge < 0
local isLimited = place ~= '*'

local found = ARGV[7] == '0' and entry(ARGV[6]) or nil
if found and isLimited then
  local isVisible = false
  for index = 8, #ARGV do isVisible = isVisible or (found.kind == '1' and found.flow == ARGV[index]) end
  if not isVisible then found = nil end
end
local function reply(verdict, ...) return { verdict, { ... }, sealed(found) } end

if found and found.age < found.fresh and (any or found.age <= maxAge) then return reply('hit') end
local isNewer = found and (knownAge < 0 or found.age + 250 < knownAge)
if found and not (isNewer and any and found.age < found.last) then found = nil end

if isLimited then
  local absence = words(redis.call('HGET', KEYS[2], '-' .. place))
  local age = now - (tonumber(absence[1]) or now)
  local fresh = math.min(tonumber(absence[2]) or 0, ${longestMs})
  if age >= 0 and age < fresh and (any or age <= maxAge) and now - age > past(redis.call('GET', KEYS[4])) then
    return { 'absent', { text(age), text(fresh) }, {} }
  end
end

local failure = words(redis.call('HGET', KEYS[2], '!' .. place))
local failedFor = (tonumber(failure[1]) or 0) - now
if failedFor > 0 and failedFor <= ${longestFailureMs} then return reply('failed', failure[2], failure[3]) end
if found and found.age < found.first then return reply('stale') end

local holder = words(redis.call('HGET', KEYS[2], place))
local left = tonumber(holder[2]) and holder[2] - now
if left and left > 0 and left <= lease and holder[1] ~= token then return reply('follow', text(left)) end
redis.call('HSET', KEYS[2], place, token .. ' ' .. text(now + lease) .. ' ' .. text(now))
keep(KEYS[2], 4 * lease)
return reply('lead', left and left <= 0 and '1' or '0')
`,
}

/** Reads an entry. Arguments: age of the known entry, namespace. Replies the entry, or nothing if that is older. */
export const look: Script = {
  name: 'look',
  waitMs: askingMs,
  lua: `${whenFull}${common}${entryOf}
local found = entry(ARGV[2])
if found and (found.age >= found.last or found.age > ARGV[1] + 250) then found = nil end
return sealed(found)
`,
}

/** Lengthens a lease. Arguments: place, token, length. Replies 1, or 0 if the lease is lost. */
export const renew: Script = {
  name: 'renew',
  waitMs: askingMs,
  lua: `${whenFull}${common}
local lease = words(redis.call('HGET', KEYS[2], ARGV[1]))
if lease[1] ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[2], ARGV[1], lease[1] .. ' ' .. text(now + ARGV[3]) .. ' ' .. lease[3])
keep(KEYS[2], 4 * ARGV[3])
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

/** Ends the lease, and whether it was still held and taken after all was cleared. */
const holds = `
local lease = words(redis.call('HGET', KEYS[2], ARGV[1]))
local isOwn = lease[1] == ARGV[2]
local isHeld = isOwn and tonumber(lease[3]) > past(redis.call('GET', KEYS[4]))
if isOwn then redis.call('HDEL', KEYS[2], ARGV[1]) end
`

/**
 * Stores what a load brought. Arguments: place, token, namespace, how long ago Hilos answered, the three lifetimes, kind, flow, sealed
 * bytes, and the event. Replies `stored`, `lost` or `older`.
 */
export const put: Script = {
  name: 'put',
  waitMs: storingMs,
  lua: `#!lua
${common}${announce}${holds}
if not isHeld then return 'lost' end
redis.call('HDEL', KEYS[2], '!' .. ARGV[1])
local t, f, w, e = now - ARGV[4], ARGV[5], ARGV[6], ARGV[7]
if past(redis.call('HGET', KEYS[2], 'gone')) > t then return 'older' end
local stored = redis.call('HMGET', KEYS[1], 't', 'n')
if stored[2] == ARGV[3] and past(stored[1]) > t then return 'older' end
redis.call('HSET', KEYS[1], 't', text(t), 'f', f, 'w', w, 'e', e, 'k', ARGV[8], 'n', ARGV[3], 'g', ARGV[9], 'b', ARGV[10])
redis.call('PEXPIRE', KEYS[1], text(math.min(f + math.max(w, e) - ARGV[4], ${longestMs})))
announce(KEYS[3], unpack(ARGV, 11))
return 'stored'
`,
}

/**
 * Remembers that a contact is absent for some readers. Arguments: place, token, for how long that has been known, freshness, `1` if the
 * contact does not exist at all, and the event. Replies `stored` or `lost`.
 */
export const putAbsence: Script = {
  name: 'put_absence',
  waitMs: storingMs,
  lua: `${whenFull}${common}${announce}${drop}${holds}
if not isHeld then return 'lost' end
if ARGV[5] == '1' then drop(now - ARGV[3]) end
redis.call('HDEL', KEYS[2], '!' .. ARGV[1])
redis.call('HSET', KEYS[2], '-' .. ARGV[1], text(now - ARGV[3]) .. ' ' .. ARGV[4])
keep(KEYS[2], tonumber(ARGV[4]))
announce(KEYS[3], unpack(ARGV, 6))
return 'stored'
`,
}

/**
 * Ends a load that brought nothing to store. Arguments: place, token, code of the failure (empty for none that concerns others), whether
 * it is transient, how long to remember it, and the event. After a failure that is not transient, no stale entry may be served.
 */
export const fail: Script = {
  name: 'fail',
  waitMs: storingMs,
  lua: `${whenFull}${common}${announce}${holds}
if not isHeld then return 'lost' end
if ARGV[4] == '0' and ARGV[1] == '*' then redis.call('DEL', KEYS[1]) end
if ARGV[3] ~= '' then
  redis.call('HSET', KEYS[2], '!' .. ARGV[1], text(now + ARGV[5]) .. ' ' .. ARGV[3] .. ' ' .. ARGV[4])
  keep(KEYS[2], tonumber(ARGV[5]))
end
announce(KEYS[3], unpack(ARGV, 6))
return 'stored'
`,
}

/** Forgets a contact. Arguments: the event. Replies its id. */
export const forget: Script = {
  name: 'forget',
  waitMs: storingMs,
  lua: `${whenFull}${announce}
redis.call('DEL', KEYS[1], KEYS[2])
return announce(KEYS[3], unpack(ARGV))
`,
}

/** Forgets a contact because it does not exist. Arguments and reply are those of `forget`. */
export const forgetGone: Script = {
  name: 'forget_gone',
  waitMs: storingMs,
  lua: `${whenFull}${common}${announce}${drop}
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
