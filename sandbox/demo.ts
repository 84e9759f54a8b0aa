import process, { argv, env, exit, stderr, stdout } from 'node:process'
import pinoPretty from 'pino-pretty'
import { createService } from '../src/app.ts'
import { systemClock } from '../src/common/clock.ts'
import { type Config, type ConfigError, loadConfig } from '../src/config/config.ts'
import { readSettingsFiles } from '../src/config/settings.ts'
import { createLifecycle } from '../src/lifecycle/lifecycle.ts'
import { shutDownOnSignals } from '../src/lifecycle/shutdown.ts'
import { createLogger } from '../src/telemetry/logger.ts'
import { createBalancer } from './balancer.ts'
import { compare, createDemoCallers, type DemoCaller } from './demo-callers.ts'
import { aboutReplicas, configsOf, replicasIn, usage } from './demo-replicas.ts'
import { demoSettingsOf } from './demo-settings.ts'
import { startDemoTier } from './demo-tier.ts'
import { documentIds } from './documents.ts'
import { faultIds } from './faults.ts'
import { createSandbox, publicToken } from './hilos.ts'
import { scenarios } from './scenario.ts'

/**
 * `npm run demo`: the real service, with the settings of the environment, in front of the sandbox Hilos, on loopback. With
 * `--replicas 3` there are three services behind a balancer, which share a server if one is installed.
 */
const replicas = replicasIn(argv.slice(2)) ?? endWith(usage)
const tier =
  replicas === 1
    ? null
    : await startDemoTier(replicas).catch(({ message }: Error) =>
        endWith(`${message.trim()}\nTry without a server: VALKEY_SERVER= npm run demo -- --replicas ${replicas}\n`),
      )
const sandbox = createSandbox({ token: publicToken })
const baseUrl = await sandbox.listen()
let callers: readonly DemoCaller[] = []
const makeCallersFile = () => {
  const made = createDemoCallers()
  process.once('exit', made.remove)
  callers = made.callers
  return made.callersFile
}
const { settings, chosen, ignored } = demoSettingsOf(env, baseUrl, makeCallersFile, tier?.settings)
if (ignored.length > 0)
  stderr.write(`The demo ignores ${ignored.join(', ')}: it has a fake Hilos, a token and a shared tier of its own.\n`)

const config = await configOrExit()
const logger = createLogger(config.logLevel, pinoPretty({ sync: true, singleLine: true, ignore: 'requestId' }))
for (const warning of config.warnings) if (!chosen.some((name) => warning.startsWith(name))) logger.warn(warning)
const lifecycle = createLifecycle()
const configs = configsOf(config, replicas, tier !== null)
const services = await Promise.all(
  configs.map((each, index) => {
    const own = replicas === 1 ? logger : logger.child({ replica: index + 1 })
    return createService(each, own, systemClock, lifecycle)
  }),
)
let closeBalancer = () => {}

shutDownOnSignals(process, {
  ...config.shutdown,
  logger,
  lifecycle,
  close: async (drain) => {
    await Promise.all(services.map((service) => service.close(drain)))
    closeBalancer()
    await sandbox.close()
    await tier?.close()
  },
})

const { origin, listening } = await listen().catch(({ code }: NodeJS.ErrnoException) => {
  const listeners = [config.callers, ...configs.flatMap(({ callers, operators }) => [callers, operators ?? callers])]
  const ports = [...new Set(listeners.map(({ port }) => port))].join(' or ')
  const command = ['npm run demo', ...(replicas === 1 ? [] : [`-- --replicas ${replicas}`])].join(' ')
  return endWith(`The demo cannot listen on port ${ports} (${code}). Try: PORT=3100 ADMIN_PORT=3101 ${command}\n`)
})
const summary = `${origin}/execution-contacts/${documentIds.completed}?view=summary`
const comparison = await compare(callers, summary)
stdout.write(instructions(origin, comparison))

async function configOrExit(): Promise<Config> {
  try {
    return loadConfig(settings, process.constrainedMemory(), await readSettingsFiles(settings))
  } catch (error) {
    return endWith(`${(error as ConfigError).message}\n`)
  }
}

function endWith(sentence: string): never {
  stderr.write(sentence)
  exit(1)
}

/** Opens the listeners of the replicas, then the balancer in front of several. `origin` is for callers. */
async function listen() {
  const listening = await Promise.all(services.map((service) => service.listen()))
  if (replicas === 1) return { listening, origin: listening.map(({ origin }) => origin).join() }
  const balancer = createBalancer(listening.map(({ origin }) => origin))
  closeBalancer = balancer.close
  return { listening, origin: await balancer.listen(config.callers) }
}

function instructions(origin: string, comparison: string): string {
  const contacts = `${origin}/execution-contacts`
  const hasDocumentation = config.docs === 'callers'
  const start = hasDocumentation ? `Read the documentation and try the API at ${origin}/docs` : `Open ${origin}/`
  const key = callers.find(({ profile }) => profile === 'full')?.key ?? 'KEY'
  const isOpen = config.access.allowAnonymous
  const credential = isOpen ? '' : ` -H 'Authorization: Bearer ${key}'`
  const otherwise = isOpen ? '; without a key, the demo shows everything' : ''
  const running = replicas === 1 ? 'hilos-bff runs' : `${replicas} replicas of hilos-bff run behind a balancer,`
  const path = `/execution-contacts/${documentIds.deliveryConfirmation}`
  const several =
    replicas === 1 ? '' : aboutReplicas(listening, tier, `curl${credential} ${origin}${path}`, `/cache${path}`)
  return `
${running} in front of a sandbox Hilos. ${start}
${several}
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

Ctrl-C stops ${replicas === 1 ? 'both' : 'all'}.

`
}
