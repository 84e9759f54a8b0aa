/** What a caller asks of the cache, by the `Cache-Control` of a request (RFC 9111 section 5.2.1). */
export interface Demand {
  /** The oldest answer that will do; infinite when the caller leaves that to the cache. Anything less also rules out what is stale. */
  readonly maxAgeMs: number
  /** Answer from what is remembered, or not at all. */
  readonly onlyIfCached: boolean
}

/** Of a caller who leaves everything to the cache. */
export const noDemand: Demand = { maxAgeMs: Number.POSITIVE_INFINITY, onlyIfCached: false }

/**
 * Reads `no-cache`, `max-age` and `only-if-cached`; other directives, and what cannot be read, ask for nothing.
 * @param header value of the request's `Cache-Control`
 * @param floorMs the freshest answer that can be asked for: within it, nobody makes the origin answer again
 */
export function demandOf(header: string | undefined, floorMs: number): Demand {
  if (header === undefined) return noDemand
  const directives = header.split(',').map((directive) => directive.trim().toLowerCase())
  const ages = directives.flatMap((directive) => maxAgeOf(directive) ?? [])
  return {
    maxAgeMs: Math.max(floorMs, Math.min(...ages)),
    onlyIfCached: directives.includes('only-if-cached'),
  }
}

/** A quoted number is read too, as RFC 9111 section 5.2 asks of recipients. */
function maxAgeOf(directive: string): number | undefined {
  if (directive === 'no-cache') return 0
  const seconds = /^max-age=(?:(\d+)|"(\d+)")$/.exec(directive)
  return seconds ? 1000 * Number(seconds[1] ?? seconds[2]) : undefined
}
