import { setTimeout as sleep } from 'node:timers/promises'
import type { Entry } from './entry.ts'

/**
 * Asks the origin. Resolves to a value or an absence; rejects when the origin could not say.
 * @param isAwaited whether somebody waits for it by now, or it only refreshes what is served meanwhile
 */
export type Load<V> = (key: string, isAwaited: () => boolean) => Promise<Entry<V>>

/** How a load ended. */
export type Landing<V> =
  | { readonly outcome: 'landed'; readonly entry: Entry<V>; readonly stored: boolean }
  | { readonly outcome: 'failed'; readonly error: unknown }

export interface Slow {
  readonly outcome: 'slow'
}

/** A load under way. */
export interface Flight<V> {
  /** Milliseconds since 1970 UTC. */
  readonly startedAt: number
  /** Another one was under way when it began. */
  readonly overtakes: boolean
  /** Never rejects: a refresh behind has nobody to tell. */
  readonly landing: Promise<Landing<V>>
  /** Somebody waits for it from now on. */
  readonly await: () => void
  /** Resolves when the load has been under way for too long, counted from its start: who comes late waits less. */
  readonly slowness: () => Promise<Slow>
}

export interface SingleFlight<V> {
  readonly underWay: (key: string) => Flight<V> | undefined
  /** Begins a load; one under way is overtaken. */
  readonly takeOff: (key: string) => Flight<V>
  /** Lets a load under way answer those who wait for it, and nothing else. */
  readonly delete: (key: string) => void
  /** Of the loads under way. */
  readonly keys: () => Iterable<string>
  readonly clear: () => void
}

export interface SingleFlightOptions<V> {
  readonly load: Load<V>
  /** Told of each load that was not deleted, and behind which no later one has landed. @returns whether the entry is stored */
  readonly onLanded: (key: string, entry: Entry<V>) => boolean
  /** Told likewise. */
  readonly onFailed: (key: string, error: unknown) => void
  /** When a load begins to count as slow. */
  readonly slowMs: number
  /** Milliseconds since 1970 UTC. */
  readonly now: () => number
  /** Timers by default. */
  readonly after?: (ms: number) => Promise<unknown>
}

/** The loads of one key that are under way, of which the newest is to be joined. When that has landed, the others come too late. */
interface Flights<V> {
  newest: Flight<V>
}

/** One load per key at a time, besides one that was overtaken. */
export function createSingleFlight<V>(options: SingleFlightOptions<V>): SingleFlight<V> {
  const { load, onLanded, onFailed, slowMs, now } = options
  const { after = (ms) => sleep(ms, undefined, { ref: false }) } = options
  const flights = new Map<string, Flights<V>>()

  function takeOff(key: string): Flight<V> {
    let awaited = false
    let slow: Promise<Slow> | undefined
    const startedAt = now()
    const overtaken = flights.get(key)

    async function land(): Promise<Landing<V>> {
      const landing = await load(key, () => awaited).then(
        (entry) => ({ outcome: 'landed', entry, stored: counts() && onLanded(key, entry) }) as const,
        (error: unknown) => {
          if (counts()) onFailed(key, error)
          return { outcome: 'failed', error } as const
        },
      )
      if (counts() && ours.newest === flight) flights.delete(key)
      return landing
    }

    /** Neither deleted, nor behind one that took off later and has landed. */
    const counts = () => flights.get(key) === ours

    const flight: Flight<V> = {
      startedAt,
      overtakes: overtaken !== undefined,
      // Not before the flight is known: a load may fail, or ask who waits for it, at once.
      landing: Promise.resolve().then(land),
      await: () => {
        awaited = true
      },
      slowness: () => {
        slow ??= after(Math.max(0, startedAt + slowMs - now())).then(() => ({ outcome: 'slow' }))
        return slow
      },
    }
    const ours = overtaken ?? { newest: flight }
    ours.newest = flight
    flights.set(key, ours)
    return flight
  }

  return {
    underWay: (key) => flights.get(key)?.newest,
    takeOff,
    delete: (key) => void flights.delete(key),
    keys: () => flights.keys(),
    clear: () => flights.clear(),
  }
}
