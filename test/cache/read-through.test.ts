import t from 'tap'
import { overheadBytes } from '../../src/cache/lru-store.ts'
import { noDirectives, type RequestDirectives } from '../../src/cache/request-directives.ts'
import { checkRowsInTurn, difference } from '../harness/table.ts'
import { settled } from '../harness/timers.ts'
import {
  anyRequest,
  arrange,
  arrangeStored,
  noCache,
  type Outcome,
  onlyIfCached,
  Rationed,
  Refused,
  Unavailable,
} from './rig.ts'

/** With these an entry is useless as soon as it is stale. */
const noWindows = { staleWhileRevalidateMs: 0, staleIfErrorMs: 0 }

const [updated, absent, unavailable, refused] = [{ value: 'new' }, { value: null }, new Unavailable(), new Refused()]
type Row = readonly [
  ageMs: number,
  directives: RequestDirectives,
  outcome: Outcome,
  answer: string,
  load: 'none' | 'background' | 'awaited',
  nextAnswer: string,
]
const rows: readonly Row[] = [
  [-1, noDirectives, updated, 'new uri-miss stored', 'awaited', 'new hit'],
  [4999, noDirectives, updated, 'old hit', 'none', 'old hit'],
  [5000, noDirectives, updated, 'old hit revalidating', 'background', 'new hit'],
  [6000, noDirectives, unavailable, 'old hit revalidating', 'background', 'old hit backing-off'],
  [6000, noDirectives, refused, 'old hit revalidating', 'background', 'Refused'],
  [6000, noDirectives, absent, 'old hit revalidating', 'background', 'absent hit'],
  [35_000, noDirectives, updated, 'new stale stored', 'awaited', 'new hit'],
  [45_000, noDirectives, unavailable, 'old stale origin-failed', 'awaited', 'old hit backing-off'],
  [45_000, noDirectives, refused, 'Refused', 'awaited', 'Refused'],
  [45_000, noDirectives, absent, 'absent stale stored', 'awaited', 'absent hit'],
  [604_999, noDirectives, updated, 'new stale stored', 'awaited', 'new hit'],
  [605_000, noDirectives, updated, 'new uri-miss stored', 'awaited', 'new hit'],
  [605_001, noDirectives, unavailable, 'Unavailable', 'awaited', 'Unavailable'],

  [1001, noCache, updated, 'new request stored', 'awaited', 'new hit'],
  [2000, noCache, refused, 'Refused', 'awaited', 'old hit'],
  [4000, noCache, unavailable, 'Unavailable', 'awaited', 'old hit'],
  [6000, noCache, updated, 'new stale stored', 'awaited', 'new hit'],
  [45_000, noCache, updated, 'new stale stored', 'awaited', 'new hit'],
  [100_000, noCache, unavailable, 'Unavailable', 'awaited', 'old hit backing-off'],

  [5000, onlyIfCached, updated, 'old hit', 'none', 'old hit revalidating'],
  [35_000, onlyIfCached, updated, 'nothing', 'none', 'v stale stored'],
]

t.test('age, directives and the outcome of the load decide the answer and the next one', async (t) => {
  const check = async ([ageMs, directives, outcome, answer, load, nextAnswer]: Row) => {
    const { ask, loads } = await arrangeStored(ageMs)
    const found = [await ask('k', outcome, directives)]
    const [, second] = loads
    found.push(second === undefined ? 'none' : second.urgency() > 0 ? 'awaited' : 'background', await ask('k'))
    return difference(found, [answer, load, nextAnswer])
  }
  await checkRowsInTurn(t, rows, check, 'all requests are answered as they should be')
})

t.test('a reload is asked for only if nothing else is a reason for the load', async (t) => {
  const asked: string[] = []
  const grant = (key: string, caller: string) => {
    asked.push(`${key} ${caller}`)
    return false
  }
  const { begin, ask, clock, loads } = await arrangeStored(0, grant)
  t.equal(await ask('k', updated, noCache, 'a'), 'old hit')
  await clock.advance(4999)
  t.equal(await ask('k', updated, { ...noDirectives, maxAgeMs: 4999 }, 'a'), 'old hit')
  t.equal(await ask('k', updated, { ...noCache, onlyIfCached: true }, 'a'), 'nothing')
  t.strictSame(asked, [])
  t.equal(await ask('k', updated, noCache, 'a'), 'old hit denied')
  t.equal(await ask('k', updated, { ...noDirectives, maxAgeMs: 4998 }, 'b'), 'old hit denied')
  t.strictSame(asked, ['k a', 'k b'])
  t.equal(await ask('none', absent, noCache, 'a'), 'absent uri-miss stored')
  await clock.advance(1)
  t.equal(await ask('none', updated, noCache, 'a'), 'absent hit denied')
  t.equal(await ask('k', updated, noCache, 'a'), 'new stale stored', 'a load that is due anyway is awaited')
  await clock.advance(1)
  t.equal(await ask('k', unavailable, noCache, 'a'), 'new hit denied')
  t.equal(loads.length, 3)
  t.equal(asked.length, 4)
  await clock.advance(700_000)
  const [first, second] = [await begin('k', noCache, 'a'), await begin('k', noCache, 'b')]
  loads.at(-1)?.finish(updated)
  t.strictSame(await Promise.all([first.answer, second.answer]), ['new uri-miss stored', 'new uri-miss collapsed'])
  t.equal(asked.length, 4)
})

t.test('a reload in flight is joined without a grant', async (t) => {
  let grants = 0
  const { begin, loads } = await arrangeStored(1000, () => {
    grants += 1
    return grants === 1
  })
  const asked = [await begin('k', noCache), await begin('k', noCache)]
  t.equal(await (await begin('k')).answer, 'old hit')
  loads.at(-1)?.finish(updated)
  const answers = await Promise.all(asked.map(({ answer }) => answer))
  t.strictSame(answers, ['new request stored', 'new request collapsed'])
  t.strictSame([grants, loads.length], [1, 2])
})

t.test('a failed load is tried again after a second', async (t) => {
  for (const [ageMs, answer] of [
    [6000, 'old hit revalidating'],
    [45_000, 'new stale stored'],
  ] as const) {
    const { ask, clock, loads } = await arrangeStored(ageMs)
    await ask('k', unavailable)
    await clock.advance(1000)
    t.equal(await ask('k', updated), 'old hit backing-off')
    t.equal(await ask('k', updated, noCache), 'Unavailable', 'no-cache does not force a load before')
    t.equal(loads.length, 2)
    await clock.advance(1)
    t.equal(await ask('k', updated), answer)
    t.equal(await ask('k'), 'new hit')
  }
})

t.test('a load without a turn says so, and delays only the next refresh in the background', async (t) => {
  const rationed = new Rationed()
  const { ask, clock, loads } = await arrangeStored(6000)
  t.equal(await ask('k', rationed), 'old hit revalidating')
  t.equal(await ask('k'), 'old hit rationed')
  await clock.advance(1000)
  t.equal(await ask('k'), 'old hit rationed')
  t.equal(loads.length, 2)
  t.equal(await ask('k', rationed, noCache), 'Rationed', 'a request that waits gets a turn of its own')
  t.equal(loads.length, 3)
  await clock.advance(1001)
  t.equal(await ask('k', rationed), 'old hit revalidating')
  await clock.advance(30_000)
  for (const outcome of [rationed, rationed]) t.equal(await ask('k', outcome), 'old stale rationed')
  t.equal(await ask('k', updated), 'new stale stored', 'as soon as there is a turn')
  for (const outcome of [rationed, rationed]) t.equal(await ask('other', outcome), 'Rationed')
  t.equal(await ask('other', updated), 'new uri-miss stored')
})

t.test('a refusal ends the stale windows for good', async (t) => {
  const { ask, clock } = await arrangeStored(6000)
  await ask('k', refused)
  await clock.advance(1001)
  t.equal(await ask('k', unavailable), 'Unavailable')
  await clock.advance(1001)
  t.equal(await ask('k', updated), 'new uri-miss stored')
})

t.test('a refusal leaves an entry fresh until its freshness ends', async (t) => {
  const { ask, clock } = await arrangeStored(2000)
  await ask('k', refused, noCache)
  await clock.advance(2999)
  t.equal(await ask('k'), 'old hit')
  await clock.advance(1)
  t.equal(await ask('k', unavailable), 'Unavailable')
})

t.test('a stored entry is returned without a promise', async (t) => {
  const { cache, loadOf } = await arrangeStored(0)
  t.notOk(cache.get('k', loadOf('k'), anyRequest) instanceof Promise)
})

t.test('each value and absence is stored for its own lifetime', async (t) => {
  const { ask, clock, loads, values, absences } = arrange()
  t.equal(await ask('short', { ...noWindows, freshMs: 1000 }), 'v uri-miss stored')
  t.equal(await ask('long', { ...noWindows, freshMs: 9000 }), 'v uri-miss stored')
  t.equal(await ask('absent', { ...noWindows, value: null, bytes: 0, freshMs: 10_000 }), 'absent uri-miss stored')
  t.strictSame([values.usage().entries, absences.usage().entries], [2, 1])
  await clock.advance(999)
  t.equal(await ask('short'), 'v hit')
  await clock.advance(1)
  t.equal(await ask('short', updated), 'new uri-miss stored')
  t.equal(await ask('long'), 'v hit')
  await clock.advance(8999)
  t.equal(await ask('absent'), 'absent hit')
  await clock.advance(1)
  t.equal(await ask('absent'), 'v uri-miss stored')
  t.equal(absences.usage().entries, 0)
  t.equal(loads.map(({ key }) => key).join(), 'short,long,absent,short,absent')
})

t.test('an entry that is expired when it arrives or exceeds the budget is answered, not stored', async (t) => {
  const { ask, clock } = arrange({ valueBytes: 100 + overheadBytes })
  t.equal(await ask('k', { freshMs: 0 }), 'v uri-miss')
  t.equal(await ask('k', { ...noWindows, generatedAt: clock.now() - 5000 }), 'v uri-miss')
  t.equal(await ask('k', { bytes: 101 }), 'v uri-miss')
  t.equal(await ask('k', { bytes: 100 }), 'v uri-miss stored')
})

t.test('many absences evict no value', async (t) => {
  const { ask, absences } = arrange({ absenceBytes: 5000 })
  await ask('real')
  for (let index = 0; index < 100; index += 1) await ask(`random${index}`, { value: null, bytes: 0 })
  t.equal(absences.usage().entries, 4)
  t.equal(await ask('real'), 'v hit')
})

t.test('a failure is kept for a second, for its key only', async (t) => {
  const { ask, clock, loads } = arrange()
  t.equal(await ask('k', unavailable), 'Unavailable')
  await clock.advance(1000)
  t.equal(await ask('k'), 'Unavailable')
  t.equal(loads.length, 1)
  t.equal(await ask('other'), 'v uri-miss stored')
  await clock.advance(1)
  t.equal(await ask('k'), 'v uri-miss stored')
})

t.test('delete and clear remove values, absences and failures, and leave no other key out', async (t) => {
  const { cache, ask } = arrange()
  const removals: readonly (readonly [remove: () => void, kept: string])[] = [
    [() => ['value', 'absence', 'failure'].forEach(cache.delete), 'v hit'],
    [() => cache.deleteEach((key) => key !== 'kept'), 'v hit'],
    [cache.clear, 'v uri-miss stored'],
  ]
  for (const [remove, kept] of removals) {
    await ask('value')
    await ask('absence', absent)
    await ask('failure', unavailable)
    await ask('kept')
    remove()
    for (const key of ['value', 'absence', 'failure']) t.equal(await ask(key), 'v uri-miss stored', key)
    t.equal(await ask('kept'), kept)
    cache.clear()
  }
})

t.test('a refresh loads also what is fresh, joins a load in flight, and never rejects', async (t) => {
  const { cache, loads, loadOf, news, ask } = arrange()
  await ask('k')
  const first = cache.refresh('k', loadOf('k'), 'w')
  const second = cache.refresh('k', loadOf('k'), 'w')
  await settled()
  t.equal(loads.length, 2, 'one load for both')
  t.equal(loads[1]?.urgency(), 0)
  loads[1]?.finish(new Unavailable())
  t.strictSame(await Promise.all([first, second]), [true, true])
  t.strictSame(news, ['k v, stored', 'k Unavailable, stored'], 'each load is told once, after its value is stored')
})

t.test('the news of a load whose key was deleted is not told', async (t) => {
  const { cache, loads, loadOf, news } = arrange()
  const refreshed = cache.refresh('k', loadOf('k'), 'w')
  await settled()
  cache.delete('k')
  loads[0]?.finish({})
  await refreshed
  t.strictSame(news, [])
})

t.test('a refresh says when the origin was not asked for lack of calls', async (t) => {
  const { cache, loads, loadOf } = arrange()
  for (const [outcome, isAsked] of [
    [{}, true],
    [new Unavailable(), true],
    [new Refused(), true],
    [new Rationed(), false],
  ] as const) {
    const refreshed = cache.refresh('k', loadOf('k'), 'w')
    await settled()
    loads.at(-1)?.finish(outcome)
    t.equal(await refreshed, isAsked)
  }
})

t.test('a refresh that joins the load of another is wanted by both', async (t) => {
  const askedBy: string[][] = []
  const { cache, loadOf, loads } = arrange()
  const load: ReturnType<typeof loadOf> = (demand) => {
    askedBy.push([...demand.askedBy])
    return loadOf('k')(demand)
  }
  const first = cache.get('k', load, { ...anyRequest, askedBy: 'a' })
  const refreshed = cache.refresh('k', load, 'w')
  await settled()
  t.strictSame(askedBy, [['a', 'w']])
  t.equal(loads[0]?.urgency(), 2)
  loads[0]?.finish({})
  await Promise.all([first, refreshed])
})
