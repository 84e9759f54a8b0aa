import t, { type Test } from 'tap'
import type { Demand } from '../src/cache/demand.ts'
import { loadConfig } from '../src/config.ts'
import { createContacts } from '../src/contacts.ts'
import { contentCodings } from '../src/presentation/content-coding.ts'
import { views } from '../src/presentation/rendering.ts'
import { createClock } from './harness/clock.ts'
import { documentOf } from './presentation/builders.ts'

const id = 'a3ff7ee5-0c11-49e2-a0d6-7e316626f7b1'
const anew: Demand = { maxAgeMs: 0, onlyIfCached: false }
const document = documentOf({ status: 'RUNNING', status_reason: 'x'.repeat(2000) })

/** The contacts of a Hilos that knows one of them, as a test changes it. */
function start(t: Test, env: Readonly<Record<string, string>> = {}) {
  const clock = createClock()
  const documents = new Map([[id, document]])
  const client = { getExecutionContact: async (asked: string) => documents.get(asked) ?? null }
  const config = loadConfig({ HILOS_TOKEN: 'token', DANGEROUSLY_ALLOW_ANONYMOUS: 'true', ...env })
  const contacts = createContacts(config, client, { now: clock.now, elapsed: clock.now, random: () => 0.5 })
  t.teardown(contacts.close)
  const { remembered, renderings } = contacts

  async function load(): Promise<Buffer> {
    clock.advance(1)
    const answer = await remembered.get(id, anew)
    return answer?.entry.value ?? Buffer.alloc(0)
  }
  /** All representations, of each view in each coding. */
  const renderAll = (packed: Buffer) =>
    Promise.all(
      views.flatMap((view) =>
        contentCodings.map((coding) => renderings.of(id, packed, { view, profile: 'full', coding })),
      ),
    )
  /** How many of the nine are the same objects as before. */
  async function keptOf(before: readonly unknown[], packed: Buffer): Promise<number> {
    const now = await renderAll(packed)
    return now.filter((one) => before.includes(one)).length
  }
  return { ...contacts, documents, load, renderAll, keptOf }
}

t.test('what was rendered, as long as the contact stays as it is, is kept across loads', async (t) => {
  const { load, renderAll, keptOf } = start(t)
  const packed = await load()
  const before = await renderAll(packed)
  t.equal(await keptOf(before, packed), 9)
  t.equal(await load(), packed, 'equal bytes are the same revision')
  t.equal(await keptOf(before, packed), 9)
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
  t.equal(new Set(before.map(({ etag }) => etag)).size, 9)
  t.equal(await keptOf(before, packed), 0)
  t.strictSame([...store.entries()], [])
})
