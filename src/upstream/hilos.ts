import type { Failure } from '../failures/failure.ts'
import type { FailureCode } from '../failures/failure-kinds.ts'
import { type CircuitState, createCircuitBreaker } from './calls/circuit-breaker.ts'
import { createGovernor, type Governor } from './calls/rate-limiter.ts'
import { createRetryBudget } from './calls/retry-budget.ts'
import type { EitherTokenOptions } from './calls/token-fallback.ts'
import type { ReportDrift } from './document/drift.ts'
import { type CallEvents, createHilosClient, type HilosClient } from './hilos-client.ts'
import { createConnections } from './transport/connections.ts'
import { createExchange, type ExchangeOptions } from './transport/exchange.ts'

export interface HilosOptions extends EitherTokenOptions, CallEvents, Pick<ExchangeOptions, 'onTokenRefused'> {
  /** Without a trailing slash. */
  readonly baseUrl: string
  readonly userAgent: string
  /** For a whole call, from waiting for its turn to the last byte, its retry included. */
  readonly timeoutMs: number
  readonly connectTimeoutMs: number
  /** At once; further calls wait for their turn. */
  readonly maxConnections: number
  /** Calls begun in any one second; 0 for no limit. */
  readonly maxCallsPerSecond: number
  /** Calls that may wait for their turn. */
  readonly maxQueuedCalls: number
  /** How long one may wait. */
  readonly maxWaitMs: number
  /** Of a body, as it comes and decoded. */
  readonly maxBodyBytes: number
  /** Steps and messages in one document. */
  readonly maxElements: number
  /** Retries per call in the long run, and how many are saved up at most. */
  readonly retries: { readonly share: number; readonly reserve: number; readonly longestDelayMs: number }
  readonly circuitBreaker: { readonly maxFailedContacts: number; readonly openMs: number; readonly refusalMs: number }
  readonly reportDrift: ReportDrift
  /** Told why calls stop. */
  readonly onPause: (reason: Failure) => void
  /** Told when they go on. */
  readonly onResume: () => void
  /** Milliseconds since 1970 UTC. */
  readonly now: () => number
  /** Milliseconds of a clock that is never set back. */
  readonly elapsed: () => number
  /** From 0 to, and not, 1. */
  readonly random: () => number
}

/** How calls to Hilos fare. */
export interface HilosHealth {
  readonly circuitBreaker: CircuitState['name']
  /** Why calls pause; null while they do not. */
  readonly pausedFor: FailureCode | null
  readonly callsInFlight: number
  /** Calls that wait for their turn. */
  readonly callsQueued: number
}

export interface Hilos extends HilosClient {
  readonly health: () => HilosHealth
  /** Drops all connections and whatever is under way on them. */
  readonly close: () => Promise<void>
}

/** All that lies between a wish for a document and Hilos. */
export function createHilos(options: HilosOptions): Hilos {
  const { circuitBreaker, retries, elapsed, random } = options
  const connections = createConnections(options)
  const governor = createGovernor({
    maxPerSecond: options.maxCallsPerSecond,
    maxConcurrent: options.maxConnections,
    maxQueued: options.maxQueuedCalls,
    maxWaitMs: options.maxWaitMs,
    elapsed,
  })
  const breaker = createCircuitBreaker({
    ...circuitBreaker,
    elapsed,
    random,
    onOpen: (reason, refusal, isNews) => {
      governor.refuseAll(refusal)
      if (isNews) options.onPause(reason)
    },
    onClose: options.onResume,
  })
  const client = createHilosClient({
    ...options,
    exchange: createExchange(options),
    connections,
    breaker,
    governor,
    retryBudget: createRetryBudget(retries),
    longestRetryDelayMs: retries.longestDelayMs,
  })
  return {
    ...client,
    health: () => healthOf(breaker.state(), governor.load()),
    close: async () => {
      await Promise.all([connections.kept.destroy(), connections.fresh.destroy()])
    },
  }
}

function healthOf({ name, reason }: CircuitState, { underWay, queued }: ReturnType<Governor['load']>): HilosHealth {
  return { circuitBreaker: name, pausedFor: reason?.code ?? null, callsInFlight: underWay, callsQueued: queued }
}
