import { mock } from 'node:test'
import t, { type Test } from 'tap'
import { uuid } from '../../sandbox/parts.ts'
import { anonymous, type Caller } from '../../src/access/caller.ts'
import { profiles } from '../../src/access/profile.ts'
import { overheadBytes } from '../../src/cache/lru-store.ts'
import type { Demand } from '../../src/cache/request-directives.ts'
import { loadConfig } from '../../src/config/config.ts'
import { createContacts } from '../../src/contacts/contacts.ts'
import { contentCodings } from '../../src/presentation/views/content-coding.ts'
import { views } from '../../src/presentation/views/view.ts'
import { UpstreamFailure } from '../../src/upstream/upstream-failure.ts'
import { createClock } from '../harness/clock.ts'
import { settled } from '../harness/timers.ts'
import { contactOf, documentOf } from '../presentation/builders.ts'

const id = 'a3ff7ee5-0c11-49e2-a0d6-7e316626f7b1'
const anew: Demand = { maxAgeMs: 0, onlyIfCached: false }
/** Long enough, also of what a viewer may see, to be worth compressing. */
const document = documentOf({
  status: 'RUNNING',
  status_reason: 'x'.repeat(2000),
  contact: contactOf({ id: 'c' }),
  flow: { id: null, name: 'x'.repeat(2000), trigger_type: null, channel: null },
})

/** The contacts of a Hilos that knows one of them, as a test changes it. */
function start(t: Test, env: Readonly<Record<string, string>> = {}) {
  const clock = createClock()
  const documents = new Map([[id, document]])
  let failure: Error | null = null
  const asked: string[] = []
  const awaited: (boolean | undefined)[] = []
  const client = {
    getExecutionContact: async (one: string, isAwaited?: () => boolean) => {
      asked.push(one)
      await settled()
      awaited.push(isAwaited?.())
      if (failure) throw failure
      return documents.get(one) ?? null
    },
  }
  const config = loadConfig({ HILOS_TOKEN: 'token', DANGEROUSLY_ALLOW_ANONYMOUS: 'true', ...env })
  const seams = { now: clock.now, elapsed: clock.now, random: () => 0.5, pause: async () => {} }
  const contacts = createContacts(config, client, seams)
  t.teardown(contacts.close)
  const { remembered, renderings } = contacts

  async function load(): Promise<Buffer> {
    clock.advance(1)
    const answer = await remembered.get(id, anew)
    return answer?.entry.value?.packed ?? Buffer.alloc(0)
  }
  /** All representations, of each view for each profile in each coding. */
  const variants = views.flatMap((view) =>
    profiles.flatMap((profile) => contentCodings.map((coding) => ({ view, profile, coding }))),
  )
  const renderAll = (packed: Buffer) => Promise.all(variants.map((variant) => renderings.of(id, packed, variant)))
  /** How many of the twenty-seven are the same objects as before. */
  async function keptOf(before: readonly unknown[], packed: Buffer): Promise<number> {
    const now = await renderAll(packed)
    return now.filter((one) => before.includes(one)).length
  }
  return {
    ...contacts,
    ...{ clock, documents, asked, awaited, load, renderAll, keptOf },
    fail: (error: Error) => {
      failure = error
    },
  }
}

t.test('what was rendered, as long as the contact stays as it is, is kept across loads', async (t) => {
  const { load, renderAll, keptOf } = start(t)
  const packed = await load()
  const before = await renderAll(packed)
  t.equal(await keptOf(before, packed), 27)
  t.equal(await load(), packed, 'equal bytes are the same revision')
  t.equal(await keptOf(before, packed), 27)
})

t.test('what was rendered, when the contact has changed, is gone before anybody asks', async (t) => {
  const { load, renderAll, keptOf, documents } = start(t)
  const old = await load()
  const before = await renderAll(old)
  documents.set(id, { ...document, status: 'PAUSED' })
  const packed = await load()
  t.not(packed, old)
  t.equal(await keptOf(before, old), 0)
})

t.test('what was rendered, when Hilos no longer knows the contact, is gone', async (t) => {
  const { load, renderAll, keptOf, documents, store } = start(t)
  const packed = await load()
  const before = await renderAll(packed)
  documents.delete(id)
  await load()
  t.strictSame([...store.entries()], [])
  t.equal(await keptOf(before, packed), 0)
  const after = await renderAll(packed)
  t.equal(await keptOf(after, packed), 0, 'and who still had the old answer brings nothing back')
})

t.test('what is being rendered, when Hilos no longer knows the contact, is not kept in the end', async (t) => {
  const { load, renderAll, keptOf, documents } = start(t)
  const packed = await load()
  const rendering = renderAll(packed)
  documents.delete(id)
  await load()
  t.equal(await keptOf(await rendering, packed), 0)
})

t.test('what was rendered, when the contact is forgotten for another reason, is gone', async (t) => {
  for (const forget of ['delete', 'clear'] as const) {
    const { load, renderAll, keptOf, remembered } = start(t)
    const packed = await load()
    const before = await renderAll(packed)
    remembered[forget](id)
    t.equal(await keptOf(before, packed), 0, forget)
  }
})

t.test('a lifetime scale of 0, when set, keeps no rendering, and every one is made all the same', async (t) => {
  const { load, renderAll, keptOf, store } = start(t, { CACHE_LIFETIME_SCALE: '0' })
  const packed = await load()
  const before = await renderAll(packed)
  t.equal(new Set(before.map(({ etag }) => etag)).size, 27)
  t.equal(await keptOf(before, packed), 0)
  t.strictSame([...store.entries()], [])
})

t.test('Hilos, when it is asked behind an answer, is told that nobody waits', async (t) => {
  const { remembered, clock, awaited } = start(t)
  await remembered.get(id)
  clock.advance(10_000)
  t.match(remembered.get(id), { handling: { hit: true, detail: 'revalidating' } })
  while (awaited.length < 2) await settled()
  t.strictSame(awaited, [true, false])
})

t.test('a contact, when there are more loads than Hilos may be asked for, stays fresh for longer', async (t) => {
  for (const [HILOS_MAX_RPS, isStretched] of [
    ['1', true],
    ['0', false],
  ] as const) {
    const { load, store } = start(t, { HILOS_MAX_RPS })
    const freshMs = () => store.get(id)?.freshMs ?? 0
    await load()
    const unstretchedMs = freshMs()
    for (let count = 0; count < 100; count += 1) await load()
    t.equal(freshMs() > unstretchedMs, isStretched, `${freshMs()} ms`)
  }
})

t.test('contacts, when there are more than fit, take the documents’ share of the budget', async (t) => {
  const { remembered, documents, store, fullness } = start(t, { CACHE_MAX_BYTES: '1048576' })
  let taken = 0
  for (let number = 0; number < 200; number += 1) {
    documents.set(uuid(0xd0c, number), { ...document, id: uuid(0xd0c, number) })
    const answer = await remembered.get(uuid(0xd0c, number))
    taken = overheadBytes + (answer?.entry.value?.packed.length ?? 0)
  }
  const fitting = Math.floor(589_824 / taken)
  t.equal([...store.entries()].length, fitting)
  t.strictSame(fullness(), {
    contacts: { entries: fitting, bytes: fitting * taken, maxBytes: 589_824, evictions: 200 - fitting },
    renderings: { entries: 0, bytes: 0, maxBytes: 393_216, evictions: 0 },
    absences: { entries: 0, bytes: 0, maxBytes: 32_768, evictions: 0 },
    ownAbsences: { entries: 0, bytes: 0, maxBytes: 32_768, evictions: 0 },
  })
})

t.test(
  'absences, and those of callers limited to flows, when there are more than fit, take a share each',
  async (t) => {
    const limited: Caller = { ...anonymous, flows: new Set() }
    // A kibibyte each, and for the limited the id and the flows as well, whether there is something or not.
    for (const [caller, isThere, fits] of [
      [anonymous, false, 32],
      [limited, false, 30],
      [limited, true, 30],
    ] as const) {
      const { reads, documents, asked } = start(t, { CACHE_MAX_BYTES: '1048576' })
      const ids = Array.from({ length: fits + 1 }, (_, number) => uuid(0xabc, number))
      if (isThere) for (const one of ids) documents.set(one, { ...document, id: one })
      for (const one of ids) await reads.get(caller, one)
      const before = asked.length
      await reads.get(caller, uuid(0xabc, 1))
      t.equal(asked.length, before, `${fits} of them fit`)
      await reads.get(caller, uuid(0xabc, 0))
      t.equal(asked.length, before + 1, 'and no more')
    }
  },
)

t.test('a failure, whatever the lifetime scale, is remembered for a moment or less', async (t) => {
  for (const [scale, heldMs] of [
    ['0', 0],
    ['0.5', 750],
    ['1', 1500],
    ['100', 1500],
  ] as const) {
    const { remembered, asked, clock, fail } = start(t, { CACHE_LIFETIME_SCALE: scale })
    fail(new UpstreamFailure('upstream_error'))
    const ask = async () => await t.rejects(async () => await remembered.get(id), { code: 'upstream_error' })
    await ask()
    if (heldMs > 0) {
      clock.advance(heldMs - 1)
      await ask()
      t.equal(asked.length, 1, scale)
      clock.advance(2)
    }
    await ask()
    t.equal(asked.length, 2, scale)
  }
})

t.test('absences, by whom they are for, are told apart; when over, they are gone without anybody asking', async (t) => {
  mock.timers.enable({ apis: ['setInterval'] })
  t.teardown(() => mock.timers.reset())
  const { reads, clock, fullness } = start(t)
  const limited: Caller = { ...anonymous, flows: new Set() }
  const nowhere = (number: number) => uuid(0xabc, number)
  const entries = () => [fullness().contacts, fullness().absences, fullness().ownAbsences].map(({ entries }) => entries)
  await reads.get(anonymous, id)
  for (const number of [1, 2]) await reads.get(anonymous, nowhere(number))
  for (const number of [1, 2, 3]) await reads.get(limited, nowhere(number))
  t.strictSame(entries(), [1, 2, 3])
  clock.advance(24 * 3_600_000)
  mock.timers.tick(10_000)
  t.strictSame(entries(), [0, 0, 0])
})
