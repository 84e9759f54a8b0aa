import accepts from '@fastify/accepts'
import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import { createOperatorsApp } from './admin/operators-app.ts'
import type { Store } from './cache/store.ts'
import type { Config } from './config.ts'
import { createContacts, type Seams } from './contacts.ts'
import { drainOnClose } from './plugins/drain.ts'
import { publishOpenApi } from './plugins/openapi.ts'
import { answerWithProblems } from './plugins/problems.ts'
import { refuseWhatNoRouteAnswers } from './plugins/request-checks.ts'
import { logRequests } from './plugins/request-log.ts'
import { useBaseHeaders } from './plugins/security-headers.ts'
import { executionContactRoutes } from './routes/execution-contacts.ts'
import { problemRoutes } from './routes/problems.ts'
import { createServer } from './server.ts'
import { createDriftTally } from './upstream/drift.ts'
import { createHilos } from './upstream/hilos.ts'
import { createHilosTokens } from './upstream/hilos-tokens.ts'
import { version } from './version.ts'

export interface Service {
  /** For callers. */
  readonly callers: FastifyInstance
  /** For operators; null when turned off. */
  readonly operators: FastifyInstance | null
  /** The packed presentations that are remembered. */
  readonly store: Store<Buffer>
  /**
   * Starts both listeners.
   * @returns origin of the callers' one
   * @throws the error of `listen`, for example EADDRINUSE
   */
  readonly listen: () => Promise<string>
  /** Stops taking connections, lets requests in flight finish, and lets Hilos go. */
  readonly close: () => Promise<void>
}

/**
 * Puts the parts together, in the order in which a request meets them. Nothing listens yet.
 * @param seams what tests put in place of the clocks and of chance
 */
export async function createService(config: Config, logger: Logger, seams: Partial<Seams> = {}): Promise<Service> {
  const { now = Date.now, elapsed = () => performance.now(), random = Math.random } = seams
  const drift = createDriftTally((kind, path) =>
    logger.warn({ kind, path }, 'a Hilos document strays from the contract'),
  )
  const hilos = createHilos({
    ...config.hilos,
    tokens: createHilosTokens({ current: config.hilos.token, next: null }),
    userAgent: `hilos-bff/${version}`,
    reportDrift: drift.report,
    onPause: (reason) => logger.warn({ err: reason }, 'calls to Hilos pause'),
    onResume: () => logger.info('calls to Hilos go on'),
    now,
    elapsed,
    random,
  })
  const contacts = createContacts(config, hilos, { now, elapsed, random })

  const callers = createServer(config.limits, logger)
  drainOnClose(callers)
  logRequests(callers)
  answerWithProblems(callers)
  useBaseHeaders(callers)
  refuseWhatNoRouteAnswers(callers, config.limits)
  await publishOpenApi(callers)
  await callers.register(accepts)
  executionContactRoutes(callers, { ...contacts, reloadFloorMs: config.cache.reloadFloorMs, now })
  problemRoutes(callers)
  await callers.ready()

  const operators = config.operators && createOperatorsApp(logger)
  return {
    callers,
    operators,
    store: contacts.store,
    listen: async () => {
      if (operators) await operators.listen({ ...config.operators })
      return await callers.listen({ ...config.callers })
    },
    close: async () => {
      await callers.close()
      await operators?.close()
      contacts.close()
      await hilos.close()
    },
  }
}
