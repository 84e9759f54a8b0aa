import { ageMs, type Entry, usabilityOf } from './entry.ts'
import type { RequestDirectives } from './request-directives.ts'

/**
 * Why a request is forwarded to the origin: the `fwd` parameter of RFC 9211 section 2.2. With `request`, the stored entry is
 * fresh, and only the wish of the caller is a reason.
 */
export type ForwardReason = 'uri-miss' | 'stale' | 'request'

/** What a stale answer says about the failure that it replaces. With `rationed`, the load could not ask the origin in time. */
export type FailureDetail = 'backing-off' | 'rationed' | 'origin-failed'

/** What to do about one request. */
export type Decision =
  /** Answer with the stored entry. With `revalidating`, also refresh it in the background. */
  | { readonly reply: 'entry'; readonly detail: 'revalidating' | 'backing-off' | 'rationed' | null }
  /** Answer with the error of the last load. */
  | { readonly reply: 'failure' }
  /** No stored entry is usable, and the request forbids a load. */
  | { readonly reply: 'nothing' }
  /** Load, and wait for it. */
  | { readonly reply: 'load'; readonly fwd: ForwardReason }

/**
 * The freshness machine: it decides, and changes nothing.
 * @param entry the stored entry of the key
 * @param lastFailure the failure of the last load of the key, if that was a moment ago. A ration only delays the next refresh in
 *   the background: it says nothing about the key, and another caller may get a turn.
 */
export function decide(
  entry: Entry<unknown> | undefined,
  { maxAgeMs, onlyIfCached }: RequestDirectives,
  lastFailure: 'failed' | 'rationed' | undefined,
  now: number,
): Decision {
  const usability = entry === undefined ? 'expired' : usabilityOf(entry, now)
  if (entry !== undefined && usability === 'fresh' && ageMs(entry, now) <= maxAgeMs)
    return { reply: 'entry', detail: null }

  const acceptsStale = maxAgeMs === Number.POSITIVE_INFINITY
  const isStale = usability === 'stale-while-revalidate' || usability === 'stale-if-error'
  const mayRevalidate = acceptsStale && usability === 'stale-while-revalidate'

  if (onlyIfCached) return mayRevalidate ? { reply: 'entry', detail: null } : { reply: 'nothing' }
  if (lastFailure === 'failed')
    return acceptsStale && isStale ? { reply: 'entry', detail: 'backing-off' } : { reply: 'failure' }
  if (mayRevalidate) return { reply: 'entry', detail: lastFailure ?? 'revalidating' }
  return { reply: 'load', fwd: usability === 'fresh' ? 'request' : isStale ? 'stale' : 'uri-miss' }
}
