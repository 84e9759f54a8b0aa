import closeWithGrace from 'close-with-grace'
import type { Logger } from 'pino'

/**
 * Ends the process in good order on SIGTERM, on SIGINT and on an error that nobody caught: `close` is called once, the
 * exit status is 0, or 1 after an error or when `close` takes too long. Signals that follow change nothing: npm passes
 * Ctrl-C on to a process that the terminal has told already, and orchestrators repeat themselves.
 * @param timeoutMs how long `close` may take
 */
export function stopOnSignals(logger: Logger, timeoutMs: number, close: () => Promise<void>): void {
  const grace = closeWithGrace({ delay: timeoutMs, logger, skip: ['SIGTERM', 'SIGINT'] }, async ({ err }) => {
    if (err) logger.fatal({ err }, 'stopping after an error nobody caught')
    await close()
    logger.info('stopped')
  })
  let stopping = false
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.on(signal, () => {
      if (stopping) return
      stopping = true
      logger.info({ signal }, 'stopping')
      grace.close()
    })
}
