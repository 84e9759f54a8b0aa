import { setTimeout as sleep } from 'node:timers/promises'
import type { Dispatcher } from 'undici'
import type { Secret } from '../common/secret.ts'
import { Failure } from '../failures/failure.ts'
import type { FailureCode } from '../failures/failure-kinds.ts'
import type { CircuitBreaker } from './calls/circuit-breaker.ts'
import type { Governor, Turn } from './calls/rate-limiter.ts'
import type { RetryBudget } from './calls/retry-budget.ts'
import { createEitherToken, type EitherTokenOptions } from './calls/token-fallback.ts'
import type { ReportDrift } from './document/drift.ts'
import type { HilosDocument } from './document/hilos-document.ts'
import { readDocument } from './document/read-document.ts'
import { elementsIn } from './document-size.ts'
import type { Connections } from './transport/connections.ts'
import type { Exchange } from './transport/exchange.ts'
import { UpstreamFailure } from './upstream-failure.ts'

/** How a call ended: with a document, with "there is none", or with this failure. */
export type CallOutcome = 'found' | 'absent' | FailureCode

/** What can be counted of calls; nobody is told unless given. */
export interface CallEvents {
  /** A call has got its turn, after so long. */
  readonly onTurn?: (waitedMs: number) => void
  /** A call gets no turn. */
  readonly onTurnRefused?: () => void
  /** A call is over; its time is from its turn to the last byte read. */
  readonly onCall?: (outcome: CallOutcome, durationMs: number) => void
  /** A call is made once more. */
  readonly onRetry?: () => void
}

export interface HilosClientOptions extends EitherTokenOptions, CallEvents {
  readonly exchange: Exchange
  readonly connections: Connections
  readonly breaker: CircuitBreaker
  readonly governor: Governor
  readonly retryBudget: RetryBudget
  /** For a whole call, from waiting for its turn to the last byte, its retry included. */
  readonly timeoutMs: number
  /** A retry waits for some part of this, at random. */
  readonly longestRetryDelayMs: number
  /** Steps and messages in one document. */
  readonly maxElements: number
  readonly reportDrift: ReportDrift
  /** Milliseconds of a clock that is never set back. */
  readonly elapsed: () => number
  /** From 0 to, and not, 1. */
  readonly random: () => number
}

export interface HilosClient {
  /**
   * One execution contact.
   * @param id a UUID in lower case
   * @param isAwaited whether a caller waits for it by now; always, unless given
   * @returns null when Hilos says that there is none
   * @throws Failure, one of the `upstream_` codes or `overloaded`
   */
  readonly getExecutionContact: (id: string, isAwaited?: () => boolean) => Promise<HilosDocument | null>
}

/** Of a whole call. */
interface Deadline {
  readonly signal: AbortSignal
  readonly leftMs: () => number
}

/** Asks Hilos in turn, once more where that may help, and not at all where it is no use. */
export function createHilosClient(options: HilosClientOptions): HilosClient {
  const { exchange, connections, breaker, governor, retryBudget, timeoutMs, maxElements, reportDrift } = options
  const { longestRetryDelayMs, elapsed, random, onTurn, onTurnRefused, onCall, onRetry } = options
  const sendWithEither = createEitherToken(options)

  async function getExecutionContact(id: string, isAwaited = () => true): Promise<HilosDocument | null> {
    const refusal = breaker.refusal()
    if (refusal !== null) throw refusal
    const endsAt = elapsed() + timeoutMs
    const deadline = { signal: AbortSignal.timeout(timeoutMs), leftMs: () => endsAt - elapsed() }
    const attempt = (dispatcher: Dispatcher) => attemptOnce(id, isAwaited, dispatcher, deadline)
    retryBudget.earn()
    const delayMs = random() * longestRetryDelayMs
    try {
      return await attempt(connections.kept)
    } catch (error) {
      if (!mayRetry(error, deadline.leftMs() - delayMs)) throw error
    }
    onRetry?.()
    await sleep(delayMs)
    return await attempt(connections.fresh)
  }

  /** With half of the time left after the delay: what was slow to fail is slow to fail again, and it has to wait for its turn. */
  function mayRetry(error: unknown, leftMs: number): boolean {
    const worthwhile = error instanceof UpstreamFailure && error.worthRetrying
    return worthwhile && leftMs > timeoutMs / 2 && breaker.refusal() === null && retryBudget.spend()
  }

  async function attemptOnce(
    id: string,
    isAwaited: () => boolean,
    dispatcher: Dispatcher,
    deadline: Deadline,
  ): Promise<HilosDocument | null> {
    const turn = await waitForTurn(isAwaited)
    try {
      const call = breaker.begin(id)
      const begunAt = elapsed()
      const send = (token: Secret) => exchange(id, token, dispatcher, deadline.signal)
      try {
        const document = read(await sendWithEither({ turn, call, send, leftMs: deadline.leftMs }), id)
        call.end(null)
        onCall?.(document === null ? 'absent' : 'found', elapsed() - begunAt)
        return document
      } catch (error) {
        call.end(error as Failure)
        onCall?.((error as Failure).code, elapsed() - begunAt)
        throw error
      }
    } finally {
      turn.end()
    }
  }

  async function waitForTurn(isAwaited: () => boolean): Promise<Turn> {
    const wishedAt = elapsed()
    try {
      const turn = await governor.turn(isAwaited)
      onTurn?.(elapsed() - wishedAt)
      return turn
    } catch (failure) {
      onTurnRefused?.()
      throw failure
    }
  }

  function read(json: unknown, id: string): HilosDocument | null {
    if (json === undefined) return null
    if (elementsIn(json) > maxElements) throw new Failure('upstream_too_large', { facts: { maxElements } })
    return readDocument(json, id, reportDrift)
  }

  return { getExecutionContact }
}
