import t from 'tap'
import { anonymous, type Caller } from '../../src/access/caller.ts'
import { createLruStore, overheadBytes } from '../../src/cache/lru-store.ts'
import { createRecentFailures } from '../../src/cache/recent-failures.ts'
import { noDirectives, type RequestDirectives } from '../../src/cache/request-directives.ts'
import { noSecondTier, type SecondTier } from '../../src/contacts/second-tier.ts'
import type { StoredContact } from '../../src/contacts/stored-contact.ts'
import { createVisibleContacts } from '../../src/contacts/visible-contacts.ts'
import { anyRequest, noCache } from '../cache/rig.ts'
import { createTimers } from '../harness/timers.ts'
import { noIdentity } from '../presentation/pipeline.ts'
import { createFakeSecondTier } from './fake-second-tier.ts'
import { storedContact } from './stored.ts'

/*
 * What a caller limited to flows may find out by asking at the right moment. Hilos answers in 400 ms for a run, and in 50 ms if
 * there is none. The padded step is a second.
 */

const stepMs = 1000
const windows = { staleWhileRevalidateMs: 30_000, staleIfErrorMs: 600_000 }
const contact = (flowId: string, revision = 'r') => ({
  ...storedContact('k', { serialized: Buffer.alloc(0), identity: noIdentity }, flowId),
  revision,
})
const limitedTo = (...flows: string[]): Caller => ({ ...anonymous, name: flows.join(), flows: new Set(flows) })
const [reader, other] = [limitedTo('b'), limitedTo('c')]

/** @param flowId that of the only run, `k`; null if Hilos has none */
function arrange(flowId: string | null, secondTier: SecondTier = noSecondTier, clock = createTimers()) {
  const hilos = { flowId, asked: [] as number[] }
  const storeOf = () => createLruStore<StoredContact>({ maxBytes: 100_000, clock })
  const negativeCacheOf = () => ({
    absences: storeOf(),
    failures: createRecentFailures({ ttlMs: 1000, maxEntries: 100, clock }),
  })
  const news: string[] = []
  const [values, unlimited, limited] = [storeOf(), negativeCacheOf(), negativeCacheOf()]
  const visible = createVisibleContacts({
    values,
    unlimited,
    limited,
    secondTier,
    load: async (_id, { markAsked }) => {
      hilos.asked.push(clock.elapsed())
      markAsked()
      const { flowId } = hilos
      await new Promise<void>((resolve) => clock.schedule(resolve, flowId === null ? 50 : 400))
      const generatedAt = clock.now()
      if (flowId === null)
        return { value: null, bytes: 0, generatedAt, freshMs: 9000, staleWhileRevalidateMs: 0, staleIfErrorMs: 0 }
      return { value: contact(flowId), bytes: 1, generatedAt, freshMs: 5000, ...windows }
    },
    detailOf: () => null,
    absenceLifetime: () => ({ freshMs: 10_000, staleWhileRevalidateMs: 0, staleIfErrorMs: 0 }),
    slowMs: 400,
    grantReload: () => true,
    notFoundStepMs: stepMs,
    onNews: (_id, brought) => news.push('entry' in brought ? (brought.entry.value?.flowId ?? 'absent') : 'failure'),
    clock,
  })

  /** Asks now, and notes when the answer comes, after which time, and for how long it is fresh. */
  function ask(caller: Caller, answers: unknown[], directives: RequestDirectives = noDirectives): void {
    const begunAt = clock.elapsed()
    void (async () => {
      const answer = await visible.get(caller, 'k', { ...anyRequest, directives, askedBy: caller.name })
      const { entry, handling } = answer as NonNullable<typeof answer>
      answers.push([begunAt, clock.elapsed() - begunAt, entry.value?.flowId ?? 'absent', entry, handling])
    })()
  }
  return { clock, hilos, visible, values, unlimited, limited, news, ask }
}

/** Runs the same in a world with a run of another flow and in one without. */
async function inBothWorlds<Seen>(run: (flowId: string | null) => Promise<Seen>): Promise<[Seen, Seen]> {
  return [await run('a'), await run(null)]
}

t.test('two requests, the second between the answers for a run and for none, see the same', async (t) => {
  for (const directives of [noDirectives, noCache, { ...noDirectives, maxAgeMs: 100 }])
    for (const secondAtMs of [10, 60, 399, 999]) {
      const [hidden, none] = await inBothWorlds(async (flowId) => {
        const { ask, clock, hilos } = arrange(flowId)
        const answers: unknown[] = []
        ask(reader, answers)
        await clock.advance(secondAtMs)
        ask(reader, answers, directives)
        await clock.advance(3000)
        ask(reader, answers, { ...noDirectives, maxAgeMs: 2500 })
        await clock.advance(3000)
        return { answers, asked: hilos.asked }
      })
      t.equal(hidden.answers.length, 3)
      t.strictSame(hidden, none, `${secondAtMs} ms, ${directives.maxAgeMs}`)
    }
})

t.test('the absence begins when the answer is sent, so that its end says nothing', async (t) => {
  const seen = await inBothWorlds(async (flowId) => {
    const { ask, clock, hilos } = arrange(flowId)
    const answers: unknown[] = []
    for (let count = 0; count < 120; count += 1) {
      ask(reader, answers)
      await clock.advance(100)
    }
    await clock.advance(2000)
    return { answers, asked: hilos.asked.length }
  })
  t.equal(seen[0].asked, 2)
  t.strictSame(seen[0], seen[1])
})

t.test('a load that another replica leads is followed for as long, and Hilos is not asked', async (t) => {
  // The tier lets one replica lead, and gives its answer to the other one.
  const seen = await inBothWorlds(async (flowId) => {
    let led: Promise<{ entry: Awaited<ReturnType<SecondTier['load']>> }> | undefined
    const tierOf = (): SecondTier => {
      const { tier, behaviour } = createFakeSecondTier()
      behaviour.load = async (_query, demand, loadHere) => {
        if (led !== undefined) {
          demand.markAskedElsewhere()
          return { ...(await led).entry }
        }
        led = loadHere(demand)
        return (await led).entry
      }
      return tier
    }
    const first = arrange(flowId, tierOf())
    const second = arrange(flowId, tierOf(), first.clock)
    const answers: unknown[] = []
    first.ask(reader, answers)
    await first.clock.advance(100)
    second.ask(reader, answers)
    await first.clock.advance(5000)
    first.ask(reader, answers)
    second.ask(reader, answers)
    await first.clock.advance(0)
    return { answers, asked: [first.hilos.asked, second.hilos.asked] }
  })
  t.strictSame(seen[0], seen[1])
  t.strictSame(
    seen[0].answers.map((answer) => (answer as number[])[1]),
    [1000, 900, 0, 0],
  )
  t.strictSame(
    seen[0].asked.map(({ length }) => length),
    [1, 0],
  )
})

t.test('what another replica finds out changes nothing for those who may not see the run', async (t) => {
  for (const how of ['gone', 'changed']) {
    const seen = await inBothWorlds(async (flowId) => {
      const { tier, listener } = createFakeSecondTier()
      const { ask, clock, hilos } = arrange(flowId, tier)
      const answers: unknown[] = []
      ask(reader, answers)
      await clock.advance(1000)
      ask(anonymous, [])
      await clock.advance(500)
      ask(other, answers)
      await clock.advance(100)
      // A caller of every flow, or of other flows, has asked there.
      if (how === 'gone') {
        if (flowId === null) listener().gone('k')
      } else listener().changed('k', () => false, flowId === null)
      await clock.advance(1000)
      ask(reader, answers)
      ask(other, answers)
      await clock.advance(2000)
      return { answers, asked: hilos.asked.length }
    })
    t.equal(seen[0].asked, 3)
    t.strictSame(seen[0], seen[1])
  }
})

t.test(
  'the absence of a hidden run takes as much memory as a real one, also if another replica found it',
  async (t) => {
    const sizes = await inBothWorlds(async (flowId) => {
      const { tier, behaviour } = createFakeSecondTier()
      const { ask, clock, limited } = arrange(flowId, tier)
      ask(reader, [])
      await clock.advance(1000)
      behaviour.load = async () => ({
        value: null,
        bytes: 0,
        generatedAt: clock.now(),
        freshMs: 9000,
        staleWhileRevalidateMs: 0,
        staleIfErrorMs: 0,
      })
      ask(other, [])
      await clock.advance(0)
      return limited.absences.usage().bytes
    })
    t.equal(sizes[0], 2 * (overheadBytes + 'k ["b"]'.length))
    t.equal(sizes[0], sizes[1])
    const { tier } = createFakeSecondTier()
    const { ask, clock, limited } = arrange(null, tier)
    ask(reader, [])
    ask(other, [])
    await clock.advance(1000)
    t.equal(limited.absences.usage().bytes, sizes[0])
  },
)

t.test('the tier is told what readers may see and what they may know of', async (t) => {
  const { tier, behaviour, queries } = createFakeSecondTier()
  const { ask, clock, values, hilos, visible } = arrange('b', tier)
  const answers: unknown[] = []
  ask(anonymous, [])
  await clock.advance(400)
  const stored = values.peek('k')
  await clock.advance(1)
  ask(anonymous, [], noCache)
  ask(other, answers)
  await clock.advance(1000)
  t.strictSame(queries, [
    { id: 'k', flows: null, known: undefined },
    { id: 'k', flows: null, known: stored },
    { id: 'k', flows: other.flows, known: undefined },
  ])

  // What the tier has of a visible run is stored for all. It is stale, and refreshed behind as what these readers know.
  hilos.flowId = 'b'
  visible.delete('k')
  queries.length = 0
  const stale = { value: contact('b'), bytes: 1, generatedAt: clock.now() - 6000, freshMs: 5000, ...windows }
  behaviour.load = async ({ known }, demand, loadHere) => (known ? (await loadHere(demand)).entry : stale)
  answers.length = 0
  ask(reader, answers)
  await clock.advance(0)
  t.match(answers, [[clock.elapsed(), 0, 'b', stale, { fwd: null, detail: 'revalidating' }]])
  t.strictSame(queries, [
    { id: 'k', flows: reader.flows, known: undefined },
    { id: 'k', flows: reader.flows, known: stale },
  ])
  await clock.advance(400)
  t.equal(values.peek('k')?.generatedAt, clock.now())
})

t.test('a contact that does not exist is told to the tier as that, and a hidden one is not', async (t) => {
  for (const flowId of ['a', 'b', null]) {
    const { tier, behaviour } = createFakeSecondTier()
    const { ask, clock } = arrange(flowId, tier)
    const loaded: unknown[] = []
    behaviour.load = async (_query, demand, loadHere) => {
      const brought = await loadHere(demand)
      loaded.push([brought.isGone, brought.entry.value?.flowId ?? null])
      return brought.entry
    }
    ask(reader, [])
    await clock.advance(1000)
    t.strictSame(loaded, [[flowId === null, flowId === 'b' ? 'b' : null]])
  }
  const { tier, behaviour } = createFakeSecondTier()
  const { ask, clock } = arrange(null, tier)
  behaviour.load = async (_query, demand, loadHere) => {
    const brought = await loadHere(demand)
    t.equal(brought.isGone, true, 'for readers of every flow')
    return brought.entry
  }
  ask(anonymous, [])
  await clock.advance(50)
})

t.test('what replaces a contact is awaited, and what only renews it is not', async (t) => {
  const { tier, behaviour, listener, looked } = createFakeSecondTier()
  const { ask, clock, visible, values, news } = arrange('b', tier)
  const { changed } = listener()
  changed('k', () => false, false)
  t.strictSame(looked, [], 'what is not known is not looked for')
  ask(anonymous, [])
  await clock.advance(400)
  news.length = 0

  const { promise, resolve } = Promise.withResolvers<void>()
  const newer = { value: contact('b', 'r2'), bytes: 1, generatedAt: clock.now(), freshMs: 5000, ...windows }
  behaviour.look = async (id, known) => {
    t.strictSame([id, known], ['k', values.peek('k')])
    await promise
    return newer
  }
  changed('k', ({ revision }) => revision === 'r', false)
  t.notOk(visible.get(anonymous, 'k', anyRequest) instanceof Promise)
  changed('k', ({ revision }) => revision === 'r2', false)
  const awaited = visible.get(reader, 'k', anyRequest)
  t.ok(awaited instanceof Promise)
  resolve()
  t.equal((await awaited)?.entry, newer)
  t.strictSame(news, ['b'])
})

t.test('what does not exist any more is deleted, also if the tier does not say more', async (t) => {
  const { tier, listener, looked } = createFakeSecondTier()
  const { ask, clock, values, unlimited } = arrange('b', tier)
  ask(anonymous, [])
  await clock.advance(400)
  listener().changed('k', () => false, false)
  await clock.advance(0)
  t.ok(values.peek('k'), 'nothing newer is known of it')
  listener().changed('k', () => false, true)
  await clock.advance(0)
  t.equal(values.peek('k'), undefined)
  t.equal(looked.length, 2)

  const gone = arrange(null, tier)
  gone.ask(anonymous, [])
  await gone.clock.advance(50)
  t.ok(gone.unlimited.absences.peek('k'))
  listener().changed('k', () => true, false)
  t.ok(gone.visible.get(anonymous, 'k', anyRequest) instanceof Promise, 'a contact replaces an absence')
  await gone.clock.advance(0)
  t.equal(unlimited.absences.usage().entries, 0)
})

t.test('what does not exist is forgotten for those who may see it, and what is loading is not stored', async (t) => {
  const { tier, listener } = createFakeSecondTier()
  const { ask, clock, values, limited } = arrange('b', tier)
  ask(anonymous, [])
  ask(other, [])
  await clock.advance(1000)
  ask(anonymous, [], noCache)
  await clock.advance(0)
  listener().gone('k')
  t.equal(values.peek('k'), undefined)
  await clock.advance(400)
  t.equal(values.peek('k'), undefined)
  t.equal(limited.absences.usage().entries, 1)
})

t.test('an absence that the tier has replaces the contact', async (t) => {
  const { tier, behaviour, listener } = createFakeSecondTier()
  const { ask, clock, values, unlimited, news } = arrange('b', tier)
  ask(anonymous, [])
  await clock.advance(400)
  const lifetime = { freshMs: 9000, staleWhileRevalidateMs: 0, staleIfErrorMs: 0 }
  const absence = { value: null, bytes: 0, generatedAt: clock.now(), ...lifetime }
  behaviour.look = async () => absence
  listener().changed('k', () => false, true)
  await clock.advance(0)
  t.equal(values.peek('k'), undefined)
  t.equal(unlimited.absences.peek('k'), absence)
  t.strictSame(news, ['b', 'absent'])
})

t.test('what is to be forgotten is forgotten for all callers', async (t) => {
  for (const isAll of [false, true]) {
    const { tier, listener } = createFakeSecondTier()
    const { ask, clock, values, limited } = arrange('b', tier)
    ask(anonymous, [])
    ask(other, [])
    await clock.advance(1000)
    t.strictSame([values.usage().entries, limited.absences.usage().entries], [1, 1])
    if (isAll) listener().cleared()
    else listener().forgotten('k')
    t.strictSame([values.usage().entries, limited.absences.usage().entries], [0, 0])
  }
})
