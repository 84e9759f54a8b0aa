const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']
const month = `(?<month>${months.join('|')})`
/** The second 60 is a leap second. */
const time = String.raw`(?<hour>[01]\d|2[0-3]):(?<minute>[0-5]\d):(?<second>[0-5]\d|60)`
/** The form that senders must use, and the obsolete ones of RFC 850 and of asctime. */
const forms = [
  String.raw`[a-z]{3}, (?<day>\d\d) ${month} (?<year>\d{4}) ${time} GMT`,
  String.raw`[a-z]+day, (?<day>\d\d)-${month}-(?<year>\d\d) ${time} GMT`,
  String.raw`[a-z]{3} ${month} (?<day>[ \d]\d) ${time} (?<year>\d{4})`,
].map((form) => new RegExp(`^${form}$`, 'i'))

/**
 * Returns an HTTP date in any form of RFC 9110 section 5.6.7 as milliseconds since 1970 UTC; NaN for another text, and for a
 * day that does not exist. The day of the week may be wrong.
 * @param nowMs milliseconds since 1970 UTC. A year of two digits is the latest one that is at most 50 years after it.
 */
export function httpDateMs(text: string, nowMs: number): number {
  const groups = forms.map((form) => form.exec(text)?.groups).find((found) => found !== undefined)
  if (groups === undefined) return Number.NaN
  const { year = '', month = '', day, hour, minute, second } = groups
  const inYear = (fullYear: number) => {
    const dayMs = Date.UTC(fullYear, months.indexOf(month.toLowerCase()), Number(day))
    const isDay = new Date(dayMs).getUTCDate() === Number(day)
    return isDay ? dayMs + ((Number(hour) * 60 + Number(minute)) * 60 + Number(second)) * 1000 : Number.NaN
  }
  if (year.length === 4) return inYear(Number(year))
  const limit = new Date(nowMs)
  limit.setUTCFullYear(limit.getUTCFullYear() + 50)
  const latestYear = limit.getUTCFullYear() - ((limit.getUTCFullYear() - Number(year)) % 100)
  const latest = inYear(latestYear)
  return latest <= limit.getTime() ? latest : inYear(latestYear - 100)
}
