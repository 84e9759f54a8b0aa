import t from 'tap'
import type { News } from '../../src/cache/entry.ts'
import { settled } from '../harness/timers.ts'
import { absenceMs, arrange, intervalsOf, type Outcome } from './rig.ts'

const refused = new Error('refused')
/** The result of a load as a text. */
const textOf = (news: News<number>) => ('entry' in news ? String(news.entry.value) : (news.error as Error).message)

t.test('a key is asked about when its wished interval is over, as long as it is watched', async (t) => {
  const { clock, watch, loadsAsText, watches } = arrange()
  t.strictSame(clock.armed(), [], 'there is no timer while nothing is watched')
  const stop = watch('k')
  t.strictSame(clock.armed(), [3000])
  await clock.advance(10_000)
  t.strictSame(loadsAsText(), ['k 3', 'k 6.1', 'k 9.2'])
  stop()
  stop()
  t.strictSame([clock.armed(), watches.status()], [[], { keys: 0, lateness: 0 }])
  await clock.advance(60_000)
  t.equal(loadsAsText().length, 3)
})

t.test('the age of what is known counts, at most as much as makes the key due', async (t) => {
  const cases: [ageMs: number, at: number][] = [
    [0, 3],
    [1000, 2],
    [3000, 0],
    [86_400_000, 0],
    [-86_400_000, 3],
  ]
  for (const [ageMs, at] of cases) {
    const { clock, watch, asked, watches } = arrange()
    watch('k', 3000, ageMs)
    t.ok(watches.status().lateness <= 1)
    await clock.advance(3000)
    t.equal(asked('k')[0], at, `an age of ${ageMs} ms`)
  }
})

t.test('keys that were kept through an outage do not go before those that move', async (t) => {
  const { clock, watch, asked } = arrange({ outcomeOf: (key) => (key === 'moving' ? 3000 : 60_000) })
  watch('moving')
  for (let index = 0; index < 100; index += 1) watch(`old ${index}`, 60_000, 600_000)
  await clock.advance(60_000)
  t.ok(intervalsOf([0, ...asked('moving')]).longest < 6, `${asked('moving')}`)
})

t.test('however many watch a key, it is asked about once, and all hear what each load brings', async (t) => {
  const { clock, watch, loadsAsText, watches } = arrange()
  const heard: string[] = []
  const stops = ['a', 'b', 'c'].map((who) => watch('k', 3000, 0, (news) => heard.push(`${who} ${textOf(news)}`)))
  t.equal(watches.status().keys, 1)
  await clock.advance(3200)
  t.strictSame([loadsAsText(), heard], [['k 3'], ['a 3000', 'b 3000', 'c 3000']])
  stops[0]?.()
  stops[0]?.()
  await clock.advance(3200)
  t.strictSame([loadsAsText().length, heard.slice(3)], [2, ['b 3000', 'c 3000']])
})

t.test('one that hears twice is told twice, and ends each time for itself', async (t) => {
  const { watch, watches } = arrange()
  const heard: string[] = []
  const hear = (news: News<number>) => heard.push(textOf(news))
  const [stop] = [watch('k', 3000, 0, hear), watch('k', 3000, 0, hear)]
  watches.tell('k', { error: refused })
  stop?.()
  watches.tell('k', { error: refused })
  t.equal(heard.length, 3)
})

t.test('news of a load that another request began are heard, and move the turn of the key', async (t) => {
  const cases: [name: string, outcome: number | null | Error, at: number][] = [
    ['an answer that wishes for the same', 60_000, 90],
    ['an answer that wishes for less', 3000, 33],
    ['an absence', null, 30 + absenceMs / 1000],
    ['a failure', refused, 35],
  ]
  for (const [name, outcome, at] of cases) {
    const { clock, watch, watches, entryOf, asked } = arrange()
    const heard: string[] = []
    watch('k', 60_000, 0, (news) => heard.push(textOf(news)))
    await clock.advance(30_000)
    // An answer counts from when it came, even if Hilos says that it was generated long ago: asked at once, it would say the same.
    const news = outcome instanceof Error ? { error: outcome } : { entry: entryOf(outcome, 40_000) }
    watches.tell('k', news)
    watches.tell('not watched', news)
    t.strictSame(heard, [textOf(news)])
    await clock.advance(100_000)
    t.equal(asked('k')[0], at, name)
  }
})

t.test('after a failure a key is asked about sooner, until an answer comes', async (t) => {
  let outcome: Outcome = refused
  const { clock, watch, asked } = arrange({ outcomeOf: (key) => (key === 'moving' ? refused : outcome) })
  watch('quiet', 60_000)
  await clock.advance(71_000)
  t.strictSame(asked('quiet'), [60, 65.1, 70.2])
  outcome = 60_000
  await clock.advance(5000)
  t.strictSame(asked('quiet').slice(3), [75.3])
  await clock.advance(59_000)
  t.equal(asked('quiet').length, 4)
  watch('moving')
  await clock.advance(7000)
  t.equal(intervalsOf(asked('moving')).longest, 3.1, 'but no later than it wishes')
})

t.test('a load that brings no news counts as a try', async (t) => {
  const { clock, watch, asked } = arrange({ outcomeOf: () => 'refused' })
  watch('k')
  await clock.advance(9000)
  t.strictSame(asked('k'), [3, 6, 9])
})

t.test('loads begin a turn apart, also after idle time, and without a limit as soon as they are due', async (t) => {
  const cases = [
    { maxLoadsPerSecond: 2.5, times: [60, 60.4, 60.8, 61.2, 61.6] },
    { maxLoadsPerSecond: 0.5, times: [60, 62, 64, 66, 68] },
    { maxLoadsPerSecond: 0, times: [60, 60, 60, 60, 60] },
  ]
  for (const { maxLoadsPerSecond, times } of cases) {
    const { clock, watch, loads } = arrange({ maxLoadsPerSecond, maxUnderWay: 10, outcomeOf: () => 600_000 })
    await clock.advance(60_000)
    for (const key of 'abcde') watch(key, 3000, 3000)
    await clock.advance(60_000)
    t.strictSame(
      loads.map(({ at }) => at),
      times,
    )
  }
})

t.test('so many loads are under way at once, and the end of one lets the next begin', async (t) => {
  const { clock, watch, loads } = arrange({ loadMs: () => 5000, outcomeOf: () => 600_000 })
  for (const key of 'abcde') watch(key, 3000, 3000)
  await clock.advance(60_000)
  t.strictSame(
    loads.map(({ at }) => at),
    [0, 0.4, 5, 5.4, 10],
  )
})

t.test('keys that are asked about at the same moment come before they are late while there is room', async (t) => {
  const { clock, watch, asked, watches, entryOf } = arrange()
  const keys = [...'abcdefg']
  for (const key of keys) watch(key)
  for (let round = 0; round < 20; round += 1) {
    await clock.advance(10_000)
    // A batch that was reloaded.
    if (round > 9) for (const key of keys) watches.tell(key, { entry: entryOf(3000) })
  }
  for (const key of keys) {
    const { longest, count } = intervalsOf([0, ...asked(key)])
    // A load takes 0.1 s.
    t.ok(longest <= 3.5 && count > 60, `${key} after ${longest} s at most, ${count} times`)
  }
})

t.test('a listener may end its watch, end that of another, or begin one while it hears', async (t) => {
  const { watch, watches } = arrange()
  const heard: string[] = []
  const stops = new Map<string, () => void>()
  const listen = (who: string, act: () => void) =>
    stops.set(
      who,
      watch('k', 3000, 0, (news) => {
        heard.push(`${who} ${textOf(news)}`)
        act()
      }),
    )
  listen('a', () => stops.get('a')?.())
  listen('b', () => stops.get('c')?.())
  listen('c', () => {})
  listen('d', () => listen('e', () => {}))
  watches.tell('k', { error: refused })
  t.strictSame(heard.splice(0), ['a refused', 'b refused', 'd refused'])
  watches.tell('k', { error: refused })
  t.strictSame(heard.splice(0), ['b refused', 'd refused', 'e refused'])
})

t.test('one that ends the last watch and begins a new one hears the news once', async (t) => {
  const { watch, watches } = arrange()
  const heard: string[] = []
  const hear = (who: string) => (news: News<number>) => {
    heard.push(`${who} ${textOf(news)}`)
    stop()
    watch('k', 3000, 0, hear('again'))
  }
  const stop = watch('k', 3000, 0, hear('first'))
  watches.tell('k', { error: refused })
  t.strictSame([heard, watches.status().keys], [['first refused'], 1])
  stop()
  t.equal(watches.status().keys, 1, 'the end of the old watch does not end the new one')
})

t.test('a listener that throws keeps no other from hearing, and its error reaches the process', async (t) => {
  const { clock, watch, watches, asked } = arrange()
  const fault = new Error('a fault of ours')
  const heard: string[] = []
  watch('k', 3000, 0, () => {
    throw fault
  })
  watch('k', 3000, 0, (news) => heard.push(textOf(news)))
  watches.tell('k', { error: refused })
  t.strictSame(heard, ['refused'])
  await t.rejects(clock.advance(0), fault, 'by a timer, as that of any callback')
  await clock.advance(3000)
  t.strictSame(asked('k'), [3])
})

t.test(
  'a key that is not watched any more is forgotten, and not asked about twice when it is watched again',
  async (t) => {
    let outcome: Outcome = 'hangs'
    const { clock, watch, watches, asked } = arrange({ outcomeOf: () => outcome })
    const stop = watch('k', 3000, 3000)
    await clock.advance(0)
    t.strictSame(asked('k'), [0])
    stop()
    t.equal(watches.status().keys, 0)
    watch('k', 3000, 3000)
    outcome = 3000
    await clock.advance(60_000)
    t.strictSame(asked('k'), [0], 'the first load of it goes on')
  },
)

t.test('a load whose key is not watched any more ends without harm', async (t) => {
  const { clock, watch, watches, loadsAsText } = arrange()
  const stop = watch('k', 3000, 3000)
  await clock.advance(0)
  stop()
  await clock.advance(1000)
  t.strictSame([watches.status().keys, clock.armed(), loadsAsText()], [0, [], ['k 0']])
  watch('k', 3000, 3000)
  await settled()
  t.strictSame(loadsAsText(), ['k 0', 'k 1'], 'and watched again it has its turn')
})

t.test('the status says how many keys are watched, and how late the latest is', async (t) => {
  const { clock, watch, watches } = arrange({ outcomeOf: () => 'hangs', maxUnderWay: 1 })
  t.strictSame(watches.status(), { keys: 0, lateness: 0 })
  watch('quiet', 60_000)
  watch('moving')
  await clock.advance(1500)
  t.strictSame(watches.status(), { keys: 2, lateness: 0.5 })
  await clock.advance(6000)
  t.strictSame(watches.status(), { keys: 2, lateness: 2.5 }, 'also while it is asked about')
})

t.test('after the end no key is asked about, and news are heard still', async (t) => {
  const { clock, watch, watches, loadsAsText } = arrange()
  const heard: string[] = []
  watch('k', 3000, 0, (news) => heard.push(textOf(news)))
  watch('quiet', 60_000)
  await clock.advance(3000)
  watches.close()
  t.strictSame(clock.armed(), [100], 'only the load that has begun goes on')
  watch('other', 3000, 3000)
  await clock.advance(60_000)
  t.strictSame([loadsAsText(), heard, clock.armed()], [['k 3'], ['3000'], []])
})

t.test('timers that fire too early or too late do no harm, and neither does the wall clock', async (t) => {
  const { clock: timers } = arrange()
  let skew = 0
  const clock = { ...timers, schedule: (run: () => void, ms: number) => timers.schedule(run, Math.max(1, ms + skew)) }
  const { watch, loads, asked } = arrange({ clock, timers })
  for (const key of 'abc') watch(key)
  for (const [by, forMs] of [
    [-700, 30_000],
    [10_000, 60_000],
    [0, 30_000],
  ] as const) {
    skew = by
    timers.shiftWall(-86_400_000)
    await timers.advance(forMs)
  }
  t.ok(intervalsOf(loads.map(({ at }) => at)).count > 20)
  for (const [index, { at }] of loads.entries()) t.ok(at - (loads[index - 1]?.at ?? -1) > 0.399, `${at}`)
  // While each timer is 10 s late, so is each load.
  for (const key of 'abc') t.ok(intervalsOf(asked(key)).longest < 35, `${key} ${asked(key)}`)
})

t.test('none is forgotten, whatever happens to loads', async (t) => {
  const outcomes: Outcome[] = [3000, refused, 'refused', null]
  let turn = 0
  const { clock, watch, asked } = arrange({
    outcomeOf: () => outcomes[turn++ % outcomes.length] as Outcome,
    // A load that hangs is ended by its deadline.
    loadMs: () => (turn % 5 === 0 ? 8000 : 100),
  })
  const keys = Array.from({ length: 20 }, (_, index) => `key ${index}`)
  for (const key of keys) watch(key)
  await clock.advance(600_000)
  // A load that took 8 s to fail makes its key wish for 32 s, and the keys are some three times as late as they wish.
  for (const key of keys) t.ok(intervalsOf([0, ...asked(key), 600]).longest < 120, `${key} ${asked(key).length} times`)
})

t.test('one that hangs for ever keeps a place of its own, and the others have their turns', async (t) => {
  const { clock, watch, asked } = arrange({ outcomeOf: (key) => (key === 'hangs' ? 'hangs' : 3000) })
  for (const key of ['a', 'hangs', 'b']) watch(key)
  await clock.advance(60_000)
  t.strictSame([asked('hangs').length, asked('a').length, asked('b').length], [1, 19, 19])
})

t.test('keys whose loads take long to fail leave their places to the others', async (t) => {
  const { clock, watch, asked } = arrange({
    outcomeOf: (key) => (key.startsWith('slow') ? refused : 3000),
    loadMs: (key) => (key.startsWith('slow') ? 8000 : 100),
    maxUnderWay: 5,
  })
  const [slow, moving] = ['slow', 'moving'].map((name) => Array.from({ length: 6 }, (_, index) => `${name} ${index}`))
  for (const key of [...(slow ?? []), ...(moving ?? [])]) watch(key)
  await clock.advance(120_000)
  for (const key of slow ?? []) t.ok(intervalsOf(asked(key)).longest >= 40, 'four times as long after its end')
  for (const key of moving ?? [])
    t.ok(intervalsOf(asked(key)).longest < 12, `${key} ${intervalsOf(asked(key)).longest}`)
})

t.test('a load for which there is no call leaves its key as late as it was', async (t) => {
  let outcome: Outcome = 'rationed'
  const { clock, watch, watches, asked } = arrange({ outcomeOf: (key) => (key === 'k' ? outcome : 3000) })
  watch('k')
  watch('other')
  await clock.advance(20_000)
  t.strictSame(asked('k').length, 6, 'and it is tried again after its interval')
  t.equal(watches.status().lateness > 5, true)
  t.ok(intervalsOf(asked('other')).longest < 4)
  outcome = 3000
  await clock.advance(4000)
  t.ok(watches.status().lateness < 2)
})

t.test('a load that waited long for a call in vain is repeated as soon as one that did not wait', async (t) => {
  const { clock, watch, asked } = arrange({ outcomeOf: () => 'rationed', loadMs: () => 4000 })
  watch('k')
  await clock.advance(20_000)
  t.strictSame(asked('k'), [3, 10, 17])
})

t.test('failures of loads that others begin take no turn from a key', async (t) => {
  const { clock, watch, watches, asked } = arrange()
  watch('k')
  for (let seconds = 0; seconds < 30; seconds += 1) {
    watches.tell('k', { error: refused })
    await clock.advance(1000)
  }
  t.ok(asked('k').length >= 9, `${asked('k').length} times`)
})

t.test('a quiet key for which there was no call is not late in proportion because of that', async (t) => {
  const { clock, watch, watches } = arrange({ outcomeOf: () => 'rationed' })
  watch('quiet', 60_000)
  watches.tell('quiet', { error: refused })
  await clock.advance(66_000)
  t.ok(watches.status().lateness < 1.2, `${watches.status().lateness}`)
})
