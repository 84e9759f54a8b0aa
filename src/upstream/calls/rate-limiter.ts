import type { Failure } from '../../failures/failure.ts'
import { UpstreamFailure } from '../upstream-failure.ts'

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
   * @throws UpstreamFailure `overloaded`, at once when too many wait, else after the longest wait; or what
   *   `refuseAll` was given
   */
  readonly turn: (isAwaited: () => boolean) => Promise<Turn>
  /** Turns away all who wait: what they wait for is no use any more. */
  readonly refuseAll: (failure: Failure) => void
  /** How many calls are under way, and how many wait. */
  readonly load: () => { readonly underWay: number; readonly queued: number }
}

export interface Turn {
  /** To be called when the call is over. Once more, it does nothing. */
  readonly end: () => void
  /**
   * Ends it and waits for another, which goes before all who wait for their first: what stopped this call would stop them.
   * @param mostMs how long to wait, if that is less than the longest wait
   * @throws as `turn` does
   */
  readonly again: (mostMs: number) => Promise<void>
}

interface Ticket {
  /** The highest goes first, and is refused last. */
  readonly urgency: () => number
  readonly expiresAt: number
  readonly grant: (end: () => void) => void
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
  /** The first to expire is the first. */
  const queue: Ticket[] = []
  const underWay = new Set<symbol>()
  let cancelWake = () => {}

  async function turn(isAwaited: () => boolean): Promise<Turn> {
    const first = enqueue(() => Number(isAwaited()), maxWaitMs)
    serve()
    let end = await first
    return {
      end: () => end(),
      again: async (mostMs) => {
        // In the queue before its turn ends, so that the turn is not another's first.
        const next = enqueue(() => 2, Math.min(mostMs, maxWaitMs))
        end()
        end = await next
      },
    }
  }

  function enqueue(urgency: () => number, waitMs: number): Promise<() => void> {
    const { promise, resolve: grant, reject: refuse } = Promise.withResolvers<() => void>()
    const expiresAt = elapsed() + waitMs
    const before = queue.findLastIndex((ticket) => ticket.expiresAt <= expiresAt)
    queue.splice(before + 1, 0, { urgency, expiresAt, grant, refuse })
    return promise
  }

  /** Gives out every turn there is, turns away whom there is no room for, and comes back when there may be another turn. */
  function serve(): void {
    cancelWake()
    const now = elapsed()
    while (takenUntil[0] !== undefined && takenUntil[0] <= now) takenUntil.shift()
    while (queue[0] !== undefined && queue[0].expiresAt <= now) queue.shift()?.refuse(new UpstreamFailure('overloaded'))
    while (queue.length > 0 && underWay.size < maxConcurrent && takenUntil.length < bucketSize) grantNext(now)
    if (queue.length > maxQueued) refuseOne()
    const [next] = queue
    if (next === undefined) return
    const tokenBackAt = underWay.size < maxConcurrent ? takenUntil[0] : undefined
    cancelWake = schedule(serve, Math.min(next.expiresAt, tokenBackAt ?? Number.POSITIVE_INFINITY) - now)
  }

  function grantNext(now: number): void {
    const urgencies = queue.map(({ urgency }) => urgency())
    const [ticket] = queue.splice(urgencies.indexOf(Math.max(...urgencies)), 1)
    if (tokenMs > 0) takenUntil.push(now + tokenMs)
    const call = Symbol('call')
    underWay.add(call)
    ticket?.grant(() => {
      underWay.delete(call)
      serve()
    })
  }

  /** The last of the least urgent. */
  function refuseOne(): void {
    const urgencies = queue.map(({ urgency }) => urgency())
    const [ticket] = queue.splice(urgencies.lastIndexOf(Math.min(...urgencies)), 1)
    ticket?.refuse(new UpstreamFailure('overloaded'))
  }

  function refuseAll(failure: Failure): void {
    cancelWake()
    for (const { refuse } of queue.splice(0)) refuse(failure)
  }

  return { turn, refuseAll, load: () => ({ underWay: underWay.size, queued: queue.length }) }
}

function scheduleTimer(run: () => void, ms: number): () => void {
  const timer = setTimeout(run, ms).unref()
  return () => clearTimeout(timer)
}
