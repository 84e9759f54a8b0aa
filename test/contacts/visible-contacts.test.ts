import fc from 'fast-check'
import t from 'tap'
import type { Caller } from '../../src/access/caller.ts'
import { formatCacheStatus } from '../../src/cache/cache-status.ts'
import type { Lifetime } from '../../src/cache/entry.ts'
import { createStore, overheadBytes } from '../../src/cache/lru-store.ts'
import { createReadThrough } from '../../src/cache/read-through.ts'
import { createSetbacks } from '../../src/cache/recent-failures.ts'
import { type Demand, noDemand } from '../../src/cache/request-directives.ts'
import { createEntitledReads, type OfFlow } from '../../src/contacts/visible-contacts.ts'
import { Away, noCache, onlyIfCached, Refused } from '../cache/rig.ts'
import { createClock } from '../harness/clock.ts'

const gridMs = 250
const known: Lifetime = { freshMs: 5000, staleWhileRevalidateMs: 30_000, staleIfErrorMs: 600_000 }
const absent: Lifetime = { freshMs: 10_000, staleWhileRevalidateMs: 0, staleIfErrorMs: 0 }

const everyFlow: Caller = { name: 'all', kind: 'key', profile: 'full', flows: null }
const flowA: Caller = { name: 'a', kind: 'key', profile: 'full', flows: new Set(['a']) }
const flowB: Caller = { ...flowA, name: 'b', flows: new Set(['b']) }
const flowC: Caller = { ...flowA, name: 'c', flows: new Set(['c']) }

/** Hilos with runs of these flows, and all that lies between it and callers. */
function arrange(
  flows: Readonly<Record<string, string | null>>,
  { maxBytes = 100_000, lifetime = absent, absenceLifetime = () => lifetime } = {},
) {
  const clock = createClock()
  const { now } = clock
  const store = () => createStore<OfFlow>({ maxBytes, now })
  const values = store()
  const waits: number[] = []
  const asked: string[] = []
  let failure: Error | null = null
  let callMs = 0
  let meanwhile = () => {}
  const common = {
    load: async (key: string) => {
      asked.push(key)
      clock.advance(callMs)
      meanwhile()
      if (failure) throw failure
      const flowId = flows[key]
      if (flowId === undefined) return { value: null, bytes: 0, fetchedAt: now(), ...lifetime }
      return { value: { flowId }, bytes: 100, fetchedAt: now(), ...known }
    },
    values,
    isTransient: (error: unknown) => error instanceof Away,
    slowMs: 400,
    now,
  }
  const own = () => ({
    absences: store(),
    setbacks: createSetbacks({ atLeastMs: 1000, maxCount: 100, now, random: () => 0 }),
  })
  const reads = createEntitledReads<OfFlow>({
    ...common,
    ...own(),
    remembered: createReadThrough({ ...common, ...own() }),
    absenceLifetime,
    gridMs,
    elapsed: now,
    pause: async (ms) => void waits.push(ms),
  })

  const { get } = reads

  /** All that a caller can see of what is said, but for the wait. */
  async function say(caller: Caller, key: string, demand: Demand = noDemand): Promise<string> {
    try {
      const answer = await get(caller, key, demand)
      if (answer === null) return 'nothing remembered'
      return `${answer.entry.value ? answer.entry.value.flowId : 'absent'} | ${formatCacheStatus('', answer, now())}`
    } catch (error) {
      return (error as Error).name
    }
  }

  return {
    ...{ clock, reads, get, say, waits, values },
    /** What Hilos was asked for, in turn. */
    asked,
    calls: () => asked.length,
    fail: (error: Error | null) => {
      failure = error
    },
    takeLong: (ms: number) => {
      callMs = ms
    },
    /** Happens while Hilos is asked. */
    during: (event: () => void) => {
      meanwhile = event
    },
  }
}

t.test('a caller, of every flow or of its flow, gets what is there as everybody does', async (t) => {
  for (const caller of [everyFlow, flowA]) {
    const { say, calls, waits } = arrange({ k: 'a' })
    t.equal(await say(caller, 'k'), 'a | ; fwd=uri-miss; ttl=5; stored')
    t.equal(await say(caller, 'k'), 'a | ; hit; ttl=5')
    t.equal(await say(caller, 'none'), 'absent | ; fwd=uri-miss; ttl=10; stored')
    t.equal(await say(caller, 'none'), 'absent | ; hit; ttl=10')
    t.equal(calls(), 2)
    t.equal(waits.length, caller === everyFlow ? 0 : 1, 'only those are made to wait who could learn from the time')
  }
})

t.test('a run of no known flow, for a caller limited to flows, is not there', async (t) => {
  const { say } = arrange({ k: null })
  t.match(await say(flowA, 'k'), /^absent/)
  t.match(await say(everyFlow, 'k'), /^null \| ; hit/)
})

t.test('what is remembered and answered at once, is so for a caller of its flow, too', async (t) => {
  const { say, get } = arrange({ k: 'a' })
  await say(everyFlow, 'k')
  t.notOk(get(flowA, 'k') instanceof Promise)
})

t.test(
  'what lies outside, when others watch it, is asked for anew, and then absent for as long as an absence',
  async (t) => {
    const { say, clock, calls } = arrange({ k: 'a' })
    await say(everyFlow, 'k')
    clock.advance(1)
    t.equal(await say(flowB, 'k'), 'absent | ; fwd=uri-miss; ttl=10; stored')
    t.equal(await say(flowA, 'k'), 'a | ; hit; ttl=5', 'and is there for the others')
    clock.advance(9999)
    t.equal(await say(flowB, 'k'), 'absent | ; hit; ttl=1')
    t.equal(calls(), 2)
    clock.advance(1)
    t.equal(await say(flowB, 'k'), 'absent | ; fwd=uri-miss; ttl=10; stored')
    t.equal(calls(), 3)
  },
)

t.test(
  'what was concealed, is so for all who are limited to the same flows, and for no other and no other key',
  async (t) => {
    const { say, asked } = arrange({ k: 'a', l: 'a' })
    const flowsBC: Caller = { ...flowB, flows: new Set(['b', 'c']) }
    for (const [caller, key] of [
      [flowB, 'k'],
      [flowsBC, 'k'],
      [flowB, 'l'],
    ] as const)
      t.equal(await say(caller, key), 'absent | ; fwd=uri-miss; ttl=10; stored')
    const alike: Caller = { ...flowB, name: 'c', kind: 'token', flows: new Set(['c', 'b']) }
    t.equal(await say(alike, 'k'), 'absent | ; hit; ttl=10')
    t.strictSame(asked, ['k', 'k', 'l'], 'Hilos hears of no flow')
  },
)

t.test('an absence that had to be asked for, is told on the grid, however long that took', async (t) => {
  const table = [
    [0, 250],
    [1, 249],
    [249, 1],
    [250, 250],
    [251, 249],
    [700, 50],
  ] as const
  for (const key of ['outside', 'nowhere'])
    for (const [took, waited] of table) {
      const { say, takeLong, waits, clock } = arrange({ outside: 'a' })
      // The grid begins with the question, so that nobody can choose where on it to ask.
      clock.advance(100)
      takeLong(took)
      await say(flowB, key)
      t.strictSame(waits, [waited], `${key} after ${took} ms`)
      await say(flowB, key)
      t.equal(waits.length, 1, 'and at once when it is remembered')
    }
})

t.test('a run, when it goes to another flow while it is asked for, is absent', async (t) => {
  const flows: Record<string, string> = { k: 'a' }
  const { say, clock } = arrange(flows)
  await say(flowA, 'k')
  flows.k = 'b'
  clock.advance(2000)
  t.match(await say(flowA, 'k', noCache), /^absent \| ; fwd=uri-miss/)
})

t.test('a run, when it is erased while it is asked for, is absent', async (t) => {
  const flows: Record<string, string> = { k: 'a' }
  const { say, clock } = arrange(flows)
  await say(flowA, 'k')
  delete flows.k
  clock.advance(2000)
  t.match(await say(flowA, 'k', noCache), /^absent \| ; fwd=request/)
})

t.test('what lies outside, when it is too large to be remembered, is absent like anything else', async (t) => {
  const { say, calls } = arrange({ k: 'a' }, { maxBytes: overheadBytes + 50 })
  t.equal(await say(flowB, 'k'), 'absent | ; fwd=uri-miss; ttl=10; stored')
  t.equal(await say(flowB, 'k'), 'absent | ; hit; ttl=10')
  t.equal(await say(everyFlow, 'k'), 'a | ; fwd=uri-miss; ttl=5')
  t.equal(calls(), 2)
})

t.test(
  'what lies outside, when several ask for it at once, is asked for once and absent for equally long to all',
  async (t) => {
    let freshMs = 9000
    const absenceLifetime = () => {
      freshMs += 1000
      return { ...absent, freshMs }
    }
    const { say, calls } = arrange({ k: 'a' }, { absenceLifetime })
    const said = await Promise.all([say(flowB, 'k'), say(flowB, 'k'), say(flowB, 'k'), say(flowA, 'k')])
    t.strictSame(said, [
      'absent | ; fwd=uri-miss; ttl=10; stored',
      'absent | ; fwd=uri-miss; ttl=10; collapsed',
      'absent | ; fwd=uri-miss; ttl=10; collapsed',
      'a | ; fwd=uri-miss; ttl=5; stored',
    ])
    t.equal(await say(flowB, 'k'), 'absent | ; hit; ttl=10')
    t.equal(calls(), 2, 'and once for those who may know of it, whose call is nobody’s clue')
  },
)

t.test('what a caller limited to flows finds erased, is gone for everybody', async (t) => {
  const flows: Record<string, string> = { k: 'a' }
  const { say, values } = arrange(flows)
  await say(everyFlow, 'k')
  delete flows.k
  t.match(await say(flowB, 'k'), /^absent/)
  t.equal(values.get('k'), undefined)
})

t.test('rights, when they are widened, show at once what was concealed', async (t) => {
  const { say } = arrange({ k: 'a' })
  await say(flowB, 'k')
  t.match(await say({ ...flowB, flows: new Set(['a', 'b']) }, 'k'), /^a /)
})

const asks = fc.record({
  what: fc.constantFrom('ask', 'ask', 'others ask'),
  demand: fc.constantFrom(noDemand, noDemand, noCache, onlyIfCached, { ...noDemand, maxAgeMs: 3000 }),
})
const moves = fc.record({
  what: fc.constant('time passes'),
  ms: fc.constantFrom(1, 400, 999, 1000, 4000, 9999, 40_000),
})
const weathers = fc.record({ what: fc.constant('weather'), failure: fc.constantFrom(null, new Away(), new Refused()) })

t.test('what lies outside, whatever happens and whatever others ask, is never told from what is nowhere', async (t) => {
  const events = fc.array(fc.oneof({ weight: 5, arbitrary: asks }, { weight: 3, arbitrary: moves }, weathers), {
    maxLength: 25,
  })
  // Two of these fit, so that what others watch is evicted now and then.
  const budgets = [{}, { maxBytes: 2 * (overheadBytes + 100) }, { lifetime: { ...absent, freshMs: 0 } }]
  const property = fc.asyncProperty(events, fc.constantFrom(...budgets), async (events, budget) => {
    const [outside, nowhere] = [arrange({ k: 'a', x: 'a', y: 'a' }, budget), arrange({}, budget)]
    for (const event of events) {
      for (const world of [outside, nowhere]) {
        if ('ms' in event) world.clock.advance(event.ms)
        if ('failure' in event) world.fail(event.failure)
      }
      // Of the two, only one is there to be watched by others; those who are limited otherwise ask about both.
      if (event.what === 'others ask') for (const key of ['k', 'x', 'y']) await outside.say(everyFlow, key)
      if (event.what === 'others ask') for (const world of [outside, nowhere]) await world.say(flowC, 'k')
      if (event.what !== 'ask' || !('demand' in event)) continue
      const callsBefore = [outside.calls(), nowhere.calls()]
      const said = [await outside.say(flowB, 'k', event.demand), await nowhere.say(flowB, 'k', event.demand)]
      const called = [outside.calls() - Number(callsBefore[0]), nowhere.calls() - Number(callsBefore[1])]
      if (said[0] !== said[1] || called[0] !== called[1]) return false
    }
    return outside.waits.join() === nowhere.waits.join()
  })
  const outcome = await fc.check(property, { numRuns: 1000 })
  t.notOk(outcome.failed, fc.defaultReportMessage(outcome) ?? '1000 runs')
})

t.test('what is forgotten, one by one or all at once, is asked for again by everybody', async (t) => {
  for (const forget of ['delete', 'clear'] as const) {
    const { say, asked, reads } = arrange({ k: 'a', other: 'a' })
    const everybody = [everyFlow, flowA, flowB, flowC]
    const askAll = async () => {
      for (const key of ['k', 'none', 'other']) for (const caller of everybody) await say(caller, key)
    }
    await askAll()
    const before = asked.length
    await askAll()
    t.equal(asked.length, before)
    for (const key of ['k', 'none']) reads[forget](key)
    asked.length = 0
    await askAll()
    const expected = forget === 'clear' ? ['k', 'none', 'other'] : ['k', 'none']
    t.strictSame([...new Set(asked)].sort(), expected, forget)
    t.equal(asked.filter((key) => key === 'none').length, everybody.length, 'by each, what none of them may learn of')
  }
})

t.test('a failure, when its key is forgotten, is forgotten for a caller limited to flows, too', async (t) => {
  for (const caller of [everyFlow, flowA]) {
    const { say, fail, reads } = arrange({ k: 'a' })
    fail(new Away())
    t.equal(await say(caller, 'k'), 'Away')
    fail(null)
    t.equal(await say(caller, 'k'), 'Away', 'remembered for a moment')
    reads.delete('other')
    t.equal(await say(caller, 'k'), 'Away')
    reads.delete('k')
    t.match(await say(caller, 'k'), /^a /)
  }
})

t.test(
  'a load under way, when its key is forgotten, answers who waits and is not remembered, whoever asked',
  async (t) => {
    for (const forget of ['delete', 'clear'] as const)
      for (const caller of [everyFlow, flowA, flowB]) {
        const { say, during, values, calls, reads } = arrange({ k: 'a' })
        during(() => reads[forget]('k'))
        t.match(await say(caller, 'k'), caller === flowB ? /^absent/ : /^a \| ; fwd=uri-miss; ttl=5$/)
        t.strictSame([...values.entries()], [], `${forget} for ${caller.name}`)
        await say(caller, 'k')
        t.equal(calls(), 2)
      }
  },
)
