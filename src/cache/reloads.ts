import { LRUCache } from 'lru-cache'
import type { Clock } from '../common/clock.ts'

/** Says whether a fresh entry may be loaded anew because a caller wishes it, and counts the reload if so. */
export type GrantReload = (key: string, caller: string) => boolean

export interface ReloadLimitOptions {
  /** A key is reloaded at most once in this time, for all callers together. */
  readonly perKeyMs: number
  /** One caller gets at most `max` reloads in any `windowMs`, of all keys together. */
  readonly perCaller: { readonly max: number; readonly windowMs: number }
  /** Most keys, and most callers, that are remembered. The least recently used one is forgotten first. */
  readonly maxEntries: number
  readonly clock: Pick<Clock, 'elapsed'>
}

export function createReloadLimit({ perKeyMs, perCaller, maxEntries, clock }: ReloadLimitOptions): GrantReload {
  /** When each key was last reloaded. */
  const reloadedAt = new LRUCache<string, number>({ max: maxEntries })
  /** When each caller got its last reloads. */
  const grantedAt = new LRUCache<string, readonly number[]>({ max: maxEntries })

  return (key, caller) => {
    const now = clock.elapsed()
    const granted = grantedAt.get(caller)?.filter((at) => now - at < perCaller.windowMs) ?? []
    if (now - (reloadedAt.get(key) ?? Number.NEGATIVE_INFINITY) < perKeyMs || granted.length >= perCaller.max)
      return false
    reloadedAt.set(key, now)
    grantedAt.set(caller, [...granted, now])
    return true
  }
}
