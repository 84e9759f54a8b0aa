import type { Logger } from 'pino'
import type { Cancel, Clock } from '../common/clock.ts'

export interface BurstLogOptions {
  /** The message at the start of a burst. */
  readonly startMessage: string
  /** The message at its end. */
  readonly endMessage: string
  /** A burst ends when its event has not occurred for this long. */
  readonly quietMs: number
  readonly clock: Pick<Clock, 'schedule'>
}

interface Burst {
  times: number
  cancelEnd: Cancel
}

/** Logs an event that occurs in bursts with two lines per burst and reason: at the start, and at the end with the count. */
export function createBurstLog(logger: Logger, options: BurstLogOptions): (reason: string) => void {
  const { startMessage, endMessage, quietMs, clock } = options
  const bursts = new Map<string, Burst>()

  function start(reason: string): Burst {
    logger.warn({ reason }, startMessage)
    const burst = { times: 0, cancelEnd: () => {} }
    bursts.set(reason, burst)
    return burst
  }

  return (reason) => {
    const burst = bursts.get(reason) ?? start(reason)
    burst.times += 1
    burst.cancelEnd()
    burst.cancelEnd = clock.schedule(() => {
      bursts.delete(reason)
      logger.info({ reason, times: burst.times }, endMessage)
    }, quietMs)
  }
}
