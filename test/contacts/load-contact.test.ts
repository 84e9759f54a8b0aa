import t from 'tap'
import { createAdaptiveTtl } from '../../src/cache/adaptive-ttl.ts'
import type { Entry } from '../../src/cache/entry.ts'
import { createLruStore } from '../../src/cache/lru-store.ts'
import { loadConfig } from '../../src/config/config.ts'
import { createLoadContact } from '../../src/contacts/load-contact.ts'
import { createPresentDocument } from '../../src/contacts/present-document.ts'
import type { StoredContact } from '../../src/contacts/stored-contact.ts'
import type { UnreadDocument } from '../../src/upstream/document/read-document.ts'
import { UpstreamFailure } from '../../src/upstream/failures.ts'
import { createClock } from '../harness/clock.ts'
import { createFakeHilos, document, id } from './fake-hilos.ts'

/** Loads a contact, and stores it. */
function arrange(env: Readonly<Record<string, string>> = {}) {
  const clock = createClock()
  const { hilos, client } = createFakeHilos()
  const store = createLruStore<StoredContact>({ maxBytes: 1_000_000, clock })
  const config = loadConfig({ HILOS_TOKEN: 'token', DANGEROUSLY_ALLOW_ANONYMOUS: 'true', ...env })
  const drifts: string[] = []
  const presented: string[] = []
  const present = (document: UnreadDocument) => {
    presented.push(document.id)
    return createPresentDocument(config.contact)(document)
  }
  const loadContact = createLoadContact({
    config,
    client,
    present,
    drifted: (...drift) => drifts.push(drift.join(' ')),
    replicas: () => 1,
    clock,
  })
  const load = async (isAwaited = true, previous: Entry<StoredContact> | null = store.get(id) ?? null) => {
    const entry = await loadContact(
      id,
      { askedBy: new Set(), urgency: () => (isAwaited ? 2 : 0), markAsked: () => {} },
      previous ?? undefined,
    )
    if (entry.value !== null) store.set(id, entry)
    return entry
  }
  return { clock, hilos, load, drifts, presented }
}

t.test('a load presents a contact of Hilos for the cache', async (t) => {
  const { clock, load } = arrange()
  const { value, ...rest } = await load()
  t.match(JSON.parse(String(value?.content.serialized)), { id, status: 'RUNNING', flow: { id: 'F1' } })
  t.match(value, { id, flowId: 'F1' })
  t.strictSame(rest, {
    bytes: value?.content.serialized.length,
    generatedAt: clock.now(),
    freshMs: 3000,
    staleWhileRevalidateMs: 30_000,
    staleIfErrorMs: 600_000,
  })
})

t.test('an absence takes no memory and has no stale windows', async (t) => {
  const { clock, hilos, load } = arrange()
  hilos.documents.delete(id)
  const windows = { staleWhileRevalidateMs: 0, staleIfErrorMs: 0 }
  t.strictSame(await load(), { value: null, bytes: 0, generatedAt: clock.now(), freshMs: 10_000, ...windows })
})

t.test('what was old when it arrived was generated so long before, and is fresh for 3 seconds at least', async (t) => {
  const { clock, hilos, load } = arrange()
  const loadAged = async (ageMs: number) => {
    hilos.ageMs = ageMs
    const { generatedAt, freshMs } = await load()
    return [clock.now() - generatedAt, freshMs]
  }
  t.strictSame(await loadAged(4000), [4000, 7000])
  t.strictSame(await loadAged(86_400_000), [86_400_000, 86_403_000])
  hilos.documents.delete(id)
  t.strictSame(await loadAged(2000), [2000, 10_000])
  t.strictSame(await loadAged(60_000), [60_000, 63_000])
})

t.test('a contact with another number has another content, although no field shows the number', async (t) => {
  const { hilos, load } = arrange()
  const loadFrom = async (from_number: string | null) => {
    const message = { id: 'm', direction: 'INBOUND', from_number }
    hilos.documents.set(id, { ...document, execution_steps: [{ id: 's', messages: [{ message }] }] })
    return await load()
  }
  const [without, first, second] = [await loadFrom(null), await loadFrom('5512344433'), await loadFrom('5598765432')]
  t.strictSame(second.value?.content.serialized, first.value?.content.serialized)
  t.not(second.value?.content, first.value?.content)
  t.equal(first.bytes, without.bytes + '5512344433'.length, 'the number takes memory too')
})

t.test('deadlines of open steps and the places of deviations take memory too', async (t) => {
  const { hilos, load } = arrange()
  const bytesBeside = async (step: object) => {
    hilos.documents.set(id, { ...document, execution_steps: [{ id: 's', status: 'RUNNING', ...step }] })
    const { value, bytes } = await load()
    return bytes - Number(value?.content.serialized.length)
  }
  t.equal(await bytesBeside({}), 0)
  t.equal(await bytesBeside({ created_on: '2026-11-22T10:00:00Z', expire_on: '2026-11-22T11:00:00Z' }), 8)
  t.equal(await bytesBeside({ new_field: 1 }), 'execution_steps[].new_field'.length)
})

t.test('Hilos gets to know whether a caller waits, and its failure is passed on', async (t) => {
  const { hilos, load } = arrange()
  await load(true)
  await load(false)
  t.strictSame(hilos.awaited, [true, false])
  hilos.failure = new UpstreamFailure('upstream_error')
  await t.rejects(load(), hilos.failure)
})

t.test('each refresh counts for the adaptive TTL with its age and its usual lifetime', async (t) => {
  const passMs = [0, ...new Array<number>(100).fill(10), 9000, 9000]
  for (const [maxLoadsPerSecond, scale, ageMs] of [
    [1, 1, 0],
    [1, 2, 0],
    [0, 1, 0],
    // As long as each answer is as old as the one before, its age makes no difference.
    [1, 1, 86_400_000],
  ] as const) {
    const { clock, hilos, load } = arrange({
      HILOS_MAX_RPS: String(maxLoadsPerSecond),
      CACHE_LIFETIME_SCALE: String(scale),
    })
    hilos.ageMs = ageMs
    const adaptiveTtl = createAdaptiveTtl(() => maxLoadsPerSecond, clock)
    const found: number[] = []
    const wanted: number[] = []
    for (const ms of passMs) {
      clock.advance(ms)
      found.push((await load()).freshMs - ageMs)
      if (wanted.length > 0) adaptiveTtl.recordRefresh(ms, 3000 * scale)
      wanted.push(Math.round(3000 * adaptiveTtl.factor() * scale))
    }
    t.strictSame(found, wanted)
    t.equal(
      found.some((ms) => ms > 3000 * scale),
      maxLoadsPerSecond > 0,
    )
  }
})

t.test('the load of a contact that is not stored does not count for the adaptive TTL', async (t) => {
  const { hilos, load } = arrange({ HILOS_MAX_RPS: '1' })
  hilos.documents.delete(id)
  for (let count = 0; count < 100; count += 1) await load()
  hilos.documents.set(id, document)
  const { freshMs } = await load()
  t.equal(freshMs, 3000)
})

t.test('a document that Hilos sends again is neither decoded nor presented again', async (t) => {
  const { hilos, load, presented } = arrange()
  const first = await load()
  t.equal((await load()).value, first.value)
  t.equal(presented.length, 1)
  hilos.documents.set(id, { ...document, status: 'PAUSED' })
  const changed = await load()
  t.match(JSON.parse(String(changed.value?.content.serialized)), { status: 'PAUSED' })
  t.equal(presented.length, 2)
  await load(true, null)
  t.equal(presented.length, 3, 'a load that may not know of the stored contact presents it')
})

t.test(
  'a document of another revision with the same content keeps the content, and what was rendered of it',
  async (t) => {
    const { hilos, load, presented } = arrange()
    const first = await load()
    hilos.documents.set(id, { ...document, unread: 'another' })
    const second = await load()
    t.equal(presented.length, 2)
    t.equal(second.value?.content, first.value?.content)
    t.not(second.value?.revision, first.value?.revision)
  },
)

t.test('a document that Hilos sends again counts as drift again', async (t) => {
  const { hilos, load, drifts, presented } = arrange()
  hilos.documents.set(id, { ...document, status: 7, new_field: 1 })
  const once = ['unknown_field new_field 1', 'wrong_type status 1']
  await load()
  t.strictSame(drifts.toSorted(), once)
  await load()
  t.strictSame(drifts.toSorted(), [...once, ...once].toSorted())
  t.equal(presented.length, 1)
})

t.test('a document that Hilos sends again has the lifetime that it would have anew', async (t) => {
  const { clock, hilos, load } = arrange()
  const at = (ms: number) => new Date(clock.now() + ms).toISOString()
  const step = { id: 's', status: 'RUNNING', created_on: at(0), expire_on: at(100_000) }
  hilos.documents.set(id, { ...document, execution_steps: [step] })
  for (const [passMs, freshMs] of [
    [0, 3000],
    [60_000, 6000],
    [36_000, 5000],
  ] as const) {
    clock.advance(passMs)
    const [again, anew] = [await load(), await load(true, null)]
    t.strictSame([again.freshMs, anew.freshMs], [freshMs, freshMs])
  }
})
