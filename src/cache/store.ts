import { LRUCache } from 'lru-cache'
import type { Entry } from './entry.ts'

/** Keys, entry objects and the map itself, per entry, on top of the value. */
export const overheadBytes = 1024

/** A bounded memory of entries; the least recently used go first. */
export interface Store<V> {
  readonly get: (key: string) => Entry<V> | undefined
  /** Replaces what was there. False when the entry is not remembered: too large for the budget, or without a lifetime. */
  readonly set: (key: string, entry: Entry<V>) => boolean
  readonly delete: (key: string) => void
  readonly clear: () => void
  /** What is remembered, most recently used first, without touching it. */
  readonly entries: () => Iterable<readonly [string, Entry<V>]>
}

export interface StoreOptions {
  /** Budget for all entries with their overhead. */
  readonly maxBytes: number
  /** Milliseconds since 1970 UTC. */
  readonly now: () => number
}

/** A store on lru-cache, which counts bytes and evicts. What is over is forgotten when it is next asked for, or evicted. */
export function createStore<V>({ maxBytes, now }: StoreOptions): Store<V> {
  const cache = new LRUCache<string, Entry<V>>({
    maxSize: maxBytes,
    sizeCalculation: (entry) => entry.bytes + overheadBytes,
    perf: { now },
    ttlResolution: 0,
  })
  return {
    get: (key) => cache.get(key),
    set: (key, entry) => {
      cache.delete(key)
      // lru-cache takes a ttl of 0 for "never expires".
      if (!(entry.freshMs > 0)) return false
      return cache.set(key, entry, { ttl: entry.freshMs }).has(key)
    },
    delete: (key) => void cache.delete(key),
    clear: () => cache.clear(),
    entries: () => cache.entries(),
  }
}
