import type { Cancel, Clock } from '../../common/clock.ts'
import type { Failure } from '../../failures/failure.ts'
import { UpstreamFailure } from '../failures.ts'
import type { HilosSettings } from '../hilos-settings.ts'
import { type CallDemand, createCallQueue } from './call-queue.ts'

export interface RateLimiterOptions
  extends Pick<HilosSettings, 'maxCallsPerSecond' | 'rateMargin' | 'maxConnections' | 'maxQueuedCalls' | 'maxWaitMs'> {
  readonly clock: Pick<Clock, 'elapsed' | 'schedule'>
}

export type RateLimiter = Readonly<ReturnType<typeof createRateLimiter>>

/** The right to make one call. */
export interface Slot {
  /** Its request is sent now, after a connection was opened if there was none. */
  readonly sent: () => void
  /** Ends the call. A second time it does nothing. */
  readonly release: () => void
  /**
   * Releases the slot and waits for another one, before all calls that wait for their first.
   * @param mostMs how long to wait
   * @throws as `slot` does
   */
  readonly requeue: (mostMs: number) => Promise<void>
}

const rationed = () => new UpstreamFailure('overloaded', { facts: { reason: 'rationed' }, notAsked: 'rationed' })

/** How late a timer may be without slowing down the pace. */
const longestDelayMs = 50

/**
 * Limits the calls to Hilos, because Hilos limits the calls with all keys of an account together. This is a token bucket.
 * Each token comes back one second and a margin after its call was sent, and not gradually, so that no sliding second has
 * more calls. Hilos counts them when they arrive; the margin is for the difference between their times on the way.
 *
 * A burst after idle time takes its tokens at once. Calls that have to wait are granted at an even pace.
 */
export function createRateLimiter(options: RateLimiterOptions) {
  const { maxCallsPerSecond, maxConnections, maxWaitMs, clock } = options
  const bucketSize = maxCallsPerSecond === 0 ? Number.POSITIVE_INFINITY : Math.max(1, Math.floor(maxCallsPerSecond))
  const tokenMs = maxCallsPerSecond === 0 ? 0 : (1000 * (1 + options.rateMargin)) / Math.min(maxCallsPerSecond, 1)
  const paceMs = tokenMs / bucketSize
  // A call that cannot get a slot in time is refused immediately.
  const queue = createCallQueue(Math.min(options.maxQueuedCalls, Math.ceil(maxWaitMs / paceMs)))
  /** When the token of each of the last calls comes back; infinity while its request is not sent. */
  const tokens = new Map<symbol, number>()
  /** No call that waits is granted before this. */
  let pacedUntil = 0
  const inFlight = new Set<symbol>()
  let cancelWake: Cancel = () => {}

  /**
   * Waits for a slot.
   * @throws UpstreamFailure `overloaded`, immediately or later when too many calls wait, or after `maxWaitMs`; or the
   *   failure that `rejectAll` got
   */
  async function slot(demand: CallDemand): Promise<Slot> {
    const first = enqueue(demand, false, maxWaitMs)
    serveQueue()
    let call = await first
    return {
      sent: () => {
        startReturn(call)
        serveQueue()
      },
      release: () => release(call),
      requeue: async (mostMs) => {
        // It is queued before it releases, so that no other call takes the slot.
        const next = enqueue(demand, true, mostMs)
        release(call)
        call = await next
      },
    }
  }

  function enqueue(demand: CallDemand, isRequeued: boolean, waitMs: number): Promise<symbol> {
    const { promise, resolve: grant, reject: refuse } = Promise.withResolvers<symbol>()
    const now = clock.elapsed()
    if (queue.length() === 0) pacedUntil = now
    queue.add({ demand, isRequeued, expiresAt: now + waitMs, grant, refuse })
    return promise
  }

  /** Grants all free slots, refuses calls beyond the queue, and wakes up when the next slot or expiry is due. */
  function serveQueue(): void {
    cancelWake()
    const now = clock.elapsed()
    for (const { refuse } of queue.takeExpired(now)) refuse(rationed())
    while (queue.length() > 0 && nextGrantAt() <= now) grantNext(now)
    queue.takeExcess()?.refuse(rationed())
    const nextExpiry = queue.nextExpiry()
    if (nextExpiry !== undefined) cancelWake = clock.schedule(serveQueue, Math.min(nextExpiry, nextGrantAt()) - now)
  }

  /** When the next call that waits can be granted; infinity while that depends on the end of another call. */
  function nextGrantAt(): number {
    if (inFlight.size >= maxConnections) return Number.POSITIVE_INFINITY
    const tokenBackAt = tokens.size < bucketSize ? 0 : Math.min(...tokens.values())
    return Math.max(tokenBackAt, pacedUntil)
  }

  function grantNext(now: number): void {
    pacedUntil = Math.max(nextGrantAt(), now - longestDelayMs) + paceMs
    for (const [each, backAt] of tokens) if (backAt <= now) tokens.delete(each)
    const call = Symbol('call')
    tokens.set(call, Number.POSITIVE_INFINITY)
    inFlight.add(call)
    queue.takeNext()?.grant(call)
  }

  function release(call: symbol): void {
    inFlight.delete(call)
    // It may have been sent all the same.
    if (tokens.get(call) === Number.POSITIVE_INFINITY) startReturn(call)
    serveQueue()
  }

  function startReturn(call: symbol): void {
    tokens.set(call, clock.elapsed() + tokenMs)
  }

  /** Rejects all calls that wait. */
  function rejectAll(failure: Failure): void {
    cancelWake()
    for (const { refuse } of queue.takeExpired()) refuse(failure)
  }

  return { slot, rejectAll, load: () => ({ inFlight: inFlight.size, queued: queue.length() }) }
}
