import { remainingMs } from './entry.ts'
import type { CacheAnswer } from './read-through.ts'

/** The longest wait, however long the entry stays fresh: it may be deleted meanwhile. */
const longestSeconds = 60
/** After a failure that does not say how long to wait. */
const failureSeconds = 5

/**
 * The value of `Retry-After` (RFC 9110 section 10.2.3): the whole seconds, from 1 to 60, after which another request can bring
 * something newer: when freshness ends or, for a stale entry, the load under way or the pause after a failure.
 * @param pauseSeconds how long to wait after the failure that the stale entry replaces; null when that is not known
 */
export function retryAfterSeconds(
  { entry, handling: { detail } }: CacheAnswer<unknown>,
  now: number,
  pauseSeconds: number | null,
): number {
  const isRefreshed = detail === 'revalidating' || detail === 'origin-slow'
  const staleSeconds = isRefreshed ? 1 : (pauseSeconds ?? failureSeconds)
  const isFresh = detail === null || detail === 'shared'
  const seconds = isFresh ? Math.ceil(remainingMs(entry, now) / 1000) : staleSeconds
  return Math.min(Math.max(seconds, 1), longestSeconds)
}
