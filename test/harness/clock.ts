import { type Clock, systemClock } from '../../src/common/clock.ts'

/** A clock that moves only when a test moves it. Its timers are real ones, and its random number is 0.5. */
export interface TestClock extends Clock {
  readonly advance: (ms: number) => void
  /** Moves only the wall clock, as an administrator does, or the sleep of the machine. */
  readonly shiftWall: (ms: number) => void
}

/**
 * @param start an RFC 3339 time; by default some minutes after the last change of the sandbox's documents
 * @param parts replace parts of the clock
 */
export function createClock(start = '2026-11-22T10:05:00Z', parts: Partial<Clock> = {}): TestClock {
  let ms = Date.parse(start)
  let wallShift = 0
  return {
    now: () => ms + wallShift,
    elapsed: () => ms,
    random: () => 0.5,
    schedule: systemClock.schedule,
    advance: (by) => {
      ms += by
    },
    shiftWall: (by) => {
      wallShift += by
    },
    ...parts,
  }
}
