import { type Clock, sleep } from '../common/clock.ts'
import type { Entry } from './entry.ts'

/**
 * How urgent a load is: 0 while it is a refresh in the background, 1 while only requests for several keys wait for it, 2 when a
 * request for this key alone waits.
 */
export type Urgency = 0 | 1 | 2

/** Who wants a load, by now, and what the load reports while it is under way. */
export interface Demand<V> {
  /** The callers whose requests asked for it. */
  readonly askedBy: ReadonlySet<string>
  readonly urgency: () => Urgency
  /** The largest age that the answer should have, in milliseconds: infinity for any that is fresh, 0 for a new answer. */
  readonly maxAgeMs: number
  /** The load asks the origin now, after all that it had to wait for. */
  readonly markAsked: () => void
  /** The load waits for another process, which asks the origin. */
  readonly markAskedElsewhere: () => void
  /** Stores an entry that the load came by. A request that accepts a stale entry gets it if the origin fails or is slow. */
  readonly offer: (entry: Entry<V>) => void
  /** What the load brings is not to be stored. */
  readonly abandon: () => void
}

/** Asks the origin. It resolves to a value or an absence, and rejects when the origin gave neither. */
export type Load<V> = (demand: Demand<V>) => Promise<Entry<V>>

/** Who asked the origin for what a load brought: this process, another one, or none, because it was known elsewhere. */
export type AskedHow = 'here' | 'elsewhere' | 'not'

export type LoadResult<V> =
  | { readonly outcome: 'loaded'; readonly entry: Entry<V>; readonly stored: boolean; readonly asked: AskedHow }
  | { readonly outcome: 'failed'; readonly error: unknown }

/** With `rationed`, the load could not ask the origin yet. */
export type SlowOrigin = { readonly outcome: 'slow'; readonly detail: 'origin-slow' | 'rationed' }

/** A load in progress. */
export interface InFlightLoad<V> {
  /** It never rejects, because no caller may be waiting for a background refresh. */
  readonly result: Promise<LoadResult<V>>
  /** A caller wants it as well, and waits for the result unless the urgency is 0, as by default. */
  readonly join: (askedBy: string, urgency?: Urgency) => void
  /** Resolves when the load has come by an entry that may stand in for its result. */
  readonly offered: Promise<void>
  /** Resolves when the load counts as slow. The time is counted from its start, so a caller who joins late waits less. */
  readonly slow: () => Promise<SlowOrigin>
}

export interface InFlightLoadsOptions<V> {
  /** Called for each entry that a load brought or came by, unless its key was deleted meanwhile. Returns whether it was stored. */
  readonly store: (key: string, entry: Entry<V>) => boolean
  /** Called for each failure, with the same exception. */
  readonly onFailed: (key: string, error: unknown) => void
  /** How long after its start a load counts as slow. */
  readonly slowMs: number
  readonly clock: Pick<Clock, 'elapsed' | 'schedule'>
}

/**
 * Keeps one load per key in flight. A load that is deleted still answers the callers who wait for it, but its result is not
 * stored.
 */
export function createInFlightLoads<V>({ store, onFailed, slowMs, clock }: InFlightLoadsOptions<V>) {
  const loads = new Map<string, InFlightLoad<V>>()

  /** Starts a load for a caller, which wants an answer of this age. No other load of the key may be in flight. */
  function start(key: string, load: Load<V>, firstAskedBy: string, maxAgeMs: number): InFlightLoad<V> {
    let urgency: Urgency = 0
    let asked: AskedHow = 'not'
    const askedBy = new Set([firstAskedBy])
    let slow: Promise<void> | undefined
    const startedAt = clock.elapsed()
    const { promise: offered, resolve: endWaitForOffer } = Promise.withResolvers<void>()

    async function run(): Promise<LoadResult<V>> {
      const demand: Demand<V> = {
        askedBy,
        urgency: () => urgency,
        maxAgeMs,
        markAsked: () => {
          asked = 'here'
        },
        markAskedElsewhere: () => {
          asked = 'elsewhere'
        },
        offer: (entry) => {
          if (counts()) store(key, entry)
          endWaitForOffer()
        },
        abandon: () => {
          if (counts()) loads.delete(key)
        },
      }
      const result = await load(demand).then(
        (entry) => ({ outcome: 'loaded', entry, stored: counts() && store(key, entry), asked }) as const,
        (error: unknown) => {
          if (counts()) onFailed(key, error)
          return { outcome: 'failed', error } as const
        },
      )
      if (counts()) loads.delete(key)
      return result
    }

    /** False when the key was deleted, or the load was abandoned. */
    const counts = () => loads.get(key) === inFlight

    const inFlight: InFlightLoad<V> = {
      // Not before the load is registered, because it may fail, or ask whether it is awaited, immediately.
      result: Promise.resolve().then(run),
      offered,
      join: (caller, by = 0) => {
        if (by > urgency) urgency = by
        askedBy.add(caller)
      },
      slow: () => {
        slow ??= sleep(clock, Math.max(0, startedAt + slowMs - clock.elapsed()))
        return slow.then(() => ({ outcome: 'slow', detail: asked === 'not' ? 'rationed' : 'origin-slow' }))
      },
    }
    loads.set(key, inFlight)
    return inFlight
  }

  return {
    /** The load of the key that is in flight, which further callers join. */
    current: (key: string) => loads.get(key),
    start,
    delete: (key: string) => void loads.delete(key),
    keys: () => loads.keys(),
    clear: () => loads.clear(),
  }
}
