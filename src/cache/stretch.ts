/** How much longer answers must stay fresh, so that those who watch can be served within a budget of loads. */
export interface Stretch {
  /**
   * One more load has landed.
   * @param isRefresh of something remembered, and not new
   */
  readonly count: (isRefresh: boolean) => void
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
/** Time constant of the average: shorter than the longest lifetimes it leads to, and it would swing. */
const memoryMs = 30_000
const maxFactor = 20

/**
 * A moving average of loads a second as they would be without stretching: with all lifetimes doubled, each refresh stands
 * for two. Where it exceeds the share of the budget, lifetimes grow by as much.
 */
export function createStretch({ maxLoadsPerSecond, elapsed }: StretchOptions): Stretch {
  const target = maxLoadsPerSecond * shareForRefreshing
  let loadsPerSecond = 0
  let countedAt = elapsed()

  const faded = () => loadsPerSecond * Math.exp((countedAt - elapsed()) / memoryMs)
  const factor = () => (target === 0 ? 1 : Math.min(Math.max(faded() / target, 1), maxFactor))

  return {
    count: (isRefresh) => {
      loadsPerSecond = faded() + (isRefresh ? factor() : 1) / (memoryMs / 1000)
      countedAt = elapsed()
    },
    factor,
  }
}
