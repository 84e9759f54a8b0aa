import { createService } from './app.ts'
import { type Config, type ConfigError, loadConfig } from './config.ts'
import { stopOnSignals } from './stop-on-signals.ts'
import { createLogger, createLogOutput } from './telemetry/logger.ts'

function configOrExit(): Config {
  try {
    return loadConfig(process.env)
  } catch (error) {
    process.stderr.write(`${(error as ConfigError).message}\n`)
    process.exit(1)
  }
}

const config = configOrExit()
const output = createLogOutput()
const logger = createLogger(config.logLevel, output)
process.once('exit', () => output.flushSync())
for (const warning of config.warnings) logger.warn(warning)

const starting = createService(config, logger)
stopOnSignals(logger, config.shutdownTimeoutMs, async () => (await starting).close())

const service = await starting
try {
  const origin = await service.listen()
  logger.info({ origin }, 'serving')
} catch (err) {
  logger.fatal({ err }, 'cannot listen')
  await service.close()
  process.exit(1)
}
