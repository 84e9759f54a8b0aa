import { type Clock, sleep } from '../common/clock.ts'
import type { Secret } from '../common/secret.ts'
import { Failure } from '../failures/failure.ts'
import type { CallDemand } from './calls/call-queue.ts'
import type { CircuitBreaker } from './calls/circuit-breaker.ts'
import type { HilosTokens } from './calls/hilos-tokens.ts'
import type { RateLimiter, Slot } from './calls/rate-limiter.ts'
import type { RetryBudget } from './calls/retry-budget.ts'
import { createTokenFallback } from './calls/token-fallback.ts'
import type { HilosDocument } from './document/hilos-document.ts'
import { elementsIn, readDocument } from './document/read-document.ts'
import { isRation, LostConnection, UpstreamFailure } from './failures.ts'
import type { HilosSettings } from './hilos-settings.ts'
import type { HilosObserver } from './observer.ts'
import type { Connections, Route } from './transport/connections.ts'
import type { Exchange, HilosAnswer } from './transport/exchange.ts'

export interface HilosClientOptions extends Pick<HilosSettings, 'timeoutMs' | 'maxElements' | 'retries'> {
  readonly tokens: HilosTokens
  readonly exchange: Exchange
  readonly connections: Connections
  readonly breaker: CircuitBreaker
  readonly limiter: RateLimiter
  readonly retryBudget: RetryBudget
  readonly observer: HilosObserver
  readonly clock: Pick<Clock, 'elapsed' | 'random' | 'schedule'>
}

/** Who wants a call, and hears when Hilos is asked, after the wait for a slot. */
export type HilosDemand = CallDemand & { readonly markAsked: () => void }

export interface HilosClient {
  /**
   * Gets one execution contact; the content is null when Hilos has none with this id.
   * @param id a UUID in lower case
   * @throws Failure, one of the `upstream_` codes or `overloaded`
   */
  readonly getExecutionContact: (id: string, demand: HilosDemand) => Promise<HilosAnswer<HilosDocument | null>>
}

/** The deadline of a whole call. */
interface Deadline {
  readonly signal: AbortSignal
  readonly leftMs: () => number
}

/** Calls Hilos within the rate limit, retries once where that may help, and does not call while the circuit breaker is open. */
export function createHilosClient(options: HilosClientOptions): HilosClient {
  const { exchange, connections, breaker, limiter, retryBudget, observer, clock } = options
  const { timeoutMs, maxElements, retries } = options
  const sendWithFallback = createTokenFallback(options.tokens, observer)

  async function getExecutionContact(id: string, demand: HilosDemand): Promise<HilosAnswer<HilosDocument | null>> {
    const refusal = breaker.refusal(id)
    if (refusal !== null) throw refusal
    const endsAt = clock.elapsed() + timeoutMs
    const deadline = { signal: AbortSignal.timeout(timeoutMs), leftMs: () => endsAt - clock.elapsed() }
    const attempt = (route: () => Route) => attemptOnce(id, demand, route, deadline)
    retryBudget.earn()
    const delayMs = clock.random() * retries.longestDelayMs
    try {
      return await attempt(connections.kept)
    } catch (error) {
      if (!mayRetry(id, error, deadline.leftMs() - delayMs)) throw error
      observer.callRetried()
      await sleep(clock, delayMs)
      return await attempt(connections.fresh).catch((again) => {
        throw isRation(again) ? error : again
      })
    }
  }

  /** A retry needs half of the time: it waits for a slot as well, and a call that was slow to fail will be slow again. */
  function mayRetry(id: string, error: unknown, leftMs: number): boolean {
    const worthwhile = error instanceof UpstreamFailure && error.worthRetrying
    return worthwhile && leftMs > timeoutMs / 2 && breaker.refusal(id) === null && retryBudget.spend()
  }

  async function attemptOnce(id: string, demand: HilosDemand, route: () => Route, deadline: Deadline) {
    const slot = await waitForSlot(demand)
    try {
      const call = breaker.begin(id)
      demand.markAsked()
      const begunAt = clock.elapsed()
      const sendOn = (by: Route, token: Secret) => exchange(id, token, by, deadline.signal, slot.sent)
      // Neither the budget of retries nor the circuit breaker hears of a loss, but Hilos may have counted the request.
      const send = (token: Secret) =>
        sendOn(route(), token).catch(async (error: unknown) => {
          if (!(error instanceof LostConnection)) throw error
          observer.callRetried()
          await slot.requeue(deadline.leftMs())
          return await sendOn(connections.fresh(), token)
        })
      try {
        const { content, ageMs } = await sendWithFallback({ slot, call, send, leftMs: deadline.leftMs })
        const document = read(content, id)
        call.end(null)
        observer.callEnded(document === null ? 'absent' : 'found', clock.elapsed() - begunAt)
        return { content: document, ageMs }
      } catch (error) {
        // A request that was lost has got no second slot, which says nothing about Hilos.
        if (isRation(error)) throw error
        call.end(error as Failure)
        connections.renewAfterFailure()
        observer.callEnded((error as Failure).code, clock.elapsed() - begunAt)
        throw error
      }
    } finally {
      slot.release()
    }
  }

  async function waitForSlot(demand: CallDemand): Promise<Slot> {
    const queuedAt = clock.elapsed()
    try {
      const slot = await limiter.slot(demand)
      observer.slotGranted(clock.elapsed() - queuedAt)
      return slot
    } catch (failure) {
      observer.slotRefused()
      throw failure
    }
  }

  function read(json: unknown, id: string): HilosDocument | null {
    if (json === undefined) return null
    if (elementsIn(json) > maxElements) throw new Failure('upstream_too_large', { facts: { maxElements } })
    return readDocument(json, id, observer.drifted)
  }

  return { getExecutionContact }
}
