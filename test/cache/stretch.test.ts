import t from 'tap'
import { createStretch } from '../../src/cache/stretch.ts'
import { createClock } from '../harness/clock.ts'

/** Keys that are each loaded again as soon as their stretched lifetime is over, at most as often as the budget allows. */
function watch(keys: number, lifetimeMs: number, maxLoadsPerSecond: number, seconds: number) {
  const clock = createClock()
  const stretch = createStretch({ maxLoadsPerSecond, elapsed: clock.now })
  const dueAt = Array.from({ length: keys }, () => clock.now())
  const tickMs = 1000 / maxLoadsPerSecond
  let loads = 0
  for (let ms = 0; ms < seconds * 1000; ms += tickMs) {
    clock.advance(tickMs)
    const due = dueAt.findIndex((at) => at <= clock.now())
    if (due === -1) continue
    stretch.count(true)
    dueAt[due] = clock.now() + lifetimeMs * stretch.factor()
    if (ms >= (seconds - 60) * 1000) loads += 1
  }
  return { factor: stretch.factor(), loadsPerSecond: loads / 60 }
}

t.test('what is watched, when it fits half of the budget, is not stretched', async (t) => {
  const { factor, loadsPerSecond } = watch(7, 3000, 5, 300)
  t.ok(factor < 1.05, `factor ${factor}`)
  t.ok(Math.abs(loadsPerSecond - 7 / 3) < 0.3, `${loadsPerSecond} loads a second`)
})

t.test('what is watched, when it would exceed the budget, is stretched until it takes half of it', async (t) => {
  for (const keys of [15, 30, 60]) {
    const { factor, loadsPerSecond } = watch(keys, 3000, 5, 600)
    const wanted = keys / 3 / 2.5
    t.ok(factor > 0.8 * wanted && factor < 1.25 * wanted, `${keys} keys: factor ${factor}, wanted ${wanted}`)
    t.ok(loadsPerSecond > 2 && loadsPerSecond < 3, `${keys} keys: ${loadsPerSecond} loads a second`)
  }
})

t.test('what is watched, when far too much, is stretched no further than twentyfold', async (t) => {
  t.equal(watch(1000, 3000, 5, 600).factor, 20)
})

t.test('what is new, however much, counts once and is forgotten again', async (t) => {
  const clock = createClock()
  const stretch = createStretch({ maxLoadsPerSecond: 5, elapsed: clock.now })
  for (let second = 0; second < 300; second += 1) {
    for (let load = 0; load < 5; load += 1) stretch.count(false)
    clock.advance(1000)
  }
  t.ok(Math.abs(stretch.factor() - 2) < 0.2, `at the full rate the factor is ${stretch.factor()}`)
  clock.advance(60_000)
  t.equal(stretch.factor(), 1)
})

t.test('without a budget, nothing is stretched', async (t) => {
  const stretch = createStretch({ maxLoadsPerSecond: 0, elapsed: createClock().now })
  for (let load = 0; load < 1000; load += 1) stretch.count(true)
  t.equal(stretch.factor(), 1)
})
