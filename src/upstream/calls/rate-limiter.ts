import type { Cancel, Clock } from '../../common/clock.ts'
import type { Failure } from '../../failures/failure.ts'
import { UpstreamFailure } from '../failures.ts'
import type { HilosSettings } from '../hilos-settings.ts'

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
   * Releases the slot and waits for another one, with priority over all calls that wait for their first.
   * @param mostMs how long to wait, if that is less than `maxWaitMs`
   * @throws as `slot` does
   */
  readonly requeue: (mostMs: number) => Promise<void>
}

interface QueuedCall {
  /** The highest is granted first, and refused last. */
  readonly priority: () => number
  readonly expiresAt: number
  readonly grant: (release: () => void) => void
  readonly refuse: (failure: Failure) => void
}

const requeuedPriority = 2

/**
 * Limits the calls to Hilos, because Hilos limits the calls with all keys of an account together. This is a token bucket.
 * Each token comes back one second after it was taken, and not gradually, so that no sliding second has more calls.
 */
export function createRateLimiter(options: RateLimiterOptions) {
  const { maxCallsPerSecond, maxConnections, maxWaitMs, clock } = options
  const bucketSize = Math.max(1, Math.floor(maxCallsPerSecond))
  const tokenMs = maxCallsPerSecond === 0 ? 0 : 1000 / Math.min(maxCallsPerSecond, 1)
  // A call that cannot get a slot in time is refused immediately.
  const maxQueued = Math.min(options.maxQueuedCalls, Math.ceil((bucketSize * maxWaitMs) / tokenMs))
  /** When each token that was taken comes back, the earliest first. */
  const takenUntil: number[] = []
  /** By expiry, the earliest first. */
  const queue: QueuedCall[] = []
  const inFlight = new Set<symbol>()
  let cancelWake: Cancel = () => {}

  /**
   * Waits for a slot.
   * @param isAwaited whether a caller waits for the call by now; background refreshes have a lower priority
   * @throws UpstreamFailure `overloaded`, immediately when the queue is full, or after `maxWaitMs`; or the failure that
   *   `rejectAll` got
   */
  async function slot(isAwaited: () => boolean): Promise<Slot> {
    const first = enqueue(() => Number(isAwaited()), maxWaitMs)
    serveQueue()
    let release = await first
    return {
      release: () => release(),
      requeue: async (mostMs) => {
        // It is queued before it releases, so that no other call takes the slot.
        const next = enqueue(() => requeuedPriority, Math.min(mostMs, maxWaitMs))
        release()
        release = await next
      },
    }
  }

  function enqueue(priority: () => number, waitMs: number): Promise<() => void> {
    const { promise, resolve: grant, reject: refuse } = Promise.withResolvers<() => void>()
    const expiresAt = clock.elapsed() + waitMs
    const before = queue.findLastIndex((call) => call.expiresAt <= expiresAt)
    queue.splice(before + 1, 0, { priority, expiresAt, grant, refuse })
    return promise
  }

  /** Grants all free slots, refuses calls beyond the queue, and wakes up when the next slot or expiry is due. */
  function serveQueue(): void {
    cancelWake()
    const now = clock.elapsed()
    while (takenUntil[0] !== undefined && takenUntil[0] <= now) takenUntil.shift()
    while (queue[0] !== undefined && queue[0].expiresAt <= now) queue.shift()?.refuse(new UpstreamFailure('overloaded'))
    while (queue.length > 0 && inFlight.size < maxConnections && takenUntil.length < bucketSize) grantNext(now)
    if (queue.length > maxQueued) refuseOne()
    const [next] = queue
    if (next === undefined) return
    const tokenBackAt = inFlight.size < maxConnections ? takenUntil[0] : undefined
    cancelWake = clock.schedule(serveQueue, Math.min(next.expiresAt, tokenBackAt ?? Number.POSITIVE_INFINITY) - now)
  }

  function grantNext(now: number): void {
    const priorities = queue.map(({ priority }) => priority())
    const [granted] = queue.splice(priorities.indexOf(Math.max(...priorities)), 1)
    if (tokenMs > 0) takenUntil.push(now + tokenMs)
    const call = Symbol('call')
    inFlight.add(call)
    granted?.grant(() => {
      inFlight.delete(call)
      serveQueue()
    })
  }

  /** Refuses the last call of the lowest priority. */
  function refuseOne(): void {
    const priorities = queue.map(({ priority }) => priority())
    const [refused] = queue.splice(priorities.lastIndexOf(Math.min(...priorities)), 1)
    refused?.refuse(new UpstreamFailure('overloaded'))
  }

  /** Rejects all calls that wait. */
  function rejectAll(failure: Failure): void {
    cancelWake()
    for (const { refuse } of queue.splice(0)) refuse(failure)
  }

  return { slot, rejectAll, load: () => ({ inFlight: inFlight.size, queued: queue.length }) }
}
