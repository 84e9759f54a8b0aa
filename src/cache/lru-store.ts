import { LRUCache } from 'lru-cache'
import type { Clock } from '../common/clock.ts'
import { type Entry, usableMs } from './entry.ts'
import type { Store, StoreListener } from './store.ts'

/** Bytes that an entry takes besides its value: the key, the entry object and its place in the map. */
export const overheadBytes = 1024

export interface LruStoreOptions<V> extends StoreListener<V> {
  /** Budget in bytes for all entries with their overhead. */
  readonly maxBytes: number
  readonly clock: Pick<Clock, 'now'>
}

/** A store in this process's memory. It evicts the least recently used entries first. */
export function createLruStore<V>({ maxBytes, clock, onStored, onForgotten }: LruStoreOptions<V>): Store<V> {
  let evictions = 0
  const cache = new LRUCache<string, Entry<V>>({
    maxSize: maxBytes,
    sizeCalculation: (entry) => entry.bytes + overheadBytes,
    perf: clock,
    ttlResolution: 0,
    dispose: (_entry, key, reason) => {
      if (reason === 'evict') evictions += 1
      onForgotten?.(key)
    },
    noDisposeOnSet: true,
  })

  function set(key: string, entry: Entry<V>): boolean {
    const ttl = usableMs(entry)
    const start = entry.fetchedAt
    // lru-cache reads a ttl of 0 as "never expires".
    if (start + ttl <= clock.now()) {
      cache.delete(key)
      return false
    }
    const previous = cache.peek(key)
    const stored = cache.set(key, entry, { ttl, start }).has(key)
    if (stored) onStored?.(key, entry, previous)
    return stored
  }

  return {
    get: (key) => cache.get(key),
    set,
    delete: (key) => void cache.delete(key),
    clear: () => cache.clear(),
    sweep: () => void cache.purgeStale(),
    entries: () => cache.entries(),
    usage: () => ({ entries: cache.size, bytes: cache.calculatedSize, maxBytes, evictions }),
  }
}
