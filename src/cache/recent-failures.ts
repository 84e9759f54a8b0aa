import { LRUCache } from 'lru-cache'

/** Failures of a moment ago by key, so that an outage is not a herd of loads that will all fail. */
export interface Setbacks {
  readonly get: (key: string) => { readonly error: unknown } | undefined
  readonly set: (key: string, error: unknown) => void
  readonly delete: (key: string) => void
  readonly keys: () => Iterable<string>
  readonly clear: () => void
}

export interface SetbacksOptions {
  /** Each is remembered for this long and up to twice as long, so that retries do not meet; 0 remembers none. */
  readonly atLeastMs: number
  /** The least recently used go first: it is memory for a storm, not a record. */
  readonly maxCount: number
  /** Milliseconds since 1970 UTC. */
  readonly now: () => number
  /** From 0 to, and not, 1. */
  readonly random: () => number
}

export function createSetbacks({ atLeastMs, maxCount, now, random }: SetbacksOptions): Setbacks {
  const cache = new LRUCache<string, { readonly error: unknown }>({ max: maxCount, perf: { now }, ttlResolution: 0 })
  return {
    get: (key) => cache.get(key),
    set: (key, error) => {
      const ttl = atLeastMs * (1 + random())
      // lru-cache takes a ttl of 0 for "never expires".
      if (ttl > 0) cache.set(key, { error }, { ttl })
    },
    delete: (key) => void cache.delete(key),
    keys: () => cache.keys(),
    clear: () => cache.clear(),
  }
}
