import type { Clock } from '../../src/common/clock.ts'

/** A clock that moves only when a test moves it, with its timers. Its random number is 0.5. */
export interface TestTimers extends Clock {
  /** Milliseconds until each scheduled run. */
  readonly armed: () => number[]
  /** Moves the clock and runs everything that is due on the way, each at its own time. */
  readonly advance: (ms: number) => Promise<void>
  /** Moves only the wall clock. */
  readonly shiftWall: (ms: number) => void
}

/** Resolves when everything has run that needs no timer and no socket. */
export const settled = () => new Promise<void>((resolve) => setImmediate(resolve))

/**
 * @param startMs the time at first; by default that of a process that has run for a while
 * @param untilSettled waits until everything has run that a timer has started
 */
export function createTimers(startMs = 1_000_000, untilSettled = settled): TestTimers {
  let ms = startMs
  let wallShift = 0
  const timers = new Set<{ readonly at: number; readonly run: () => void }>()
  const nextUntil = (end: number) =>
    [...timers].filter(({ at }) => at <= end).sort((one, other) => one.at - other.at)[0]

  return {
    now: () => ms + wallShift,
    elapsed: () => ms,
    random: () => 0.5,
    schedule: (run, delayMs) => {
      const timer = { at: ms + delayMs, run }
      timers.add(timer)
      return () => timers.delete(timer)
    },
    armed: () => [...timers].map(({ at }) => at - ms),
    shiftWall: (by) => {
      wallShift += by
    },
    advance: async (by) => {
      await untilSettled()
      const end = ms + by
      for (let timer = nextUntil(end); timer !== undefined; timer = nextUntil(end)) {
        ms = timer.at
        timers.delete(timer)
        timer.run()
        await untilSettled()
      }
      ms = end
    },
  }
}
