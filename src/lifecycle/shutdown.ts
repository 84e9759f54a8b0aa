import type { Logger } from 'pino'
import { type Clock, sleep, systemClock } from '../common/clock.ts'
import type { DrainOptions } from './drain.ts'
import type { Lifecycle } from './lifecycle.ts'

export interface ShutdownOptions {
  /** How long requests are still accepted after SIGTERM, so that load balancers notice; 0 for not at all. */
  readonly drainDelayMs: number
  /** How long a connection may be idle after the delay before it is closed. */
  readonly idleGraceMs: number
  /** For the whole shutdown, counted from the signal. Requests that are still in flight then are cut. */
  readonly timeoutMs: number
  readonly logger: Logger
  readonly lifecycle: Lifecycle
  /** Closes the service. It is called once. */
  readonly close: (drain: DrainOptions) => Promise<void>
  readonly clock?: Pick<Clock, 'schedule'>
}

/** Signals of a terminal, not of an orchestrator. */
const interactiveSignals = ['SIGINT', 'SIGHUP'] as const

/**
 * Shuts the process down on a signal or an uncaught error. The exit status is 0, or 1 after an error and when requests had
 * to be cut. Only SIGTERM waits for load balancers, because only an orchestrator sends it. Later signals have no effect:
 * npm forwards a Ctrl-C that the terminal has already sent, and orchestrators repeat signals. A later error ends the delay
 * but not the drain, because it is no fault of the requests in flight.
 */
export function shutDownOnSignals(process: Pick<NodeJS.Process, 'on' | 'exit'>, options: ShutdownOptions): void {
  const { logger, lifecycle, timeoutMs, close, clock = systemClock } = options
  const skipDelay = Promise.withResolvers<void>()
  let [isStopping, hasFailed] = [false, false]

  async function stop(delayMs: number, idleGraceMs: number): Promise<void> {
    isStopping = true
    lifecycle.drain()
    clock.schedule(() => {
      logger.error({ cut: lifecycle.requestsInFlight() }, 'stopped')
      process.exit(1)
    }, timeoutMs)
    const delay = delayMs > 0 ? Promise.race([sleep(clock, delayMs), skipDelay.promise]) : Promise.resolve()
    try {
      await close({ delay, idleGraceMs })
      logger.info({ cut: 0 }, 'stopped')
    } catch (err) {
      hasFailed = true
      logger.error({ err }, 'shutdown failed')
    }
    process.exit(hasFailed ? 1 : 0)
  }

  function onSignal(signal: string, drainDelayMs: number, idleGraceMs: number): void {
    if (isStopping) return
    // No load balancer sends requests to a process that does not serve yet.
    const delayMs = lifecycle.state() === 'serving' ? drainDelayMs : 0
    logger.info({ signal, delayMs }, 'stopping')
    void stop(delayMs, idleGraceMs)
  }

  function onError(err: unknown): void {
    if (hasFailed) logger.error({ err }, 'another uncaught error')
    else logger.fatal({ err }, 'stopping after an uncaught error')
    hasFailed = true
    skipDelay.resolve()
    if (!isStopping) void stop(0, 0)
  }

  process.on('SIGTERM', (signal) => onSignal(signal, options.drainDelayMs, options.idleGraceMs))
  for (const each of interactiveSignals) process.on(each, (signal) => onSignal(signal, 0, 0))
  process.on('uncaughtException', onError)
  process.on('unhandledRejection', onError)
}
