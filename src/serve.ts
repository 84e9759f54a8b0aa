import type { Logger } from 'pino'
import { createService, type Service } from './app.ts'
import { systemClock } from './common/clock.ts'
import { type Config, type ConfigError, loadConfig } from './config/config.ts'
import { logLimits } from './config/limits.ts'
import { readSettingsFiles, type SettingsFiles } from './config/settings.ts'
import { fileWarnings } from './doctor/file-findings.ts'
import { createLifecycle, type Lifecycle } from './lifecycle/lifecycle.ts'
import { shutDownOnSignals } from './lifecycle/shutdown.ts'
import { createLogOutput, type LogState } from './telemetry/log-output.ts'
import { createLogger } from './telemetry/logger.ts'

/** Serves until the process ends. When the settings are wrong, or a port is in use, it ends the process with the status 1. */
export async function serve(): Promise<void> {
  const files = await readSettingsFiles(process.env)
  const config = configOrExit(files)
  // A closed stderr must not end the process.
  process.stderr.on('error', () => {})
  // Writing must not wait for the reader of the log. The function is not documented, and does not exist for a file.
  const { _handle } = process.stdout as { _handle?: { setBlocking?: (blocking: boolean) => void } | null }
  _handle?.setBlocking?.(false)
  const output = createLogOutput(logLimits, {
    onLosing: (code) =>
      process.stderr.write(`hilos-bff: the log cannot be written (${code}), its lines are lost until it can\n`),
    onRecovered: (lines) => logger.warn({ lines }, 'lines of the log were lost'),
  })
  const logger = createLogger(config.logLevel, output)
  process.prependOnceListener('exit', output.flushAtExit)
  const remarks = { info: config.notes, warn: [...config.warnings, ...fileWarnings(files)] }
  for (const level of ['info', 'warn'] as const) for (const remark of remarks[level]) logger[level](remark)

  const lifecycle = createLifecycle()
  const service = Promise.withResolvers<Service>()
  // Before the start, so that a signal during it ends the process in good order.
  shutDownOnSignals(process, {
    ...config.shutdown,
    logger,
    lifecycle,
    close: async (drain) => (await service.promise).close(drain),
  })
  service.resolve(start(config, logger, output, lifecycle))
  await service.promise
}

function configOrExit(files: SettingsFiles): Config {
  try {
    return loadConfig(process.env, process.constrainedMemory(), files)
  } catch (error) {
    process.stderr.write(`${(error as ConfigError).message}\n`)
    process.exit(1)
  }
}

/** Starts the service. It opens no listener when the shutdown has begun in the meantime. */
async function start(config: Config, logger: Logger, logState: LogState, lifecycle: Lifecycle): Promise<Service> {
  const service = await createService(config, logger, systemClock, lifecycle, logState)
  if (lifecycle.state() === 'draining') return service
  try {
    logger.info(await service.listen(), 'serving')
  } catch (err) {
    logger.fatal({ err }, 'cannot listen')
    await service.close()
    process.exit(1)
  }
  return service
}
