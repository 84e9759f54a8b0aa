import { LRUCache } from 'lru-cache'
import type { Clock } from '../common/clock.ts'

/** A negative cache of errors: the error of a failed load is kept per key for a moment, to avoid a thundering herd. */
export type RecentFailures = Readonly<ReturnType<typeof createRecentFailures>>

export interface RecentFailuresOptions {
  /** Each error is kept for 1 to 2 times this, at random, so that retries do not coincide. 0 keeps none. */
  readonly ttlMs: number
  /** Most errors at once. The least recently used one is dropped first. */
  readonly maxEntries: number
  readonly clock: Pick<Clock, 'elapsed' | 'random'>
}

export function createRecentFailures({ ttlMs, maxEntries, clock }: RecentFailuresOptions) {
  const cache = new LRUCache<string, { readonly error: unknown }>({
    max: maxEntries,
    perf: { now: clock.elapsed },
    ttlResolution: 0,
  })
  return {
    get: (key: string) => cache.get(key),
    set: (key: string, error: unknown) => {
      const ttl = ttlMs * (1 + clock.random())
      // lru-cache reads a ttl of 0 as "never expires".
      if (ttl > 0) cache.set(key, { error }, { ttl })
    },
    delete: (key: string) => void cache.delete(key),
    keys: () => cache.keys(),
    clear: () => cache.clear(),
  }
}
