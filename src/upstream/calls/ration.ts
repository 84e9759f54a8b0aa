import type { HilosSettings } from '../hilos-settings.ts'

/** The right to send one request to Hilos. */
export interface Permit {
  /**
   * Its request is sent now, or might have been. The ration counts the time until its return from the first call of this; a
   * permit that is taken and never sent comes back only after a long time. A second call does nothing.
   */
  readonly sent: () => void
}

/** When the next call to Hilos may begin. */
export interface Ration {
  /**
   * Says how many calls wait, each time that this changes. A ration that has to ask for permits asks for those that it does not
   * have yet, and gives back those that it has too many.
   * @param startable how many of them may start as far as their connections are concerned
   */
  readonly want: (waiting: number, startable: number) => void
  /** When the next call may be granted, on the monotonic clock, in milliseconds; infinity while that is not known. */
  readonly nextAt: () => number
  /** Takes the permit of a call that is granted now, not before `nextAt`. */
  readonly take: () => Permit
  /** Hilos wants no calls for so many milliseconds. All who share the ration hear of it. */
  readonly pause: (ms: number) => void
}

export interface RationListener {
  /** `nextAt` has become known, or has changed by itself. */
  readonly changed: () => void
  /** Others who share the ration were told that Hilos wants no calls for so many milliseconds from now. */
  readonly paused: (ms: number) => void
}

export type CreateRation = (listener: RationListener) => Ration

/** How many permits there are, how long each is away after its request was sent, and the pace of what waits, in milliseconds. */
export function bucketOf({ maxCallsPerSecond, rateMargin }: Pick<HilosSettings, 'maxCallsPerSecond' | 'rateMargin'>) {
  if (maxCallsPerSecond === 0) return { size: Number.POSITIVE_INFINITY, returnMs: 0, paceMs: 0 }
  const size = Math.max(1, Math.floor(maxCallsPerSecond))
  const returnMs = (1000 * (1 + rateMargin)) / Math.min(maxCallsPerSecond, 1)
  return { size, returnMs, paceMs: returnMs / size }
}
