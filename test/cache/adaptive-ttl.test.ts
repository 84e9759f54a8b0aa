import t from 'tap'
import { createAdaptiveTtl } from '../../src/cache/adaptive-ttl.ts'
import { createClock } from '../harness/clock.ts'
import { checkRows, difference } from '../harness/table.ts'

function arrange(maxLoadsPerSecond: number) {
  const clock = createClock()
  const ttl = createAdaptiveTtl(() => maxLoadsPerSecond, clock)
  const refresh = (count: number, keptMs: number, baseMs: number) => {
    for (let done = 0; done < count; done += 1) ttl.recordRefresh(keptMs, baseMs)
  }
  return { clock, ttl, refresh }
}

/**
 * Refreshes each key as soon as its lengthened lifetime is over, at most 5 times a second, for 10 minutes. Returns the
 * factor at the end, and the loads a second during the last minute.
 */
function watch(keys: number, lifetimeMs: number) {
  const { clock, ttl } = arrange(5)
  const loaded = Array.from({ length: keys }, () => ({ at: clock.now(), dueAt: clock.now() }))
  let loads = 0
  for (let ms = 0; ms < 600_000; ms += 200) {
    clock.advance(200)
    const now = clock.now()
    const due = loaded.find(({ dueAt }) => dueAt <= now)
    if (due === undefined) continue
    ttl.recordRefresh(now - due.at, lifetimeMs)
    due.at = now
    due.dueAt = now + Math.max(lifetimeMs, Math.min(lifetimeMs * ttl.factor(), 60_000))
    if (ms >= 540_000) loads += 1
  }
  return { factor: ttl.factor(), loadsPerSecond: loads / 60 }
}

t.test('lifetimes grow until refreshes take half of the budget', async (t) => {
  const rows = [
    { keys: 7, lifetimeMs: 3000, factor: [1, 1.05], loads: [2.03, 2.63] },
    { keys: 15, lifetimeMs: 3000, factor: [1.6, 2.5], loads: [2, 3] },
    { keys: 30, lifetimeMs: 3000, factor: [3.2, 5], loads: [2, 3] },
    { keys: 60, lifetimeMs: 3000, factor: [6.4, 10], loads: [2, 3] },
    { keys: 1000, lifetimeMs: 3000, factor: [15, 20], loads: [0, 5] },
    // Three refreshes a second exceed half of the budget, but a lifetime of a minute is not lengthened.
    { keys: 180, lifetimeMs: 60_000, factor: [1, 1.3], loads: [0, 5] },
  ] as const
  const isIn = ([least, most]: readonly [number, number], value: number) => least <= value && value <= most
  const check = ({ keys, lifetimeMs, factor, loads }: (typeof rows)[number]) => {
    const found = watch(keys, lifetimeMs)
    return isIn(factor, found.factor) && isIn(loads, found.loadsPerSecond) ? null : JSON.stringify(found)
  }
  checkRows(t, rows, check, 'all factors and loads are in range')
})

t.test('an early refresh counts once, and no longer after ten seconds', async (t) => {
  const { clock, ttl, refresh } = arrange(5)
  for (let second = 0; second < 600; second += 1) {
    refresh(3, 1000, 5000)
    clock.advance(1000)
  }
  t.ok(ttl.factor() < 1.3, `factor ${ttl.factor()}`)
  clock.advance(10_000)
  t.equal(ttl.factor(), 1)
})

t.test('the factor is 1 without a budget, a lifetime or many refreshes, and 20 at most', async (t) => {
  const rows = [
    { maxLoadsPerSecond: 0, count: 1000, keptMs: 3000, baseMs: 3000, factor: 1 },
    { maxLoadsPerSecond: 5, count: 1, keptMs: 0, baseMs: 0, factor: 1 },
    { maxLoadsPerSecond: 5, count: 1, keptMs: 3_600_000, baseMs: 3000, factor: 1 },
    { maxLoadsPerSecond: 0.1, count: 1000, keptMs: 3000, baseMs: 3000, factor: 20 },
  ]
  const check = ({ maxLoadsPerSecond, count, keptMs, baseMs, factor }: (typeof rows)[number]) => {
    const { ttl, refresh } = arrange(maxLoadsPerSecond)
    refresh(count, keptMs, baseMs)
    return difference(ttl.factor(), factor)
  }
  checkRows(t, rows, check, 'all factors are in range')
})
