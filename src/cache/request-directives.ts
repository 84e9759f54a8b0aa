/** The cache directives of a request (`Cache-Control`, RFC 9111 section 5.2.1). */
export interface RequestDirectives {
  /**
   * The largest acceptable age of an answer, in milliseconds. Infinity means that the request has no such directive. Any
   * smaller value also excludes stale answers.
   */
  readonly maxAgeMs: number
  /** Whether the answer must come from the cache, without a request to the origin. */
  readonly onlyIfCached: boolean
}

/** The directives of a request without `Cache-Control`. */
export const noDirectives: RequestDirectives = { maxAgeMs: Number.POSITIVE_INFINITY, onlyIfCached: false }

/**
 * Reads `no-cache`, `max-age` and `only-if-cached`. Other directives, and those that cannot be parsed, are ignored.
 * @param header the value of `Cache-Control`
 * @param minAgeMs the smallest `maxAgeMs` that a request can demand, so that callers cannot force a load each time
 */
export function requestDirectivesOf(header: string | undefined, minAgeMs: number): RequestDirectives {
  if (header === undefined) return noDirectives
  const directives = header.split(',').map((directive) => directive.trim().toLowerCase())
  const ages = directives.flatMap((directive) => maxAgeOf(directive) ?? [])
  return {
    maxAgeMs: Math.max(minAgeMs, Math.min(...ages)),
    onlyIfCached: directives.includes('only-if-cached'),
  }
}

/** RFC 9111 section 5.2 asks recipients to accept a quoted number as well. */
function maxAgeOf(directive: string): number | undefined {
  if (directive === 'no-cache') return 0
  const seconds = /^max-age=(?:(\d+)|"(\d+)")$/.exec(directive)
  return seconds ? 1000 * Number(seconds[1] ?? seconds[2]) : undefined
}
