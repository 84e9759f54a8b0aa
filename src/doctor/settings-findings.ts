import { isLoopback } from '../config/checks.ts'
import type { Config } from '../config/config.ts'
import { type Finding, findingOf, note, ok, warn } from './findings.ts'

/** What the settings mean, and the risks of their values. */
export function settingsFindings(config: Config): Finding[] {
  const { access, hilos } = config
  const whence = config.sharedTier === null ? 'from each replica' : 'from all replicas together'
  return [
    callersListenerFinding(config.callers),
    operatorsListenerFinding(config.operators),
    ...deletionFindings(config),
    ...originFindings(config.corsOrigins),
    access.maxRequestsPerSecond === 0
      ? warn('CALLER_MAX_RPS', 'Callers are not limited, so one of them can use the whole capacity.')
      : ok('CALLER_MAX_RPS', `Each caller may send ${access.maxRequestsPerSecond} requests a second.`),
    hilos.maxCallsPerSecond === 0
      ? warn('HILOS_MAX_RPS', 'Calls to Hilos are not limited here, and Hilos may limit the whole account instead.')
      : ok('HILOS_MAX_RPS', `Hilos gets at most ${hilos.maxCallsPerSecond} calls a second ${whence}.`),
    ...memoryFindings(config),
    lifetimeFinding(config.cache.lifetimeScale),
    disclosureFinding(config.disclosureLogLevel),
    ...config.warnings.map((warning) => findingOf('warn', warning)),
    ...config.notes.map((each) => findingOf('note', each)),
  ]
}

function callersListenerFinding(listener: Config['callers']): Finding {
  const [subject, address] = ['HOST, PORT', addressOf(listener)]
  return isLoopback(listener.host)
    ? ok(subject, `Callers are served at ${address}, which only this machine can reach.`)
    : note(subject, `Callers are served at ${address} by plain HTTP: TLS must end in front of it.`)
}

function operatorsListenerFinding(listener: Config['operators']): Finding {
  const subject = 'ADMIN_HOST, ADMIN_PORT'
  if (listener === null) return note(subject, 'The operators’ listener is off: there are no probes and no metrics.')
  const address = addressOf(listener)
  return isLoopback(listener.host)
    ? ok(subject, `Operators are served at ${address}, which only this machine can reach.`)
    : warn(
        subject,
        `Operators are served at ${address} without authentication: let only probes and Prometheus reach it.`,
      )
}

/** Empty when a warning or a note is about it already. */
function deletionFindings({ operators, warnings, notes }: Config): Finding[] {
  const subject = 'ADMIN_TOKEN'
  if (operators === null || [...warnings, ...notes].some((each) => each.startsWith(subject))) return []
  return [
    operators.deletionToken === null
      ? note(subject, 'It is not set, so every program on this machine can delete from the cache.')
      : ok(subject, 'Deleting from the cache needs this token.'),
  ]
}

function originFindings(origins: readonly string[]): Finding[] {
  const subject = 'CORS_ORIGINS'
  if (origins.length === 0) return [ok(subject, 'No page on another origin can call this service.')]
  const open = origins.filter((origin) => {
    const { protocol, hostname } = new URL(origin)
    return protocol === 'http:' && !isLoopback(hostname)
  })
  return [
    ok(
      subject,
      `Pages on ${origins.length === 1 ? 'one other origin' : `${origins.length} other origins`} can call this service.`,
    ),
    ...open.map((origin) =>
      warn(subject, `Pages of ${origin} are not encrypted, so an attacker on the network can change them: use https.`),
    ),
  ]
}

/** Empty when a warning is about it already. */
function memoryFindings({ shedding, warnings }: Config): Finding[] {
  const subject = 'CACHE_MAX_BYTES'
  if (warnings.some((warning) => warning.startsWith(subject))) return []
  const { memoryLimitBytes } = shedding
  return [
    memoryLimitBytes === null
      ? note(
          subject,
          'Nothing limits the memory of this process, so no request is ever rejected because memory is short.',
        )
      : ok(
          subject,
          `The cache fits into the ${Math.round(memoryLimitBytes / 1024 ** 2)} MiB that this process may use.`,
        ),
  ]
}

function lifetimeFinding(scale: number): Finding {
  const subject = 'CACHE_LIFETIME_SCALE'
  if (scale === 0) return warn(subject, 'Nothing is cached: every request waits for Hilos, and fails when Hilos fails.')
  return ok(subject, `Contacts are cached for ${scale === 1 ? '' : `${scale} times `}their usual lifetimes.`)
}

function disclosureFinding(level: Config['disclosureLogLevel']): Finding {
  const subject = 'DISCLOSURE_LOG_LEVEL'
  return ['info', 'debug', 'trace'].includes(level)
    ? ok(subject, 'The log records which caller was shown which contact.')
    : warn(subject, `At the level ${level}, no record is kept of which caller was shown which contact.`)
}

function addressOf({ host, port }: Config['callers']): string {
  const place = host.includes(':') ? `[${host}]` : host
  return port === 0 ? `${place} on any free port` : `${place}:${port}`
}
