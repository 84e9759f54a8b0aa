import { type Decision, decide, type Forwarding } from './decision.ts'
import { type Entry, freshOnly, usabilityOf } from './entry.ts'
import { createSingleFlight, type Landing, type Load, type Slow } from './in-flight-loads.ts'
import type { Store } from './lru-store.ts'
import type { Setbacks } from './recent-failures.ts'
import { type Demand, noDemand } from './request-directives.ts'

/** What the cache did for one request, in the words of RFC 9211. */
export type Handling =
  /** Answered at once from what is remembered. */
  | { readonly hit: true; readonly detail: 'revalidating' | 'backing-off' | null }
  /** The origin was asked, for this request or (`collapsed`) for another one that was already under way. */
  | {
      readonly hit: false
      readonly fwd: Forwarding
      readonly stored: boolean
      readonly collapsed: boolean
      /** Why the answer is a stale one all the same. */
      readonly detail: 'origin-failed' | 'origin-slow' | null
    }

export interface Answer<V> {
  readonly entry: Entry<V>
  readonly handling: Handling
}

export interface ReadThrough<V> {
  /**
   * What is under the key, remembered or loaded; at once when nobody has to be waited for. Null when nothing is
   * remembered that would do, and the demand forbids asking.
   * Throws, or rejects with, what the load rejected with, now or a moment ago.
   */
  readonly get: (key: string, demand?: Demand) => Answer<V> | null | Promise<Answer<V>>
  /** Forgets one key. A load under way still answers those who wait for it, but is not remembered. */
  readonly delete: (key: string) => void
  /** Forgets each key that matches, in the same way. */
  readonly deleteEach: (matches: (key: string) => boolean) => void
  /** Forgets everything, in the same way. */
  readonly clear: () => void
}

export interface ReadThroughOptions<V> {
  readonly load: Load<V>
  readonly values: Store<V>
  /** A store of their own, so that a flood of unknown keys evicts no value. */
  readonly absences: Store<V>
  readonly setbacks: Setbacks
  /** Whether what was true before may stand in for an answer that failed so. What may not also ends the stale windows. */
  readonly isTransient: (error: unknown) => boolean
  /** How long a caller waits for the origin where something stale could go out instead. */
  readonly slowMs: number
  /** Milliseconds since 1970 UTC. */
  readonly now: () => number
  /** Timers by default. */
  readonly after?: (ms: number) => Promise<unknown>
}

/**
 * A read-through cache with one load per key at a time, besides those that a stricter demand has overtaken. {@link decide} says what to do about a request; this does it.
 * A caller who stops waiting changes nothing for the others, because nobody's signal reaches the load.
 */
export function createReadThrough<V>(options: ReadThroughOptions<V>): ReadThrough<V> {
  const { values, absences, setbacks, isTransient, now } = options
  const flights = createSingleFlight<V>({ ...options, onLanded: remember, onFailed: rememberFailure })

  function get(key: string, demand: Demand = noDemand): Answer<V> | null | Promise<Answer<V>> {
    const entry = values.get(key) ?? absences.get(key)
    const setback = setbacks.get(key)
    const decision = decide(entry, demand, setback !== undefined, now())
    switch (decision.reply) {
      case 'entry':
        if (decision.detail === 'revalidating') flights.underWay(key) ?? flights.takeOff(key)
        return { entry: entry as Entry<V>, handling: { hit: true, detail: decision.detail } }
      case 'failure':
        throw setback?.error
      case 'nothing':
        return null
      case 'load':
        return wait(key, demand, decision)
    }
  }

  async function wait(key: string, { maxAgeMs }: Demand, decision: Decision & { reply: 'load' }): Promise<Answer<V>> {
    const underWay = flights.underWay(key)
    // A load that began before the oldest moment that will do may have been answered before it, too: then it is
    // overtaken, once, so that a slow origin is not asked about one key by everybody.
    const young = underWay !== undefined && underWay.startedAt >= now() - maxAgeMs
    const collapsed = underWay !== undefined && (young || underWay.overtakes)
    const flight = collapsed ? underWay : flights.takeOff(key)
    flight.await()
    const forwarded = { hit: false, fwd: decision.fwd, collapsed } as const

    if (decision.standIn) {
      const first = await Promise.race([flight.landing, flight.slowness()])
      const entry = standInFor(key, first)
      const detail = first.outcome === 'slow' ? 'origin-slow' : 'origin-failed'
      if (entry !== undefined) return { entry, handling: { ...forwarded, stored: false, detail } }
    }
    const landing = await flight.landing
    if (landing.outcome === 'failed') throw landing.error
    return { entry: landing.entry, handling: { ...forwarded, stored: landing.stored && !collapsed, detail: null } }
  }

  /** What may go out instead: still remembered by now, and within its windows. */
  function standInFor(key: string, first: Landing<V> | Slow): Entry<V> | undefined {
    const missed = first.outcome === 'slow' || (first.outcome === 'failed' && isTransient(first.error))
    const entry = missed ? values.get(key) : undefined
    return entry !== undefined && usabilityOf(entry, now()) !== 'over' ? entry : undefined
  }

  function remember(key: string, entry: Entry<V>): boolean {
    const [home, other] = entry.value === null ? [absences, values] : [values, absences]
    other.delete(key)
    setbacks.delete(key)
    return home.set(key, entry)
  }

  function rememberFailure(key: string, error: unknown): void {
    setbacks.set(key, error)
    const entry = values.get(key)
    if (entry !== undefined && !isTransient(error)) values.set(key, freshOnly(entry))
  }

  function deleteOne(key: string): void {
    for (const part of [values, absences, setbacks, flights]) part.delete(key)
  }

  function deleteEach(matches: (key: string) => boolean): void {
    const stored = [values, absences].flatMap((store) => Array.from(store.entries(), ([key]) => key))
    for (const key of [...stored, ...setbacks.keys(), ...flights.keys()]) if (matches(key)) deleteOne(key)
  }

  return {
    get,
    delete: deleteOne,
    deleteEach,
    clear: () => {
      for (const part of [values, absences, setbacks, flights]) part.clear()
    },
  }
}
