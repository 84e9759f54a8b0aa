import process, { env, exit, stderr, stdout } from 'node:process'
import pinoPretty from 'pino-pretty'
import { createService } from '../src/app.ts'
import { systemClock } from '../src/common/clock.ts'
import { loadConfig } from '../src/config/config.ts'
import { readSettingsFiles } from '../src/config/settings.ts'
import { createLifecycle } from '../src/lifecycle/lifecycle.ts'
import { shutDownOnSignals } from '../src/lifecycle/shutdown.ts'
import { createLogger } from '../src/telemetry/logger.ts'
import { createDemoCallers } from './demo-callers.ts'
import { documentIds } from './documents.ts'
import { faultIds } from './faults.ts'
import { createSandbox } from './hilos.ts'
import { scenarios } from './scenario.ts'

/** `npm run demo`: the real service in front of the sandbox Hilos, on loopback. */
const token = 'sandbox-token'
const { PORT = '3000', ADMIN_PORT = '3001' } = env

const sandbox = createSandbox({ token })
const baseUrl = await sandbox.listen()
const callers = createDemoCallers()
process.once('exit', callers.remove)
const settings = {
  HILOS_TOKEN: token,
  HILOS_BASE_URL: baseUrl,
  CONTACT_REF_KEY: 'sandbox contact ref key',
  CALLERS_FILE: callers.callersFile,
  // A browser, and curl without a header, get a response as well.
  DANGEROUSLY_ALLOW_ANONYMOUS: 'true',
  PORT,
  ADMIN_PORT,
}
const config = loadConfig(settings, 0, await readSettingsFiles(settings))
const logger = createLogger(config.logLevel, pinoPretty({ sync: true, singleLine: true, ignore: 'requestId' }))
const lifecycle = createLifecycle()
const service = await createService(config, logger, systemClock, lifecycle)

shutDownOnSignals(process, {
  ...config.shutdown,
  logger,
  lifecycle,
  close: async (drain) => {
    await service.close(drain)
    await sandbox.close()
  },
})

try {
  const { origin } = await service.listen()
  const comparison = await callers.compare(`${origin}/execution-contacts/${documentIds.completed}?view=summary`)
  stdout.write(instructions(origin, comparison))
} catch (error) {
  const { code } = error as NodeJS.ErrnoException
  stderr.write(
    `The demo cannot listen on port ${PORT} or ${ADMIN_PORT} (${code}). Try: PORT=3100 ADMIN_PORT=3101 npm run demo\n`,
  )
  exit(1)
}

function instructions(origin: string, comparison: string): string {
  const contacts = `${origin}/execution-contacts`
  return `
hilos-bff runs in front of a sandbox Hilos. Read the documentation and try the API at ${origin}/docs

  Get one contact's run. Do it twice: the first answer is a cache miss, the second one a hit.
    curl -i ${contacts}/${documentIds.deliveryConfirmation}
  Compare the profiles. Each caller sees the same contact in its own way; without a key, the demo shows everything.
${comparison}
    curl -i -H 'Authorization: Bearer KEY' ${contacts}/${documentIds.deliveryConfirmation}
  Follow a run that makes progress every 15 seconds, with its messages.
    curl -s '${contacts}/${documentIds.live}?view=transcript'
  Ask for an id that Hilos does not have.
    curl -i ${contacts}/00000000-0000-4000-8000-00000000dead
  Get a problem: Hilos limits the rate of this service. The page /problems/upstream_rate_limited explains it.
    curl -i ${contacts}/${faultIds.rateLimited}
  Change the scenario of Hilos (${scenarios.join(', ')}), and watch the cache-status header.
    curl -X PUT ${new URL('/scenario/down', baseUrl)}; while sleep 1; do curl -sI ${contacts}/${documentIds.live} | grep cache-status; done

Ctrl-C stops both.

`
}
