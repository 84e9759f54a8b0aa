import type { Logger } from 'pino'
import { createService, type Service } from './app.ts'
import { commandOf, unknownArguments, usage } from './cli.ts'
import { systemClock } from './common/clock.ts'
import { type Config, type ConfigError, loadConfig } from './config/config.ts'
import { examine } from './doctor/examine.ts'
import { hasNoFailure, jsonOf, textOf } from './doctor/findings.ts'
import { createLifecycle, type Lifecycle } from './lifecycle/lifecycle.ts'
import { shutDownOnSignals } from './lifecycle/shutdown.ts'
import { createLogger, createLogOutput, type StandardOutput } from './telemetry/logger.ts'

const command = commandOf(process.argv.slice(2))
switch (command) {
  case 'serve':
    await serve(configOrExit())
    break
  case 'check':
  case 'check as JSON': {
    const findings = await examine(process.env, process.constrainedMemory())
    process.stdout.write(command === 'check' ? textOf(findings) : jsonOf(findings))
    process.exitCode = hasNoFailure(findings) ? 0 : 1
    break
  }
  case 'help':
    process.stdout.write(usage)
    break
  case 'unknown':
    process.stderr.write(unknownArguments)
    process.exitCode = 1
}

function configOrExit(): Config {
  try {
    return loadConfig(process.env, process.constrainedMemory())
  } catch (error) {
    process.stderr.write(`${(error as ConfigError).message}\n`)
    process.exit(1)
  }
}

async function serve(config: Config): Promise<void> {
  // A closed stderr must not end the process.
  process.stderr.on('error', () => {})
  const output = createLogOutput(process.stdout as StandardOutput, (code) =>
    process.stderr.write(`hilos-bff: the log cannot be written (${code}), its lines are lost until it can\n`),
  )
  const logger = createLogger(config.logLevel, output)
  process.once('exit', output.flushAtExit)
  for (const warning of config.warnings) logger.warn(warning)

  const lifecycle = createLifecycle()
  const service = Promise.withResolvers<Service>()
  // Before the start, so that a signal during it ends the process in good order.
  shutDownOnSignals(process, {
    ...config.shutdown,
    logger,
    lifecycle,
    close: async (drain) => (await service.promise).close(drain),
  })
  service.resolve(start(config, logger, lifecycle))
  await service.promise
}

/** Starts the service. It opens no listener when the shutdown has begun in the meantime. */
async function start(config: Config, logger: Logger, lifecycle: Lifecycle): Promise<Service> {
  const service = await createService(config, logger, systemClock, lifecycle)
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
