import { type Clock, sleep } from '../common/clock.ts'
import type { Secret } from '../common/secret.ts'
import { Failure } from '../failures/failure.ts'
import type { CallDemand } from './calls/call-queue.ts'
import type { CircuitBreaker } from './calls/circuit-breaker.ts'
import type { HilosTokens } from './calls/hilos-tokens.ts'
import type { RateLimiter, Slot } from './calls/rate-limiter.ts'
import type { RetryBudget } from './calls/retry-budget.ts'
import { createTokenFallback } from './calls/token-fallback.ts'
import { isRation, LostConnection, UpstreamFailure } from './failures.ts'
import type { HilosSettings } from './hilos-settings.ts'
import type { HilosObserver } from './observer.ts'
import type { Connections, Route } from './transport/connections.ts'
import type { Exchange, HilosAnswer, HilosBody } from './transport/exchange.ts'

export interface HilosClientOptions extends Pick<HilosSettings, 'timeoutMs' | 'retries'> {
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

/** Reads a document as Hilos sent it, in the time that is left of the call, in milliseconds. */
export type ReadBody<T> = (body: HilosBody, leftMs: number) => T | Promise<T>

export interface HilosClient {
  /**
   * Gets one execution contact, as `readBody` reads it; the content is null when Hilos has none with this id.
   * @param id a UUID in lower case
   * @param readBody a failure that it throws, or rejects with, counts as one of Hilos
   * @throws Failure, one of the `upstream_` codes or `overloaded`
   */
  readonly getExecutionContact: <T>(
    id: string,
    demand: HilosDemand,
    readBody: ReadBody<T>,
  ) => Promise<HilosAnswer<T | null>>
}

/** Calls Hilos within the rate limit, retries once where that may help, and does not call while the circuit breaker is open. */
export function createHilosClient(options: HilosClientOptions): HilosClient {
  const { exchange, connections, breaker, limiter, retryBudget, observer, clock } = options
  const { timeoutMs, retries } = options
  const sendWithFallback = createTokenFallback(options.tokens, observer)

  const getExecutionContact: HilosClient['getExecutionContact'] = async (id, demand, readBody) => {
    const refusal = breaker.refusal(id)
    if (refusal !== null) throw refusal
    const endsAt = clock.elapsed() + timeoutMs
    const leftMs = () => endsAt - clock.elapsed()
    const attempt = (route: () => Route) => attemptOnce(id, demand, readBody, route, leftMs)
    retryBudget.earn()
    const delayMs = clock.random() * retries.longestDelayMs
    try {
      return await attempt(connections.kept)
    } catch (error) {
      if (!mayRetry(id, error, leftMs() - delayMs)) throw error
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

  async function attemptOnce<T>(
    id: string,
    demand: HilosDemand,
    readBody: ReadBody<T>,
    route: () => Route,
    leftMs: () => number,
  ): Promise<HilosAnswer<T | null>> {
    const slot = await waitForSlot(demand)
    try {
      const call = breaker.begin(id)
      demand.markAsked()
      const begunAt = clock.elapsed()
      const sendOn = async (by: Route, token: Secret) => {
        const { content, ageMs } = await exchange(id, token, by, leftMs(), slot.sent)
        const arrivedAt = clock.elapsed()
        const read = content && (await readBody(content, leftMs()))
        return { content: read, ageMs: ageMs + Math.ceil(clock.elapsed() - arrivedAt) }
      }
      // Neither the budget of retries nor the circuit breaker hears of a loss, but Hilos may have counted the request.
      const send = (token: Secret) =>
        sendOn(route(), token).catch(async (error: unknown) => {
          if (!(error instanceof LostConnection)) throw error
          observer.callRetried()
          await slot.requeue(leftMs())
          return await sendOn(connections.fresh(), token)
        })
      try {
        const answer = await sendWithFallback({ slot, call, send, leftMs })
        call.end(null)
        observer.callEnded(answer.content === null ? 'absent' : 'found', clock.elapsed() - begunAt)
        return answer
      } catch (error) {
        // A request that was lost has got no second slot, which says nothing about Hilos.
        if (isRation(error)) throw error
        // What is no failure is a fault of ours in reading, about which Hilos can do nothing.
        const failure = error instanceof Failure ? error : new Failure('internal_error')
        call.end(failure)
        connections.renewAfterFailure()
        observer.callEnded(failure.code, clock.elapsed() - begunAt)
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

  return { getExecutionContact }
}
