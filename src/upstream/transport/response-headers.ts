import type { Dispatcher } from 'undici'
import { httpDateMs } from './http-date.ts'

type Headers = Dispatcher.ResponseData['headers']

/** The value of a field. Those of a repeated field are joined (RFC 9110 section 5.3). */
function fieldOf(headers: Headers, name: string): string {
  return headers[name]?.toString() ?? ''
}

/** The members of a list, without those that are empty (RFC 9110 section 5.6.1). */
function membersOf(value: string, comma: string | RegExp = ','): string[] {
  return value.split(comma).flatMap((member) => member.trim() || [])
}

/** The longest age that is told apart from longer ones (RFC 9111 section 1.2.2). */
const longestAgeSeconds = 2 ** 31

/** The `Age` of a response in milliseconds: 0 if it is invalid, and the first of several (RFC 9111 section 5.1). */
export function ageMsOf(headers: Headers): number {
  const [age = ''] = membersOf(fieldOf(headers, 'age'))
  return /^\d+$/.test(age) ? Math.min(Number(age), longestAgeSeconds) * 1000 : 0
}

/** The longest wait, even if Hilos asks for a longer one. */
export const longestPauseSeconds = 300

/** A comma that is not the one after the name of a day. */
const commaOfList = /(?<!day|mon|tue|wed|thu|fri|sat|sun),/i

/**
 * Returns the wait that `Retry-After` asks for (RFC 9110 section 10.2.3), as whole seconds from 1 to
 * {@link longestPauseSeconds}, or undefined if the field is missing or invalid. Of several waits, it is the longest. A date is
 * compared with the clock of the sender where the response has a valid `Date`, so that ours may be wrong.
 * @param nowMs milliseconds since 1970 UTC by our clock
 */
export function retryAfterSeconds(headers: Headers, nowMs: number): number | undefined {
  const sentMs = httpDateMs(fieldOf(headers, 'date'), nowMs) + ageMsOf(headers)
  const senderNowMs = Number.isNaN(sentMs) ? nowMs : sentMs
  const waits = membersOf(fieldOf(headers, 'retry-after'), commaOfList)
    .map((wait) =>
      /^\d+$/.test(wait) ? Number(wait) : Math.ceil((httpDateMs(wait, senderNowMs) - senderNowMs) / 1000),
    )
    .filter((seconds) => !Number.isNaN(seconds))
  return waits.length === 0 ? undefined : Math.min(Math.max(...waits, 1), longestPauseSeconds)
}

/** The content codings of a body in the order in which they were applied, without `identity`, which changes nothing. */
export function codingsOf(headers: Headers): string[] {
  return membersOf(fieldOf(headers, 'content-encoding').toLowerCase())
    .filter((coding) => coding !== 'identity')
    .map((coding) => (coding === 'x-gzip' ? 'gzip' : coding))
}

export function isJson(headers: Headers): boolean {
  return /^application\/json\s*(;|$)/i.test(fieldOf(headers, 'content-type'))
}
