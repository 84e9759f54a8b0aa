import type { FastifyInstance } from 'fastify'
import type { Clock } from '../common/clock.ts'
import { nodeVersion, version } from '../common/version.ts'
import type { Config } from '../config/config.ts'
import type { Contacts } from '../contacts/contacts.ts'
import type { Lifecycle } from '../lifecycle/lifecycle.ts'
import type { ReloadedCacheKeys } from '../rotation/reloaded-cache-keys.ts'
import type { ReloadedCallers } from '../rotation/reloaded-callers.ts'
import type { ReloadedTokens } from '../rotation/reloaded-tokens.ts'
import type { Readings } from '../telemetry/gauges.ts'
import type { LogState } from '../telemetry/log-output.ts'
import type { DriftTally } from '../upstream/document/drift.ts'
import type { Hilos } from '../upstream/hilos.ts'

export interface SharedTierStatus {
  /** Whether the tier is attached. */
  readonly ok: boolean
  /** Since when it is attached, or detached. */
  readonly since: Date
  /** Why it is detached, in a word; null while it is attached. */
  readonly reason: string | null
  /** How many replicas there are, as far as this one knows. */
  readonly replicas: number
  /** The kind and version of the server, never its host; null before the first attachment. */
  readonly server: string | null
  /** How long ago this replica had heard all that there was to hear, in milliseconds; null before the first attachment. */
  readonly eventsBehindMs: number | null
}

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
  /** Null without a shared tier. */
  readonly reloadedCacheKeys: Pick<ReloadedCacheKeys, 'status'> | null
  readonly watching: Readings['watching']
  /** Null without a shared tier. */
  readonly sharedTier: { readonly status: () => SharedTierStatus } | null
  readonly clock: Pick<Clock, 'now'>
}

/** The status of the service, for the routes for operators and for the metrics. */
export function createServiceStatus(service: ServiceParts) {
  const { config, logState, lifecycle, callers, hilos, contacts, drift, watching, sharedTier, clock } = service
  const { reloadedTokens, reloadedCallers, reloadedCacheKeys } = service
  const { state, requestsInFlight } = lifecycle
  const build = { version, commit: config.sourceCommit, node: nodeVersion }
  const parts = () => ({
    hilosToken: reloadedTokens.status(),
    callersFile: reloadedCallers.status(),
    cacheKeyFile: reloadedCacheKeys?.status() ?? null,
    hilos: hilos.health(),
    log: logState.status(),
    sharedTier: sharedTier?.status() ?? null,
  })
  return {
    state,
    parts,
    drift: drift.counts,
    build: { ...build, startedAt: new Date(clock.now()).toISOString() },
    cache: contacts,
    isShared: sharedTier !== null,
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
      sharedTier: sharedTier?.status ?? null,
      logLinesLost: logState.linesLost,
    },
  }
}

function connectionsOf({ server }: FastifyInstance): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>()
  server.getConnections((_error, count) => resolve(count))
  return promise
}
