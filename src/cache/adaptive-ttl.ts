/** How much longer answers must stay fresh, so that those who watch can be served within a budget of loads. */
export interface Stretch {
  /**
   * Something remembered was loaded again.
   * @param keptMs how long it had been kept, in milliseconds
   * @param unstretchedMs how long it would have been fresh without stretching
   */
  readonly count: (keptMs: number, unstretchedMs: number) => void
  /** What to multiply freshness by; at least 1. */
  readonly factor: () => number
}

export interface StretchOptions {
  /** The budget; 0 for none, and then nothing is stretched. */
  readonly maxLoadsPerSecond: number
  /** Milliseconds of a clock that is never set back. */
  readonly elapsed: () => number
}

/** Of the budget that refreshing may take; the other half is for what nobody has looked at yet. */
const shareForRefreshing = 0.5
/** Time constant of the average: a longer one is slower to notice, a shorter one swings. */
const memoryMs = 30_000
const maxFactor = 20

/**
 * A moving average of refreshes a second as they would be without stretching: what was kept for twice as long as it would
 * have been fresh stands for two. Where that exceeds the share of the budget, lifetimes grow by as much.
 */
export function createStretch({ maxLoadsPerSecond, elapsed }: StretchOptions): Stretch {
  const target = maxLoadsPerSecond * shareForRefreshing
  let refreshesPerSecond = 0
  let countedAt = elapsed()

  const faded = () => refreshesPerSecond * Math.exp((countedAt - elapsed()) / memoryMs)
  const factor = () => (target === 0 ? 1 : Math.min(Math.max(faded() / target, 1), maxFactor))

  return {
    count: (keptMs, unstretchedMs) => {
      const standsFor = unstretchedMs > 0 ? Math.min(Math.max(keptMs / unstretchedMs, 1), factor()) : 1
      refreshesPerSecond = faded() + standsFor / (memoryMs / 1000)
      countedAt = elapsed()
    },
    factor,
  }
}
