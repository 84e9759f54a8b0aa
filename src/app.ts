import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import { createReport } from './admin/service-status.ts'
import type { Store } from './cache/lru-store.ts'
import { version } from './common/version.ts'
import type { Config } from './config/config.ts'
import { createContacts, type Seams } from './contacts/contacts.ts'
import type { RememberedContact } from './contacts/stored-contact.ts'
import { createCallersApp } from './http/callers-app.ts'
import { createOperatorsApp } from './http/operators-app.ts'
import type { DrainOptions } from './lifecycle/drain.ts'
import { createLifecycle, type Lifecycle } from './lifecycle/lifecycle.ts'
import { createKnownCallers } from './rotation/reloaded-callers.ts'
import { createTokensInUse } from './rotation/reloaded-tokens.ts'
import { problemRoutes } from './routes/problems.ts'
import { createMetrics } from './telemetry/metrics.ts'
import { createDriftTally } from './upstream/document/drift.ts'
import { createHilos } from './upstream/hilos.ts'

export interface Service {
  /** For callers. */
  readonly callers: FastifyInstance
  /** For operators; null when turned off. */
  readonly operators: FastifyInstance | null
  /** What is remembered of contacts. */
  readonly store: Store<RememberedContact>
  /**
   * Starts both listeners.
   * @throws the error of `listen`, for example EADDRINUSE
   */
  readonly listen: () => Promise<Origins>
  /** Drains the callers' listener, at once unless told otherwise; then ends the operators' and lets Hilos go. */
  readonly close: (drain?: DrainOptions) => Promise<void>
}

export interface Origins {
  /** Of the operators' listener; null when turned off. */
  readonly operators: string | null
  /** Of the callers'. */
  readonly origin: string
}

/**
 * Puts the parts together. Nothing listens yet.
 * @param seams what tests put in place of the clocks and of chance
 * @param lifecycle the one of the process, whose end can begin before there is a service
 */
export async function createService(
  config: Config,
  logger: Logger,
  seams: Partial<Seams> = {},
  lifecycle: Lifecycle = createLifecycle(),
): Promise<Service> {
  const { now = Date.now, elapsed = () => performance.now(), random = Math.random, pause } = seams
  const metrics = createMetrics()
  const drift = createDriftTally((kind, path) =>
    logger.warn({ kind, path }, 'a Hilos document strays from the contract'),
  )
  const tokens = createTokensInUse(config.hilos, logger, metrics, now)
  const hilos = createHilos({
    ...config.hilos,
    tokens: tokens.tokens,
    userAgent: `hilos-bff/${version}`,
    reportDrift: drift.report,
    onPause: (reason) => {
      metrics.pause(reason.code)
      logger.warn({ err: reason }, 'calls to Hilos pause')
    },
    onResume: () => logger.info('calls to Hilos go on'),
    onTurn: metrics.turn,
    onTurnRefused: metrics.turnRefused,
    onCall: metrics.call,
    onRetry: metrics.retry,
    onTokenRefused: ({ code }) => metrics.tokenRefused(code),
    onTokenChange: ({ fingerprint }) =>
      logger.warn(
        { tokenFingerprint: fingerprint },
        'Hilos refuses the token in use and takes the other, used from now on',
      ),
    now,
    elapsed,
    random,
  })
  const contacts = createContacts(config, hilos, { now, elapsed, random, ...(pause && { pause }) })
  const known = createKnownCallers(config.access, logger, metrics, { now, elapsed })

  const { callers, drain } = await createCallersApp({
    ...{ config, logger, metrics, lifecycle, contacts, now, elapsed },
    authenticate: known.authenticate,
  })

  const report = createReport({ config, lifecycle, callers, hilos, contacts, drift, tokens, known, now })
  metrics.read(report.readings)
  const operators = config.operators && (await createOperatorsApp(config.limits, logger, { ...report, metrics }))
  if (operators) problemRoutes(operators)
  return {
    callers,
    operators,
    store: contacts.store,
    listen: async () => {
      const operatorsOrigin = operators && (await operators.listen({ ...config.operators }))
      const origin = await callers.listen({ ...config.callers })
      lifecycle.serve()
      return { operators: operatorsOrigin, origin }
    },
    close: async (options = { delay: Promise.resolve(), lingerMs: 0 }) => {
      await drain(options)
      await callers.close()
      await operators?.close()
      for (const part of [contacts, known, tokens]) part.close()
      await hilos.close()
    },
  }
}
