/** Longer numbers mean the longest wait as well. */
const wait = /^wait\s*=\s*"?(\d+)"?\s*(?:;.*)?$/i

/**
 * How long the answer may be held, in whole seconds: the first `wait` that can be read (RFC 7240 section 4.3). 0 means that
 * there is none.
 * @param header the value of `Prefer`
 */
export function waitSecondsOf(header: string, longestSeconds: number): number {
  // A comma between quotes belongs to a value.
  const preferences = header.match(/(?:[^,"]|"[^"]*")+/g) ?? []
  const [seconds = '0'] = preferences.flatMap((each) => wait.exec(each.trim())?.[1] ?? [])
  return Math.min(Number(seconds), longestSeconds)
}
