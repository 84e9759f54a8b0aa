import type { Clock } from '../common/clock.ts'

/** The share of the budget that refreshes may take. The other half is for keys without an entry. */
const refreshShare = 0.5
/** Time constant of the moving average: a longer one reacts late, a shorter one oscillates. */
const averagingMs = 30_000
const maxFactor = 20

/**
 * Lengthens freshness when refreshing all watched keys would exceed the budget of loads. It keeps a moving average of
 * refreshes a second as they would be with factor 1: an entry that was kept for twice its base lifetime counts as two
 * refreshes. The factor is that average divided by the share of the budget.
 * @param maxLoadsPerSecond the budget, which may change; 0 means no budget, and the factor is always 1
 */
export function createAdaptiveTtl(maxLoadsPerSecond: () => number, clock: Pick<Clock, 'elapsed'>) {
  let refreshesPerSecond = 0
  let recordedAt = clock.elapsed()

  const decayed = () => refreshesPerSecond * Math.exp((recordedAt - clock.elapsed()) / averagingMs)
  const factor = () => {
    const target = maxLoadsPerSecond() * refreshShare
    return target === 0 ? 1 : Math.min(Math.max(decayed() / target, 1), maxFactor)
  }

  return {
    /**
     * Counts one refresh: the load of a key that had a stored entry.
     * @param keptMs how long after the stored answer the new one was generated, in milliseconds
     * @param baseMs for how long the new one is fresh from now on with factor 1, in milliseconds
     */
    recordRefresh: (keptMs: number, baseMs: number) => {
      const countsAs = baseMs > 0 ? Math.min(Math.max(keptMs / baseMs, 1), factor()) : 1
      refreshesPerSecond = decayed() + countsAs / (averagingMs / 1000)
      recordedAt = clock.elapsed()
    },
    /** The number by which freshness lifetimes are multiplied; at least 1. */
    factor,
  }
}
