import type { FastifyBaseLogger, FastifyInstance } from 'fastify'
import { type CacheRoutesOptions, cacheRoutes } from '../admin/cache.ts'
import { type HealthRoutesOptions, healthRoutes } from '../admin/health.ts'
import { describeOperatorsRoutes } from '../admin/openapi.ts'
import { type ReportRoutesOptions, reportRoutes } from '../admin/reports.ts'
import type { Limits } from '../config/config.ts'
import { documentOf, serveDocumentation } from '../plugins/documentation.ts'
import { answerWithProblems } from '../plugins/problems.ts'
import { checkRequests } from '../plugins/request-checks.ts'
import { useBaseHeaders } from '../plugins/security-headers.ts'
import { serveStatic } from '../plugins/static-answers.ts'
import { problemRoutes } from '../routes/problems.ts'
import { createServer } from './server.ts'

export interface OperatorsAppOptions extends HealthRoutesOptions, ReportRoutesOptions, CacheRoutesOptions {
  /** The app whose documentation is served here; null for none. */
  readonly described: FastifyInstance | null
}

/**
 * The operators' listener. It is an application of its own, so that limits, load and shutdown of the callers' listener do
 * not affect it. It authenticates no one, and logs only requests that change something.
 */
export async function createOperatorsApp(
  limits: Limits,
  logger: FastifyBaseLogger,
  options: OperatorsAppOptions,
): Promise<FastifyInstance> {
  // Probes and Prometheus have no credential, so none of them is a stranger here.
  const ownLimits = { ...limits, strangerKeepAliveMs: limits.keepAliveMs }
  const { app } = createServer(ownLimits, logger, { closesAtOnce: true })
  answerWithProblems(app)
  useBaseHeaders(app)
  checkRequests(app, limits)
  app.addHook('onRequest', async (_request, reply) => {
    reply.header('cache-control', 'no-store')
  })
  app.addHook('onResponse', async ({ failure, log }) => {
    if (failure?.code === 'internal_error') log.error({ err: failure }, 'request of an operator failed')
  })
  await describeOperatorsRoutes(app)
  healthRoutes(app, options)
  reportRoutes(app, options)
  cacheRoutes(app, options)
  problemRoutes(app)
  serveStatic(app, '/openapi.json', documentOf(app))
  if (options.described !== null) serveDocumentation(app, options.described)
  return app
}
