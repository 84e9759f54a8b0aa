import t from 'tap'
import { createStretch } from '../../src/cache/adaptive-ttl.ts'
import { createClock } from '../harness/clock.ts'

/** Keys that are each loaded again as soon as their stretched lifetime is over, at most as often as the budget allows. */
function watch(keys: number, lifetimeMs: number, maxLoadsPerSecond: number, seconds: number) {
  const clock = createClock()
  const stretch = createStretch({ maxLoadsPerSecond, elapsed: clock.now })
  const startedAt = clock.now()
  const dueAt = Array.from({ length: keys }, () => startedAt)
  const loadedAt = Array.from({ length: keys }, () => startedAt)
  const tickMs = 1000 / maxLoadsPerSecond
  let loads = 0
  for (let ms = 0; ms < seconds * 1000; ms += tickMs) {
    clock.advance(tickMs)
    const due = dueAt.findIndex((at) => at <= clock.now())
    if (due === -1) continue
    stretch.count(clock.now() - (loadedAt[due] ?? 0), lifetimeMs)
    loadedAt[due] = clock.now()
    dueAt[due] = clock.now() + Math.max(lifetimeMs, Math.min(lifetimeMs * stretch.factor(), 60_000))
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

t.test('what is watched, when far too much, is stretched to the minute there is', async (t) => {
  t.ok(watch(1000, 3000, 5, 600).factor > 15)
})

t.test('what is fresh for a minute anyway, or loaded before its time, counts once however often', async (t) => {
  t.ok(watch(180, 60_000, 5, 600).factor < 1.3, 'three a second fit, and stretching would not change them')
  const clock = createClock()
  const stretch = createStretch({ maxLoadsPerSecond: 5, elapsed: clock.now })
  for (let second = 0; second < 600; second += 1) {
    for (let key = 0; key < 3; key += 1) stretch.count(1000, 5000)
    clock.advance(1000)
  }
  t.ok(stretch.factor() < 1.3, `reloads by no-cache: ${stretch.factor()}`)
  clock.advance(120_000)
  t.equal(stretch.factor(), 1, 'and all is forgotten again')
})

t.test('without a budget, or with lifetimes of nothing, nothing is stretched', async (t) => {
  const unlimited = createStretch({ maxLoadsPerSecond: 0, elapsed: createClock().now })
  const forgetful = createStretch({ maxLoadsPerSecond: 5, elapsed: createClock().now })
  for (let load = 0; load < 1000; load += 1) unlimited.count(3000, 3000)
  forgetful.count(0, 0)
  for (const stretch of [unlimited, forgetful]) t.equal(stretch.factor(), 1)
})

t.test('however much is asked, lifetimes grow twentyfold at most', async (t) => {
  const stretch = createStretch({ maxLoadsPerSecond: 0.1, elapsed: createClock().now })
  for (let load = 0; load < 1000; load += 1) stretch.count(3000, 3000)
  t.equal(stretch.factor(), 20)
})
