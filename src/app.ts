import type { Logger } from 'pino'
import { createServiceStatus } from './admin/service-status.ts'
import { type Clock, systemClock } from './common/clock.ts'
import { version } from './common/version.ts'
import type { CacheKeys } from './config/cache-keys.ts'
import type { Config } from './config/config.ts'
import { logLimits } from './config/limits.ts'
import type { SharedTierConfig } from './config/shared-tier.ts'
import { createContacts } from './contacts/contacts.ts'
import { createCallersApp } from './http/callers-app.ts'
import { createOperatorsApp } from './http/operators-app.ts'
import type { DrainOptions } from './lifecycle/drain.ts'
import { createLifecycle, type Lifecycle } from './lifecycle/lifecycle.ts'
import { createReloadedCacheKeys } from './rotation/reloaded-cache-keys.ts'
import { createReloadedCallers } from './rotation/reloaded-callers.ts'
import { createReloadedTokens } from './rotation/reloaded-tokens.ts'
import { createHilosObserver } from './telemetry/hilos-observer.ts'
import { createLogOutput, type LogState } from './telemetry/log-output.ts'
import { createMetrics, type Metrics } from './telemetry/metrics.ts'
import { createSharedTierObserver } from './telemetry/shared-tier-observer.ts'
import { createDriftTally } from './upstream/document/drift.ts'
import { createHilos } from './upstream/hilos.ts'

export type Service = Readonly<Awaited<ReturnType<typeof createService>>>

/**
 * Puts the parts together. Nothing listens yet.
 * @param lifecycle the one of the process, which can start to drain before the service exists
 * @param logState that of the output of the logger
 */
export async function createService(
  config: Config,
  logger: Logger,
  clock: Clock = systemClock,
  lifecycle: Lifecycle = createLifecycle(),
  logState: LogState = createLogOutput(logLimits),
) {
  const metrics = createMetrics()
  const drift = createDriftTally((kind, path) => logger.warn({ kind, path }, 'document deviates from the contract'))
  const reloadedTokens = createReloadedTokens(config.hilos, logger, metrics, clock)
  const reloadedCacheKeys = config.sharedTier && createReloadedCacheKeys(config.sharedTier, logger, metrics)
  const sharedTier =
    config.sharedTier &&
    reloadedCacheKeys &&
    (await createSharedTierOf(config, config.sharedTier, reloadedCacheKeys.keys, metrics, logger, clock))
  const hilos = createHilos({
    ...config.hilos,
    tokens: reloadedTokens.tokens,
    userAgent: `hilos-bff/${version}`,
    observer: createHilosObserver(metrics, logger),
    createRation: sharedTier?.createRation,
    clock,
  })
  const contacts = createContacts(config, hilos, drift.report, clock, sharedTier?.secondTier)
  const reloadedCallers = await createReloadedCallers(config.access, logger, metrics, clock)

  const watched = { reloadedTokens, reloadedCallers, reloadedCacheKeys }
  const parts = { config, logger, logState, metrics, lifecycle, contacts, hilos, drift, clock, ...watched }
  const { authenticate } = reloadedCallers
  const { callers, streams, drain } = await createCallersApp({ ...parts, authenticate })
  const watching = () => {
    const { keys, lateness } = contacts.watchStatus()
    return { streams: streams.count('stream'), polls: streams.count('poll'), contacts: keys, lateness }
  }
  const status = createServiceStatus({ ...parts, callers, watching, sharedTier })
  metrics.read(status.readings)
  const described = config.docs === 'operators' ? callers : null
  const operators =
    config.operators &&
    (await createOperatorsApp(config.limits, logger, { ...status, metrics, described, ...config.operators }))

  return {
    callers,
    /** Null when it is turned off. */
    operators,
    /** The stored contacts, for tests. */
    store: contacts.store,
    /**
     * Opens both listeners, and returns their origins: `origin` is that of the callers' listener.
     * @throws the error of `listen`, for example EADDRINUSE
     */
    listen: async () => {
      const operatorsOrigin = operators && (await operators.listen({ ...config.operators }))
      await sharedTier?.start()
      const origin = await callers.listen({ ...config.callers })
      lifecycle.serve()
      return { operators: operatorsOrigin, origin }
    },
    /** Drains the callers' listener, without a delay by default. Then closes the operators' and the connections to Hilos. */
    close: async (options: DrainOptions = { delay: Promise.resolve(), idleGraceMs: 0 }) => {
      await drain(options)
      await callers.close()
      await operators?.close()
      for (const part of [contacts, reloadedCallers, reloadedTokens, reloadedCacheKeys]) part?.close()
      await sharedTier?.close()
      await hilos.close()
    },
  }
}

/** What speaks to the server is loaded only if there is one. */
async function createSharedTierOf(
  config: Config,
  settings: SharedTierConfig,
  cacheKeys: () => CacheKeys,
  metrics: Metrics,
  logger: Logger,
  clock: Clock,
) {
  const { createSharedTier } = await import('./tier/shared-tier.ts')
  const observer = createSharedTierObserver(metrics.registry, logger)
  return createSharedTier({ config, settings, cacheKeys, observer, clock })
}
