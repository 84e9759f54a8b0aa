import t from 'tap'
import { createRecentFailures } from '../../src/cache/recent-failures.ts'
import { createClock } from '../harness/clock.ts'

function arrange(ttlMs: number, random: number) {
  const clock = createClock(undefined, { random: () => random })
  const failures = createRecentFailures({ ttlMs, maxEntries: 2, clock })
  for (const key of ['a', 'b', 'c']) failures.set(key, `error of ${key}`)
  const errors = () => ['a', 'b', 'c'].map((key) => failures.get(key)?.error)
  return { clock, failures, errors }
}

const hour = 3_600_000

t.test('an error is kept for one to two times the given time, and not at all for a time of 0', async (t) => {
  for (const [random, wallMs] of [
    [0, 0],
    [0.5, -hour],
    [0.999, hour],
  ] as const) {
    const { clock, errors } = arrange(1000, random)
    clock.shiftWall(wallMs)
    clock.advance(1000 + 1000 * random)
    t.equal(errors()[2], 'error of c', `random ${random}`)
    clock.advance(1)
    t.equal(errors()[2], undefined, `random ${random}`)
  }
  t.strictSame(arrange(0, 0.5).errors(), [undefined, undefined, undefined])
})

t.test('the least recently used error is dropped when there are too many', async (t) => {
  const { failures, errors } = arrange(1000, 0)
  t.strictSame(errors(), [undefined, 'error of b', 'error of c'])
  t.strictSame([...failures.keys()].sort(), ['b', 'c'])
  failures.delete('b')
  t.strictSame(errors(), [undefined, undefined, 'error of c'])
  failures.clear()
  t.strictSame(errors(), [undefined, undefined, undefined])
})
