import { AsyncLocalStorage } from 'node:async_hooks'
import { mock } from 'node:test'
import t, { type Test } from 'tap'
import { uuid } from '../../sandbox/parts.ts'
import { anonymous, type Caller } from '../../src/access/caller.ts'
import { profiles } from '../../src/access/profile.ts'
import { overheadBytes } from '../../src/cache/lru-store.ts'
import { noDirectives } from '../../src/cache/request-directives.ts'
import { loadConfig } from '../../src/config/config.ts'
import { createContacts } from '../../src/contacts/contacts.ts'
import type { ContactQuery } from '../../src/contacts/read-contact.ts'
import { noSecondTier } from '../../src/contacts/second-tier.ts'
import { contentCodings } from '../../src/presentation/views/content-coding.ts'
import { views } from '../../src/presentation/views/view.ts'
import { UpstreamFailure } from '../../src/upstream/failures.ts'
import { createClock } from '../harness/clock.ts'
import { settled } from '../harness/timers.ts'
import { failureOf } from '../upstream/raw-hilos.ts'
import { createFakeHilos, document, id } from './fake-hilos.ts'

const limited: Caller = { ...anonymous, flows: new Set() }
const variants = views.flatMap((view) =>
  profiles.flatMap((profile) => contentCodings.map((coding) => ({ view, profile, coding }))),
)

function arrange(t: Test, env: Readonly<Record<string, string>> = {}) {
  // A padded absence ends at once. No longer timer fires.
  const clock = createClock(undefined, {
    schedule: (run, ms) => {
      if (ms <= 1000) run()
      return () => {}
    },
  })
  const { hilos, client } = createFakeHilos()
  const config = loadConfig({ HILOS_TOKEN: 'token', DANGEROUSLY_ALLOW_ANONYMOUS: 'true', ...env })
  const contacts = createContacts(config, client, () => {}, clock)
  t.teardown(contacts.close)

  const read = async (one: string, query: Partial<ContactQuery> = {}) => {
    const { caller = anonymous, view = 'transcript', profile = 'full', coding = 'identity' } = query
    const reading = await contacts.read({
      id: one,
      caller,
      askedBy: 'anyone',
      view,
      profile,
      coding,
      directives: noDirectives,
      urgency: 2,
    })
    return { cache: reading.cache, representation: await reading.representation }
  }
  /** All representations, of each view for each profile in each coding. */
  const readAll = async () => {
    const readings = await Promise.all(variants.map((variant) => read(id, variant)))
    return readings.map(({ representation }) => representation)
  }
  /** Waits for the end of the load that a read of a stale contact started. */
  const refreshed = async () => {
    while (hilos.awaited.length < 2) await settled()
    await settled()
  }
  return { contacts, clock, hilos, read, readAll, refreshed }
}

t.test('rendered views are kept as long as the contact stays the same', async (t) => {
  const { clock, read, readAll, refreshed } = arrange(t)
  const first = await readAll()
  t.equal(new Set(first).size, 27)
  clock.advance(10_000)
  await read(id)
  await refreshed()
  const again = await readAll()
  t.equal(again.filter((each) => first.includes(each)).length, 27)
})

t.test('rendered views are kept when Hilos sends the same contact in another document', async (t) => {
  const { clock, hilos, read, readAll, refreshed } = arrange(t)
  const first = await readAll()
  hilos.documents.set(id, { ...document, unread: 'another' })
  clock.advance(10_000)
  await read(id)
  await refreshed()
  t.ok((await readAll()).every((each) => first.includes(each)))
})

type Arranged = ReturnType<typeof arrange>
const removals: Readonly<Record<string, (arranged: Arranged) => unknown>> = {
  'has changed': ({ hilos }) => hilos.documents.set(id, { ...document, status: 'PAUSED' }),
  'no longer exists at Hilos': ({ hilos }) => hilos.documents.delete(id),
  'is deleted': ({ contacts }) => contacts.delete(id, 'purge'),
  'is cleared': ({ contacts }) => contacts.clear('purge'),
}
for (const [event, remove] of Object.entries(removals))
  t.test(`rendered views are dropped, also the one in progress, when the contact ${event}`, async (t) => {
    const arranged = arrange(t)
    const { contacts, clock, read, refreshed } = arranged
    await read(id)
    await read(id, { view: 'summary', coding: 'gzip' })
    clock.advance(10_000)
    const compressed = read(id, { coding: 'br' })
    remove(arranged)
    t.match(await compressed, { representation: { coding: 'br' }, cache: { use: { detail: 'revalidating' } } })
    await refreshed()
    t.equal(contacts.usage().renderings.entries, 0)
    t.equal(contacts.store.get(id) !== undefined, event === 'has changed')
  })

t.test('with a lifetime scale of 0, every view is rendered and none is kept', async (t) => {
  const { contacts, readAll } = arrange(t, { CACHE_LIFETIME_SCALE: '0' })
  t.equal(new Set((await readAll()).map((each) => each?.etag)).size, 27)
  const { renderings, contacts: stored } = contacts.usage()
  t.strictSame([renderings.entries, stored.entries], [0, 0])
})

t.test('contacts that are closed end the work on a large document', async (t) => {
  const { contacts, hilos, read } = arrange(t)
  hilos.documents.set(id, { ...document, unread: 'x'.repeat(1_000_000) })
  const failing = failureOf(read(id))
  while (hilos.awaited.length < 1) await settled()
  await settled()
  contacts.close()
  t.strictSame((await failing).facts, { reason: 'the thread ended' })
})

t.test('the loads of a watched contact are no part of the request that began to watch it', async (t) => {
  const { contacts, clock, hilos, read } = arrange(t)
  const request = new AsyncLocalStorage<string>()
  const askedIn: unknown[] = []
  Object.defineProperty(hilos, 'failure', { get: () => void askedIn.push(request.getStore()) })
  await request.run('the reader', () => read(id))
  const entry = contacts.store.get(id)
  clock.advance(60_000)
  const news = Promise.withResolvers<unknown>()
  request.run('the watcher', () => entry && contacts.watch(id, entry, news.resolve))
  await news.promise
  t.strictSame(askedIn, ['the reader', undefined])
})

t.test('contacts take their share of the budget', async (t) => {
  const { contacts, hilos, read } = arrange(t, { CACHE_MAX_BYTES: '1048576' })
  for (let number = 0; number < 200; number += 1) {
    hilos.documents.set(uuid(0xd0c, number), { ...document, id: uuid(0xd0c, number) })
    await read(uuid(0xd0c, number))
  }
  const bytesOfOne = overheadBytes + Number(contacts.store.get(uuid(0xd0c, 199))?.value?.content.serialized.length)
  const entries = Math.floor(589_824 / bytesOfOne)
  t.strictSame(contacts.usage(), {
    contacts: { entries, bytes: entries * bytesOfOne, maxBytes: 589_824, evictions: 200 - entries },
    renderings: { entries, bytes: entries * 512, maxBytes: 393_216, evictions: 0 },
    absences: { entries: 0, bytes: 0, maxBytes: 32_768, evictions: 0 },
    ownAbsences: { entries: 0, bytes: 0, maxBytes: 32_768, evictions: 0 },
  })
})

t.test('absences take a share of the budget, and those of limited callers another', async (t) => {
  // Each takes a kibibyte. Those of a limited caller also take the id and the flows, whether the contact exists or not.
  for (const [caller, exists, fitting] of [
    [anonymous, false, 32],
    [limited, false, 30],
    [limited, true, 30],
  ] as const) {
    const { hilos, read } = arrange(t, { CACHE_MAX_BYTES: '1048576' })
    const ids = Array.from({ length: fitting + 1 }, (_, number) => uuid(0xabc, number))
    if (exists) for (const one of ids) hilos.documents.set(one, { ...document, id: one })
    for (const one of ids) await read(one, { caller })
    await read(uuid(0xabc, 1), { caller })
    t.equal(hilos.asked.length, fitting + 1, `${fitting} of them fit`)
    await read(uuid(0xabc, 0), { caller })
    t.equal(hilos.asked.length, fitting + 2, 'and no more')
  }
})

t.test('a failure is kept for 1.5 seconds, or for less with a lifetime scale below 1', async (t) => {
  for (const [scale, keptMs] of Object.entries({ 0: 0, 0.5: 750, 1: 1500, 100: 1500 })) {
    const { hilos, clock, read } = arrange(t, { CACHE_LIFETIME_SCALE: scale })
    hilos.failure = new UpstreamFailure('upstream_error')
    const fail = () => t.rejects(read(id), { code: 'upstream_error' })
    await fail()
    if (keptMs > 0) {
      clock.advance(keptMs - 1)
      await fail()
      t.equal(hilos.asked.length, 1, scale)
      clock.advance(2)
    }
    await fail()
    t.equal(hilos.asked.length, 2, scale)
  }
})

t.test('absences are counted by caller, and removed once they have expired', async (t) => {
  mock.timers.enable({ apis: ['setInterval'] })
  t.teardown(() => mock.timers.reset())
  const { contacts, clock, read } = arrange(t)
  await read(id)
  for (const number of [1, 2]) await read(uuid(0xabc, number))
  for (const number of [1, 2, 3]) await read(uuid(0xabc, number), { caller: limited })
  const entries = () => {
    const usage = contacts.usage()
    return [usage.contacts, usage.absences, usage.ownAbsences].map((part) => part.entries)
  }
  t.strictSame(entries(), [1, 2, 3])
  clock.advance(24 * 3_600_000)
  mock.timers.tick(10_000)
  t.strictSame(entries(), [0, 0, 0])
})

t.test(
  'a hidden run and an absent one are asked about as often, also if the answers of Hilos are a day old',
  async (t) => {
    const { hilos, clock, read } = arrange(t)
    hilos.ageMs = 86_400_000
    const unknown = uuid(1, 1)
    const seconds: string[] = []
    for (let second = 0; second < 11; second += 1) {
      const before = hilos.asked.length
      for (const one of [id, unknown]) t.equal((await read(one, { caller: limited })).representation, null)
      seconds.push(hilos.asked.slice(before).join())
      clock.advance(1000)
    }
    const both = `${id},${unknown}`
    t.strictSame(seconds, [both, ...Array(9).fill(''), both])
  },
)

t.test('without a second tier there is one replica, which knows of no other', async (t) => {
  const entry = { value: null, bytes: 0, generatedAt: 0, freshMs: 1, staleWhileRevalidateMs: 0, staleIfErrorMs: 0 }
  t.equal(await noSecondTier.look(id, entry), null)
  t.equal(await noSecondTier.forget(id, 'purge'), undefined)
  t.equal(noSecondTier.replicas(), 1)
})
