const dayMs = 24 * 60 * 60 * 1000
const twoDigits = Array.from({ length: 60 }, (_, number) => String(number).padStart(2, '0'))

/** The day that was written last: the times of a run are mostly of one day, and a Date takes longer than all the rest. */
const written = { day: Number.NaN, date: '' }

/**
 * An instant as RFC 3339 in UTC. It has milliseconds only if they are not zero.
 * @param ms milliseconds since 1970 UTC
 */
export function instantOf(ms: number | null): string | null {
  if (ms === null) return null
  const day = Math.floor(ms / dayMs)
  if (day !== written.day) {
    written.date = new Date(day * dayMs).toISOString().slice(0, -'00:00:00.000Z'.length)
    written.day = day
  }
  const seconds = Math.floor((ms - day * dayMs) / 1000)
  const [hour, minute] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60]
  const rest = ms - (day * dayMs + seconds * 1000)
  const fraction = rest === 0 ? '' : `.${String(rest).padStart(3, '0')}`
  return `${written.date}${twoDigits[hour]}:${twoDigits[minute]}:${twoDigits[seconds % 60]}${fraction}Z`
}

/** The latest of the instants that are not null; null without any. */
export function latestOf(instants: readonly (number | null)[]): number | null {
  return instants.reduce((latest, ms) => (ms !== null && (latest === null || ms > latest) ? ms : latest), null)
}

/** The earliest of the instants that are not null; null without any. */
export function earliestOf(instants: readonly (number | null)[]): number | null {
  return instants.reduce((earliest, ms) => (ms !== null && (earliest === null || ms < earliest) ? ms : earliest), null)
}
