import type { FastifyBaseLogger, FastifyInstance } from 'fastify'
import { type CacheRoutesOptions, cacheRoutes } from '../admin/cache.ts'
import { type HealthRoutesOptions, healthRoutes } from '../admin/health.ts'
import { publishOperatorsOpenApi } from '../admin/openapi.ts'
import { type ReportRoutesOptions, reportRoutes } from '../admin/reports.ts'
import type { Limits } from '../config/limits.ts'
import { answerWithProblems } from '../plugins/problems.ts'
import { refuseWhatNoRouteAnswers } from '../plugins/request-checks.ts'
import { useBaseHeaders } from '../plugins/security-headers.ts'
import { createServer } from './server.ts'

export type OperatorsAppOptions = HealthRoutesOptions & ReportRoutesOptions & CacheRoutesOptions

/**
 * The operators' listener: an application of its own, so that what callers do to theirs (limits, load, closing) leaves it
 * alone. It asks nobody who they are, and its requests are not logged; what changes something is.
 */
export async function createOperatorsApp(
  limits: Limits,
  logger: FastifyBaseLogger,
  options: OperatorsAppOptions,
): Promise<FastifyInstance> {
  const app = createServer(limits, logger, { closesAtOnce: true })
  answerWithProblems(app)
  useBaseHeaders(app)
  refuseWhatNoRouteAnswers(app, limits)
  app.addHook('onRequest', async (_request, reply) => {
    reply.header('cache-control', 'no-store')
  })
  app.addHook('onResponse', async ({ failure, log }) => {
    if (failure?.code === 'internal_error') log.error({ err: failure }, 'the operators’ listener failed')
  })
  await publishOperatorsOpenApi(app)
  healthRoutes(app, options)
  reportRoutes(app, options)
  cacheRoutes(app, options)
  return app
}
