import t, { type Test } from 'tap'
import type { Entry } from '../../src/cache/entry.ts'
import { type Answer, createReadThrough } from '../../src/cache/read-through.ts'
import { createStore } from '../../src/cache/store.ts'
import { createClock } from '../harness/clock.ts'

type Outcome = Partial<Entry<string>> | Error

/** A read-through whose loads land when, and how, the test says. */
function arrange(budgets: { values?: number; absences?: number } = {}) {
  const clock = createClock()
  const store = (maxBytes = 100_000) => createStore<string>({ maxBytes, now: clock.now })
  const [values, absences] = [store(budgets.values), store(budgets.absences)]
  const loads: { key: string; land: (outcome: Outcome) => void }[] = []
  const cache = createReadThrough<string>({
    load: (key) => {
      const { promise, resolve, reject } = Promise.withResolvers<Entry<string>>()
      loads.push({
        key,
        land: (outcome) =>
          outcome instanceof Error
            ? reject(outcome)
            : resolve({ value: 'v', bytes: 1, fetchedAt: clock.now(), freshMs: 5000, ...outcome }),
      })
      return promise
    },
    values,
    absences,
    now: clock.now,
  })

  /** Asks, and lets the load it causes, if any, land. */
  async function ask(key: string, outcome: Outcome = {}) {
    const before = loads.length
    const answer = cache.get(key)
    if (loads.length > before) loads.at(-1)?.land(outcome)
    return await answer
  }

  return { cache, clock, loads, values, absences, ask }
}

const hit = { hit: true }
const miss = { hit: false, fwd: 'uri-miss', stored: true, collapsed: false }
const collapsed = { hit: false, fwd: 'uri-miss', stored: false, collapsed: true }
const notStored = { ...miss, stored: false }

function same(t: Test, { entry, handling }: Answer<string>, value: string | null, expected: object) {
  t.equal(entry.value, value)
  t.strictSame(handling, expected)
}

t.test('nothing stored, when asked for, is loaded once and remembered until its lifetime ends', async (t) => {
  const { ask, clock, loads } = arrange()
  same(t, await ask('k'), 'v', miss)
  clock.advance(4999)
  same(t, await ask('k'), 'v', hit)
  t.equal(loads.length, 1)
  clock.advance(1)
  same(t, await ask('k', { value: 'newer' }), 'newer', miss)
  t.strictSame(
    loads.map(({ key }) => key),
    ['k', 'k'],
  )
})

t.test('a lifetime, when it differs from entry to entry, is each entry’s own', async (t) => {
  const { ask, clock } = arrange()
  await ask('short', { freshMs: 1000 })
  await ask('long', { freshMs: 9000 })
  clock.advance(1000)
  same(t, await ask('short', { value: 'again' }), 'again', miss)
  same(t, await ask('long'), 'v', hit)
})

t.test('a lifetime of 0, when loaded, answers and is not stored', async (t) => {
  const { ask } = arrange()
  same(t, await ask('k', { freshMs: 0 }), 'v', notStored)
  same(t, await ask('k', { value: 'again' }), 'again', miss)
})

t.test('a value already stale when it lands, when asked for again, is loaded again', async (t) => {
  const { ask, clock } = arrange()
  await ask('k', { fetchedAt: clock.now() - 5000 })
  same(t, await ask('k', { value: 'again' }), 'again', miss)
})

t.test('a value larger than the budget, when loaded, answers and is not stored', async (t) => {
  const { ask } = arrange({ values: 2000 })
  same(t, await ask('k', { bytes: 2000 }), 'v', notStored)
})

t.test('callers of one key, while its load is under way, share it', async (t) => {
  const { cache, loads } = arrange()
  const answers = [cache.get('k'), cache.get('k'), cache.get('k')]
  const other = cache.get('other')
  t.equal(loads.length, 2)
  for (const { land } of loads) land({})
  const [first, second, third] = await Promise.all(answers)
  t.strictSame([first?.handling, second?.handling, third?.handling], [miss, collapsed, collapsed])
  t.strictSame((await other).handling, miss)
})

t.test('callers of one key, when its load fails, all fail with it, and the next one loads anew', async (t) => {
  const { cache, ask, loads } = arrange()
  const failure = new Error('away')
  const answers = [cache.get('k'), cache.get('k')]
  loads[0]?.land(failure)
  for (const answer of answers) await t.rejects(answer, failure)
  same(t, await ask('k'), 'v', miss)
})

t.test('more loads under way than the store has room for, when they land, all answer', async (t) => {
  const { cache, loads, values } = arrange({ values: 3000 })
  const answers = Array.from({ length: 50 }, (_, index) => cache.get(`k${index}`))
  for (const { land, key } of loads) land({ value: key })
  const landed = await Promise.all(answers)
  t.strictSame(
    landed.map(({ entry }) => entry.value),
    loads.map(({ key }) => key),
  )
  t.equal([...values.entries()].length, 2)
})

t.test('an absence, when loaded, is remembered like a value and has a store of its own', async (t) => {
  const { ask, clock, values, absences } = arrange()
  same(t, await ask('gone', { value: null, bytes: 0, freshMs: 10_000 }), null, miss)
  clock.advance(9999)
  same(t, await ask('gone'), null, hit)
  t.equal([...values.entries()].length, 0)
  t.equal([...absences.entries()].length, 1)
  clock.advance(1)
  same(t, await ask('gone'), 'v', miss)
})

t.test('a flood of absences, when it overflows their store, evicts no value', async (t) => {
  const { ask, absences } = arrange({ absences: 5000 })
  await ask('real')
  for (let index = 0; index < 100; index += 1) await ask(`random${index}`, { value: null, bytes: 0 })
  t.equal([...absences.entries()].length, 4)
  same(t, await ask('real'), 'v', hit)
})

t.test('a value, when it turns into an absence and back, leaves no trace in the other store', async (t) => {
  const { ask, clock, values, absences } = arrange()
  const turns = [
    ['v', 1, 0],
    [null, 0, 1],
    ['back', 1, 0],
  ] as const
  for (const [value, valueCount, absenceCount] of turns) {
    same(t, await ask('k', { value }), value, miss)
    t.equal([...values.entries()].length, valueCount)
    t.equal([...absences.entries()].length, absenceCount)
    clock.advance(5000)
  }
})

t.test('a key deleted or cleared, when it was stored, is loaded anew; delete leaves the others', async (t) => {
  const { cache, ask } = arrange()
  for (const key of ['a', 'b']) await ask(key)
  await ask('gone', { value: null })
  cache.delete('a')
  cache.delete('gone')
  same(t, await ask('b'), 'v', hit)
  same(t, await ask('a'), 'v', miss)
  same(t, await ask('gone'), 'v', miss)
  await ask('absent', { value: null })
  cache.clear()
  for (const key of ['a', 'b', 'absent']) same(t, await ask(key), 'v', miss)
})

for (const forget of ['delete', 'clear'] as const) {
  t.test(
    `${forget}, while a load is under way, lets it answer but not be stored, and the next one loads anew`,
    async (t) => {
      const { cache, loads, ask } = arrange()
      const waiting = [cache.get('k'), cache.get('k')]
      cache[forget]('k')
      const anew = cache.get('k')
      t.equal(loads.length, 2, 'nobody joins the forgotten load')
      loads[0]?.land({ value: 'forgotten' })
      for (const [index, answer] of waiting.entries())
        same(t, await answer, 'forgotten', index === 0 ? notStored : collapsed)
      const joined = cache.get('k')
      t.equal(loads.length, 2, 'the forgotten load, landing, does not hide the new one')
      loads[1]?.land({ value: 'new' })
      same(t, await anew, 'new', miss)
      same(t, await joined, 'new', collapsed)
      same(t, await ask('k'), 'new', hit)
    },
  )
}

t.test('a clock, when set back behind what is stored, makes the next request load', async (t) => {
  const { ask, clock } = arrange()
  await ask('k')
  clock.advance(-3_600_000)
  same(t, await ask('k', { value: 'again' }), 'again', miss)
})
