import type { FastifyInstance } from 'fastify'
import { nodeVersion, version } from '../common/version.ts'
import type { Config } from '../config/config.ts'
import type { Contacts } from '../contacts/contacts.ts'
import type { OperatorsAppOptions } from '../http/operators-app.ts'
import type { Lifecycle } from '../lifecycle/lifecycle.ts'
import type { KnownCallers } from '../rotation/reloaded-callers.ts'
import type { TokensInUse } from '../rotation/reloaded-tokens.ts'
import type { Readings } from '../telemetry/gauges.ts'
import type { DriftTally } from '../upstream/document/drift.ts'
import type { Hilos } from '../upstream/hilos.ts'

/** The parts that are reported on. */
export interface ReportOptions {
  readonly config: Config
  readonly lifecycle: Lifecycle
  readonly callers: FastifyInstance
  readonly hilos: Hilos
  readonly contacts: Contacts
  readonly drift: DriftTally
  readonly tokens: TokensInUse
  readonly known: KnownCallers
  /** Milliseconds since 1970 UTC. */
  readonly now: () => number
}

/** How the service is, for operators and for the metrics. */
export interface Report extends Omit<OperatorsAppOptions, 'metrics'> {
  readonly readings: Readings
}

export function createReport(options: ReportOptions): Report {
  const { lifecycle, callers, hilos, contacts, drift, tokens, known, now } = options
  const { state, requestsInFlight } = lifecycle
  const { reads } = contacts
  const build = { version, commit: options.config.sourceCommit, node: nodeVersion }
  const parts = () => ({ hilosToken: tokens.status(), callersFile: known.status(), hilos: statusOf(hilos) })
  return {
    state,
    parts,
    drift: drift.counts,
    build: { ...build, startedAt: new Date(now()).toISOString() },
    cache: { fullness: contacts.fullness, delete: reads.delete, clear: reads.clear },
    readings: {
      build,
      isReady: () => state() === 'serving',
      isDraining: () => state() === 'draining',
      requestsInFlight,
      connections: () => connectionsOf(callers),
      hilos: hilos.health,
      cache: () => ({ ...contacts.fullness() }),
      drift: drift.counts,
      tokenAgeMs: () => now() - tokens.tokens.inUseSince(),
      parts,
    },
  }
}

/** An outage of Hilos is its own, and what is remembered is served meanwhile. */
function statusOf({ health }: Hilos) {
  const { circuitBreaker, ...rest } = health()
  return { ok: circuitBreaker === 'closed', circuitBreaker, ...rest }
}

function connectionsOf({ server }: FastifyInstance): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>()
  server.getConnections((_error, count) => resolve(count))
  return promise
}
