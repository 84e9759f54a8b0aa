import type { Logger } from 'pino'
import type { HilosObserver } from '../upstream/observer.ts'
import type { Metrics } from './metrics.ts'

/** Counts and logs what happens to the calls to Hilos. */
export function createHilosObserver(metrics: Metrics, logger: Logger): HilosObserver {
  return {
    slotGranted: metrics.slotGranted,
    slotRefused: metrics.slotRefused,
    callEnded: metrics.callEnded,
    callRetried: metrics.callRetried,
    tokenRefused: (_fingerprint, code) => metrics.tokenRefused(code),
    tokenChanged: (tokenFingerprint) =>
      logger.warn(
        { tokenFingerprint },
        'Hilos refused the token in use and accepted the other one, which is in use now',
      ),
    circuitOpened: (reason) => {
      metrics.circuitOpened(reason.code)
      logger.warn({ err: reason }, 'circuit breaker opened')
    },
    circuitClosed: () => logger.info('circuit breaker closed'),
  }
}
