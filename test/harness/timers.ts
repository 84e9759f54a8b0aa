/** Timers that ring only when their clock is moved to them. */
export interface TestTimers {
  /** Milliseconds. */
  readonly elapsed: () => number
  readonly schedule: (run: () => void, ms: number) => () => void
  /** In how many milliseconds each of those armed rings. */
  readonly armed: () => number[]
  /** Moves the clock, and rings what is due on the way, each at its own time. */
  readonly advance: (ms: number) => Promise<void>
}

/** Lets all that can happen without a timer or a socket happen. */
export const settled = () => new Promise<void>((resolve) => setImmediate(resolve))

/** @param startMs as of a process that has been running for a while, unless given */
export function createTimers(startMs = 1_000_000): TestTimers {
  let ms = startMs
  const timers = new Set<{ readonly at: number; readonly run: () => void }>()
  const nextUntil = (end: number) =>
    [...timers].filter(({ at }) => at <= end).sort((one, other) => one.at - other.at)[0]

  return {
    elapsed: () => ms,
    schedule: (run, delayMs) => {
      const timer = { at: ms + delayMs, run }
      timers.add(timer)
      return () => timers.delete(timer)
    },
    armed: () => [...timers].map(({ at }) => at - ms),
    advance: async (by) => {
      await settled()
      const end = ms + by
      for (let timer = nextUntil(end); timer !== undefined; timer = nextUntil(end)) {
        ms = timer.at
        timers.delete(timer)
        timer.run()
        await settled()
      }
      ms = end
    },
  }
}
