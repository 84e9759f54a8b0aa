import type { Failure } from '../errors.ts'
import { UpstreamFailure } from './upstream-failure.ts'

export interface GovernorOptions {
  /** Calls begun in any one second; below 1 for less than one a second, 0 for no limit. Of 2.5, two fit into a second. */
  readonly maxPerSecond: number
  /** Calls under way at once. */
  readonly maxConcurrent: number
  /** Calls that may wait for their turn. */
  readonly maxQueued: number
  /** How long one may wait. */
  readonly maxWaitMs: number
  /** Milliseconds of a clock that is never set back. */
  readonly elapsed: () => number
  /** Runs something later, unless it is called off; timers by default. */
  readonly schedule?: (run: () => void, ms: number) => () => void
}

export interface Governor {
  /**
   * Waits for a turn to call.
   * @param isAwaited whether a caller waits for it by now; what only refreshes gives way
   * @returns to be called when the call is over
   * @throws UpstreamFailure `overloaded`, at once when too many wait, else after the longest wait; or what
   *   `refuseAll` was given
   */
  readonly turn: (isAwaited: () => boolean) => Promise<() => void>
  /** Turns away all who wait: what they wait for is no use any more. */
  readonly refuseAll: (failure: Failure) => void
}

interface Ticket {
  readonly isAwaited: () => boolean
  readonly expiresAt: number
  readonly grant: (release: () => void) => void
  readonly refuse: (failure: Failure) => void
}

/**
 * Rations the calls to Hilos, whose limit is one account's and shared by all of its keys. A token bucket whose tokens
 * come back a second after they were taken, all at once rather than by and by, so that no second sees more than allowed.
 */
export function createGovernor(options: GovernorOptions): Governor {
  const { maxPerSecond, maxConcurrent, maxWaitMs, elapsed, schedule = scheduleTimer } = options
  const bucketSize = Math.max(1, Math.floor(maxPerSecond))
  const tokenMs = maxPerSecond === 0 ? 0 : 1000 / Math.min(maxPerSecond, 1)
  // More than can have their turn in time need not wait for it.
  const maxQueued = Math.min(options.maxQueued, Math.ceil((bucketSize * maxWaitMs) / tokenMs))
  /** When the tokens that were taken come back, the earliest first. */
  const takenUntil: number[] = []
  const queue: Ticket[] = []
  let underWay = 0
  let cancelWake = () => {}

  function turn(isAwaited: () => boolean): Promise<() => void> {
    const { promise, resolve: grant, reject: refuse } = Promise.withResolvers<() => void>()
    queue.push({ isAwaited, expiresAt: elapsed() + maxWaitMs, grant, refuse })
    serve()
    return promise
  }

  /** Gives out every turn there is, turns away whom there is no room for, and comes back when there may be another turn. */
  function serve(): void {
    cancelWake()
    const now = elapsed()
    while (takenUntil[0] !== undefined && takenUntil[0] <= now) takenUntil.shift()
    while (queue[0] !== undefined && queue[0].expiresAt <= now) queue.shift()?.refuse(new UpstreamFailure('overloaded'))
    while (queue.length > 0 && underWay < maxConcurrent && takenUntil.length < bucketSize) grantNext(now)
    if (queue.length > maxQueued) refuseOne()
    const [next] = queue
    if (next === undefined) return
    const tokenBackAt = underWay < maxConcurrent ? takenUntil[0] : undefined
    cancelWake = schedule(serve, Math.min(next.expiresAt, tokenBackAt ?? Number.POSITIVE_INFINITY) - now)
  }

  function grantNext(now: number): void {
    const awaited = queue.findIndex(({ isAwaited }) => isAwaited())
    const [ticket] = queue.splice(Math.max(0, awaited), 1)
    if (tokenMs > 0) takenUntil.push(now + tokenMs)
    underWay += 1
    ticket?.grant(() => {
      underWay -= 1
      serve()
    })
  }

  /** The last to come of those that nobody waits for, or else the last to come. */
  function refuseOne(): void {
    const idle = queue.findLastIndex(({ isAwaited }) => !isAwaited())
    const [ticket] = queue.splice(idle, 1)
    ticket?.refuse(new UpstreamFailure('overloaded'))
  }

  function refuseAll(failure: Failure): void {
    cancelWake()
    for (const { refuse } of queue.splice(0)) refuse(failure)
  }

  return { turn, refuseAll }
}

function scheduleTimer(run: () => void, ms: number): () => void {
  const timer = setTimeout(run, ms).unref()
  return () => clearTimeout(timer)
}
