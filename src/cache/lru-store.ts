import { LRUCache } from 'lru-cache'
import { type Entry, usableMs } from './entry.ts'

/** Keys, entry objects and the map itself, per entry, on top of the value. */
export const overheadBytes = 1024

/** How full a bounded memory is. */
export interface Fullness {
  readonly entries: number
  /** With the overhead of each entry. */
  readonly bytes: number
  readonly maxBytes: number
  /** Entries that had to make room for others, since the start. */
  readonly evictions: number
}

/** A bounded memory of entries; the least recently used go first. */
export interface Store<V> {
  readonly get: (key: string) => Entry<V> | undefined
  /** Replaces what was there. False when the entry is not remembered: too large for the budget, or no longer usable. */
  readonly set: (key: string, entry: Entry<V>) => boolean
  readonly delete: (key: string) => void
  readonly clear: () => void
  /** Forgets what is past its last window, whether anybody asks for it or not. */
  readonly sweep: () => void
  /** What is remembered, most recently used first, without touching it. */
  readonly entries: () => Iterable<readonly [string, Entry<V>]>
  readonly fullness: () => Fullness
}

export interface StoreOptions {
  /** Budget for all entries with their overhead. */
  readonly maxBytes: number
  /** Milliseconds since 1970 UTC. */
  readonly now: () => number
  /** Told each key whose value is no longer remembered, for whatever reason. */
  readonly onForgotten?: (key: string) => void
}

/** A store on lru-cache, which counts bytes, evicts, and forgets what is past its last window. */
export function createStore<V>({ maxBytes, now, onForgotten }: StoreOptions): Store<V> {
  let evictions = 0
  const cache = new LRUCache<string, Entry<V>>({
    maxSize: maxBytes,
    sizeCalculation: (entry) => entry.bytes + overheadBytes,
    perf: { now },
    ttlResolution: 0,
    dispose: (_entry, key, reason) => {
      if (reason === 'evict') evictions += 1
      onForgotten?.(key)
    },
    noDisposeOnSet: true,
  })
  return {
    get: (key) => cache.get(key),
    set: (key, entry) => {
      const ttl = usableMs(entry)
      const start = entry.fetchedAt
      // lru-cache takes a ttl of 0 for "never expires".
      if (start + ttl > now()) {
        const before = cache.peek(key)
        const stored = cache.set(key, entry, { ttl, start }).has(key)
        if (stored && before && before.value !== entry.value) onForgotten?.(key)
        return stored
      }
      cache.delete(key)
      return false
    },
    delete: (key) => void cache.delete(key),
    clear: () => cache.clear(),
    sweep: () => void cache.purgeStale(),
    entries: () => cache.entries(),
    fullness: () => ({ entries: cache.size, bytes: cache.calculatedSize, maxBytes, evictions }),
  }
}
