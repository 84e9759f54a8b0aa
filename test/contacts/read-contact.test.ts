import t from 'tap'
import { anonymous, type Caller } from '../../src/access/caller.ts'
import { isWider, profiles } from '../../src/access/profile.ts'
import { noDirectives } from '../../src/cache/request-directives.ts'
import { type ContactQuery, createReadContact } from '../../src/contacts/read-contact.ts'
import type { StoredContact } from '../../src/contacts/stored-contact.ts'
import { Failure } from '../../src/failures/failure.ts'
import { exampleContact } from '../../src/presentation/contact/example.ts'
import { createRenderedViews } from '../../src/presentation/views/rendered-views.ts'
import { serializeContact } from '../../src/presentation/views/view.ts'
import { createClock } from '../harness/clock.ts'
import { noIdentity, render } from '../presentation/pipeline.ts'
import { storedContact } from './stored.ts'

const { id } = exampleContact
const limited: Caller = { ...anonymous, flows: new Set() }
const serialized = serializeContact({ ...exampleContact, reason: 'x'.repeat(2000) })
const contact = storedContact(id, { serialized, identity: noIdentity }, null)
const query: ContactQuery = {
  ...{ id, caller: anonymous, askedBy: 'anyone', directives: noDirectives, urgency: 2 },
  ...{ view: 'summary', profile: 'agent', coding: 'identity' },
}
const hit = { fwd: null, stored: false, collapsed: false, detail: null, reloadDenied: false } as const
const miss = { ...hit, fwd: 'uri-miss', stored: true } as const
const hitReport = { status: 'hilos-bff; hit; ttl=4', age: 1, use: { ...hit, ageMs: 1500, waitedMs: 0 } }
const missReport = {
  status: 'hilos-bff; fwd=uri-miss; ttl=4; stored',
  age: 1,
  use: { ...miss, ageMs: 1500, waitedMs: 120 },
}

const wallClockMs = Date.parse('2026-11-22T10:05:00Z')
const windows = { freshMs: 5000, staleWhileRevalidateMs: 0, staleIfErrorMs: 0 }
const entryOf = (value: StoredContact | null) => ({ value, bytes: 0, generatedAt: wallClockMs - 1500, ...windows })

/**
 * Reads a contact that is stored, or that a load of 120 ms gives. Hilos answered 1.5 s ago.
 * @param value the contact, null for an absence, or `nothing` if no stored contact is usable
 */
function arrange(value: StoredContact | null | 'nothing' | Failure, isStored: boolean) {
  const clock = createClock(undefined, { now: () => wallClockMs })
  const asked: unknown[][] = []
  const answer = () => {
    if (value instanceof Failure) throw value
    if (value === 'nothing') return null
    return { entry: entryOf(value), handling: isStored ? hit : miss }
  }
  const read = createReadContact({
    visible: {
      get: (...given) => {
        asked.push(given)
        if (isStored) return answer()
        return Promise.resolve().then(() => {
          clock.advance(120)
          return answer()
        })
      },
      refresh: async () => true,
      delete: () => {},
      clear: () => {},
    },
    views: createRenderedViews({ maxBytes: 100_000, isStored: () => true, render }),
    clock,
  })
  return { read, asked }
}

t.test("a profile wider than the caller's is forbidden before the contact is looked up", async (t) => {
  for (const profile of profiles)
    for (const own of profiles) {
      const { read, asked } = arrange(contact, true)
      const wanted = { ...query, profile, caller: { ...anonymous, profile: own } }
      if (isWider(profile, own)) {
        const challenge = new RegExp(`error="insufficient_scope", scope="execution-contacts:${profile}"`)
        t.throws(() => read(wanted), { code: 'forbidden', challenge })
      } else t.match(read(wanted), { representation: { profile } })
      t.equal(asked.length, isWider(profile, own) ? 0 : 1)
    }
})

t.test('a stored contact is returned without a promise, in the wanted view', async (t) => {
  const { read, asked } = arrange(contact, true)
  const reading = read(query)
  t.strictSame(reading, {
    representation: render(contact.content, 'summary', 'agent'),
    entry: entryOf(contact),
    pseudonym: 'p',
    retryAfter: 4,
    cache: hitReport,
  })
  t.strictSame(asked, [[anonymous, id, query]])
})

t.test('a promise is returned for a contact that must be loaded or compressed', async (t) => {
  for (const [isStored, coding, cache] of [
    [false, 'identity', missReport],
    [true, 'gzip', hitReport],
    [false, 'br', missReport],
  ] as const) {
    const reading = arrange(contact, isStored).read({ ...query, coding })
    t.equal(reading instanceof Promise, !isStored)
    const { representation, cache: found } = await reading
    t.equal(representation instanceof Promise, coding !== 'identity')
    t.match(await representation, { view: 'summary', profile: 'agent', coding })
    t.strictSame(found, cache)
  }
})

t.test('an absence has a cache report, except for a limited caller', async (t) => {
  for (const [isStored, cache] of [
    [true, hitReport],
    [false, missReport],
  ] as const) {
    const { read } = arrange(null, isStored)
    const absence = { representation: null, retryAfter: 4 }
    t.strictSame(await read(query), { ...absence, cache })
    t.strictSame(await read({ ...query, caller: limited }), { ...absence, cache: null })
  }
  t.match(arrange(contact, true).read({ ...query, caller: limited }), { cache: hitReport })
})

t.test('a failure is thrown at once, or rejects the promise', async (t) => {
  for (const [value, code] of [
    ['nothing', 'not_cached'],
    [new Failure('upstream_error'), 'upstream_error'],
  ] as const) {
    t.throws(() => arrange(value, true).read(query), { code })
    await t.rejects(async () => await arrange(value, false).read(query), { code })
  }
})
