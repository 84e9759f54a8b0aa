import { ageMs, type Entry, usabilityOf } from './entry.ts'
import type { Demand } from './request-directives.ts'

/** Why a request is forwarded to the origin, in the words of RFC 9211 section 2.2. */
export type Forwarding = 'uri-miss' | 'stale' | 'request'

/** What to do about one request. */
export type Decision =
  /** Answer with what is remembered; when `revalidating`, refresh it behind. */
  | { readonly reply: 'entry'; readonly detail: 'revalidating' | 'backing-off' | null }
  /** Answer with the failure that is remembered. */
  | { readonly reply: 'failure' }
  /** There is nothing to answer with, and the caller forbids asking. */
  | { readonly reply: 'nothing' }
  /** Ask the origin, and wait; with a stand-in, what is stale goes out when the origin fails or is slow. */
  | { readonly reply: 'load'; readonly fwd: Forwarding; readonly standIn: boolean }

/**
 * The freshness machine. Nothing is done here, only decided.
 * @param entry what is remembered under the key, if anything
 * @param failed whether the last load of the key failed a moment ago
 */
export function decide(entry: Entry<unknown> | undefined, demand: Demand, failed: boolean, now: number): Decision {
  const usability = entry === undefined ? 'over' : usabilityOf(entry, now)
  const anyAgeWillDo = demand.maxAgeMs === Number.POSITIVE_INFINITY

  if (entry !== undefined && usability === 'fresh' && ageMs(entry, now) <= demand.maxAgeMs)
    return { reply: 'entry', detail: null }

  const stale = usability === 'stale-while-revalidate' || usability === 'stale-if-error'
  const revalidatable = anyAgeWillDo && usability === 'stale-while-revalidate'
  const standIn = anyAgeWillDo && stale

  if (demand.onlyIfCached) return revalidatable ? { reply: 'entry', detail: null } : { reply: 'nothing' }
  if (failed) return standIn ? { reply: 'entry', detail: 'backing-off' } : { reply: 'failure' }
  if (revalidatable) return { reply: 'entry', detail: 'revalidating' }
  return { reply: 'load', fwd: usability === 'fresh' ? 'request' : stale ? 'stale' : 'uri-miss', standIn }
}
