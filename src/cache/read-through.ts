import { type Entry, isFresh } from './entry.ts'
import type { Store } from './store.ts'

/** Asks the origin. Resolves to a value or an absence; rejects when the origin could not say. */
export type Load<V> = (key: string) => Promise<Entry<V>>

/** What the cache did for one request, in the words of RFC 9211. */
export type Handling =
  /** Answered from what is remembered. */
  | { readonly hit: true }
  /** The origin was asked, for this request or (`collapsed`) for another one that was already under way. */
  | { readonly hit: false; readonly fwd: 'uri-miss'; readonly stored: boolean; readonly collapsed: boolean }

export interface Answer<V> {
  readonly entry: Entry<V>
  readonly handling: Handling
}

export interface ReadThrough<V> {
  /** What is under the key, remembered or loaded. Rejects with what the load rejected with. */
  readonly get: (key: string) => Promise<Answer<V>>
  /** Forgets one key. A load under way still answers those who wait for it, but is not remembered. */
  readonly delete: (key: string) => void
  /** Forgets everything, in the same way. */
  readonly clear: () => void
}

export interface ReadThroughOptions<V> {
  readonly load: Load<V>
  readonly values: Store<V>
  /** A store of their own, so that a flood of unknown keys evicts no value. */
  readonly absences: Store<V>
  /** Milliseconds since 1970 UTC. */
  readonly now: () => number
}

interface Landing<V> {
  readonly entry: Entry<V>
  readonly stored: boolean
}

/**
 * A read-through cache with one load per key at a time. A caller who stops waiting changes nothing for the others,
 * because nobody's signal reaches the load.
 */
export function createReadThrough<V>({ load, values, absences, now }: ReadThroughOptions<V>): ReadThrough<V> {
  const flights = new Map<string, Promise<Landing<V>>>()

  async function get(key: string): Promise<Answer<V>> {
    const entry = values.get(key) ?? absences.get(key)
    if (entry !== undefined && isFresh(entry, now())) return { entry, handling: { hit: true } }
    const underWay = flights.get(key)
    const { entry: loaded, stored } = await (underWay ?? takeOff(key))
    const collapsed = underWay !== undefined
    return { entry: loaded, handling: { hit: false, fwd: 'uri-miss', stored: stored && !collapsed, collapsed } }
  }

  function takeOff(key: string): Promise<Landing<V>> {
    const flight: Promise<Landing<V>> = load(key)
      .then((entry) => ({ entry, stored: flights.get(key) === flight && remember(key, entry) }))
      .finally(() => flights.get(key) === flight && flights.delete(key))
    flights.set(key, flight)
    return flight
  }

  function remember(key: string, entry: Entry<V>): boolean {
    const [home, other] = entry.value === null ? [absences, values] : [values, absences]
    other.delete(key)
    return home.set(key, entry)
  }

  return {
    get,
    delete: (key) => {
      for (const part of [values, absences, flights]) part.delete(key)
    },
    clear: () => {
      for (const part of [values, absences, flights]) part.clear()
    },
  }
}
