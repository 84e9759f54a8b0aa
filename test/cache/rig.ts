import type { Test } from 'tap'
import type { Entry } from '../../src/cache/entry.ts'
import { createStore } from '../../src/cache/lru-store.ts'
import { type Answer, createReadThrough } from '../../src/cache/read-through.ts'
import { createSetbacks } from '../../src/cache/recent-failures.ts'
import { type Demand, noDemand } from '../../src/cache/request-directives.ts'
import { createClock } from '../harness/clock.ts'

export const slowMs = 400
export const noCache: Demand = { ...noDemand, maxAgeMs: 1000 }
export const onlyIfCached: Demand = { ...noDemand, onlyIfCached: true }

/** The origin could not say; what was true before may stand in. */
export class Away extends Error {
  override readonly name = 'Away'
}
/** The origin will not say. */
export class Refused extends Error {
  override readonly name = 'Refused'
}

export type Outcome = Partial<Entry<string>> | Error

export interface StartedLoad {
  readonly key: string
  readonly isAwaited: () => boolean
  readonly land: (outcome: Outcome) => void
}

/** Lets all that can happen without a timer or a socket happen. */
export const settled = () => new Promise<void>((resolve) => setImmediate(resolve))

/** A read-through whose loads land when, and how, the test says, and whose timers are the test's. */
export function arrange(budgets: { values?: number; absences?: number } = {}) {
  const clock = createClock()
  const store = (maxBytes = 100_000) => createStore<string>({ maxBytes, now: clock.now })
  const [values, absences] = [store(budgets.values), store(budgets.absences)]
  const loads: StartedLoad[] = []
  const timers: { readonly ms: number; readonly ring: () => void }[] = []
  const cache = createReadThrough<string>({
    load: (key, isAwaited) => {
      const { promise, resolve, reject } = Promise.withResolvers<Entry<string>>()
      const whole = { value: 'v', bytes: 1, freshMs: 5000, staleWhileRevalidateMs: 30_000, staleIfErrorMs: 600_000 }
      const land = (outcome: Outcome) =>
        outcome instanceof Error ? reject(outcome) : resolve({ ...whole, fetchedAt: clock.now(), ...outcome })
      loads.push({ key, isAwaited, land })
      return promise
    },
    values,
    absences,
    setbacks: createSetbacks({ atLeastMs: 1000, maxCount: 100, now: clock.now, random: () => 0 }),
    isTransient: (error) => error instanceof Away,
    slowMs,
    now: clock.now,
    after: (ms) => new Promise<void>((ring) => timers.push({ ms, ring })),
  })

  /** Begins to ask; the load it causes, if any, is in `loads`. */
  async function begin(key: string, demand?: Demand): Promise<{ readonly answer: Promise<Answer<string> | null> }> {
    const answer = (async () => await cache.get(key, demand))()
    answer.catch(() => {})
    await settled()
    return { answer }
  }

  /** Asks, and lets the load it causes, if any, land. */
  async function ask(key: string, outcome: Outcome = {}, demand?: Demand): Promise<Answer<string> | null> {
    const before = loads.length
    const { answer } = await begin(key, demand)
    if (loads.length > before) loads.at(-1)?.land(outcome)
    const given = await answer
    await settled()
    return given
  }

  return { cache, clock, loads, timers, values, absences, begin, ask }
}

export const hit = { hit: true, detail: null }
export const revalidating = { hit: true, detail: 'revalidating' }
export const backingOff = { hit: true, detail: 'backing-off' }
export const miss = { hit: false, fwd: 'uri-miss', stored: true, collapsed: false, detail: null }
export const collapsed = { ...miss, stored: false, collapsed: true }
export const notStored = { ...miss, stored: false }
export const forwardedStale = { ...miss, fwd: 'stale' }
export const requested = { ...miss, fwd: 'request' }
export const originFailed = { ...forwardedStale, stored: false, detail: 'origin-failed' }
export const originSlow = { ...forwardedStale, stored: false, detail: 'origin-slow' }

export function same(t: Test, answer: Answer<string> | null, value: string | null, handling: object, name = '') {
  t.strictSame(answer?.handling, handling, name)
  t.equal(answer?.entry.value, value, name)
}
