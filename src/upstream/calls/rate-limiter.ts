import type { Cancel, Clock } from '../../common/clock.ts'
import type { Failure } from '../../failures/failure.ts'
import { UpstreamFailure } from '../failures.ts'
import type { HilosSettings } from '../hilos-settings.ts'
import { type CallDemand, createCallQueue } from './call-queue.ts'
import { bucketOf, type Permit, type Ration } from './ration.ts'

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

/**
 * Limits the calls to Hilos: those at once by the connections, and those in a second by a ration. Calls that have to wait are
 * queued.
 */
export function createRateLimiter(options: RateLimiterOptions, ration: Ration) {
  const { maxConnections, maxWaitMs, clock } = options
  const { paceMs } = bucketOf(options)
  // A call that cannot get a slot in time is refused immediately.
  const queue = createCallQueue(Math.min(options.maxQueuedCalls, Math.ceil(maxWaitMs / paceMs)))
  /** The permits of the calls that have a slot. */
  const inFlight = new Set<Permit>()
  let cancelWake: Cancel = () => {}

  /**
   * Waits for a slot.
   * @throws UpstreamFailure `overloaded`, immediately or later when too many calls wait, or after `maxWaitMs`; or the
   *   failure that `rejectAll` got
   */
  async function slot(demand: CallDemand): Promise<Slot> {
    const first = enqueue(demand, false, maxWaitMs)
    serveQueue()
    let permit = await first
    return {
      sent: () => {
        permit.sent()
        serveQueue()
      },
      release: () => release(permit),
      requeue: async (mostMs) => {
        // It is queued before it releases, so that no other call takes the slot.
        const next = enqueue(demand, true, mostMs)
        release(permit)
        permit = await next
      },
    }
  }

  function enqueue(demand: CallDemand, isRequeued: boolean, waitMs: number): Promise<Permit> {
    const { promise, resolve: grant, reject: refuse } = Promise.withResolvers<Permit>()
    queue.add({ demand, isRequeued, expiresAt: clock.elapsed() + waitMs, grant, refuse })
    return promise
  }

  /** Grants all free slots, refuses calls beyond the queue, and wakes up when the next slot or expiry is due. */
  function serveQueue(): void {
    cancelWake()
    for (const { refuse } of queue.takeExpired(clock.elapsed())) refuse(rationed())
    tellRation()
    // Not before: the ration may grant a call from the moment on at which it hears of it.
    const now = clock.elapsed()
    while (queue.length() > 0 && nextGrantAt() <= now) grantNext()
    queue.takeExcess()?.refuse(rationed())
    tellRation()
    const nextExpiry = queue.nextExpiry()
    if (nextExpiry !== undefined) cancelWake = clock.schedule(serveQueue, Math.min(nextExpiry, nextGrantAt()) - now)
  }

  /** When the next call that waits can be granted; infinity while that depends on the end of another call. */
  function nextGrantAt(): number {
    if (inFlight.size >= maxConnections) return Number.POSITIVE_INFINITY
    return ration.nextAt()
  }

  function grantNext(): void {
    const permit = ration.take()
    inFlight.add(permit)
    queue.takeNext()?.grant(permit)
  }

  function tellRation(): void {
    const waiting = queue.length()
    ration.want(waiting, Math.min(waiting, maxConnections - inFlight.size))
  }

  function release(permit: Permit): void {
    inFlight.delete(permit)
    // It may have been sent all the same.
    permit.sent()
    serveQueue()
  }

  /** Rejects all calls that wait. */
  function rejectAll(failure: Failure): void {
    cancelWake()
    for (const { refuse } of queue.takeExpired()) refuse(failure)
    tellRation()
  }

  return {
    slot,
    rejectAll,
    /** To be called when the ration may grant a call earlier or later than it said. */
    serveQueue,
    load: () => ({ inFlight: inFlight.size, queued: queue.length() }),
  }
}
