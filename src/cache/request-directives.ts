import type { IncomingHttpHeaders } from 'node:http'

/** What a request wishes of the cache (`Cache-Control`, RFC 9111 section 5.2.1). */
export interface RequestDirectives {
  /**
   * The largest age that the answer should have, in milliseconds. Infinity means that the request has no such wish. Any
   * smaller value also excludes stale answers.
   */
  readonly maxAgeMs: number
  /** Whether the answer must come from the cache, without a request to the origin. */
  readonly onlyIfCached: boolean
}

/** The directives of a request without `Cache-Control`. */
export const noDirectives: RequestDirectives = { maxAgeMs: Number.POSITIVE_INFINITY, onlyIfCached: false }

/** Whether the request leaves everything to the cache. */
export function demandsNothing({ maxAgeMs, onlyIfCached }: RequestDirectives): boolean {
  return maxAgeMs === Number.POSITIVE_INFINITY && !onlyIfCached
}

/** `fetch` adds `Cache-Control` to a request with one of these (https://fetch.spec.whatwg.org/#http-network-or-cache-fetch). */
const conditions = ['if-none-match', 'if-match', 'if-modified-since', 'if-unmodified-since', 'if-range'] as const

/**
 * Reads `no-cache`, `no-store`, `max-age` and `only-if-cached`. Other directives, those that cannot be parsed, and `Pragma`
 * are ignored. So are the first two and `max-age=0` in a conditional request: `fetch` adds them to it, and the caller only
 * wants to know whether an answer has changed.
 */
export function requestDirectivesOf(headers: IncomingHttpHeaders): RequestDirectives {
  const header = headers['cache-control']
  if (header === undefined) return noDirectives
  const directives = header.split(',').map((directive) => directive.trim().toLowerCase())
  const leastMs = conditions.some((name) => headers[name] !== undefined) ? 1 : 0
  const ages = directives.flatMap((directive) => maxAgeOf(directive) ?? []).filter((ms) => ms >= leastMs)
  return { maxAgeMs: Math.min(...ages), onlyIfCached: directives.includes('only-if-cached') }
}

/** RFC 9111 section 5.2 asks recipients to accept a quoted number as well. */
function maxAgeOf(directive: string): number | undefined {
  if (directive === 'no-cache' || directive === 'no-store') return 0
  const seconds = /^max-age=(?:(\d+)|"(\d+)")$/.exec(directive)
  return seconds ? 1000 * Number(seconds[1] ?? seconds[2]) : undefined
}
