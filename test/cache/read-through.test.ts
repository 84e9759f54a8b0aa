import t from 'tap'
import { Away, arrange, collapsed, hit, miss, noCache, notStored, originSlow, same, settled } from './rig.ts'

/** What is over is as if it had never been. */
const noWindows = { staleWhileRevalidateMs: 0, staleIfErrorMs: 0 }

t.test('nothing stored, when asked for, is loaded once and remembered until its last window ends', async (t) => {
  const { ask, clock, loads } = arrange()
  same(t, await ask('k', noWindows), 'v', miss)
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

t.test('what is remembered, when asked for, is there without waiting', async (t) => {
  const { cache, ask } = arrange()
  await ask('k')
  const answer = cache.get('k')
  t.notOk(answer instanceof Promise)
})

t.test('a lifetime, when it differs from entry to entry, is each entry’s own', async (t) => {
  const { ask, clock } = arrange()
  await ask('short', { ...noWindows, freshMs: 1000 })
  await ask('long', { ...noWindows, freshMs: 9000 })
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
  await ask('k', { ...noWindows, fetchedAt: clock.now() - 5000 })
  same(t, await ask('k', { value: 'again' }), 'again', miss)
})

t.test('callers of one key, while its load is under way, share it', async (t) => {
  const { begin, loads } = arrange()
  const asked = await Promise.all([begin('k'), begin('k'), begin('k'), begin('other')])
  t.equal(loads.length, 2)
  for (const { land } of loads) land({})
  const [first, second, third, other] = await Promise.all(asked.map(({ answer }) => answer))
  t.strictSame(
    [first, second, third, other].map((answer) => answer?.handling),
    [miss, collapsed, collapsed, miss],
  )
})

t.test('a failure, when nothing is stored, reaches all who wait, and who comes within a moment', async (t) => {
  const { begin, ask, loads, clock } = arrange()
  const away = new Away()
  const asked = await Promise.all([begin('k'), begin('k')])
  loads[0]?.land(away)
  for (const { answer } of asked) await t.rejects(answer, away)
  clock.advance(1000)
  await t.rejects(ask('k'), away)
  t.equal(loads.length, 1, 'an outage is no herd')
  same(t, await ask('other'), 'v', miss)
  clock.advance(1)
  same(t, await ask('k'), 'v', miss)
})

t.test('more loads under way than the store has room for, when they land, all answer', async (t) => {
  const { begin, loads, values } = arrange({ values: 3000 })
  const asked = await Promise.all(Array.from({ length: 50 }, (_, index) => begin(`k${index}`)))
  for (const { land, key } of loads) land({ value: key })
  const landed = await Promise.all(asked.map(({ answer }) => answer))
  t.strictSame(
    landed.map((answer) => answer?.entry.value),
    loads.map(({ key }) => key),
  )
  t.equal([...values.entries()].length, 2)
})

t.test('an absence, when loaded, is remembered like a value and has a store of its own', async (t) => {
  const { ask, clock, values, absences } = arrange()
  same(t, await ask('gone', { ...noWindows, value: null, bytes: 0, freshMs: 10_000 }), null, miss)
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
    same(t, await ask('k', { ...noWindows, value }), value, miss)
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
      const { cache, begin, loads, ask } = arrange()
      const waiting = [await begin('k'), await begin('k')]
      cache[forget]('k')
      const anew = await begin('k')
      t.equal(loads.length, 2, 'nobody joins the forgotten load')
      loads[0]?.land({ value: 'forgotten' })
      for (const [index, { answer }] of waiting.entries())
        same(t, await answer, 'forgotten', index === 0 ? notStored : collapsed)
      const joined = await begin('k')
      t.equal(loads.length, 2, 'the forgotten load, landing, does not hide the new one')
      loads[1]?.land({ value: 'new' })
      same(t, await anew.answer, 'new', miss)
      same(t, await joined.answer, 'new', collapsed)
      same(t, await ask('k'), 'new', hit)
    },
  )

  t.test(`${forget}, while a load is under way that then fails, leaves no failure behind`, async (t) => {
    const { cache, begin, loads, ask } = arrange()
    const { answer } = await begin('k')
    cache[forget]('k')
    loads[0]?.land(new Away())
    await t.rejects(answer, { name: 'Away' })
    same(t, await ask('k'), 'v', miss)
  })

  t.test(`${forget}, while somebody waits with something stale at hand, takes that away, too`, async (t) => {
    const { cache, begin, ask, clock, loads, timers } = arrange()
    await ask('k')
    clock.advance(35_000)
    const slow = await begin('k')
    cache[forget]('k')
    timers[0]?.ring()
    await settled()
    loads[1]?.land({ value: 'new' })
    same(t, await slow.answer, 'new', { ...originSlow, detail: null })
  })

  t.test(`${forget}, a moment after a failure, forgets that as well`, async (t) => {
    const { cache, ask } = arrange()
    await t.rejects(ask('k', new Away()), { name: 'Away' })
    cache[forget]('k')
    same(t, await ask('k'), 'v', miss)
  })
}

t.test('a clock, when set back behind what is stored, makes the next request load', async (t) => {
  const { ask, clock } = arrange()
  await ask('k')
  clock.advance(-3_600_000)
  same(t, await ask('k', { value: 'again' }), 'again', miss)
})

t.test(
  'a strict demand, while a load is under way, joins a young one and overtakes one older than it allows',
  async (t) => {
    const { begin, ask, clock, loads } = arrange()
    const lax = await begin('k')
    clock.advance(1000)
    const joins = await begin('k', noCache)
    t.equal(loads.length, 1)
    clock.advance(1)
    const overtakes = await begin('k', noCache)
    t.equal(loads.length, 2)
    const follows = await begin('k')
    t.equal(loads.length, 2, 'who comes later joins the newer one')
    loads[1]?.land({ value: 'new' })
    same(t, await overtakes.answer, 'new', miss)
    same(t, await follows.answer, 'new', collapsed)
    loads[0]?.land({ value: 'old' })
    same(t, await lax.answer, 'old', notStored)
    same(t, await joins.answer, 'old', collapsed)
    same(t, await ask('k'), 'new', hit, 'the older one does not replace the newer')
  },
)

t.test(
  'strict demands, while the origin is slow, overtake once and are no herd; what lands is remembered',
  async (t) => {
    const { begin, ask, clock, loads } = arrange()
    const asked = [await begin('k', noCache)]
    for (let second = 0; second < 5; second += 1) {
      clock.advance(1001)
      asked.push(await begin('k', noCache))
    }
    t.equal(loads.length, 2)
    loads[0]?.land({ value: 'first' })
    same(t, (await asked[0]?.answer) ?? null, 'first', miss)
    same(t, await ask('k'), 'first', hit, 'before the later one has landed')
    loads[1]?.land({ value: 'second' })
    same(t, (await asked[5]?.answer) ?? null, 'second', collapsed)
    same(t, await ask('k'), 'second', hit)
    clock.advance(5000)
    await begin('k', noCache)
    t.equal(loads.length, 3, 'and then all begins anew')
  },
)

t.test('an overtaken load, when it fails after the later one has landed, leaves no failure behind', async (t) => {
  const { begin, ask, clock, loads } = arrange()
  const lax = await begin('k')
  clock.advance(1001)
  const strict = await begin('k', noCache)
  loads[1]?.land({ value: 'new' })
  same(t, await strict.answer, 'new', miss)
  loads[0]?.land(new Away())
  await t.rejects(lax.answer, { name: 'Away' })
  clock.advance(5000)
  await ask('k')
  t.equal(loads.length, 3, 'nobody backs off')
})

t.test('a load, by who asks, is awaited or only refreshes, and becomes awaited when somebody joins', async (t) => {
  const { begin, ask, clock, loads } = arrange()
  await begin('k')
  t.equal(loads[0]?.isAwaited(), true)
  loads[0]?.land({})
  await settled()
  clock.advance(5000)
  await ask('k', {}).catch(() => {})
  clock.advance(5000)
  await begin('k')
  t.equal(loads[2]?.isAwaited(), false)
  await begin('k', noCache)
  t.equal(loads[2]?.isAwaited(), true)
})

t.test('keys, when those that match are deleted, are as if each of them was', async (t) => {
  const { ask, begin, cache, loads, values, absences } = arrange()
  await ask('found')
  await ask('absent', { value: null })
  await ask('failed', new Away()).catch(() => {})
  const underWay = await begin('under way')
  await ask('kept')
  cache.deleteEach((key) => key !== 'kept')
  t.strictSame(
    [...values.entries(), ...absences.entries()].map(([key]) => key),
    ['kept'],
  )
  loads[3]?.land({})
  same(t, await underWay.answer, 'v', notStored)
  for (const key of ['found', 'absent', 'failed', 'under way']) same(t, await ask(key), 'v', miss, key)
  same(t, await ask('kept'), 'v', hit)
})
