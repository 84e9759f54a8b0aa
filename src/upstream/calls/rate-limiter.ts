import type { Cancel, Clock } from '../../common/clock.ts'
import type { Failure } from '../../failures/failure.ts'
import { UpstreamFailure } from '../failures.ts'
import type { HilosSettings } from '../hilos-settings.ts'
import { type CallDemand, createCallQueue } from './call-queue.ts'

export interface RateLimiterOptions
  extends Pick<HilosSettings, 'maxCallsPerSecond' | 'maxConnections' | 'maxQueuedCalls' | 'maxWaitMs'> {
  readonly clock: Pick<Clock, 'elapsed' | 'schedule'>
}

export type RateLimiter = Readonly<ReturnType<typeof createRateLimiter>>

/** The right to make one call. */
export interface Slot {
  /** Ends the call. A second time it does nothing. */
  readonly release: () => void
  /**
   * Releases the slot and waits for another one, before all calls that wait for their first.
   * @param mostMs how long to wait, if that is less than `maxWaitMs`
   * @throws as `slot` does
   */
  readonly requeue: (mostMs: number) => Promise<void>
}

/**
 * Limits the calls to Hilos, because Hilos limits the calls with all keys of an account together. This is a token bucket.
 * Each token comes back one second after it was taken, and not gradually, so that no sliding second has more calls.
 */
export function createRateLimiter(options: RateLimiterOptions) {
  const { maxCallsPerSecond, maxConnections, maxWaitMs, clock } = options
  const bucketSize = Math.max(1, Math.floor(maxCallsPerSecond))
  const tokenMs = maxCallsPerSecond === 0 ? 0 : 1000 / Math.min(maxCallsPerSecond, 1)
  // A call that cannot get a slot in time is refused immediately.
  const queue = createCallQueue(Math.min(options.maxQueuedCalls, Math.ceil((bucketSize * maxWaitMs) / tokenMs)))
  /** When each token that was taken comes back, the earliest first. */
  const takenUntil: number[] = []
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
    let release = await first
    return {
      release: () => release(),
      requeue: async (mostMs) => {
        // It is queued before it releases, so that no other call takes the slot.
        const next = enqueue(demand, true, Math.min(mostMs, maxWaitMs))
        release()
        release = await next
      },
    }
  }

  function enqueue(demand: CallDemand, isRequeued: boolean, waitMs: number): Promise<() => void> {
    const { promise, resolve: grant, reject: refuse } = Promise.withResolvers<() => void>()
    queue.add({ demand, isRequeued, expiresAt: clock.elapsed() + waitMs, grant, refuse })
    return promise
  }

  /** Grants all free slots, refuses calls beyond the queue, and wakes up when the next slot or expiry is due. */
  function serveQueue(): void {
    cancelWake()
    const now = clock.elapsed()
    while (takenUntil[0] !== undefined && takenUntil[0] <= now) takenUntil.shift()
    for (const { refuse } of queue.takeExpired(now)) refuse(new UpstreamFailure('overloaded'))
    while (queue.length() > 0 && inFlight.size < maxConnections && takenUntil.length < bucketSize) grantNext(now)
    queue.takeExcess()?.refuse(new UpstreamFailure('overloaded'))
    const nextExpiry = queue.nextExpiry()
    if (nextExpiry === undefined) return
    const tokenBackAt = inFlight.size < maxConnections ? takenUntil[0] : undefined
    cancelWake = clock.schedule(serveQueue, Math.min(nextExpiry, tokenBackAt ?? Number.POSITIVE_INFINITY) - now)
  }

  function grantNext(now: number): void {
    const granted = queue.takeNext()
    if (tokenMs > 0) takenUntil.push(now + tokenMs)
    const call = Symbol('call')
    inFlight.add(call)
    granted?.grant(() => {
      inFlight.delete(call)
      serveQueue()
    })
  }

  /** Rejects all calls that wait. */
  function rejectAll(failure: Failure): void {
    cancelWake()
    for (const { refuse } of queue.takeExpired()) refuse(failure)
  }

  return { slot, rejectAll, load: () => ({ inFlight: inFlight.size, queued: queue.length() }) }
}
