import process, { env, exit, stderr, stdout } from 'node:process'
import pinoPretty from 'pino-pretty'
import { createService } from '../src/app.ts'
import { loadConfig } from '../src/config/config.ts'
import { createLifecycle } from '../src/lifecycle/lifecycle.ts'
import { stopOnSignals } from '../src/lifecycle/shutdown.ts'
import { createLogger } from '../src/telemetry/logger.ts'
import { createDemoCallers } from './demo-callers.ts'
import { documentIds } from './documents.ts'
import { faultIds } from './faults.ts'
import { createSandbox } from './hilos.ts'
import { weathers } from './scenario.ts'

/** `npm run demo`: the real service in front of the sandbox Hilos, on loopback, with a made-up token. */
const token = 'sandbox-token'
const { PORT = '3000', ADMIN_PORT = '3001' } = env

const sandbox = createSandbox({ token })
const baseUrl = await sandbox.listen()
const callers = createDemoCallers()
process.once('exit', callers.remove)
const config = loadConfig({
  HILOS_TOKEN: token,
  HILOS_BASE_URL: baseUrl,
  CONTACT_REF_KEY: 'sandbox contact ref key',
  CALLERS_FILE: callers.callersFile,
  // So that a browser, and curl without a header, get an answer as well.
  DANGEROUSLY_ALLOW_ANONYMOUS: 'true',
  PORT,
  ADMIN_PORT,
})
const logger = createLogger(config.logLevel, pinoPretty({ sync: true, singleLine: true, ignore: 'requestId' }))
const lifecycle = createLifecycle()
const service = await createService(config, logger, {}, lifecycle)

stopOnSignals(process, {
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
  const sameContact = await callers.compare(`${origin}/execution-contacts/${documentIds.completed}?view=summary`)
  stdout.write(invitation(origin, sameContact))
} catch (error) {
  const { code } = error as NodeJS.ErrnoException
  stderr.write(
    `The demo cannot listen on port ${PORT} or ${ADMIN_PORT} (${code}). Try PORT=3100 ADMIN_PORT=3101 npm run demo\n`,
  )
  exit(1)
}

function invitation(origin: string, sameContact: string): string {
  const contacts = `${origin}/execution-contacts`
  return `
hilos-bff in front of a sandbox Hilos. The documentation, to try it in the page: ${origin}/docs

  One contact's run, twice: a miss, then a hit
    curl -i ${contacts}/${documentIds.deliveryConfirmation}
  A caller for each profile, and what each sees of the same contact; without a key, the demo shows everything
${sameContact}
    curl -i -H 'Authorization: Bearer KEY' ${contacts}/${documentIds.deliveryConfirmation}
  A run that moves on every 15 seconds, with its messages
    curl -s '${contacts}/${documentIds.live}?view=transcript'
  An id that Hilos does not know
    curl -i ${contacts}/00000000-0000-4000-8000-00000000dead
  Hilos asking for a pause; /problems/upstream_rate_limited says what that means
    curl -i ${contacts}/${faultIds.rateLimited}
  Hilos in other weather (${weathers.join(', ')}), while the cache makes the best of it: watch cache-status
    curl -X PUT ${new URL('/weather/away', baseUrl)}; while sleep 1; do curl -sI ${contacts}/${documentIds.live} | grep cache-status; done

Ctrl-C stops both.

`
}
