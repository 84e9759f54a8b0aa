import { membersOf } from '../common/list-field.ts'
import { ageMs, type Entry, remainingMs } from './entry.ts'
import type { CacheAnswer, Handling } from './read-through.ts'

/** What the cache did for one request, for the log, the metrics and the record of disclosure. */
export interface CacheUse extends Handling {
  /** Milliseconds since the origin generated the answer. */
  readonly ageMs: number
  /** Milliseconds that the request waited for the origin; 0 for a hit. */
  readonly waitedMs: number
}

/** `hit`, or why the origin was asked (RFC 9211 sections 2.1 and 2.2). */
export function cacheWord({ fwd }: Handling): string {
  return fwd ?? 'hit'
}

/** The value of `Age` in whole seconds (RFC 9111 section 5.1). */
export function ageSeconds(entry: Pick<Entry<unknown>, 'generatedAt'>, now: number): number {
  return Math.max(0, Math.floor(ageMs(entry, now) / 1000))
}

/**
 * The value of `Cache-Status` (RFC 9211 section 2).
 * @param name the name of the cache
 */
export function formatCacheStatus(name: string, { entry, handling }: CacheAnswer<unknown>, now: number): string {
  return formatHandling(name, handling, `; ttl=${roundAwayFromZero(remainingMs(entry, now) / 1000)}`)
}

/**
 * The value of `Cache-Status` for a request for one or several keys.
 * @param ttl the parameter of that name, which several keys do not share
 */
export function formatHandling(name: string, handling: Handling, ttl = ''): string {
  const { fwd, stored, collapsed, reloadDenied } = handling
  const detail = reloadDenied ? 'reload-denied' : handling.detail
  const fate = collapsed ? '; collapsed' : stored ? '; stored' : ''
  return `${name}; ${fwd === null ? 'hit' : `fwd=${fwd}`}${ttl}${fate}${detail === null ? '' : `; detail=${detail}`}`
}

/** From the least that a response can have waited for to the most. */
const reasons = [null, 'request', 'stale', 'uri-miss'] as const

/** What the cache did for a request for several keys, at worst; null when it did nothing. */
export function combinedUse(uses: readonly CacheUse[]): CacheUse | null {
  const [first] = uses
  if (first === undefined) return null
  return uses.reduce(
    (one, other) => ({
      fwd: reasons.indexOf(one.fwd) < reasons.indexOf(other.fwd) ? other.fwd : one.fwd,
      stored: one.stored || other.stored,
      collapsed: one.collapsed || other.collapsed,
      detail: one.detail ?? other.detail,
      reloadDenied: one.reloadDenied || other.reloadDenied,
      ageMs: Math.max(one.ageMs, other.ageMs),
      waitedMs: Math.max(one.waitedMs, other.waitedMs),
    }),
    first,
  )
}

/** So that an entry that has been stale for part of a second has a negative ttl, and a fresh one never a ttl of 0. */
function roundAwayFromZero(seconds: number): number {
  return seconds > 0 ? Math.ceil(seconds) : Math.floor(seconds)
}

/**
 * Whether the caller already has this representation (RFC 9110 section 13.1.2, weak comparison).
 * @param header the value of `If-None-Match`
 * @param etag a strong entity tag, with its quotes
 */
export function matchesIfNoneMatch(header: string | undefined, etag: string): boolean {
  return header !== undefined && matches(header, [etag, `W/${etag}`])
}

/**
 * Whether the caller wants no representation but others (RFC 9110 section 13.1.1, strong comparison).
 * @param header the value of `If-Match`
 * @param etag a strong entity tag, with its quotes
 */
export function failsIfMatch(header: string | undefined, etag: string): boolean {
  return header !== undefined && !matches(header, [etag])
}

/** Whether a list of entity tags contains one of these, or is the star that stands for all. */
function matches(header: string, tags: readonly string[]): boolean {
  return header.trim() === '*' || membersOf(header).some((tag) => tags.includes(tag))
}
