import type { Clock } from '../common/clock.ts'
import { createCircuitBreaker } from './calls/circuit-breaker.ts'
import type { HilosTokens } from './calls/hilos-tokens.ts'
import { noCalls, withCall } from './calls/last-calls.ts'
import { createLocalRation } from './calls/local-ration.ts'
import { createRateLimiter } from './calls/rate-limiter.ts'
import type { CreateRation } from './calls/ration.ts'
import { createRetryBudget } from './calls/retry-budget.ts'
import { createHilosClient } from './hilos-client.ts'
import type { HilosSettings } from './hilos-settings.ts'
import type { HilosObserver } from './observer.ts'
import { createConnections } from './transport/connections.ts'
import { createExchange } from './transport/exchange.ts'

export interface HilosOptions extends HilosSettings {
  readonly tokens: HilosTokens
  readonly userAgent: string
  readonly observer: HilosObserver
  /** Makes the ration of calls. By default, this process has one for itself. */
  readonly createRation?: CreateRation | undefined
  readonly clock: Clock
}

export type Hilos = Readonly<ReturnType<typeof createHilos>>

/** The state of the calls to Hilos. */
export type HilosHealth = Readonly<ReturnType<Hilos['health']>>

/** Puts the parts between the service and Hilos together. */
export function createHilos(options: HilosOptions) {
  const { clock } = options
  let lastCalls = noCalls
  const observer: HilosObserver = {
    ...options.observer,
    callEnded: (outcome, durationMs) => {
      lastCalls = withCall(lastCalls, outcome, clock.now())
      options.observer.callEnded(outcome, durationMs)
    },
  }
  const connections = createConnections(options)
  const { createRation = () => createLocalRation(options) } = options
  const ration = createRation({ changed: () => limiter.serveQueue(), paused: (ms) => breaker.pause(ms) })
  const limiter = createRateLimiter(options, ration)
  const breaker = createCircuitBreaker({
    circuitBreaker: options.circuitBreaker,
    clock,
    onOpen: (reason, refusal, isNews) => {
      limiter.rejectAll(refusal)
      // The probe looks up the name of Hilos anew, and so do the calls that follow when it is answered.
      connections.renew()
      if (isNews) observer.circuitOpened(reason)
    },
    onPause: ration.pause,
    onClose: observer.circuitClosed,
  })
  const client = createHilosClient({
    ...options,
    observer,
    exchange: createExchange(options),
    connections,
    breaker,
    limiter,
    retryBudget: createRetryBudget(options.retries),
  })
  return {
    ...client,
    health: () => {
      const { name, reason } = breaker.state()
      const { inFlight, queued } = limiter.load()
      return {
        ...lastCalls,
        circuitBreaker: name,
        /** Why the circuit breaker is not closed; null while it is closed. */
        pausedFor: reason?.code ?? null,
        callsInFlight: inFlight,
        /** Calls that wait for a slot. */
        callsQueued: queued,
      }
    },
    /** Closes all connections and aborts the calls on them. */
    close: connections.destroy,
  }
}
