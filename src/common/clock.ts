/** Cancels a scheduled run. It does nothing when the run has happened or was cancelled before. */
export type Cancel = () => void

/** Time, timers and chance. The service takes all three from here, so that a test can move time by hand. */
export interface Clock {
  /** Wall-clock time in milliseconds since 1970-01-01 UTC. An administrator or NTP can set it back. */
  readonly now: () => number
  /** Monotonic time in milliseconds. It never goes back, so rates and durations are measured with it. */
  readonly elapsed: () => number
  /** In [0, 1), like Math.random. */
  readonly random: () => number
  /** Calls `run` once after `ms` milliseconds. A scheduled run does not keep the process alive. */
  readonly schedule: (run: () => void, ms: number) => Cancel
}

/** The clock of this machine. */
export const systemClock: Clock = {
  now: Date.now,
  elapsed: () => performance.now(),
  random: Math.random,
  schedule: (run, ms) => {
    const timer = setTimeout(run, ms).unref()
    return () => clearTimeout(timer)
  },
}

/** Resolves after `ms` milliseconds. */
export function sleep({ schedule }: Pick<Clock, 'schedule'>, ms: number): Promise<void> {
  return new Promise((resolve) => schedule(resolve, ms))
}
