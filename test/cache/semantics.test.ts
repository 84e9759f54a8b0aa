import t from 'tap'
import { overheadBytes } from '../../src/cache/lru-store.ts'
import {
  Away,
  arrange,
  backingOff,
  forwardedStale,
  hit,
  miss,
  noCache,
  notStored,
  onlyIfCached,
  originFailed,
  originSlow,
  Refused,
  requested,
  revalidating,
  same,
  settled,
  slowMs,
} from './rig.ts'

/** An entry of this age, fresh for 5 s, with windows of 30 s and 600 s after that. */
async function arrangeStored(ageMs: number) {
  const rig = arrange()
  await rig.ask('k', { value: 'old' })
  rig.clock.advance(ageMs)
  return rig
}

t.test('nothing stored | request, 200 | 200, stored | 1 call', async (t) => {
  const { ask, loads } = arrange()
  same(t, await ask('k'), 'v', miss)
  t.equal(loads.length, 1)
})

t.test('nothing stored | 404 | absence, stored | 1 call', async (t) => {
  const { ask, loads } = arrange()
  same(t, await ask('k', { value: null }), null, miss)
  t.equal(loads.length, 1)
})

t.test('fresh, or a fresh absence | request | as it is | 0 calls', async (t) => {
  for (const value of ['v', null]) {
    const { ask, clock, loads } = arrange()
    await ask('k', { value })
    clock.advance(4999)
    same(t, await ask('k'), value, hit)
    t.equal(loads.length, 1)
  }
})

t.test('fresh, older than the floor | no-cache | loaded | 1 call', async (t) => {
  const { ask, loads } = await arrangeStored(1001)
  same(t, await ask('k', { value: 'new' }, noCache), 'new', requested)
  t.equal(loads.length, 2)
})

t.test('fresh, within the floor | no-cache | as it is | 0 calls', async (t) => {
  const { ask, loads } = await arrangeStored(1000)
  same(t, await ask('k', {}, noCache), 'old', hit)
  t.equal(loads.length, 1)
})

t.test('any | no-cache, the origin fails | the failure; the entry is kept', async (t) => {
  for (const [ageMs, afterwards] of [
    [4000, hit],
    [20_000, backingOff],
    [100_000, backingOff],
  ] as const) {
    const { ask, loads } = await arrangeStored(ageMs)
    await t.rejects(ask('k', new Away(), noCache), { name: 'Away' })
    same(t, await ask('k'), 'old', afterwards, `${ageMs} ms old`)
    await t.rejects(ask('k', {}, noCache), { name: 'Away' }, 'and a moment later it is not asked again')
    t.equal(loads.length, 2)
  }
})

t.test('stale, revalidate window | request | at once | 1 call behind, shared by all who come', async (t) => {
  for (const ageMs of [5000, 34_999]) {
    const { ask, begin, loads } = await arrangeStored(ageMs)
    for (let times = 0; times < 3; times += 1) same(t, await (await begin('k')).answer, 'old', revalidating)
    t.equal(loads.length, 2)
    t.equal(loads[1]?.isAwaited(), false)
    loads[1]?.land({ value: 'new' })
    await settled()
    same(t, await ask('k'), 'new', hit)
  }
})

t.test('stale, that refresh failed | next | at once, backing off | 0 calls; then it is tried again', async (t) => {
  const { ask, clock, loads } = await arrangeStored(6000)
  same(t, await ask('k', new Away()), 'old', revalidating)
  clock.advance(1000)
  same(t, await ask('k'), 'old', backingOff)
  t.equal(loads.length, 2)
  clock.advance(1)
  same(t, await ask('k', { value: 'new' }), 'old', revalidating)
  same(t, await ask('k'), 'new', hit)
})

t.test('stale, that refresh was refused | next | the refusal, and never the stale answer again', async (t) => {
  const { ask, clock, loads } = await arrangeStored(6000)
  same(t, await ask('k', new Refused()), 'old', revalidating)
  await t.rejects(ask('k'), { name: 'Refused' })
  t.equal(loads.length, 2)
  clock.advance(1001)
  await t.rejects(ask('k', new Away()), { name: 'Away' }, 'nor when the origin is merely away the next time')
  clock.advance(1001)
  same(t, await ask('k', { value: 'new' }), 'new', miss)
})

t.test('fresh, a refusal on no-cache | until freshness ends | as it is, and not a moment longer', async (t) => {
  const { ask, clock } = await arrangeStored(2000)
  await t.rejects(ask('k', new Refused(), noCache), { name: 'Refused' })
  clock.advance(2999)
  same(t, await ask('k'), 'old', hit)
  clock.advance(1)
  await t.rejects(ask('k', new Away()), { name: 'Away' })
})

t.test('stale beyond it | 200 | waited for | 1 call', async (t) => {
  for (const ageMs of [35_000, 604_999]) {
    const { ask, loads } = await arrangeStored(ageMs)
    same(t, await ask('k', { value: 'new' }), 'new', forwardedStale)
    t.equal(loads[1]?.isAwaited(), true)
  }
})

t.test(
  'stale beyond it | the origin is slow | stale at the slow limit, counted from the first who waits',
  async (t) => {
    const { ask, begin, clock, loads, timers } = await arrangeStored(40_000)
    const first = await begin('k')
    t.strictSame([timers.length, timers[0]?.ms], [1, slowMs])
    clock.advance(300)
    const second = await begin('k')
    t.equal(timers.length, 1, 'a load is slow once')
    clock.advance(100)
    timers[0]?.ring()
    same(t, await first.answer, 'old', originSlow)
    same(t, await second.answer, 'old', { ...originSlow, collapsed: true })
    same(t, await (await begin('k')).answer, 'old', { ...originSlow, collapsed: true }, 'who comes late does not wait')
    loads[1]?.land({ value: 'new' })
    await settled()
    same(t, await ask('k'), 'new', hit, 'and the refresh ended behind it')
  },
)

t.test('a strict demand | somebody joins with something stale at hand | waits from when the load began', async (t) => {
  const { begin, clock, timers } = await arrangeStored(40_000)
  await begin('k', noCache)
  clock.advance(300)
  await begin('k')
  clock.advance(10_000)
  t.equal(timers[0]?.ms, slowMs - 300)
})

t.test('stale, and slow until its window ends | the origin answers | the answer', async (t) => {
  const { begin, clock, loads, timers } = await arrangeStored(604_700)
  const { answer } = await begin('k')
  clock.advance(400)
  timers[0]?.ring()
  await settled()
  loads[1]?.land({ value: 'new' })
  same(t, await answer, 'new', forwardedStale)
})

t.test('stale, within if-error | transient failure | stale | 1 call, then none for a moment', async (t) => {
  const { ask, clock, loads } = await arrangeStored(45_000)
  same(t, await ask('k', new Away()), 'old', originFailed)
  same(t, await ask('k'), 'old', backingOff)
  t.equal(loads.length, 2)
  clock.advance(1001)
  same(t, await ask('k', { value: 'new' }), 'new', forwardedStale)
})

t.test('stale, and failing after its window ended | transient failure | the failure', async (t) => {
  const { begin, clock, loads } = await arrangeStored(604_900)
  const { answer } = await begin('k')
  clock.advance(100)
  loads[1]?.land(new Away())
  await t.rejects(answer, { name: 'Away' })
})

t.test('stale beyond revalidate | 401/403 | the refusal: it is never papered over', async (t) => {
  const { ask, values } = await arrangeStored(45_000)
  await t.rejects(ask('k', new Refused()), { name: 'Refused' })
  t.strictSame([...values.entries()], [], 'nor remembered')
})

t.test('stale | 404 | absence; the document is dropped, the absence stored', async (t) => {
  const { ask, values, absences } = await arrangeStored(45_000)
  same(t, await ask('k', { value: null, bytes: 0 }), null, forwardedStale)
  t.equal([...values.entries()].length, 0)
  t.equal([...absences.entries()].length, 1)
  same(t, await ask('k'), null, hit)
})

t.test('stale, revalidate window | 404 behind | the next one gets the absence', async (t) => {
  const { ask } = await arrangeStored(6000)
  same(t, await ask('k', { value: null }), 'old', revalidating)
  same(t, await ask('k'), null, hit)
})

t.test('stale | no-cache | waited for, without the stale one | 1 call', async (t) => {
  for (const ageMs of [6000, 45_000]) {
    const { begin, loads, timers } = await arrangeStored(ageMs)
    const { answer } = await begin('k', noCache)
    t.equal(timers.length, 0, 'however slow')
    loads[1]?.land({ value: 'new' })
    same(t, await answer, 'new', forwardedStale)
  }
})

t.test('past every window | request | as nothing stored; memory already freed', async (t) => {
  const { ask, values } = await arrangeStored(605_001)
  values.sweep()
  t.strictSame([...values.entries()], [])
  await t.rejects(ask('k', new Away()), { name: 'Away' })
})

t.test('any | only-if-cached | what may be served without asking, else nothing | 0 calls', async (t) => {
  for (const [ageMs, expected] of [
    [4999, hit],
    [5000, hit],
    [34_999, hit],
    [35_000, null],
    [605_000, null],
  ] as const) {
    const { ask, loads } = await arrangeStored(ageMs)
    const answer = await ask('k', {}, onlyIfCached)
    if (expected === null) t.equal(answer, null)
    else same(t, answer, 'old', expected)
    t.equal(loads.length, 1, `${ageMs} ms old`)
  }
  t.equal(await arrange().ask('k', {}, onlyIfCached), null)
})

t.test('any | larger than the budget | answered, not stored | 1 call', async (t) => {
  const { ask, loads } = arrange({ values: 100 + overheadBytes })
  same(t, await ask('k', { bytes: 100 }), 'v', miss)
  same(t, await ask('larger', { bytes: 101 }), 'v', notStored)
  t.equal(loads.length, 2)
})

t.test('a refresh behind that fails | nobody waits | silent, and the entry is kept', async (t) => {
  const { begin, loads, values } = await arrangeStored(6000)
  await begin('k')
  loads[1]?.land(new Away())
  await settled()
  t.equal([...values.entries()].length, 1)
})
