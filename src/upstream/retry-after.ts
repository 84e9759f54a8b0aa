/** However long Hilos asks for, a caller is never told to come back later than this. */
export const longestPauseSeconds = 300

/**
 * The wait a `Retry-After` header asks for (RFC 9110 section 10.2.3), as whole seconds from 1 to {@link longestPauseSeconds}.
 * @param header its value, a number of seconds or an HTTP date
 * @param nowMs milliseconds since 1970 UTC
 * @returns undefined when there is none, or none that can be read
 */
export function retryAfterSeconds(header: string | undefined, nowMs: number): number | undefined {
  const value = header?.trim() ?? ''
  const seconds = /^\d+$/.test(value) ? Number(value) : Math.ceil((httpDateMs(value) - nowMs) / 1000)
  if (Number.isNaN(seconds)) return undefined
  return Math.min(Math.max(seconds, 1), longestPauseSeconds)
}

/** Only the fixed-length form of RFC 9110 section 5.6.7, the one that may be sent. */
function httpDateMs(value: string): number {
  return /^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/.test(value) ? Date.parse(value) : Number.NaN
}
