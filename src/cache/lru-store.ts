import { LRUCache } from 'lru-cache'
import type { Clock } from '../common/clock.ts'
import { ageMs, type Entry, usabilityOf, usableMs } from './entry.ts'
import type { Store, StoreListener } from './store.ts'

/** Bytes that an entry takes besides its value: the key, the entry object and its place in the map. */
export const overheadBytes = 1024

export interface LruStoreOptions<V> extends StoreListener<V> {
  /** Budget in bytes for all entries with their overhead. */
  readonly maxBytes: number
  readonly clock: Pick<Clock, 'now' | 'elapsed'>
}

/**
 * A store in this process's memory. It evicts the least recently used entries first. A sweep removes each entry
 * that may no longer be used, also if the wall clock was set back or the machine was suspended.
 */
export function createLruStore<V>({ maxBytes, clock, onStored, onForgotten }: LruStoreOptions<V>): Store<V> {
  let evictions = 0
  const cache = new LRUCache<string, Entry<V>>({
    maxSize: maxBytes,
    sizeCalculation: (entry) => entry.bytes + overheadBytes,
    perf: { now: clock.elapsed },
    ttlResolution: 0,
    dispose: (_entry, key, reason) => {
      if (reason === 'evict') evictions += 1
      onForgotten?.(key)
    },
    noDisposeOnSet: true,
  })

  function set(key: string, entry: Entry<V>): boolean {
    const ttl = usableMs(entry) - ageMs(entry, clock.now())
    // lru-cache reads a ttl of 0 as "never expires".
    if (!(ttl > 0)) {
      cache.delete(key)
      return false
    }
    const previous = cache.peek(key)
    const stored = cache.set(key, entry, { ttl }).has(key)
    if (stored) onStored?.(key, entry, previous)
    return stored
  }

  function sweep(): void {
    cache.purgeStale()
    for (const [key, entry] of [...cache.entries()])
      if (usabilityOf(entry, clock.now()) === 'expired') cache.delete(key)
  }

  return {
    get: (key) => cache.get(key),
    peek: (key) => cache.peek(key),
    set,
    delete: (key) => void cache.delete(key),
    clear: () => cache.clear(),
    sweep,
    entries: () => cache.entries(),
    usage: () => ({ entries: cache.size, bytes: cache.calculatedSize, maxBytes, evictions }),
  }
}
