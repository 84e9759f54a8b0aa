import { membersOf } from '../common/list-field.ts'

/** Longer numbers mean the longest wait as well. */
const wait = /^wait\s*=\s*"?(\d+)"?\s*(?:;.*)?$/i

/**
 * How long the answer may be held, in whole seconds: the first `wait` that can be read (RFC 7240 section 4.3). 0 means that
 * there is none.
 * @param header the value of `Prefer`
 */
export function waitSecondsOf(header: string, longestSeconds: number): number {
  const [seconds = '0'] = membersOf(header).flatMap((preference) => wait.exec(preference)?.[1] ?? [])
  return Math.min(Number(seconds), longestSeconds)
}
