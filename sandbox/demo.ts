import process, { env, exit, stderr, stdout } from 'node:process'
import pinoPretty from 'pino-pretty'
import { createService } from '../src/app.ts'
import { systemClock } from '../src/common/clock.ts'
import { type Config, type ConfigError, loadConfig } from '../src/config/config.ts'
import { readSettingsFiles } from '../src/config/settings.ts'
import { createLifecycle } from '../src/lifecycle/lifecycle.ts'
import { shutDownOnSignals } from '../src/lifecycle/shutdown.ts'
import { createLogger } from '../src/telemetry/logger.ts'
import { compare, createDemoCallers, type DemoCaller } from './demo-callers.ts'
import { demoSettingsOf } from './demo-settings.ts'
import { documentIds } from './documents.ts'
import { faultIds } from './faults.ts'
import { createSandbox, publicToken } from './hilos.ts'
import { scenarios } from './scenario.ts'

/** `npm run demo`: the real service, with the settings of the environment, in front of the sandbox Hilos, on loopback. */
const sandbox = createSandbox({ token: publicToken })
const baseUrl = await sandbox.listen()
let callers: readonly DemoCaller[] = []
const { settings, chosen, ignored } = demoSettingsOf(env, baseUrl, () => {
  const made = createDemoCallers()
  process.once('exit', made.remove)
  callers = made.callers
  return made.callersFile
})
if (ignored.length > 0)
  stderr.write(`The demo ignores ${ignored.join(', ')}: it asks only its own fake Hilos, with a token of its own.\n`)

const config = await configOrExit()
const logger = createLogger(config.logLevel, pinoPretty({ sync: true, singleLine: true, ignore: 'requestId' }))
for (const warning of config.warnings) if (!chosen.some((name) => warning.startsWith(name))) logger.warn(warning)
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

const { origin } = await service.listen().catch(({ code }: NodeJS.ErrnoException) => {
  const ports = [config.callers, config.operators].flatMap((listener) => listener?.port ?? [])
  stderr.write(
    `The demo cannot listen on port ${ports.join(' or ')} (${code}). Try: PORT=3100 ADMIN_PORT=3101 npm run demo\n`,
  )
  exit(1)
})
const summary = `${origin}/execution-contacts/${documentIds.completed}?view=summary`
const comparison = await compare(callers, summary)
stdout.write(instructions(origin, comparison))

async function configOrExit(): Promise<Config> {
  try {
    return loadConfig(settings, process.constrainedMemory(), await readSettingsFiles(settings))
  } catch (error) {
    stderr.write(`${(error as ConfigError).message}\n`)
    exit(1)
  }
}

function instructions(origin: string, comparison: string): string {
  const contacts = `${origin}/execution-contacts`
  const hasDocumentation = config.docs === 'callers'
  const start = hasDocumentation ? `Read the documentation and try the API at ${origin}/docs` : `Open ${origin}/`
  const key = callers.find(({ profile }) => profile === 'full')?.key ?? 'KEY'
  const isOpen = config.access.allowAnonymous
  const credential = isOpen ? '' : ` -H 'Authorization: Bearer ${key}'`
  const otherwise = isOpen ? '; without a key, the demo shows everything' : ''
  return `
hilos-bff runs in front of a sandbox Hilos. ${start}

  Get one contact's run. Do it twice: the first answer is a cache miss, the second one a hit.
    curl -i${credential} ${contacts}/${documentIds.deliveryConfirmation}
  Compare the profiles. Each caller sees the same contact in its own way${otherwise}.
${comparison}    curl -i -H 'Authorization: Bearer KEY' ${contacts}/${documentIds.deliveryConfirmation}
  Follow a run that makes progress every 15 seconds, as a stream of events. 25 seconds after its end, it begins anew.
    curl -N${credential} '${contacts}/${documentIds.live}/events?view=summary'
  Follow a run that ended long ago: one state, and the end.
    curl -N${credential} '${contacts}/${documentIds.completed}/events?view=summary'
  Ask for an id that Hilos does not have.
    curl -i${credential} ${contacts}/00000000-0000-4000-8000-00000000dead
  Get a problem: Hilos limits the rate of this service. The page ${origin}/problems lists all problems.
    curl -i${credential} ${contacts}/${faultIds.rateLimited}
  Change the scenario of Hilos (${scenarios.join(', ')}), and watch the cache-status header: at once while
  the run goes on. The scenario healthy ends it.
    curl -X PUT ${new URL('/scenario/down', baseUrl)}; while sleep 1; do curl -sI${credential} ${contacts}/${documentIds.live} | grep cache-status; done
  See all documents, faults and scenarios of the sandbox.
    curl -s ${new URL('/', baseUrl)}

Ctrl-C stops both.

`
}
