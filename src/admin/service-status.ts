import type { FastifyInstance } from 'fastify'
import type { Clock } from '../common/clock.ts'
import { nodeVersion, version } from '../common/version.ts'
import type { Config } from '../config/config.ts'
import type { Contacts } from '../contacts/contacts.ts'
import type { Lifecycle } from '../lifecycle/lifecycle.ts'
import type { ReloadedCallers } from '../rotation/reloaded-callers.ts'
import type { ReloadedTokens } from '../rotation/reloaded-tokens.ts'
import type { Readings } from '../telemetry/gauges.ts'
import type { LogState } from '../telemetry/log-output.ts'
import type { DriftTally } from '../upstream/document/drift.ts'
import type { Hilos } from '../upstream/hilos.ts'

/** The parts of the service that report their status. */
export interface ServiceParts {
  readonly config: Config
  readonly logState: LogState
  readonly lifecycle: Lifecycle
  readonly callers: FastifyInstance
  readonly hilos: Hilos
  readonly contacts: Contacts
  readonly drift: DriftTally
  readonly reloadedTokens: ReloadedTokens
  readonly reloadedCallers: ReloadedCallers
  readonly watching: Readings['watching']
  readonly clock: Pick<Clock, 'now'>
}

/** The status of the service, for the routes for operators and for the metrics. */
export function createServiceStatus(service: ServiceParts) {
  const { config, logState, lifecycle, callers, hilos, contacts, drift, watching, clock } = service
  const { reloadedTokens, reloadedCallers } = service
  const { state, requestsInFlight } = lifecycle
  const build = { version, commit: config.sourceCommit, node: nodeVersion }
  const parts = () => ({
    hilosToken: reloadedTokens.status(),
    callersFile: reloadedCallers.status(),
    hilos: hilos.health(),
    log: logState.status(),
  })
  return {
    state,
    parts,
    drift: drift.counts,
    build: { ...build, startedAt: new Date(clock.now()).toISOString() },
    cache: contacts,
    readings: {
      build,
      isReady: () => state() === 'serving',
      isDraining: () => state() === 'draining',
      requestsInFlight,
      connections: () => connectionsOf(callers),
      hilos: hilos.health,
      cache: () => ({ ...contacts.usage() }),
      drift: drift.counts,
      tokenAgeMs: reloadedTokens.tokens.inUseMs,
      parts,
      watching,
      logLinesLost: logState.linesLost,
    },
  }
}

function connectionsOf({ server }: FastifyInstance): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>()
  server.getConnections((_error, count) => resolve(count))
  return promise
}
