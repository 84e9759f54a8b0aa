import type { Config, Listener } from '../config/config.ts'
import { type Finding, findingOf, note, ok, warn } from './findings.ts'

/** What the settings turn on, and what is worth knowing about it. */
export function settingsFindings(config: Config): Finding[] {
  const warnings = config.warnings.map((warning) => findingOf('warn', warning))
  return [
    callersListenerFinding(config.callers),
    operatorsListenerFinding(config.operators),
    ...originFindings(config.corsOrigins),
    callerRateFinding(config.access.maxRequestsPerSecond),
    hilosRateFinding(config.hilos.maxCallsPerSecond),
    ...memoryFindings(config),
    lifetimeFinding(config.cache.lifetimeScale),
    disclosureFinding(config.disclosureLogLevel),
    ...warnings,
  ]
}

function callersListenerFinding(listener: Listener): Finding {
  const [subject, address] = ['HOST, PORT', addressOf(listener)]
  return isLoopback(listener.host)
    ? ok(subject, `Callers are served at ${address}, which only this machine can reach.`)
    : note(subject, `Callers are served at ${address} by plain HTTP: TLS must end in front of it.`)
}

function operatorsListenerFinding(listener: Listener | null): Finding {
  const subject = 'ADMIN_HOST, ADMIN_PORT'
  if (listener === null) return note(subject, 'The operators’ listener is off: there are no probes and no metrics.')
  const address = addressOf(listener)
  return isLoopback(listener.host)
    ? ok(subject, `Operators are served at ${address}, which only this machine can reach.`)
    : warn(subject, `Operators are served at ${address} without asking who they are: let only probes and metrics in.`)
}

function originFindings(origins: readonly string[]): Finding[] {
  const subject = 'CORS_ORIGINS'
  if (origins.length === 0) return [ok(subject, 'No page on another origin can call.')]
  const open = origins.filter((origin) => {
    const { protocol, hostname } = new URL(origin)
    return protocol === 'http:' && !isLoopback(hostname)
  })
  return [
    ok(subject, `Pages on ${origins.length === 1 ? 'one other origin' : `${origins.length} other origins`} can call.`),
    ...open.map((origin) =>
      warn(subject, `Pages of ${origin} come unencrypted, so whoever is on the way can change them: make it https.`),
    ),
  ]
}

function callerRateFinding(perSecond: number): Finding {
  const subject = 'CALLER_MAX_RPS'
  return perSecond === 0
    ? warn(subject, 'Callers are not limited, so one of them can crowd out all others.')
    : ok(subject, `Each caller has ${perSecond} requests a second.`)
}

function hilosRateFinding(perSecond: number): Finding {
  const subject = 'HILOS_MAX_RPS'
  return perSecond === 0
    ? warn(subject, 'Calls to Hilos are not limited here, and Hilos may limit the whole account instead.')
    : ok(subject, `Hilos gets at most ${perSecond} calls a second from each replica.`)
}

/** None where a warning has it already. */
function memoryFindings({ shedding, warnings }: Config): Finding[] {
  const subject = 'CACHE_MAX_BYTES'
  if (warnings.some((warning) => warning.startsWith(subject))) return []
  const { memoryLimitBytes } = shedding
  return [
    memoryLimitBytes === null
      ? note(subject, 'Nothing limits the memory of this process, so callers are never turned away for want of it.')
      : ok(subject, `The cache fits into the ${Math.round(memoryLimitBytes / 1024 ** 2)} MiB this process may have.`),
  ]
}

function lifetimeFinding(scale: number): Finding {
  const subject = 'CACHE_LIFETIME_SCALE'
  if (scale === 0)
    return warn(subject, 'Nothing is remembered: every request waits for Hilos, and fails whenever Hilos does.')
  return ok(subject, `Answers are remembered for ${scale === 1 ? '' : `${scale} times `}their usual lifetimes.`)
}

function disclosureFinding(level: Config['disclosureLogLevel']): Finding {
  const subject = 'DISCLOSURE_LOG_LEVEL'
  return ['info', 'debug', 'trace'].includes(level)
    ? ok(subject, 'The log records who was shown whose data.')
    : warn(subject, `At ${level}, no record is kept of who was shown whose data.`)
}

/** Whether a listener or a page with this host stays on this machine. */
function isLoopback(host: string): boolean {
  return /^(localhost|127(\.\d+){3}|\[?::1\]?)$/.test(host)
}

function addressOf({ host, port }: Listener): string {
  const place = host.includes(':') ? `[${host}]` : host
  return port === 0 ? `${place} on any free port` : `${place}:${port}`
}
