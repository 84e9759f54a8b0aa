import fc from 'fast-check'
import t from 'tap'
import { anonymous, type Caller } from '../../src/access/caller.ts'
import { createAdaptiveTtl } from '../../src/cache/adaptive-ttl.ts'
import { formatCacheStatus } from '../../src/cache/cache-status.ts'
import type { Lifetime } from '../../src/cache/entry.ts'
import { createLruStore, overheadBytes } from '../../src/cache/lru-store.ts'
import { createRecentFailures } from '../../src/cache/recent-failures.ts'
import { createReloadLimit } from '../../src/cache/reloads.ts'
import { noDirectives, type RequestDirectives } from '../../src/cache/request-directives.ts'
import { noSecondTier } from '../../src/contacts/second-tier.ts'
import type { StoredContact } from '../../src/contacts/stored-contact.ts'
import { createVisibleContacts } from '../../src/contacts/visible-contacts.ts'
import { anyRequest, noCache, onlyIfCached, Refused, Unavailable } from '../cache/rig.ts'
import { createClock } from '../harness/clock.ts'
import { noIdentity } from '../presentation/pipeline.ts'
import { storedContact } from './stored.ts'

const stepMs = 250
const present: Lifetime = { freshMs: 5000, staleWhileRevalidateMs: 30_000, staleIfErrorMs: 600_000 }
const absent: Lifetime = { freshMs: 10_000, staleWhileRevalidateMs: 0, staleIfErrorMs: 0 }

const callerOf = (...flows: string[]): Caller => ({ ...anonymous, name: flows.join(), flows: new Set(flows) })
const everyFlow = anonymous
const [flowA, flowB, flowC] = [callerOf('a'), callerOf('b'), callerOf('c')]

/**
 * Visible contacts of a Hilos that has runs of these flows, by id. A test may change `hilos` at any time. Each refresh that
 * counts doubles the lifetimes of contacts for a while.
 */
function arrange(
  flows: Record<string, string | null>,
  { maxBytes = 100_000, lifetime = absent, absenceLifetime = (): Lifetime => lifetime } = {},
) {
  const hilos = {
    flows,
    failure: null as Error | null,
    waitMs: 0,
    callMs: 0,
    ageMs: 0,
    during: () => {},
    asked: [] as string[],
  }
  const waits: number[] = []
  const clock = createClock(undefined, {
    random: () => 0,
    // A padding of at most a step ends at once. The longer timer of a slow origin never fires, because no call is slow.
    schedule: (run, ms) => {
      if (ms <= stepMs) {
        waits.push(ms)
        run()
      }
      return () => {}
    },
  })
  const storeOf = () => createLruStore<StoredContact>({ maxBytes, clock })
  const negativeCacheOf = () => ({
    absences: storeOf(),
    failures: createRecentFailures({ ttlMs: 1000, maxEntries: 100, clock }),
  })
  const values = storeOf()
  const adaptiveTtl = createAdaptiveTtl(() => 1 / 30, clock)
  /** The ids of which there was news, with the flow of the run. */
  const news: string[] = []
  const visible = createVisibleContacts({
    values,
    secondTier: noSecondTier,
    load: async (id, { markAsked }, previous) => {
      hilos.asked.push(id)
      clock.advance(hilos.waitMs)
      markAsked()
      clock.advance(hilos.callMs)
      hilos.during()
      if (hilos.failure) throw hilos.failure
      const flowId = hilos.flows[id]
      const generatedAt = clock.now() - hilos.ageMs
      if (previous) adaptiveTtl.recordRefresh(0, present.freshMs)
      if (flowId === undefined) return { value: null, bytes: 0, generatedAt, ...lifetime }
      return {
        value: storedContact(id, { serialized: Buffer.alloc(0), identity: noIdentity }, flowId),
        bytes: 100,
        generatedAt,
        ...present,
        freshMs: present.freshMs * adaptiveTtl.factor(),
      }
    },
    unlimited: negativeCacheOf(),
    limited: negativeCacheOf(),
    absenceLifetime,
    detailOf: (error) => (error instanceof Unavailable ? 'origin-failed' : null),
    slowMs: 400,
    grantReload: createReloadLimit({
      perKeyMs: 10_000,
      perCaller: { max: 3, windowMs: 60_000 },
      maxEntries: 100,
      clock,
    }),
    notFoundStepMs: stepMs,
    onNews: (id, brought) => {
      const what = 'entry' in brought ? (brought.entry.value?.flowId ?? 'absent') : (brought.error as Error).name
      news.push(`${id} ${what}`)
    },
    clock,
  })

  /** All that a caller can see of an answer, except how long it took. */
  async function ask(caller: Caller, id: string, directives: RequestDirectives = noDirectives): Promise<string> {
    try {
      const answer = await visible.get(caller, id, { ...anyRequest, directives, askedBy: caller.name })
      if (answer === null) return 'nothing'
      const { value } = answer.entry
      return `${value ? value.flowId : 'absent'}${formatCacheStatus('', answer, clock.now())}`
    } catch (error) {
      return (error as Error).name
    }
  }
  return { clock, hilos, visible, values, waits, news, ask }
}

t.test('a caller of every flow and a caller of the flow of a run get the same answers', async (t) => {
  for (const caller of [everyFlow, flowA]) {
    const { ask, hilos, visible, waits } = arrange({ k: 'a' })
    t.equal(await ask(caller, 'k'), 'a; fwd=uri-miss; ttl=5; stored')
    t.equal(await ask(caller, 'k'), 'a; hit; ttl=5')
    t.notOk(visible.get(caller, 'k', anyRequest) instanceof Promise, 'a stored contact is returned without a promise')
    t.equal(await ask(caller, 'none'), 'absent; fwd=uri-miss; ttl=10; stored')
    t.equal(await ask(caller, 'none'), 'absent; hit; ttl=10')
    t.equal(hilos.asked.length, 2)
    t.equal(waits.length, caller === everyFlow ? 0 : 1, 'only a limited caller waits longer')
  }
})

t.test('a run without a flow is absent for a limited caller', async (t) => {
  const { ask } = arrange({ k: null })
  t.match(await ask(flowA, 'k'), /^absent/)
  t.match(await ask(everyFlow, 'k'), /^null; fwd=uri-miss/)
})

t.test('a run of another flow is loaded although it is stored, and is absent for as long as an absence', async (t) => {
  const { ask, clock, hilos } = arrange({ k: 'a' })
  await ask(everyFlow, 'k')
  clock.advance(1)
  t.equal(await ask(flowB, 'k'), 'absent; fwd=uri-miss; ttl=10; stored')
  t.equal(await ask(flowA, 'k'), 'a; hit; ttl=5', 'other callers still see it')
  clock.advance(9999)
  t.equal(await ask(flowB, 'k'), 'absent; hit; ttl=1')
  t.equal(hilos.asked.length, 2)
  clock.advance(1)
  t.equal(await ask(flowB, 'k'), 'absent; fwd=uri-miss; ttl=10; stored')
  t.match(
    await ask(callerOf('a', 'b'), 'k'),
    /^a; hit; ttl=-6/,
    'a caller with wider rights sees what is stored at once',
  )
  t.equal(hilos.asked.length, 4)
})

t.test('callers share an absence only if they have the same flows', async (t) => {
  const { ask, hilos } = arrange({ k: 'a', l: 'a' })
  t.equal(await ask(flowB, 'k'), 'absent; fwd=uri-miss; ttl=10; stored')
  t.equal(await ask(callerOf('b', 'c'), 'k'), 'absent; fwd=uri-miss; ttl=10; stored')
  t.equal(await ask(flowB, 'l'), 'absent; fwd=uri-miss; ttl=10; stored')
  t.equal(await ask({ ...callerOf('c', 'b'), kind: 'token' }, 'k'), 'absent; hit; ttl=10')
  t.strictSame(hilos.asked, ['k', 'k', 'l'], 'no flow is sent to Hilos')
})

t.test('a loaded absence is sent a multiple of the step after the request, a stored one at once', async (t) => {
  const found: number[][] = []
  for (const callMs of [0, 1, 249, 250, 251, 700]) {
    const { ask, hilos, waits, clock } = arrange({ outside: 'a' })
    // The steps are counted from the request, so that a caller cannot choose where between two of them to ask.
    clock.advance(100)
    hilos.callMs = callMs
    for (const id of ['outside', 'outside', 'nowhere', 'nowhere']) await ask(flowB, id)
    found.push(waits)
  }
  const wanted = [250, 249, 1, 250, 249, 50].map((ms) => [ms, ms])
  t.strictSame(found, wanted)
})

t.test(
  'a run that moves to another flow or is erased during its load is absent, and nothing tells the two apart',
  async (t) => {
    const seen = []
    for (const flows of [{ k: 'b' }, {}] as const) {
      const { ask, hilos, clock, waits } = arrange({ k: 'a' })
      await ask(flowA, 'k')
      hilos.flows = flows
      clock.advance(2000)
      const answers = [await ask(flowA, 'k', noCache), await ask(flowA, 'k')]
      seen.push({ answers, calls: hilos.asked.length, waits: [...waits] })
    }
    t.match(seen[0]?.answers, [/^absent; fwd=uri-miss/, /^absent; hit/])
    t.strictSame(seen[0], seen[1])
    t.equal(seen[0]?.waits.length, 1, 'both are padded')
  },
)

t.test('a not-found answer is padded from when Hilos was asked, whatever the wait for a call was', async (t) => {
  const { ask, hilos, waits } = arrange({ k: 'b' })
  hilos.callMs = 10
  for (const waitMs of [0, 930, 995]) {
    hilos.waitMs = waitMs
    await ask(flowA, `none ${waitMs}`)
  }
  t.strictSame(waits, Array(3).fill(stepMs - 10))
})

t.test('the load of a hidden run changes nothing for the runs that its caller sees', async (t) => {
  // The store has room for two runs, and the rarely read one is the next to be evicted.
  const { ask, clock, hilos } = arrange({ k: 'a', rare: 'b', new: 'b' }, { maxBytes: 2 * (overheadBytes + 100) })
  await ask(everyFlow, 'k')
  await ask(flowB, 'rare')
  for (let times = 0; times < 3; times += 1) {
    clock.advance(10_001)
    t.match(await ask(flowB, 'k'), /^absent/)
  }
  t.equal(await ask(flowB, 'new'), 'b; fwd=uri-miss; ttl=5; stored', 'no lifetime is lengthened')
  t.match(
    await ask(flowB, 'rare'),
    /^b; hit/,
    'the hidden run was evicted, because no caller who may see it has read it',
  )
  t.equal(hilos.asked.filter((id) => id === 'k').length, 4)
})

t.test('reloads of a hidden run are limited for callers with the same flows, and for no others', async (t) => {
  const { ask, clock, hilos } = arrange({ k: 'a', l: 'a', m: 'a', own: 'b' })
  const loads = async (caller: Caller, id: string) => {
    const before = hilos.asked.length
    await ask(caller, id, noCache)
    return hilos.asked.length - before
  }
  for (const caller of [everyFlow, flowB, flowC]) await ask(caller, 'k')
  await ask(flowB, 'own')
  clock.advance(1)
  t.strictSame([await loads(everyFlow, 'k'), await loads(flowA, 'k')], [1, 0])
  t.strictSame([await loads(flowB, 'k'), await loads(flowB, 'k'), await loads(flowC, 'k')], [1, 0, 1])
  clock.advance(9999)
  t.equal(await loads({ ...flowB, name: 'another' }, 'k'), 0)
  for (const id of ['own', 'l', 'm']) await ask(flowB, id)
  clock.advance(1)
  const [own, l, m] = [await loads(flowB, 'own'), await loads(flowB, 'l'), await loads(flowB, 'm')]
  t.strictSame([own, l, m], [1, 1, 0], 'a caller has one budget for all runs')
})

t.test('a hidden run that is too large for the store is absent like any other', async (t) => {
  const { ask, hilos } = arrange({ k: 'a' }, { maxBytes: overheadBytes + 50 })
  t.equal(await ask(flowB, 'k'), 'absent; fwd=uri-miss; ttl=10; stored')
  t.equal(await ask(flowB, 'k'), 'absent; hit; ttl=10')
  t.equal(await ask(everyFlow, 'k'), 'a; fwd=uri-miss; ttl=5')
  t.equal(hilos.asked.length, 2)
})

t.test('an absence is new when it becomes known, however old the answer of Hilos was', async (t) => {
  for (const flows of [{ k: 'a' }, {}] as const) {
    const { ask, hilos, clock } = arrange(flows)
    hilos.ageMs = 86_400_000
    t.equal(await ask(flowB, 'k'), 'absent; fwd=uri-miss; ttl=10; stored')
    clock.advance(3000)
    t.equal(await ask(flowB, 'k', { ...noDirectives, maxAgeMs: 3000 }), 'absent; hit; ttl=7')
    t.equal(await ask(flowB, 'k', { ...noDirectives, maxAgeMs: 2999 }), 'absent; fwd=request; ttl=10; stored')
  }
})

t.test('simultaneous requests for a hidden run share one load and one absence', async (t) => {
  let freshMs = 9000
  const absenceLifetime = () => {
    freshMs += 1000
    return { ...absent, freshMs }
  }
  const { ask, hilos } = arrange({ k: 'a' }, { absenceLifetime })
  t.strictSame(await Promise.all([flowB, flowB, flowB, flowA].map((caller) => ask(caller, 'k'))), [
    'absent; fwd=uri-miss; ttl=10; stored',
    'absent; fwd=uri-miss; ttl=10; collapsed',
    'absent; fwd=uri-miss; ttl=10; collapsed',
    'a; fwd=uri-miss; ttl=5; stored',
  ])
  t.equal(await ask(flowB, 'k'), 'absent; hit; ttl=10')
  t.equal(hilos.asked.length, 2, 'callers who may see the run have a load of their own')
})

t.test('a run that a limited caller finds erased is deleted for all callers', async (t) => {
  const { ask, hilos, values } = arrange({ k: 'a' })
  await ask(everyFlow, 'k')
  hilos.flows = {}
  t.match(await ask(flowB, 'k'), /^absent/)
  t.equal(values.get('k'), undefined)
})

const requests = fc.record({
  id: fc.constantFrom('k', 'k', 'own'),
  directives: fc.constantFrom(noDirectives, noDirectives, noCache, onlyIfCached, { ...noDirectives, maxAgeMs: 3000 }),
})
const events = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: requests },
    { weight: 2, arbitrary: fc.constant('others ask' as const) },
    { weight: 3, arbitrary: fc.record({ passMs: fc.constantFrom(1, 400, 999, 1000, 4000, 9999, 40_000) }) },
    fc.record({ failure: fc.constantFrom(null, new Unavailable(), new Refused()) }),
  ),
  { maxLength: 25 },
)

t.test('no history of requests distinguishes a run of another flow from one that does not exist', async (t) => {
  // The second budget is enough for two contacts, so that those that others read are evicted now and then.
  const budgets = [{}, { maxBytes: 2 * (overheadBytes + 100) }, { lifetime: { ...absent, freshMs: 0 } }]
  const property = fc.asyncProperty(events, fc.constantFrom(...budgets), async (history, budget) => {
    // Others have as much to read in both cases: where `k` does not exist, they read `l`.
    const flows = { x: 'a', y: 'a', own: 'b' }
    const outside = { ...arrange({ ...flows, k: 'a' }, budget), read: ['k', 'x', 'y'] }
    const nowhere = { ...arrange({ ...flows, l: 'a' }, budget), read: ['l', 'x', 'y'] }
    const both = [outside, nowhere]
    for (const event of history) {
      if (event === 'others ask') {
        for (const { ask, read } of both) {
          for (const id of read) await ask(everyFlow, id)
          await ask(flowA, read[0] ?? '', noCache)
          await ask(flowC, 'k')
        }
      } else if ('passMs' in event) for (const { clock } of both) clock.advance(event.passMs)
      else if ('failure' in event) for (const { hilos } of both) hilos.failure = event.failure
      else {
        for (const { hilos } of both) hilos.asked.length = 0
        const [answer, other] = await Promise.all(both.map(({ ask }) => ask(flowB, event.id, event.directives)))
        if (answer !== other || outside.hilos.asked.length !== nowhere.hilos.asked.length) return false
      }
    }
    return outside.waits.join() === nowhere.waits.join()
  })
  const outcome = await fc.check(property, { numRuns: 1000 })
  t.notOk(outcome.failed, fc.defaultReportMessage(outcome) ?? '1000 runs')
})

for (const remove of ['delete', 'clear'] as const) {
  t.test(`after ${remove}, each caller loads again`, async (t) => {
    const { ask, hilos, visible } = arrange({ k: 'a', other: 'a' })
    const callers = [everyFlow, flowA, flowB, flowC]
    const askAll = async () => {
      hilos.asked.length = 0
      for (const id of ['k', 'none', 'other']) for (const caller of callers) await ask(caller, id)
      return hilos.asked
    }
    await askAll()
    t.strictSame(await askAll(), [])
    for (const id of ['k', 'none']) visible[remove](id)
    const asked = new Set(await askAll())
    t.strictSame(asked, new Set(remove === 'clear' ? ['k', 'none', 'other'] : ['k', 'none']))
    t.equal(hilos.asked.filter((id) => id === 'none').length, callers.length)
  })

  t.test(`after ${remove}, no failure is kept, and a load in flight is not stored`, async (t) => {
    for (const caller of [everyFlow, flowA, flowB]) {
      const { ask, hilos, values, visible } = arrange({ k: 'a' })
      hilos.failure = new Unavailable()
      t.equal(await ask(caller, 'k'), 'Unavailable')
      hilos.failure = null
      visible.delete('other')
      t.equal(await ask(caller, 'k'), 'Unavailable')
      visible[remove]('k')
      hilos.during = () => visible[remove]('k')
      t.match(await ask(caller, 'k'), caller === flowB ? /^absent/ : /^a; fwd=uri-miss; ttl=5$/)
      t.strictSame([...values.entries()], [], caller.name)
      await ask(caller, 'k')
      t.equal(hilos.asked.length, 3)
    }
  })
}

t.test('those who watch hear of the loads of all callers who may see the run', async (t) => {
  const { ask, hilos, news, visible } = arrange({ k: 'a' })
  await ask(flowA, 'k')
  await ask(everyFlow, 'none')
  t.strictSame(news.splice(0), ['k a', 'none absent'])
  await ask(flowB, 'k')
  await ask(flowB, 'none')
  t.strictSame(news.splice(0), ['none absent'], 'a load for a caller who may not see the run tells them nothing')
  hilos.failure = new Unavailable()
  await ask(flowB, 'other')
  t.strictSame(news.splice(0), [], 'nor does its failure')
  await visible.refresh('k')
  hilos.failure = null
  hilos.flows.k = 'b'
  await visible.refresh('k')
  delete hilos.flows.k
  await ask(flowA, 'k')
  t.strictSame(news, ['k Unavailable', 'k b', 'k absent'], 'a limited caller who finds a run erased tells them')
})
