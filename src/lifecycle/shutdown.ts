import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { DrainOptions } from './drain.ts'
import type { Lifecycle } from './lifecycle.ts'

export interface StopOptions {
  readonly logger: Logger
  readonly lifecycle: Lifecycle
  /** How long new work is still taken after SIGTERM. */
  readonly drainDelayMs: number
  /** How long, after SIGTERM, a connection may carry nothing before it is closed. */
  readonly lingerMs: number
  /** For all of it, counted from the signal or the error. */
  readonly timeoutMs: number
  /** Ends the service; called once. */
  readonly close: (drain: DrainOptions) => Promise<void>
  /** Timers by default, for which no process is kept alive. */
  readonly after?: (ms: number) => Promise<unknown>
}

/** With a person at a terminal behind them, or none any more. */
const hastySignals = ['SIGINT', 'SIGHUP'] as const

/**
 * Ends the process in good order on a signal, and on an error that nobody caught: exit status 0, or 1 after an error or
 * when requests had to be cut. Only SIGTERM comes from where load balancers are, so only it waits for them. Signals that
 * follow change nothing: npm passes Ctrl-C on to a process that the terminal has told already, and orchestrators repeat
 * themselves. An error that follows ends the delay, and nothing else: the requests in flight are not its fault.
 */
export function stopOnSignals(process: Pick<NodeJS.Process, 'on' | 'exit'>, options: StopOptions): void {
  const { logger, lifecycle, timeoutMs, close } = options
  const { after = (ms) => sleep(ms, undefined, { ref: false }) } = options
  const hurry = Promise.withResolvers<void>()
  let [isStopping, hasFailed] = [false, false]

  async function stop(delayMs: number, lingerMs: number): Promise<void> {
    isStopping = true
    lifecycle.drain()
    void after(timeoutMs).then(() => {
      logger.error({ cut: lifecycle.requestsInFlight() }, 'stopped')
      process.exit(1)
    })
    const delay = delayMs > 0 ? Promise.race([after(delayMs), hurry.promise]) : Promise.resolve()
    try {
      await close({ delay, lingerMs })
      logger.info({ cut: 0 }, 'stopped')
    } catch (err) {
      hasFailed = true
      logger.error({ err }, 'stopped out of order')
    }
    process.exit(hasFailed ? 1 : 0)
  }

  function onSignal(signal: string, drainDelayMs: number, lingerMs: number): void {
    if (isStopping) return
    // Before it serves, nobody was sent here.
    const delayMs = lifecycle.state() === 'serving' ? drainDelayMs : 0
    logger.info({ signal, delayMs }, 'stopping')
    void stop(delayMs, lingerMs)
  }

  function onError(err: unknown): void {
    if (hasFailed) logger.error({ err }, 'another error nobody caught')
    else logger.fatal({ err }, 'stopping after an error nobody caught')
    hasFailed = true
    hurry.resolve()
    if (!isStopping) void stop(0, 0)
  }

  process.on('SIGTERM', (signal) => onSignal(signal, options.drainDelayMs, options.lingerMs))
  for (const hasty of hastySignals) process.on(hasty, (signal) => onSignal(signal, 0, 0))
  process.on('uncaughtException', onError)
  process.on('unhandledRejection', onError)
}
