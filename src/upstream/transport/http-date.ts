const time = String.raw`(?<time>([01]\d|2[0-3]):[0-5]\d:[0-5]\d)`
/** The form that senders must use, and the obsolete ones of RFC 850 and of asctime. */
const forms = [
  String.raw`[a-z]{3}, (?<day>\d\d) (?<month>[a-z]{3}) (?<year>\d{4}) ${time} GMT`,
  String.raw`[a-z]+day, (?<day>\d\d)-(?<month>[a-z]{3})-(?<year>\d\d) ${time} GMT`,
  String.raw`[a-z]{3} (?<month>[a-z]{3}) (?<day>[ \d]\d) ${time} (?<year>\d{4})`,
].map((form) => new RegExp(`^${form}$`, 'i'))

/**
 * Returns an HTTP date in any form of RFC 9110 section 5.6.7 as milliseconds since 1970 UTC; NaN for another text, and for a
 * day that does not exist. The day of the week may be wrong.
 * @param nowMs milliseconds since 1970 UTC. A year of two digits is the latest one that is at most 50 years after it.
 */
export function httpDateMs(text: string, nowMs: number): number {
  const { day, month, year = '', time } = forms.map((form) => form.exec(text)?.groups).find(Boolean) ?? {}
  const inYear = (fullYear: number | string) => {
    const ms = Date.parse(`${day} ${month} ${fullYear} ${time} GMT`)
    return new Date(ms).getUTCDate() === Number(day) ? ms : Number.NaN
  }
  if (year.length !== 2) return inYear(year)
  const limitMs = new Date(nowMs).setUTCFullYear(new Date(nowMs).getUTCFullYear() + 50)
  const limitYear = new Date(limitMs).getUTCFullYear()
  const latestYear = limitYear - ((limitYear - Number(year)) % 100)
  const latestMs = inYear(latestYear)
  return latestMs <= limitMs ? latestMs : inYear(latestYear - 100)
}
