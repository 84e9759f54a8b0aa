/**
 * An instant as RFC 3339 in UTC. It has milliseconds only if they are not zero.
 * @param ms milliseconds since 1970 UTC
 */
export function instantOf(ms: number | null): string | null {
  if (ms === null) return null
  const text = new Date(ms).toISOString()
  return ms % 1000 === 0 ? `${text.slice(0, -'.000Z'.length)}Z` : text
}

/** The latest of the instants that are not null; null without any. */
export function latestOf(instants: readonly (number | null)[]): number | null {
  return instants.reduce((latest, ms) => (ms !== null && (latest === null || ms > latest) ? ms : latest), null)
}

/** The earliest of the instants that are not null; null without any. */
export function earliestOf(instants: readonly (number | null)[]): number | null {
  return instants.reduce((earliest, ms) => (ms !== null && (earliest === null || ms < earliest) ? ms : earliest), null)
}
