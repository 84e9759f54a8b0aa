import t from 'tap'
import { createSetbacks } from '../../src/cache/recent-failures.ts'
import { createClock } from '../harness/clock.ts'

t.test('a failure, when remembered, is so for a time and up to twice as long', async (t) => {
  for (const [random, ms] of [
    [0, 1000],
    [0.5, 1500],
    [0.999, 1999],
  ] as const) {
    const clock = createClock()
    const setbacks = createSetbacks({ atLeastMs: 1000, maxCount: 10, now: clock.now, random: () => random })
    const error = new Error('away')
    setbacks.set('k', error)
    clock.advance(ms)
    t.equal(setbacks.get('k')?.error, error, `random ${random}`)
    clock.advance(1)
    t.equal(setbacks.get('k'), undefined)
  }
})

t.test('failures, when more than there is room for, leave out the least recently used', async (t) => {
  const clock = createClock()
  const setbacks = createSetbacks({ atLeastMs: 1000, maxCount: 2, now: clock.now, random: () => 0 })
  for (const key of ['a', 'b', 'c']) setbacks.set(key, new Error(key))
  t.strictSame(
    ['a', 'b', 'c'].map((key) => setbacks.get(key) !== undefined),
    [false, true, true],
  )
  setbacks.delete('b')
  t.equal(setbacks.get('b'), undefined)
  setbacks.clear()
  t.equal(setbacks.get('c'), undefined)
})

t.test('no time at all, when set, remembers no failure', async (t) => {
  const setbacks = createSetbacks({ atLeastMs: 0, maxCount: 2, now: createClock().now, random: () => 0.5 })
  setbacks.set('k', new Error('away'))
  t.equal(setbacks.get('k'), undefined)
})
