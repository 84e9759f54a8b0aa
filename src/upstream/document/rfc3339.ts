/** RFC 3339 does not allow 24:00:00, which ISO 8601 and JavaScript engines accept. */
const rfc3339 = /^\d{4}-\d\d-\d\d[T ]([01]\d|2[0-3]):\d\d:\d\d(\.\d{1,9})?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$/i

/** RFC 3339 has four digits for the year, and the same must hold for the instant in UTC. */
const firstMs = Date.parse('0000-01-01T00:00:00Z')
const lastMs = Date.parse('9999-12-31T23:59:59.999Z')

/**
 * The milliseconds since 1970 UTC of a date and time as in RFC 3339; null if the text is none. The offset is required: without
 * it, the instant is unknown.
 */
export function millisecondsOf(text: string): number | null {
  if (!rfc3339.test(text) || !isCalendarDay(text.slice(0, 10))) return null
  // All engines read this format in the same way only with a T.
  const ms = Date.parse(text.charAt(10) === ' ' ? text.replace(' ', 'T') : text)
  return ms >= firstMs && ms <= lastMs ? ms : null
}

/** The day that was read last: the times of a document are mostly of one day. */
const lastDay = { date: '', isInCalendar: false }

/** JavaScript engines read 30 February as 2 March. */
function isCalendarDay(date: string): boolean {
  if (date !== lastDay.date) {
    lastDay.date = date
    lastDay.isInCalendar = new Date(date).getUTCDate() === Number(date.slice(8))
  }
  return lastDay.isInCalendar
}
