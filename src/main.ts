import closeWithGrace from 'close-with-grace'
import { createService } from './app.ts'
import { type Config, type ConfigError, loadConfig } from './config.ts'
import { createLogger } from './telemetry/logger.ts'

function configOrExit(): Config {
  try {
    return loadConfig(process.env)
  } catch (error) {
    process.stderr.write(`${(error as ConfigError).message}\n`)
    process.exit(1)
  }
}

const config = configOrExit()
const logger = createLogger(config.logLevel)
for (const warning of config.warnings) logger.warn(warning)

const service = await createService(config, logger)

closeWithGrace({ delay: config.shutdownTimeoutMs, logger }, async ({ signal, err }) => {
  if (err) logger.fatal({ err }, 'stopping after an error nobody caught')
  else logger.info({ signal }, 'stopping')
  await service.close()
  logger.info('stopped')
})

try {
  const origin = await service.listen()
  logger.info({ origin }, 'serving')
} catch (err) {
  logger.fatal({ err }, 'cannot listen')
  await service.close()
  process.exit(1)
}
