/** RFC 3339 does not allow 24:00:00, which ISO 8601 and JavaScript engines accept. */
const rfc3339 =
  /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])[T ]([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,9})?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$/i

/** RFC 3339 has four digits for the year, and the same must hold for the instant in UTC. */
const firstMs = Date.parse('0000-01-01T00:00:00Z')
const lastMs = Date.parse('9999-12-31T23:59:59.999Z')

/**
 * The milliseconds since 1970 UTC of a date and time as in RFC 3339; null if the text is none. The offset is required: without
 * it, the instant is unknown.
 */
export function millisecondsOf(text: string): number | null {
  if (!rfc3339.test(text)) return null
  const isUtc = text.endsWith('Z') || text.endsWith('z')
  const endOfTime = text.length - (isUtc ? 'Z' : '+00:00').length
  const offset = isUtc ? 0 : secondsAt(text, endOfTime + 1) * (text.charAt(endOfTime) === '-' ? -1 : 1)
  const seconds = secondsAt(text, 'YYYY-MM-DDT'.length) + twoDigitsAt(text, 'YYYY-MM-DDThh:mm:'.length)
  const ms = dayMsOf(text.slice(0, 'YYYY-MM-DD'.length)) + (seconds - offset) * 1000 + fractionMs(text, endOfTime)
  return ms >= firstMs && ms <= lastMs ? ms : null
}

/** The seconds of hours and minutes, as in `hh:mm`. */
const secondsAt = (text: string, index: number) =>
  twoDigitsAt(text, index) * 3600 + twoDigitsAt(text, index + 'hh:'.length) * 60
const twoDigitsAt = (text: string, index: number) =>
  (text.charCodeAt(index) - 48) * 10 + text.charCodeAt(index + 1) - 48

/** What is less than a millisecond is cut off. */
function fractionMs(text: string, end: number): number {
  const start = 'YYYY-MM-DDThh:mm:ss.'.length
  return end < start ? 0 : Number(text.slice(start, end).padEnd(3, '0').slice(0, 3))
}

/** The day that was read last: the times of a document are mostly of one day, and `Date` takes longer than all the rest. */
const lastDay = { date: '', ms: Number.NaN }

/** When a day begins; NaN if it is not in the calendar: JavaScript engines read 30 February as 2 March. */
function dayMsOf(date: string): number {
  if (date !== lastDay.date) {
    const day = new Date(date)
    lastDay.date = date
    lastDay.ms = day.getUTCDate() === Number(date.slice(8)) ? day.getTime() : Number.NaN
  }
  return lastDay.ms
}
