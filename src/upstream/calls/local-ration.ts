import type { Clock } from '../../common/clock.ts'
import type { HilosSettings } from '../hilos-settings.ts'
import { bucketOf, type Ration } from './ration.ts'

export interface LocalRationOptions extends Pick<HilosSettings, 'maxCallsPerSecond' | 'rateMargin'> {
  readonly clock: Pick<Clock, 'elapsed'>
}

/** How late a timer may be without slowing down the pace. */
const longestDelayMs = 50

/**
 * The ration of one process. This is a token bucket. Each token comes back one second and a margin after its call was sent, and
 * not gradually, so that no sliding second has more calls. Hilos counts them when they arrive; the margin is for the difference
 * between their times on the way.
 *
 * A burst after idle time takes its tokens at once. Calls that have to wait are granted at an even pace.
 */
export function createLocalRation({ clock, ...settings }: LocalRationOptions): Ration {
  const { size, returnMs, paceMs } = bucketOf(settings)
  /** When the token of each of the last calls comes back; infinity while its request is not sent. */
  const tokens = new Map<symbol, number>()
  /** No call that waits is granted before this. */
  let pacedUntil = 0
  let waited = 0

  function nextAt(): number {
    const tokenBackAt = tokens.size < size ? 0 : Math.min(...tokens.values())
    return Math.max(tokenBackAt, pacedUntil)
  }

  return {
    want: (waiting) => {
      if (waited === 0) pacedUntil = clock.elapsed()
      waited = waiting
    },
    nextAt,
    take: () => {
      const now = clock.elapsed()
      pacedUntil = Math.max(nextAt(), now - longestDelayMs) + paceMs
      for (const [each, backAt] of tokens) if (backAt <= now) tokens.delete(each)
      const token = Symbol('token')
      tokens.set(token, Number.POSITIVE_INFINITY)
      return {
        sent: () => {
          if (tokens.get(token) === Number.POSITIVE_INFINITY) tokens.set(token, clock.elapsed() + returnMs)
        },
      }
    },
    pause: () => {},
  }
}
