import type { Forwarding } from './decision.ts'
import { ageMs, type Entry, remainingMs } from './entry.ts'
import type { Answer, Handling } from './read-through.ts'

/** `Age` in whole seconds (RFC 9111 section 5.1). */
export function ageSeconds(entry: Entry<unknown>, now: number): number {
  return Math.max(0, Math.floor(ageMs(entry, now) / 1000))
}

/** What the cache did for a request, for the log and the metrics. */
export interface CacheUse {
  readonly word: CacheWord
  /** Why the answer was a stale one; null where it was not. */
  readonly detail: Handling['detail']
  /** How long ago the origin had answered, in milliseconds. */
  readonly ageMs: number
  /** How long the request waited for the origin, in milliseconds; 0 where it did not. */
  readonly waitedMs: number
}

/** `hit`, or why the origin was asked (RFC 9211 sections 2.1 and 2.2). */
export type CacheWord = 'hit' | Forwarding

export function cacheUseOf({ entry, handling }: Answer<unknown>, waitedMs: number, now: number): CacheUse {
  return { word: handling.hit ? 'hit' : handling.fwd, detail: handling.detail, ageMs: ageMs(entry, now), waitedMs }
}

/**
 * What the cache did, as the value of a `Cache-Status` field (RFC 9211 section 2).
 * @param name of the cache
 */
export function formatCacheStatus(name: string, { entry, handling }: Answer<unknown>, now: number): string {
  const detail = handling.detail === null ? '' : `; detail=${handling.detail}`
  const ttl = `ttl=${awayFromZero(remainingMs(entry, now) / 1000)}`
  if (handling.hit) return `${name}; hit; ${ttl}${detail}`
  const fate = handling.collapsed ? '; collapsed' : handling.stored ? '; stored' : ''
  return `${name}; fwd=${handling.fwd}; ${ttl}${fate}${detail}`
}

/** What is stale by part of a second says so, and what is still fresh does not say 0. */
function awayFromZero(seconds: number): number {
  return seconds > 0 ? Math.ceil(seconds) : Math.floor(seconds)
}

/**
 * Whether the caller has this representation already (RFC 9110 section 13.1.2, weak comparison).
 * @param header value of `If-None-Match`
 * @param etag strong, with its quotes
 */
export function matchesIfNoneMatch(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false
  if (header.trim() === '*') return true
  return header.match(/"[^"]*"/g)?.includes(etag) ?? false
}
