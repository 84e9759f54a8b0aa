/** A clock that moves only when told to. */
export interface TestClock {
  readonly now: () => number
  readonly advance: (ms: number) => void
}

/** @param start an RFC 3339 time; some minutes after the sandbox's documents were last changed unless given */
export function createClock(start = '2026-11-22T10:05:00Z'): TestClock {
  let ms = Date.parse(start)
  return {
    now: () => ms,
    advance: (by) => {
      ms += by
    },
  }
}
